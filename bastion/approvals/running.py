"""What runs in this process under a grant, so that revoking it ends that, whoever revokes it and wherever."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bastion.approvals.grant import Grant, Holder
from bastion.approvals.ports import Change, Named
from bastion.background import Background
from bastion.errors import StoreDown

log = logging.getLogger(__name__)

GRANT = "grant"

K = TypeVar("K")
V = TypeVar("V")


class Running:
    """`add` before a grant is looked up, `forget` when a session is over; `end` and `changed` as word comes."""

    def __init__(
        self, find: Callable[[str, str], Awaitable[Grant | None]], end_session: Callable[[str, str], None]
    ) -> None:
        self._find = find
        self._end_session = end_session
        self._sessions: dict[Holder, set[str]] = {}
        self._holders: dict[str, set[Holder]] = {}
        self._unknown: set[Named] = set()
        self._background = Background()

    def add(self, holder: Holder, session: str) -> bool:
        """Whether it was not there."""
        if self.has(holder, session):
            return False
        self._sessions.setdefault(holder, set()).add(session)
        self._holders.setdefault(session, set()).add(holder)
        return True

    def has(self, holder: Holder, session: str) -> bool:
        return session in self._sessions.get(holder, ())

    def remove(self, holder: Holder, session: str) -> None:
        _discard(self._sessions, holder, session)
        _discard(self._holders, session, holder)

    def forget(self, session: str) -> None:
        for holder in list(self._holders.get(session, ())):
            self.remove(holder, session)

    def end(self, grant: Grant) -> None:
        """It was revoked: so ends what runs under it."""
        for session in list(self._sessions.get(grant.holder, ())):
            self.remove(grant.holder, session)
            try:
                self._end_session(session, f"the grant {grant.id} was revoked: {grant.why}")
            except Exception:
                log.exception("a session under a revoked grant could not be ended")

    def changed(self, changes: Sequence[Change]) -> None:
        """Word of the store."""
        self._unknown |= {Named(change.tenant, change.subject) for change in changes if change.kind == GRANT}
        if self._unknown and self._sessions:
            self._background.start(self._look(), "looking at grants that changed")
        elif not self._sessions:
            self._unknown.clear()

    async def looked(self) -> None:
        """Wait until all that was heard of has been looked at."""
        await self._background.wait()

    async def stop(self) -> None:
        await self._background.stop()

    async def _look(self) -> None:
        """What can not be read now is looked at with the next word."""
        for named in list(self._unknown):
            try:
                found = await self._find(named.tenant, named.id)
            except StoreDown as error:
                log.warning("a grant that changed can not be read yet: %s", error)
                return
            self._unknown.discard(named)
            if found is not None and found.revoked:
                self.end(found)


def _discard(sets: dict[K, set[V]], key: K, member: V) -> None:
    members = sets.get(key)
    if members is not None:
        members.discard(member)
        if not members:
            del sets[key]
