"""Approvals and grants over HTTP. What may be decided, and by whom, is the service's to say; here it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from bastion.api import pages, shapes
from bastion.api.acted import Acted, reason
from bastion.api.aside import AsideFailed, Busy
from bastion.api.guard import Asked, Handler
from bastion.api.searching import Page
from bastion.approvals.grant import Grant
from bastion.approvals.request import Person, Request, State
from bastion.audit.search import Sought

MAX_PAST = 50
"""Commands that a session was judged for, told with a request."""


class Deciding(Protocol):
    """approvals.Approvals, as people see it. NoSuchRequest, MayNotVote, StoreDown, NotRecorded."""

    async def vote(self, person: Person, id: str, approves: bool, comment: str, grant: bool = False) -> Request: ...

    async def request(self, tenant: str, id: str) -> Request: ...

    async def page(
        self, tenant: str, states: Iterable[State], before: pages.Cursor | None, limit: int
    ) -> list[Request]: ...

    async def grants(
        self, tenant: str, before: pages.Cursor | None, limit: int, *, past: bool = False
    ) -> list[Grant]: ...

    async def grant(self, tenant: str, id: str) -> Grant:
        """One that is in force."""
        ...

    async def revoke_grant(self, person: Person, id: str, why: str = "") -> Grant: ...


class Trail(Protocol):
    """searching.Searching."""

    async def search(self, sought: Sought, before: int | None, most: int) -> Page: ...


class Approvals:
    """`acted` writes what people do into the audit trail; `clock` gives seconds since 1970."""

    def __init__(self, deciding: Deciding, trail: Trail, acted: Acted, clock: Callable[[], float]) -> None:
        self._deciding = deciding
        self._trail = trail
        self._acted = acted
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "approvals": self.list,
            "approval": self.show,
            "approve": self.approve,
            "deny": self.deny,
            "grants": self.grants,
            "revoke_grant": self.revoke,
        }

    async def list(self, asked: Asked) -> Mapping[str, Any]:
        limit = pages.limit(asked.query)
        states = [State(asked.query["state"])] if "state" in asked.query else list(State)
        found = await self._deciding.page(asked.tenant, states, pages.before(asked.query), limit + 1)
        return await pages.page(
            found, limit, lambda one: self._told(asked, one, shapes.IN_LIST), lambda one: (one.asked, one.id)
        )

    async def show(self, asked: Asked) -> Mapping[str, Any]:
        """With the commands that its session was judged for before."""
        found = await self._deciding.request(asked.tenant, asked.path["approval"])
        bound = found.bound
        sought = Sought(asked.tenant, kind="command-judged", session=bound.session, until=found.asked)
        try:
            past = await self._trail.search(sought, None, MAX_PAST)
        except (Busy, AsideFailed):  # the request can be read, and decided, without
            past = Page((), None, False)
        before = past.events
        if before and (before[0].get("effect"), before[0].get("rule")) == ("approve", bound.rule):
            before = before[1:]  # its own: what is asked for is judged first
        return {
            **self._told(asked, found),
            "past": shapes.past(before),
            "past_whole": past.whole and past.next is None,
        }

    async def approve(self, asked: Asked) -> Mapping[str, Any]:
        comment, grant = asked.body.get("comment", ""), asked.body.get("grant", False)
        return self._told(asked, await self._vote(asked, True, comment, grant))

    async def deny(self, asked: Asked) -> Mapping[str, Any]:
        return self._told(asked, await self._vote(asked, False, asked.body.get("comment", ""), False))

    async def grants(self, asked: Asked) -> Mapping[str, Any]:
        limit, now = pages.limit(asked.query), self._clock()
        past = not asked.query.get("live", False)
        found = await self._deciding.grants(asked.tenant, pages.before(asked.query), limit + 1, past=past)
        return await pages.page(found, limit, lambda one: shapes.grant(one, now), lambda one: (one.made, one.id))

    async def revoke(self, asked: Asked) -> Mapping[str, Any]:
        """The reason may be left out. Who does it is in the trail before it is done, and once more with the grant."""
        why = reason(asked, required=False)
        found = await self._deciding.grant(asked.tenant, asked.path["grant"])
        await self._acted(asked.caller, "revoke-grant", found.id, why or None)
        found = await self._deciding.revoke_grant(Person.of(asked.caller.identity), found.id, why)
        return shapes.grant(found, self._clock())

    # -- inside

    async def _vote(self, asked: Asked, approves: bool, comment: str, grant: bool) -> Request:
        person = Person.of(asked.caller.identity)
        return await self._deciding.vote(person, asked.path["approval"], approves, comment, grant)

    def _told(self, asked: Asked, found: Request, most: int = shapes.MAX_SHOWN) -> Mapping[str, Any]:
        return shapes.approval(found, Person.of(asked.caller.identity), self._clock(), most)
