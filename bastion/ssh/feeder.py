"""The command channel of a gated shell: the only way by which a command gets to the target's shell.

It takes no text: `run` takes the Allowed of one judged command, and the other calls send constants (gated/wire.py, and
wire_piped.py for a shell without a terminal, whose commands come by its own channel).
"""

from __future__ import annotations

from collections.abc import Callable

import asyncssh

from bastion.analysis.pagers import NO_PAGER
from bastion.context import Context
from bastion.errors import Denied
from bastion.gate import Allowed
from bastion.session.gated import wire, wire_piped
from bastion.session.gated.boot import Kind


class Feeder(asyncssh.SSHClientSession[bytes]):
    """Life: made for one gated shell, whose nonce and kind it knows; `begin` once it is open, then a unit at a time,
    `prepare` first, each after the marker of the one before; `close`. `lost` is called when the channel has closed,
    whoever closed it.

    What it says is not read: the shell's answers come by the terminal.
    """

    def __init__(
        self, context: Context, kind: Kind, nonce: str, lost: Callable[[], None], gone: Callable[[], None]
    ) -> None:
        self._context = context
        self._kind = kind
        self._nonce = nonce
        self._lost = lost
        self._gone: Callable[[], None] | None = gone
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # the terminal's channel tells how the shell ended
        self._channel = None
        self.let_go()
        self._lost()

    def let_go(self) -> None:
        """The channel counts no longer: it could not be opened, or either side closed it. `gone` is told once."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

    def begin(self) -> None:
        """Set the shell up. Its first prompt is number 0."""
        self._write(wire.setup(self._kind, self._nonce))

    def prepare(self, number: int) -> bool:
        """A unit that tells the programs of this shell to start no pager."""
        self._write(wire.unit(self._kind, number, NO_PAGER))
        return True

    def run(self, number: int, allowed: Allowed, line: int) -> None:
        """Send what was allowed, as unit `number`. Raises Denied for a text that can not be a unit."""
        del line  # a person at the prompt counts none
        runs = _text(allowed, self._context)
        self._write(wire.unit(self._kind, number, runs))

    def refused(self, number: int, status: int) -> None:
        """A unit that does nothing and ends with the status of a command that was refused, such as 126."""
        self._write(wire.unit(self._kind, number, b"(exit %d)" % status))

    def exit(self, number: int) -> None:
        """A unit that ends the shell, with the status of its last command."""
        self._write(wire.unit(self._kind, number, b"exit"))

    def again(self, number: int) -> None:
        """Ask for the marker of unit `number` once more."""
        self._write(wire.again(number))

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    def _write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)


class PipedFeeder:
    """The input of a shell without a terminal, whose channel is open; the same calls as Feeder's. What the shell says
    comes by the channel's session."""

    def __init__(self, context: Context, kind: Kind, nonce: str, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        self._context = context
        self._kind = kind
        self._nonce = nonce
        self._channel = channel
        self._units = 0

    def begin(self) -> None:
        """Set the shell up. It tells marker number 0."""
        self._write(wire_piped.setup(self._kind, self._nonce))

    def prepare(self, number: int) -> bool:
        """Nothing: programs start a pager on terminals."""
        del number
        return False

    def run(self, number: int, allowed: Allowed, line: int) -> None:
        """Send what was allowed, as unit `number`. Raises Denied for a text that can not be a unit."""
        runs = _text(allowed, self._context)
        self._unit(number, line, runs)

    def refused(self, number: int, status: int) -> None:
        """A unit that does nothing and ends with the status of a command that was refused, such as 126."""
        self._unit(number, 0, b"(exit %d)" % status)

    def exit(self, number: int) -> None:
        """The end of the shell's input, at which it ends with the status of its last command."""
        del number
        if self._units:
            self._write(wire_piped.LEAVE)
        if not self._channel.is_closing():
            self._channel.write_eof()

    def again(self, number: int) -> None:
        """Nothing: what loses a marker ends the shell."""
        del number

    def close(self) -> None:
        self._channel.close()

    def _unit(self, number: int, line: int, runs: bytes) -> None:
        self._write(wire_piped.unit(self._kind, number, line, runs))
        self._units += 1

    def _write(self, data: bytes) -> None:
        if not self._channel.is_closing():
            self._channel.write(data)


def _text(allowed: Allowed, context: Context) -> bytes:
    """The text of one judged command, if this is the permission for it."""
    allowed.for_context(context)
    if allowed.kind != "line" or allowed.runs is None:
        raise Denied("this permission is not for a command of a gated shell")
    return allowed.runs
