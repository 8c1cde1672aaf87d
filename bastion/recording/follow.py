"""A recording followed while it grows: who looks over a session's shoulder sees what was recorded, and nothing else.

A `Tap` hangs on each recorder. It is told of lines when the operating system has them (law 4: masked, then recorded,
then shown; a follower comes after all three) and hands them to followers in memory. A follower first reads what stood
in the file when it came, up to MAX_PAST of it, and goes on from there with nothing missing and nothing twice.

A follower that is slower than the session never slows it: past MAX_QUEUE what waits for it is thrown away, and it is
told how much that was (`Taken.lost`). Recorders write from any thread; a follower lives in one event loop.

Limits: memory is bounded for each follower; how many there are is for whoever lets them in.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_PAST = 1 << 20
MAX_QUEUE = 1 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Whole lines of the recording, in order. `lost` is how many bytes before them this follower will not get."""

    lines: bytes
    lost: int


class Tap:
    """Of one recording. `wrote` for all that is written, then `end`, by the recorder; `follow` at will."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: list[Follower] = []
        self._size = 0
        self._over = False

    def wrote(self, lines: bytes) -> None:
        """The file has these, too, now."""
        with self._lock:
            self._size += len(lines)
            for follower in self._followers:
                follower.put(lines)

    def end(self) -> None:
        """Nothing more comes."""
        with self._lock:
            self._over = True
            for follower in self._followers:
                follower.end()
            self._followers.clear()

    def follow(self, path: Path, wake: Callable[[], None]) -> Follower | None:
        """From now on `wake` is called, in the event loop that runs now, when there is something to take. None when
        the recording has ended."""
        with self._lock:
            if self._over:
                return None
            follower = Follower(path, self._size, wake, self._leave)
            self._followers.append(follower)
            return follower

    def _leave(self, follower: Follower) -> None:
        with self._lock:
            if follower in self._followers:
                self._followers.remove(follower)


class Follower:
    """Life: `past` once (it reads the disk: in a thread), then `take` whenever woken, until `over`; `close`."""

    def __init__(self, path: Path, size: int, wake: Callable[[], None], leave: Callable[[Follower], None]) -> None:
        self._path = path
        self._size = size
        self._wake = wake
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._queue: list[bytes] = []
        self._queued = 0
        self._lost = 0
        self._woken = False
        self.over = False
        """Nothing comes after what can be taken now."""

    def past(self) -> tuple[bytes, Taken]:
        """The header's line, and what stood in the file after it. Raises OSError."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            header = file.readline(min(self._size, 2 << 20))
            begin = len(header)
            start = max(begin, self._size - MAX_PAST)
            file.seek(start)
            lines = file.read(self._size - start)
        if start > begin:  # from the next whole line
            cut = lines.find(b"\n") + 1
            start, lines = start + cut, lines[cut:]
        return header, Taken(lines, start - begin)

    def take(self) -> Taken:
        """What has come since the last time."""
        with self._lock:
            taken = Taken(b"".join(self._queue), self._lost)
            self._queue, self._queued, self._lost, self._woken = [], 0, 0, False
            return taken

    def close(self) -> None:
        self._leave(self)

    # -- by the tap

    def put(self, lines: bytes) -> None:
        with self._lock:
            if self._queued + len(lines) > MAX_QUEUE:
                self._lost += self._queued
                self._queue, self._queued = [], 0
                if len(lines) > MAX_QUEUE:
                    self._lost += len(lines)
                    lines = b""
            if lines:
                self._queue.append(lines)
                self._queued += len(lines)
        self._call()

    def end(self) -> None:
        self.over = True
        self._woken = False
        self._call()

    def _call(self) -> None:
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            return  # that loop has ended, and whoever followed in it
