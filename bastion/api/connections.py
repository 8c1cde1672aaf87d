"""The connections of the API: each is counted from the moment it is accepted, and has so long.

asyncio's own server knows a TLS connection only once its handshake is over, which is too late to count it. So the
sockets are accepted plain, and TLS begins on those that were counted. The bounds, and where they end: see bounds.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from bastion.api import bounds
from bastion.api.limits import network
from bastion.api.protocol import Http
from bastion.background import Background


@dataclass(slots=True)
class _Open:
    """One connection: the plain transport, whatever is spoken on it, and until when it may be open."""

    source: str
    transport: asyncio.Transport
    timer: asyncio.TimerHandle
    busy: bool = False


class Connections:
    """The factory of `loop.create_server`. Life: calls (one a connection) and `heard`, then `stop`.

    `make` makes what speaks HTTP; it calls what it is given when its connection has ended. `heard` says that a
    request's header is whole, from when on the connection is not idle.
    """

    def __init__(
        self,
        make: Callable[[Callable[[Http], None]], Http],
        tls: ssl.SSLContext | None,
        *,
        most: int = bounds.MAX_CONNECTIONS,
        per_source: int = bounds.MAX_PER_SOURCE,
        first: float = bounds.FIRST_REQUEST,
        whole: float = bounds.WHOLE_REQUEST,
    ) -> None:
        self._make = make
        self._tls = tls
        self._most = most
        self._per_source = per_source
        self._first = first
        self._whole = whole
        self._open: dict[Http, _Open] = {}
        self._background = Background()

    def __call__(self) -> asyncio.Protocol:
        return _Accepted(self._accept)

    def __len__(self) -> int:
        return len(self._open)

    def heard(self, protocol: object) -> None:
        """A request came over this connection."""
        found = self._open.get(protocol) if isinstance(protocol, Http) else None
        if isinstance(protocol, Http) and found is not None:
            found.busy = True
            found.timer.cancel()
            found.timer = asyncio.get_running_loop().call_later(self._whole, self._cut, protocol)

    async def stop(self) -> None:
        """Cut what is idle. Requests under way are the server's to end."""
        for protocol in [one for one, found in self._open.items() if not found.busy]:
            self._cut(protocol)
        await self._background.stop()

    # -- inside

    def _accept(self, transport: asyncio.Transport, source: str) -> None:
        protocol = self._make(self._lost)
        timer = asyncio.get_running_loop().call_later(self._first, self._cut, protocol)
        self._open[protocol] = _Open(network(source), transport, timer)
        self._make_room()
        if protocol not in self._open:  # the one cut for it was itself
            return
        if self._tls is None:
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        else:
            transport.pause_reading()  # what comes is TLS, and no one yet reads that
            self._background.start(self._shake_hands(protocol, transport, self._tls), "a TLS handshake of the API")

    async def _shake_hands(self, protocol: Http, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        early = _Early()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                tls,
                server_side=True,
                ssl_handshake_timeout=self._first,
                ssl_shutdown_timeout=bounds.TLS_SHUTDOWN,
            )
        except OSError:
            # No TLS, a client that does not trust us, or one that was cut: its own affair, and it is gone.
            self._lost(protocol)
            return
        if secured is None or secured.is_closing() or protocol not in self._open:
            transport.abort()
            self._lost(protocol)
            return
        secured.set_protocol(protocol)
        protocol.connection_made(secured)
        if early.received:
            protocol.data_received(bytes(early.received))

    def _make_room(self) -> None:
        """Cut the oldest idle connection of the busiest source while a bound is passed; its oldest, if all are busy."""
        source, count = Counter(found.source for found in self._open.values()).most_common(1)[0]
        if len(self._open) > self._most or count > self._per_source:
            own = [protocol for protocol, found in self._open.items() if found.source == source]
            self._cut(next((protocol for protocol in own if not self._open[protocol].busy), own[0]))

    def _cut(self, protocol: Http) -> None:
        """Forgotten at once: it takes a turn of the loop until it is lost, and more may come before."""
        found = self._open[protocol]
        self._lost(protocol)
        found.transport.abort()

    def _lost(self, protocol: Http) -> None:
        found = self._open.pop(protocol, None)
        if found is not None:
            found.timer.cancel()


class _Accepted(asyncio.Protocol):
    """Stands in until the peer's address is known."""

    def __init__(self, accept: Callable[[asyncio.Transport, str], None]) -> None:
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        peer = stream.get_extra_info("peername")
        if peer is None:  # gone already
            stream.abort()
            return
        self._accept(stream, str(peer[0]))


class _Early(asyncio.Protocol):
    """Keeps what a client sends together with the end of its handshake, which asyncio hands over before the rest."""

    def __init__(self) -> None:
        self.received = bytearray()

    def data_received(self, data: bytes) -> None:
        self.received += data
