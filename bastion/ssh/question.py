"""The one text of the bastion's own that a target is sent: login_shell.QUESTION, and what is printed in answer to it.

No terminal, no variables, no input; its errors are dropped, and of its output no more than MAX_ANSWER bytes are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import asyncssh

from bastion.ssh.hooks import ClientConnection
from bastion.ssh.intake import MAX_PACKET
from bastion.targets.login_shell import MAX_ANSWER, QUESTION

SECONDS = 5.0
"""How long an answer may take, once the connection is open."""
_WINDOW = 64 * 1024


class _Answer(asyncssh.SSHClientSession[bytes]):
    """Gathers stdout until the channel closes, or there is enough of it."""

    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened = opened
        self._printed = bytearray()
        self.whole: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        del chan
        self._opened()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is None and len(self._printed) < MAX_ANSWER:
            self._printed += data[: MAX_ANSWER - len(self._printed)]
            if len(self._printed) >= MAX_ANSWER:
                self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self.whole.done():
            self.whole.set_exception(asyncssh.ConnectionLost("lost before there was an answer"))
        self._finish()

    def _finish(self) -> None:
        if not self.whole.done():
            self.whole.set_result(bytes(self._printed))


async def put(connection: ClientConnection, opened: Callable[[], None]) -> bytes:
    """Ask on a channel of `connection`; `opened` is called when there is one. Raises TimeoutError after SECONDS, and
    what asyncssh raises."""
    answer = _Answer(opened)
    channel: asyncssh.SSHClientChannel[bytes] | None = None
    try:
        async with asyncio.timeout(SECONDS):
            channel, _ = await connection.create_session(
                lambda: answer,
                # asyncssh takes the text's bytes as they are, though its annotation says text.
                cast(str, QUESTION),
                subsystem=None,
                env=(),
                send_env=None,
                request_pty=False,
                x11_forwarding=False,
                encoding=None,
                window=_WINDOW,
                max_pktsize=MAX_PACKET,
            )
            channel.write_eof()
            return await answer.whole
    finally:
        if channel is not None:
            channel.close()
