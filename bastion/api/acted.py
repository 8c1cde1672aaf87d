"""What people do over the API is in the audit trail before it takes effect (law 6)."""

from __future__ import annotations

from typing import Protocol

from bastion.api.callers import Caller
from bastion.api.guard import Asked
from bastion.api.problems import BadRequest
from bastion.audit.events import Event, PersonActed


class Audit(Protocol):
    """The audit trail. NotRecorded when the event can not be made durable."""

    async def write(self, event: Event) -> None: ...


class Acted:
    """Called for each act; returns when it is durable. NotRecorded, and then nothing may be done."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def __call__(self, caller: Caller, action: str, on: str, reason: str | None = None) -> None:
        identity = caller.identity
        await self._audit.write(
            PersonActed(
                tenant=identity.tenant,
                identity=identity.name,
                issuer=identity.issuer,
                subject=identity.subject,
                action=action,
                on=on,
                reason=reason,
                source=caller.source,
            )
        )


def reason(asked: Asked, *, required: bool = True) -> str:
    """Why somebody does it, in their words; where it is not required it may be empty. BadRequest."""
    why: str = asked.body.get("reason", "").strip()
    if required and not why:
        raise BadRequest("'reason' is blank")
    return why
