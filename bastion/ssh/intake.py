"""How bytes come in: a slice at a time, so that one peer's flood is not everybody's silence.

- **Slices.** asyncssh works off all that a read has brought, up to 256 KiB, before anything else runs; in packets of
  some bytes each that is seconds. Here a connection gets `SLICE` of a turn of the event loop, then the others do.
- **A budget before the login.** Nobody needs more than `BEFORE_LOGIN` bytes to prove who they are.
- **Nobody may ask who does not listen.** While what we send to a peer only piles up, nothing more is read from it: its
  requests would be answered into memory (flow.py tells when).
- **Packets of a size.** A peer whose largest packet is smaller than `MIN_PACKET` would have us make thousands of them
  for each piece of output; it is cut (RFC 4253, section 6.1 has everyone take 32 KiB).

Limit: a proven peer may still use its slice in every turn.
"""

from __future__ import annotations

from typing import Any

from asyncssh import ProtocolError
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_OPEN, MSG_CHANNEL_OPEN_CONFIRMATION
from asyncssh.packet import SSHPacket

PIECE = 16 * 1024
"""Bytes that are worked off before the clock is looked at."""
SLICE = 0.005
"""Seconds of one turn."""
BEFORE_LOGIN = 128 * 1024
"""Bytes; a login with twenty certificates offered takes some 30 KiB."""
WINDOW = 2 * 1024 * 1024
"""Bytes that a peer may send before we have taken them: what one channel can make us hold."""
MAX_PACKET = 32768
"""Bytes of data in the largest packet that we take."""
MIN_PACKET = 1024
"""Bytes of data in the largest packet that a peer takes."""


class Intake(SSHConnection):
    """Either side of a connection that reads this way. `bounded_login` is for the side that strangers connect to."""

    bounded_login = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unread = bytearray()
        self._feeding = False
        self._login_budget = BEFORE_LOGIN
        self._deaf: set[str] = set()
        """Why nothing is read now."""

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        del datatype
        if self.bounded_login and not self._auth_complete:
            self._login_budget -= len(data)
            if self._login_budget < 0:
                self._force_close(ProtocolError("too many bytes before the login"))
                return
        self._unread += data
        if not self._feeding:
            self._feed()

    def _feed(self) -> None:
        """Work off a slice; the rest in the next turn."""
        self._feeding = True
        until = self._loop.time() + SLICE
        while self._unread and self._transport:
            piece = bytes(self._unread[:PIECE])
            del self._unread[:PIECE]
            super().data_received(piece)
            if self._loop.time() >= until:
                break
        if self._unread and self._transport:
            self.deafen("unread", True)
            self._loop.call_soon(self._feed)
        else:
            self._feeding = False
            self.deafen("unread", False)

    def deafen(self, why: str, deaf: bool) -> None:
        """Read nothing while there is any reason for it."""
        before = bool(self._deaf)
        (self._deaf.add if deaf else self._deaf.discard)(why)
        if self._transport and bool(self._deaf) != before:
            (self._transport.pause_reading if self._deaf else self._transport.resume_reading)()

    def _process_channel_open(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        fields = SSHPacket(packet.get_remaining_payload())
        fields.get_string()  # the kind of channel
        _check_size(fields)
        super()._process_channel_open(pkttype, pktid, packet)

    def _process_channel_open_confirmation(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        fields = SSHPacket(packet.get_remaining_payload())
        fields.get_uint32()  # our number of the channel
        _check_size(fields)
        super()._process_channel_open_confirmation(pkttype, pktid, packet)

    # asyncssh finds the handlers of packets in a table of the class, which an override alone does not change.
    _packet_handlers = {  # noqa: RUF012  # a class attribute of asyncssh's, which annotates it no other way
        **SSHConnection._packet_handlers,
        MSG_CHANNEL_OPEN: _process_channel_open,
        MSG_CHANNEL_OPEN_CONFIRMATION: _process_channel_open_confirmation,
    }


def _check_size(fields: SSHPacket) -> None:
    """After the sender's number and window: the largest packet that it takes (RFC 4254, section 5.1)."""
    fields.get_uint32()
    fields.get_uint32()
    size = fields.get_uint32()
    if size < MIN_PACKET:
        raise ProtocolError(f"packets of at most {size} bytes are too small: {MIN_PACKET} is the least")
