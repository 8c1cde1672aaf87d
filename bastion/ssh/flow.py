"""How bytes leave a connection: in few pieces, and never into memory that has no bound.

**Joined.** asyncssh writes each packet by itself, and before each an empty SSH_MSG_IGNORE, which guards ciphers in CBC
mode (RFC 4251, section 9.3.1). All of ours are authenticated (see algorithms), so those are left out, and what one turn
of the event loop sends goes out in one piece. Inside a jump it matters twice: the packets of the inner connection are
joined before the outer one cuts them into packets of its own. Measured as a share of OpenSSH's own jump, a bulk
download went from 0.47 to 0.69 (tests/benchmarks/figures.md).

**Blocked.** asyncssh bounds what a channel sends by the peer's window and nothing else. A peer that offers a huge
window and then stops reading, or begins a key exchange and never ends it (RFC 4253, section 9: nothing else may be
sent meanwhile), would make us keep all of it. So a connection tells its watchers when what is written now would only
pile up, and they stop reading where it comes from.

Limit: what was written before the watchers were told still waits in memory, some hundred KiB a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import asyncssh
from asyncssh.constants import MSG_IGNORE

from bastion.ssh.intake import Intake

if TYPE_CHECKING:
    from asyncssh.packet import SSHPacketLogger

MAX_JOINED = 256 * 1024
"""Bytes that are sent at once even before the turn ends."""
MAX_DEFERRED = 4096
"""Packets that may wait for a key exchange to end; the watchers stop what is passed on long before."""


class Watcher(Protocol):
    def __call__(self, blocked: bool) -> None: ...


class Flow(Intake):
    """Either side of a connection that sends this way."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: list[bytes] | None = None
        """What is to be sent at the end of this turn; None when nothing is."""
        self._waiting_size = 0
        self._full: set[str] = set()
        self._watchers: list[Watcher] = []

    # -- joined

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if pkttype == MSG_IGNORE:
            return
        super().send_packet(pkttype, *args, handler=handler)
        if len(self._deferred_packets) > MAX_DEFERRED:
            self._force_close(asyncssh.ProtocolError("a key exchange that does not end holds up too much"))

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

    # -- blocked

    @property
    def blocked(self) -> bool:
        """Whether what is written now would only pile up in memory."""
        return bool(self._full)

    def watch(self, watcher: Watcher) -> None:
        """`watcher(blocked)` is called when the connection becomes blocked, and when it no longer is."""
        self._watchers.append(watcher)
        if self.blocked:
            watcher(True)

    def unwatch(self, watcher: Watcher) -> None:
        self._watchers.remove(watcher)

    def pause_writing(self) -> None:
        self._block("transport", True)
        self.deafen("full", True)

    def resume_writing(self) -> None:
        self._block("transport", False)
        self.deafen("full", False)

    def below_blocked(self, blocked: bool) -> None:
        """The connection that this one runs inside is blocked, or no longer."""
        self._block("below", blocked)

    def _send_kexinit(self) -> None:
        super()._send_kexinit()
        self._block("keys", True)

    def send_newkeys(self, k: bytes, h: bytes) -> None:
        super().send_newkeys(k, h)
        self._block("keys", False)

    def _block(self, where: str, blocked: bool) -> None:
        before = self.blocked
        (self._full.add if blocked else self._full.discard)(where)
        if self.blocked != before:
            for watcher in list(self._watchers):
                watcher(self.blocked)
