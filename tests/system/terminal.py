"""A local pseudo-terminal with a stock ssh in it: what a person would see and type."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self


class Terminal:
    """A program in a terminal of `columns` by `rows`. Life: made, used, `close` (or as a context manager).

    The program gets the terminal as its controlling one, so sizes and keys act as they do for a person.
    """

    def __init__(
        self, command: Sequence[str], *, columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None
    ) -> None:
        with ExitStack() as undo:
            self._fd, inner = os.openpty()
            undo.callback(os.close, inner)
            self.resize(columns, rows)
            self.process = subprocess.Popen(
                ["setsid", "-c", "-w", *command],
                stdin=inner,
                stdout=inner,
                stderr=inner,
                env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
            )
        self.seen = b""

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; the kernel tells the program in front."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def wait_for(self, text: bytes, seconds: float = 30.0) -> bytes:
        """Everything seen so far, once `text` is in it after what an earlier call waited for."""
        start = getattr(self, "_matched", 0)
        deadline = time.monotonic() + seconds
        while (found := self.seen.find(text, start)) < 0:
            assert self._read(deadline), f"{text!r} did not come: {self.seen[start:]!r}"
        self._matched = found + len(text)
        return self.seen

    def look(self, seconds: float) -> bool:
        """Read what comes for so long. True, so that it can stand in a condition."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return True

    def finish(self, seconds: float = 30.0) -> int:
        """Read to the end; the program's exit status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(1.0, deadline - time.monotonic()))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, deadline: float) -> bool:
        """Read some; False at the end, or when the deadline is over."""
        readable, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: the last program that had it open is gone
            return False
        self.seen += data
        return bool(data)
