"""Clients that connect and say nothing: they get so long, and there may be so many of them.

aiohttp bounds a request's size and an idle connection after its first request, but waits for that first one for ever;
the API shares its process, and its file descriptors, with the SSH side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.web_protocol import RequestHandler

FIRST_REQUEST = 10.0
"""Seconds from connecting to the last header of the first request; the TLS handshake has as many of its own."""
MAX_WAITING = 256
"""Connections without a request. Past that the oldest one is cut off for each new one."""


class Waiting:
    """Makes the server's protocols, and cuts off those that wait too long. `heard` says that a request came."""

    def __init__(
        self, make: Callable[[], RequestHandler], seconds: float = FIRST_REQUEST, most: int = MAX_WAITING
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._most = most
        self._timers: dict[RequestHandler, asyncio.TimerHandle] = {}
        self._shaking: dict[RequestHandler, asyncio.TimerHandle] = {}

    def __call__(self) -> RequestHandler:
        """One more connection: the factory of `loop.create_server`."""
        if len(self._timers) >= self._most:
            self._cut(next(iter(self._timers)))
        protocol = self._make()
        self._timers[protocol] = asyncio.get_running_loop().call_later(self._seconds, self._cut, protocol)
        return protocol

    def heard(self, protocol: object) -> None:
        """A request came over this connection: from here on aiohttp's own bounds hold."""
        if isinstance(protocol, RequestHandler):
            for timers in (self._timers, self._shaking):
                timer = timers.pop(protocol, None)
                if timer is not None:
                    timer.cancel()

    def stop(self) -> None:
        """Forget all: the server closes its connections itself."""
        for timer in (*self._timers.values(), *self._shaking.values()):
            timer.cancel()
        self._timers.clear()
        self._shaking.clear()

    def _cut(self, protocol: RequestHandler) -> None:
        self._timers.pop(protocol).cancel()
        if protocol.transport is not None:
            protocol.transport.abort()
            return
        # Still in the TLS handshake, which has a bound of its own: look again when that is over for certain.
        again = asyncio.get_running_loop().call_later(2 * self._seconds, self._cut_late, protocol)
        self._shaking[protocol] = again

    def _cut_late(self, protocol: RequestHandler) -> None:
        del self._shaking[protocol]
        if protocol.transport is not None:
            protocol.transport.abort()
