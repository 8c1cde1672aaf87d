"""Who waits in this process, and how they hear of what was decided: at once when it was decided here, and by the
store's word of changes when it was decided in another process.

One who waits is an entry in a table and a future: five hundred of them are woken one by one, each by its own request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from bastion.approvals.ports import Change, Named
from bastion.approvals.request import Request, State
from bastion.background import Background
from bastion.errors import StoreDown

REQUEST = "request"


class _One:
    __slots__ = ("future", "say")

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.future: asyncio.Future[Request] = asyncio.get_running_loop().create_future()


class Waiting:
    """`one` for each who waits; `settled`, `changed` and `failed` as word comes; `stop` once."""

    def __init__(self, find: Callable[[str, str], Awaitable[Request | None]]) -> None:
        self._find = find
        self._ones: dict[Named, _One] = {}
        self._background = Background()

    def __len__(self) -> int:
        return len(self._ones)

    def __contains__(self, named: Named) -> bool:
        return named in self._ones

    @contextmanager
    def one(self, named: Named, say: Callable[[str], None]) -> Iterator[Callable[[], Awaitable[Request]]]:
        """Waits for `named`, from before it is made. What is given back returns the request once it is not pending any
        more; raises StoreDown when that can not be known."""
        waits = self._ones[named] = _One(say)

        async def decided() -> Request:
            return await waits.future

        try:
            yield decided
        finally:
            del self._ones[named]
            waits.future.cancel()

    def settled(self, request: Request) -> None:
        """Word of what a request is now."""
        waits = self._ones.get(Named(request.bound.tenant, request.id))
        if waits is not None and request.state is not State.PENDING and not waits.future.done():
            waits.future.set_result(request)

    def say(self, named: Named, line: str) -> None:
        """A line for the one who waits, if they do so here."""
        if named in self._ones:
            self._ones[named].say(line)

    def changed(self, changes: Sequence[Change]) -> None:
        """Word of the store."""
        ours = {Named(change.tenant, change.subject) for change in changes if change.kind == REQUEST}
        ours &= self._ones.keys()
        ours = {named for named in ours if not self._ones[named].future.done()}
        if ours:
            self._background.start(self._look(ours), "looking at requests that changed")

    def failed(self, error: Exception) -> None:
        """What others decide can not be known: nobody waits for it in vain."""
        for waits in self._ones.values():
            _fail(waits, error)

    async def looked(self) -> None:
        """Wait until all that was heard of has been looked at."""
        await self._background.wait()

    async def stop(self) -> None:
        await self._background.stop()

    async def _look(self, which: set[Named]) -> None:
        for named in which:
            try:
                found = await self._find(named.tenant, named.id)
            except StoreDown as error:
                self.failed(error)
                return
            if found is not None:
                self.settled(found)
            elif named in self._ones:
                _fail(self._ones[named], StoreDown("a request is gone from the store"))


def _fail(waits: _One, error: Exception) -> None:
    if not waits.future.done():
        waits.future.set_exception(StoreDown(str(error)))
        waits.future.exception()  # whoever is cancelled before they look shall not be logged for it
