"""A client, a tape and a target in memory, for the tests of what passes between them."""

from __future__ import annotations

import asyncio

from bastion.errors import NotRecorded
from bastion.session.channel import Control, Ended


class Wires:
    """The client, the tape and the target at once: each call is a line of `seen`, in the order of all three."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.full = False
        """The disk is."""
        self._more = asyncio.Event()

    async def more(self) -> None:
        """Until the client is shown something."""
        self._more.clear()
        async with asyncio.timeout(5):
            await self._more.wait()

    def shown(self) -> None:
        self._more.set()


class FakeClient:
    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._seen = wires.seen
        self.paused = False

    def write(self, data: bytes, stream: int) -> None:
        self._seen.append(("shown", stream, data))
        self._wires.shown()

    def write_eof(self) -> None:
        self._seen.append(("client eof",))

    def pause(self) -> None:
        assert not self.paused, "paused twice"
        self.paused = True

    def resume(self) -> None:
        assert self.paused, "resumed without a pause"
        self.paused = False

    def finish(self, ended: Ended) -> None:
        self._seen.append(("finished", ended))


class FakeTape:
    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def output(self, stream: int, data: bytes) -> None:
        self._keep("recorded", stream, data)

    def resize(self, columns: int, rows: int) -> None:
        self._keep("resized", columns, rows)

    def _keep(self, *what: object) -> None:
        if self._wires.full:
            raise NotRecorded("the disk is full")
        self._wires.seen.append(what)


class FakeTarget:
    def __init__(self, wires: Wires) -> None:
        self._seen = wires.seen
        self.paused = False
        self.closed = False

    def write(self, data: bytes) -> None:
        self._seen.append(("sent", data))

    def write_eof(self) -> None:
        self._seen.append(("target eof",))

    def tell(self, control: Control) -> None:
        self._seen.append(("told", control))

    def pause(self) -> None:
        assert not self.paused, "paused twice"
        self.paused = True

    def resume(self) -> None:
        assert self.paused, "resumed without a pause"
        self.paused = False

    def close(self) -> None:
        self.closed = True
