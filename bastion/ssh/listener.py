"""The listener: accepts connections, bounds those that have not yet proven who they are, and hands over to the jump.

Before authentication a connection costs memory and time and has earned neither:
- each must prove itself within `handshake` seconds of connecting;
- at most `unauthenticated` may be about at once, and `per_source` from one address. Past either bound the *oldest*
  unproven connection of the busiest source is cut, never the newest of another: who says nothing holds up nobody,
  and an attacker at one address pushes out only himself;
- `attempts` failed requests end a connection.

Limit: an attacker with very many addresses can still push out honest newcomers, who have to be quicker than he is.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import asyncssh

from bastion.context import Knock
from bastion.ssh.hooks import ServerConnection
from bastion.ssh.jump import House, Outer


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds before authentication: seconds, and numbers of connections."""

    handshake: int
    unauthenticated: int
    per_source: int


class Listener:
    """Life: `start`, then `stop` (no new connections) and `close` (cuts those that are left)."""

    def __init__(
        self,
        house: House,
        options: Callable[[], asyncssh.SSHServerConnectionOptions],
        limits: Limits,
    ) -> None:
        self._house = house
        self._options = options
        self._limits = limits
        self._servers: list[asyncio.Server] = []
        self._unproven: dict[Outer, None] = {}
        self._all: set[Outer] = set()

    async def start(self, addresses: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Listen; the addresses as bound (a port of 0 becomes the one that was given)."""
        loop = asyncio.get_running_loop()
        bound: list[tuple[str, int]] = []
        for host, port in addresses:
            server = await loop.create_server(lambda: _Accepted(self._accept), host, port, backlog=512)
            self._servers.append(server)
            bound.extend(socket.getsockname()[:2] for socket in server.sockets)
        return bound

    async def stop(self) -> None:
        """Take no new connections; those that are open go on."""
        for server in self._servers:
            server.close()

    async def close(self) -> None:
        """Cut every connection that is left."""
        for outer in list(self._all):
            outer.end("the bastion is stopping")

    # -- inside

    def _accept(self, source: str) -> ServerConnection:
        knock = Knock(connection=secrets.token_hex(8), source=source)
        outer = Outer(self._house, knock, self._state)
        return ServerConnection(asyncio.get_running_loop(), self._options(), outer, outer, self._house.attempts)

    def _state(self, outer: Outer, state: str, error: Exception | None) -> None:
        match state:
            case "made":
                self._all.add(outer)
                self._unproven[outer] = None
                self._make_room()
            case "proven":
                self._unproven.pop(outer, None)
            case "lost":
                self._all.discard(outer)
                self._unproven.pop(outer, None)
                if not outer.is_proven:
                    outer.never_proven(error)

    def _make_room(self) -> None:
        """Cut the oldest unproven connection of the busiest source while a bound is passed."""
        counts = Counter(outer.source for outer in self._unproven)
        source, most = counts.most_common(1)[0]
        if len(self._unproven) > self._limits.unauthenticated or most > self._limits.per_source:
            oldest = next(outer for outer in self._unproven if outer.source == source)
            del self._unproven[oldest]  # now: it takes a turn of the loop until it is lost, and more may come before
            oldest.drop("too many connections that have not logged in")


class _Accepted(asyncio.Protocol):
    """Stands in until the peer's address is known, then becomes an SSH connection."""

    def __init__(self, accept: Callable[[str], ServerConnection]) -> None:
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        peer = stream.get_extra_info("peername")
        if peer is None:  # gone already
            stream.abort()
            return
        connection = self._accept(str(peer[0]))
        stream.set_protocol(connection)
        connection.connection_made(stream)
