"""Sessions over HTTP: which there are, what a live one shows, and its end.

Limits: a live session can be followed at the bastion process that has it, which `instance` names; its end can be asked
for at any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from bastion.api import pages, shapes
from bastion.api.acted import Acted, reason
from bastion.api.guard import Asked, Handler
from bastion.api.problems import Conflict, NotHere
from bastion.api.roles import Role
from bastion.api.streams import Stream, Streams
from bastion.characters import shown
from bastion.errors import StoreDown
from bastion.kept import Session
from bastion.recording.follow import Follower, Taken

_SEES_CONTENTS = frozenset({Role.AUDITOR, Role.APPROVER, Role.OPERATOR})
_PIECE = 64 << 10
_HEADER = ("version", "width", "height", "timestamp", "title")
"""What a follower needs of a recording's header. The rest is not made for people's eyes."""


class Kept(Protocol):
    """Sessions, live and past, of every process."""

    async def page(self, tenant: str, live: bool | None, before: pages.Cursor | None, limit: int) -> list[Session]: ...

    async def find(self, tenant: str, id: str) -> Session | None: ...

    async def request_end(self, tenant: str, id: str, at: float, reason: str) -> bool:
        """Somebody wants it to end, wherever it lives: whether it is live."""
        ...


class Live(Protocol):
    """Those of this process."""

    def follow(self, tenant: str, session: str, wake: Callable[[], None]) -> Follower | None: ...

    def end(self, tenant: str, session: str, reason: str) -> None:
        """End it now, if it is here."""
        ...


class Sessions:
    """`acted` writes what people do into the audit trail; `clock` gives seconds since 1970."""

    def __init__(self, kept: Kept, live: Live, streams: Streams, acted: Acted, clock: Callable[[], float]) -> None:
        self._kept = kept
        self._live = live
        self._streams = streams
        self._acted = acted
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        return {"sessions": self.list, "session": self.show, "follow": self.follow, "terminate": self.terminate}

    async def list(self, asked: Asked) -> Mapping[str, Any]:
        limit = pages.limit(asked.query)
        before = pages.before(asked.query)
        found = await self._kept.page(asked.tenant, asked.query.get("live"), before, limit + 1)
        contents = _sees(asked)
        return await pages.page(
            found,
            limit,
            lambda session: shapes.session(session, contents=contents, most=shapes.IN_LIST),
            lambda session: (session.started, session.id),
        )

    async def show(self, asked: Asked) -> Mapping[str, Any]:
        return shapes.session(await self._find(asked), contents=_sees(asked))

    async def terminate(self, asked: Asked) -> Mapping[str, Any]:
        """Of what lives here, also while the store is down: that is told, as 503, when it is done."""
        id, why = asked.path["session"], reason(asked)
        told = f"ended by {asked.caller.identity.name}: {shown(why, 500)}"
        try:
            session = await self._find(asked)
        except StoreDown:
            await self._acted(asked.caller, "terminate", id, why)
            self._live.end(asked.tenant, id, told)
            raise
        if session.ended is not None:
            raise Conflict("the session is over already")
        await self._acted(asked.caller, "terminate", id, why)
        self._live.end(asked.tenant, id, told)
        await self._kept.request_end(asked.tenant, id, self._clock(), told)
        return shapes.session(await self._find(asked), contents=_sees(asked))

    async def follow(self, asked: Asked) -> web.StreamResponse:
        session = await self._find(asked)
        if session.ended is not None:
            raise Conflict("the session is over: see its recording")
        woken: list[Stream] = []

        def wake() -> None:
            for stream in woken:
                stream.wake()

        follower = self._live.follow(asked.tenant, session.id, wake)
        if follower is None:
            raise Conflict(f"the session is not shown here: it lives at {shown(session.instance, 100)}, or is ending")
        try:
            await self._acted(asked.caller, "follow", session.id)
            async with self._streams.events(asked.request, asked.caller) as stream:
                woken.append(stream)
                await _show(stream, follower)
            return stream.response
        finally:
            follower.close()

    async def _find(self, asked: Asked) -> Session:
        found = await self._kept.find(asked.tenant, asked.path["session"])
        if found is None:
            raise NotHere("no such session")
        return found


def _sees(asked: Asked) -> bool:
    return bool(asked.caller.roles & _SEES_CONTENTS)


async def _show(stream: Stream, follower: Follower) -> None:
    """`header`, then the events of the recording as they are in it; `gap` where this follower was too slow; `end`."""
    header, taken = await asyncio.to_thread(follower.past)
    values = orjson.loads(header)
    await stream.send(orjson.dumps({name: values[name] for name in _HEADER if name in values}), "header")
    await _pass(stream, taken)
    while stream.going:
        over = follower.over
        taken = follower.take()
        await _pass(stream, taken)
        if over:
            await stream.send(b"{}", "end")
            return
        if not taken.lines:
            await stream.idle()


async def _pass(stream: Stream, taken: Taken) -> None:
    if taken.lost:
        await stream.send(orjson.dumps({"bytes": taken.lost}), "gap")
    place = 0
    while place < len(taken.lines) and stream.going:
        # Whole lines, about a piece at a time: nothing here may keep sessions waiting.
        end = taken.lines.find(b"\n", min(place + _PIECE, len(taken.lines) - 1)) + 1
        lines = taken.lines[place:end].splitlines()
        await stream.write(b"".join(b"data: " + line + b"\n\n" for line in lines))
        place = end
