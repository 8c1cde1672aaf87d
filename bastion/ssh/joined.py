"""What one turn of the event loop sends on a connection goes out in one piece.

asyncssh writes each packet by itself, and before each an empty SSH_MSG_IGNORE, which guards ciphers in CBC mode
(RFC 4251, section 9.3.1). All of ours are authenticated (see algorithms), so those are left out. Inside a jump it
matters twice: the packets of the inner connection are joined before the outer one cuts them into packets of its own.
Measured as a share of OpenSSH's own jump, a bulk download went from 0.47 to 0.69 (tests/benchmarks/figures.md).

Limit: bytes wait for the turn to end, microseconds, or for MAX_JOINED of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import asyncssh
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_IGNORE

if TYPE_CHECKING:
    from asyncssh.packet import SSHPacketLogger

MAX_JOINED = 256 * 1024
"""Bytes that are sent at once even before the turn ends."""


class Joined(SSHConnection):
    """Either side of a connection that sends this way."""

    _waiting: list[bytes] | None = None
    """What is to be sent at the end of this turn; None when nothing is."""
    _waiting_size = 0

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def _send(self, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = []
            self._loop.call_soon(self._send_waiting)
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size >= MAX_JOINED:
            self._send_waiting()

    def _send_waiting(self) -> None:
        if self._waiting:
            joined = b"".join(self._waiting)
            self._waiting = None
            self._waiting_size = 0
            super()._send(joined)

    def _force_close(self, exc: Exception | None) -> None:
        self._send_waiting()
        super()._force_close(exc)


class ClientConnection(Joined, asyncssh.SSHClientConnection):
    """The client side of a connection: the bastion's to a target."""


async def connect(host: str, port: int, **options: object) -> ClientConnection:
    """Open a ClientConnection, as asyncssh.connect would open its own. Raises OSError, asyncssh.Error; the caller
    bounds the time."""
    loop = asyncio.get_running_loop()
    made = await asyncssh.SSHClientConnectionOptions.construct(None, host=host, port=port, **options)
    made.waiter = loop.create_future()
    make = cast(Callable[[], asyncio.Protocol], lambda: ClientConnection(loop, made, wait="auth"))
    _, protocol = await loop.create_connection(make, host, port)
    connection = cast(ClientConnection, protocol)
    try:
        await made.waiter
    except BaseException:
        connection.abort()
        raise
    return connection
