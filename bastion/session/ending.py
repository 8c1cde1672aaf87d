"""What a revocation does to what lives: it ends the sessions, then the connections, and tells how many.

A revocation is in force already for whatever is asked from now on; this ends what lives on an older word.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from bastion.audit.events import Event, Revoked
from bastion.identity.principal import Credential
from bastion.identity.revocation import Revocation, Revocations
from bastion.session.registry import Registry

WIND_UP = 0.7
"""Seconds that revoked sessions have to end by themselves: all that lives on a revoked word is gone in one second."""
PARTING = 0.1
"""Seconds between the last word of revoked sessions and the end of their connections: a client's jump, which sees its
own connection end, throws away what it has not passed on yet."""


class Audit(Protocol):
    """Where events go; `write` returns when the event is durable, or raises NotRecorded."""

    async def write(self, event: Event) -> None: ...


class Upstreams(Protocol):
    """The connections to targets: those are dropped that `why` gives a reason for."""

    def drop(self, why: Callable[[Credential], str | None]) -> None: ...


class Ending:
    """Asked at each change of the revocations."""

    def __init__(
        self, revocations: Revocations, sessions: Registry, connections: Registry, upstreams: Upstreams, audit: Audit
    ) -> None:
        self._revocations = revocations
        self._sessions = sessions
        self._connections = connections
        self._upstreams = upstreams
        self._audit = audit

    async def revoked(self, new: Sequence[Revocation]) -> None:
        """End what lives on a revoked word. Sessions get a moment to show their notice and close their recordings
        before their connections are cut. Raises NotRecorded, when all is ended."""
        why = self._revocations.revoked
        ended = self._sessions.end(why)
        hits = Counter(entry for live in ended if (entry := self._revocations.entry(live.credential)) is not None)
        with contextlib.suppress(TimeoutError):  # then they are cut in mid-sentence
            await asyncio.wait_for(self._sessions.gone(ended), WIND_UP)
        if ended:
            await asyncio.sleep(PARTING)
        self._upstreams.drop(why)
        self._connections.end(why)
        for entry in dict.fromkeys((*new, *hits)):
            await self._audit.write(
                Revoked(entry=entry.name, sessions=hits[entry], tenant=entry.tenant, reason=entry.reason)
            )
