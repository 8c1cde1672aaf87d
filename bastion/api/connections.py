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

from bastion.api import bounds, unix
from bastion.api.limits import network
from bastion.api.protocol import Http
from bastion.background import Background

Whence = tuple[str, int | None]
"""The client's address, and its user where it came by the Unix socket."""


@dataclass(slots=True)
class _Open:
    """One connection: the plain transport, whatever is spoken on it, and until when it may be open."""

    source: str
    transport: asyncio.Transport
    timer: asyncio.TimerHandle
    busy: bool = False
    streams: bool = False


class Connections:
    """The factory of `loop.create_server`. Life: calls (one a connection), `heard` and `streams`, then `stop`.

    `make` makes what speaks HTTP; it calls what it is given first when its connection has ended; second is the user at
    the other end of a Unix socket. `heard` says that a request's header is whole, from when on the connection is not
    idle; `streams` that its answer goes on, from when on it has its own bounds (streams.py) and none of these.
    `whence` tells who is there, or None for those who may not come in.
    """

    def __init__(
        self,
        make: Callable[[Callable[[Http], None], int | None], Http],
        tls: ssl.SSLContext | None,
        whence: Callable[[asyncio.Transport], Whence | None] | None = None,
        *,
        most: int = bounds.MAX_CONNECTIONS,
        per_source: int = bounds.MAX_PER_SOURCE,
        first: float = bounds.FIRST_REQUEST,
        whole: float = bounds.WHOLE_REQUEST,
    ) -> None:
        self._make = make
        self._tls = tls
        self._whence = whence or over_tcp
        self._most = most
        self._per_source = per_source
        self._first = first
        self._whole = whole
        self._open: dict[Http, _Open] = {}
        self._background = Background()

    def __call__(self) -> asyncio.Protocol:
        return _Accepted(self._accept, self._whence)

    def __len__(self) -> int:
        return len(self._open)

    def heard(self, protocol: object) -> None:
        """A request came over this connection."""
        found = self._open.get(protocol) if isinstance(protocol, Http) else None
        if isinstance(protocol, Http) and found is not None:
            found.busy = True
            found.timer.cancel()
            found.timer = asyncio.get_running_loop().call_later(self._whole, self._cut, protocol)

    def streams(self, protocol: object) -> None:
        """The answer on this connection goes on."""
        found = self._open.get(protocol) if isinstance(protocol, Http) else None
        if found is not None:
            found.streams = True
            found.timer.cancel()

    async def stop(self) -> None:
        """Cut what is idle. Requests under way are the server's to end."""
        for protocol in [one for one, found in self._open.items() if not found.busy]:
            self._cut(protocol)
        await self._background.stop()

    # -- inside

    def _accept(self, transport: asyncio.Transport, whence: Whence) -> None:
        source, peer = whence
        protocol = self._make(self._lost, peer)
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
        bounded = {protocol: found for protocol, found in self._open.items() if not found.streams}
        source, count = Counter(found.source for found in bounded.values()).most_common(1)[0]
        if len(bounded) > self._most or count > self._per_source:
            own = [protocol for protocol, found in bounded.items() if found.source == source]
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
    """Stands in until it is known who is there."""

    def __init__(
        self,
        accept: Callable[[asyncio.Transport, Whence], None],
        whence: Callable[[asyncio.Transport], Whence | None],
    ) -> None:
        self._accept = accept
        self._whence = whence

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        found = self._whence(stream)
        if found is None:
            stream.abort()
            return
        self._accept(stream, found)


def over_tcp(transport: asyncio.Transport) -> Whence | None:
    """The peer's address; None for one that is gone already."""
    peer = transport.get_extra_info("peername")
    return None if peer is None else (str(peer[0]), None)


def over_unix(transport: asyncio.Transport) -> Whence | None:
    """The peer's user, if it may come in."""
    user = unix.peer(transport.get_extra_info("socket"))
    return None if user is None else ("unix", user)


class _Early(asyncio.Protocol):
    """Keeps what a client sends together with the end of its handshake, which asyncio hands over before the rest."""

    def __init__(self) -> None:
        self.received = bytearray()

    def data_received(self, data: bytes) -> None:
        self.received += data
