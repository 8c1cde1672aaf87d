"""A terminal lent to a session's output, and taken back: `sessions watch` and `recordings play` alone do so.

What a session shows is obeyed by the terminal it is shown on. So while it is, what the terminal says back (answers to
questions in that output, such as where the cursor is) is not echoed, and is thrown away before the shell could take it
for typed commands. Afterwards the terminal is as programs expect it: main screen, cursor shown, no mouse, no paste
brackets, plain letters.

Limits: a terminal that obeys output beyond its own window (its title, the clipboard by OSC 52) does so here too. Watch
what you would run.
"""

from __future__ import annotations

import os
import select
import sys
import termios
from types import TracebackType
from typing import Any

RESET = (
    "\x18"  # ends a sequence that was begun (CAN)
    "\x1b\\"  # and a string
    "\x1b[?1049l\x1b[?47l"  # the main screen
    "\x1b[!p"  # soft reset: modes, margins, character sets (DECSTR)
    "\x1b[r\x1b[?6l\x1b[?7h\x1b[4l\x1b[20l\x1b>\x1b(B\x0f"
    "\x1b[?9l\x1b[?1000l\x1b[?1001l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l"
    "\x1b[?2004l\x1b[?25h\x1b[0m\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b[999;1H\r\n"
)
QUIET = 0.1
"""Seconds without a byte after which the terminal has said all it had to say."""
MOST = 64 << 10


class Lent:
    """Life: `with`; `write` in between. Where output is no terminal it is only written."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._keys = -1
        self._saved: list[Any] | None = None

    def __enter__(self) -> Lent:
        sys.stdout.flush()
        if self._terminal and (place := _keys()) is not None:
            self._keys, self._saved = place, termios.tcgetattr(place)
            quiet = termios.tcgetattr(place)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)  # Ctrl-C stays a signal
            termios.tcsetattr(place, termios.TCSADRAIN, quiet)
        return self

    def write(self, text: str) -> None:
        """As it is, at once."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._terminal:
            return
        try:
            self.write(RESET)
        finally:
            if self._saved is not None:
                self._drop()
                termios.tcsetattr(self._keys, termios.TCSAFLUSH, self._saved)
                os.close(self._keys)

    def _drop(self) -> None:
        """What the terminal says back."""
        dropped = 0
        while dropped < MOST and select.select([self._keys], [], [], QUIET)[0]:
            piece = os.read(self._keys, 4096)
            if not piece:
                return
            dropped += len(piece)


def _keys() -> int | None:
    """A descriptor of the terminal that keys come from, also where standard input is something else."""
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def size() -> tuple[int, int] | None:
    """Columns and rows of the terminal; None where there is none."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
    return found.columns, found.lines
