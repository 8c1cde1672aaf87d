"""The events of people who use the API, a part of the catalogue (bastion.audit.events)."""

from __future__ import annotations

from dataclasses import dataclass

from bastion.audit.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonActed(Event):
    """`action` is `login`, `login-refused`, `logout`, `follow`, `replay`, `verify`, `terminate`, `revoke-certificate`
    or `revoke-grant`; `on` the id of what it was done to, `reason` what they gave for it, or why they were refused.
    Who it was is told where it is known; a local operator's issuer is `unix`."""

    kind = "person-acted"
    tenant: str
    action: str
    source: str
    identity: str | None = None
    issuer: str | None = None
    subject: str | None = None
    on: str | None = None
    reason: str | None = None
