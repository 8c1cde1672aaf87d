"""An asciicast v2 played on this terminal, with its pauses; by asciinema where it is installed and can be used.

Markers, input and resizes are not shown. Where output is no terminal it is written in the same times, as it is.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bastion.asciicast import reader
from bastion.asciicast.reader import BadRecording, Event
from bastion.cli import WrongUsage
from bastion.cli.terminal import Lent
from bastion.errors import OutsideError


@dataclass(frozen=True, slots=True)
class Pace:
    """`speed` times as fast; no pause is longer than `idle` seconds of the recording, if that is set."""

    speed: float = 1.0
    idle: float | None = None

    @classmethod
    def checked(cls, speed: float, idle: float | None) -> Pace:
        """WrongUsage for what is no pace."""
        if not (math.isfinite(speed) and speed > 0) or (idle is not None and not (math.isfinite(idle) and idle >= 0)):
            raise WrongUsage("--speed is a number above 0, --idle one from 0")
        return cls(speed, idle)

    def pause(self, before: float, at: float) -> float:
        """Seconds between two moments of a recording."""
        length = max(0.0, at - before)
        return (length if self.idle is None else min(length, self.idle)) / self.speed


def play(path: Path, pace: Pace) -> int:
    """The exit status. OutsideError for what is no recording."""
    program = shutil.which("asciinema")
    if program is not None and sys.stdin.isatty() and sys.stdout.isatty():
        words = [program, "play", "-s", str(pace.speed)]
        words += [] if pace.idle is None else ["-i", str(pace.idle)]
        with Lent():
            return subprocess.run([*words, str(path)], check=False).returncode
    try:
        with path.open("rb") as file, Lent() as lent:
            _, events = reader.read(file)
            show(events, pace, lent.write, time.sleep, time.monotonic)
    except BadRecording as error:
        raise OutsideError(f"the recording can not be played: {error}") from error
    return 0


def show(
    events: Iterator[Event],
    pace: Pace,
    write: Callable[[str], None],
    wait: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    """Each output at its time, counted from the first moment on, so that slow writing does not add up."""
    began, due, before = clock(), 0.0, 0.0
    for event in events:
        due += pace.pause(before, event.time)
        before = event.time
        if event.code != "o":
            continue
        late = clock() - began - due
        if late < 0:
            wait(-late)
        write(event.data)
