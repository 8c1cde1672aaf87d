"""One channel to a target: what the relay calls goes to asyncssh, and what asyncssh calls goes to the relay."""

from __future__ import annotations

from collections.abc import Callable

import asyncssh

from bastion.session.channel import SIGNALS, STDERR, STDOUT, Break, Control, Ended, Resize, Signal
from bastion.session.relay import Relay
from bastion.ssh.flow import Flow


class TargetSession(asyncssh.SSHClientSession[bytes]):
    """One channel to the target: a TargetChannel whose events go to the relay."""

    def __init__(self, connection: Flow, relay: Relay, opened: Callable[[], None], gone: Callable[[], None]) -> None:
        self._connection = connection
        self._relay = relay
        self._opened = opened
        self._gone: Callable[[], None] | None = gone
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def let_go(self) -> None:
        """The channel counts no longer: it could not be opened, or it was closed by either side."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

    # -- what asyncssh calls

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self._opened()
        self._connection.watch(self._connection_blocked)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._relay.target_data(data, STDOUT if datatype is None else STDERR)

    def eof_received(self) -> bool:
        self._relay.target_eof()
        return True

    def exit_status_received(self, status: int) -> None:
        self._relay.target_exit(Ended(status))

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """The message is the target's own words, past the recording and past all masking: it is not passed on."""
        del msg, lang
        self._relay.target_exit(Ended(None, signal, core_dumped) if signal in SIGNALS else Ended(None))

    def pause_writing(self) -> None:
        self._relay.target_blocked("channel", True)

    def resume_writing(self) -> None:
        self._relay.target_blocked("channel", False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._channel is not None:
            self._channel = None
            self._connection.unwatch(self._connection_blocked)
        if self._gone is not None:
            self.let_go()
            self._relay.target_lost(exc)

    def _connection_blocked(self, blocked: bool) -> None:
        self._relay.target_blocked("connection", blocked)

    # -- what the relay calls

    def write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def write_eof(self) -> None:
        if self._channel is not None:
            self._channel.write_eof()

    def tell(self, control: Control) -> None:
        if self._channel is None:
            return
        match control:
            case Signal(name):
                self._channel.send_signal(name)
            case Break(milliseconds):
                self._channel.send_break(milliseconds)
            case Resize(columns, rows, width, height):
                self._channel.change_terminal_size(columns, rows, width, height)

    def pause(self) -> None:
        if self._channel is not None:
            self._channel.pause_reading()

    def resume(self) -> None:
        if self._channel is not None:
            self._channel.resume_reading()

    def close(self) -> None:
        """Ask the command to end, and close. A target's sshd may keep the channel, and the program behind it, as long
        as it likes; the connection is free for others at once."""
        if self._channel is not None:
            if self._gone is not None:
                self._channel.send_signal("HUP")
            self._channel.close()
        self.let_go()


class CommandsSession(TargetSession):
    """The channel of a gated shell without a terminal, whose input is its commands: a feeder writes them, and the relay
    nothing."""

    def write(self, data: bytes) -> None:
        raise RuntimeError(f"{len(data)} bytes of input are no command")

    def write_eof(self) -> None:
        raise RuntimeError("the end of a client's input is not that of the commands")
