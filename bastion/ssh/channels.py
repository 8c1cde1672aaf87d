"""The client's session channels: what is asked for on one becomes a Wanted, and the session service does the rest.

What is not offered is refused with the reason: X11 and agent forwarding on the channel's stderr, where a person sees
it, and in the audit trail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

import asyncssh

from bastion.context import Context
from bastion.session.channel import SIGNALS, STDERR, Break, Control, Ended, Resize, Signal, Terminal, Wanted
from bastion.session.relay import Relay
from bastion.session.service import Sessions
from bastion.ssh.hooks import Channel, Refuses, ServerConnection

MAX_TERMINAL_NAME = 128


class ChannelSession(asyncssh.SSHServerSession[bytes], Refuses):
    """One session channel of a client; the ClientChannel that the relay writes to.

    Life, called by asyncssh: connection_made, requests, one of exec, shell and subsystem, data, connection_lost.
    """

    def __init__(
        self, connection: ServerConnection, context: Context, sessions: Sessions, closed: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._context = context
        self._sessions = sessions
        self._closed = closed
        self._channel: Channel | None = None
        self._terminal: Terminal | None = None
        self._relay: Relay | None = None
        self._refused: list[str] = []
        self._size: Resize | None = None

    # -- what asyncssh calls

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = cast(Channel, chan)
        self._connection.watch(self._transport_blocked)

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        if len(term_type) > MAX_TERMINAL_NAME or not term_type.isprintable():
            return False
        columns, rows, width, height = term_size
        self._terminal = Terminal(term_type, columns, rows, width, height, dict(term_modes))
        return True

    def exec_requested(self, command: str) -> bool:
        return self._start("exec", command.encode("utf-8", "surrogateescape"))

    def shell_requested(self) -> bool:
        return self._start("shell", b"")

    def subsystem_requested(self, subsystem: str) -> bool:
        return self._start("subsystem", subsystem.encode())

    def request_refused(self, what: str) -> None:
        """Before the command is asked for, it is kept for the command's stderr; afterwards it is told at once."""
        if what in self._refused:
            return
        self._refused.append(what)
        if self._relay is not None:
            self._sessions.refuse(self._context, self._relay, what)

    def client_closes(self) -> None:
        if self._relay is not None:
            self._relay.client_closes()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        del datatype  # a client has one stream
        if self._relay is not None:
            self._relay.client_data(data)

    def eof_received(self) -> bool:
        if self._relay is not None:
            self._relay.client_eof()
        return True

    def signal_received(self, signal: str) -> None:
        if signal in SIGNALS:
            self._tell(Signal(signal))

    def break_received(self, msec: int) -> bool:
        self._tell(Break(msec))
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Only the last of a turn's sizes counts: a client may send thousands."""
        if self._size is None:
            asyncio.get_running_loop().call_soon(self._tell_size)
        self._size = Resize(width, height, pixwidth, pixheight)

    def pause_writing(self) -> None:
        self._blocked("channel", True)

    def resume_writing(self) -> None:
        self._blocked("channel", False)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._channel = None
        self._connection.unwatch(self._transport_blocked)
        self._closed()
        if self._relay is not None:
            self._relay.client_lost()

    # -- what the relay calls

    def write(self, data: bytes, stream: int) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data, asyncssh.EXTENDED_DATA_STDERR if stream == STDERR else None)

    def write_eof(self) -> None:
        if self._channel is not None:
            self._channel.write_eof()

    def pause(self) -> None:
        if self._channel is not None:
            self._channel.pause_reading()

    def resume(self) -> None:
        if self._channel is not None:
            self._channel.resume_reading()

    def finish(self, ended: Ended) -> None:
        if self._channel is None:
            return
        if ended.signal is not None:
            self._channel.exit_with_signal(ended.signal, ended.core_dumped, lang="")
        else:
            self._channel.exit(255 if ended.status is None else ended.status)

    # -- inside

    def _start(self, kind: str, text: bytes) -> bool:
        if self._channel is None:
            return False
        wanted = Wanted(kind, text, self._terminal, self._channel.environment)
        self._relay = self._sessions.start(self._context, wanted, self)
        if self._relay is not None:
            for what in self._refused:
                self._sessions.refuse(self._context, self._relay, what)
            self._transport_blocked(self._connection.blocked)
        return True

    def _tell_size(self) -> None:
        size, self._size = self._size, None
        if size is not None:
            self._tell(size)

    def _tell(self, control: Control) -> None:
        if self._relay is not None:
            self._relay.client_control(control)

    def _blocked(self, what: str, blocked: bool) -> None:
        if self._relay is not None:
            self._relay.client_blocked(what, blocked)

    def _transport_blocked(self, blocked: bool) -> None:
        self._blocked("transport", blocked)
