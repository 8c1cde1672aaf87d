"""Answers that go on: Server-Sent Events (HTML standard, section 9.2), and the pieces of large files.

They are counted apart from other requests, by tenant and by person, and are not cut after WHOLE_REQUEST; each piece
must be taken within STREAM_WRITE. Whoever it is for is asked about again before each event, and when their time is
over: the end of a token (its `exp`) or of a browser's session, a revoked identity or a session that is over ends it at
once, and the age STREAM_AGE within HEARTBEAT.

Limit: a piece that is being written then is still written, within STREAM_WRITE.

Life of a stream: `open`, then `going` and `send` and `idle` in turn. What has news for it calls `wake`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiohttp import web

from bastion.api import bounds
from bastion.api.callers import Caller
from bastion.api.problems import TooManyStreams
from bastion.api.protocol import Http

EVENTS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
_RETRY = b"retry: 2000\n\n"
_BEAT = b":\n\n"


class Stream:
    """One answer that goes on."""

    def __init__(self, caller: Caller, response: web.StreamResponse, over: Callable[[], bool]) -> None:
        self._caller = caller
        self.response = response
        self._over = over
        self._woken = asyncio.Event()
        self._began = time.monotonic()
        self.lost = False

    @property
    def going(self) -> bool:
        """Whether there is still somebody who may have it."""
        old = time.monotonic() - self._began >= bounds.STREAM_AGE
        return not (self.lost or old or self._over()) and self._caller.lives()

    def wake(self) -> None:
        """There is news, or it is over."""
        self._woken.set()

    def lose(self) -> None:
        self.lost = True
        self.wake()

    async def send(self, data: bytes, event: str = "", id: str = "") -> None:
        """One event. `data` has no line break."""
        lines = [f"id: {id}\n".encode()] if id else []
        lines += [f"event: {event}\n".encode()] if event else []
        await self.write(b"".join(lines) + b"data: " + data + b"\n\n")

    async def idle(self) -> None:
        """Wait until it is woken, or over; say that we are alive when that takes long."""
        try:
            async with asyncio.timeout(max(0.0, min(bounds.HEARTBEAT, self._caller.left()))):
                await self._woken.wait()
        except TimeoutError:
            if self.going:
                await self.write(_BEAT)
        self._woken.clear()

    async def write(self, piece: bytes) -> None:
        """Raises ConnectionError when it is not taken."""
        try:
            async with asyncio.timeout(bounds.STREAM_WRITE):
                await self.response.write(piece)
        except TimeoutError:
            raise ConnectionError("the client does not read") from None


class Streams:
    """Life: `open` at will; `wake` when somebody was revoked; `stop` once, which ends all.

    `released` is told of a connection whose answer goes on.
    """

    def __init__(self) -> None:
        self.released: Callable[[object], None] = lambda _: None
        self._open: dict[Stream, tuple[str, str, str]] = {}
        self._stopped = False

    def __len__(self) -> int:
        return len(self._open)

    def wake(self) -> None:
        """Have every stream look whether it may go on."""
        for stream in list(self._open):
            stream.wake()

    def stop(self) -> None:
        self._stopped = True
        self.wake()

    def events(self, request: web.Request, caller: Caller) -> AbstractAsyncContextManager[Stream]:
        """A stream of events. TooManyStreams."""
        return self.open(request, caller, web.StreamResponse(headers=EVENTS), _RETRY)

    @asynccontextmanager
    async def open(
        self, request: web.Request, caller: Caller, response: web.StreamResponse, first: bytes = b""
    ) -> AsyncIterator[Stream]:
        """Any other. TooManyStreams. A client that goes, or does not read, ends it in silence."""
        person = (caller.tenant, caller.identity.issuer, caller.identity.subject)
        mine = sum(other == person for other in self._open.values())
        ours = sum(tenant == caller.tenant for tenant, _, _ in self._open.values())
        if ours >= bounds.MAX_STREAMS_A_TENANT or mine >= bounds.MAX_STREAMS_A_PERSON:
            raise TooManyStreams(5)
        stream = Stream(caller, response, lambda: self._stopped)
        transport = request.transport
        self._open[stream] = person
        try:
            self.released(request.protocol)
            if isinstance(request.protocol, Http):
                request.protocol.when_lost = stream.lose
            await self._begin(stream, request, first)
            yield stream
        except ConnectionError:
            stream.lose()
        finally:
            del self._open[stream]
            if transport is not None and stream.lost:
                transport.abort()
            elif transport is not None:  # its end must be taken, too
                asyncio.get_running_loop().call_later(bounds.STREAM_WRITE, transport.abort)

    async def _begin(self, stream: Stream, request: web.Request, first: bytes) -> None:
        try:
            stream.response.force_close()
            await stream.response.prepare(request)
            if first:
                await stream.write(first)
        except ConnectionError:
            stream.lose()
