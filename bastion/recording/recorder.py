"""Recordings on disk: one file a channel, written before anything is shown.

`output` hands its bytes to the operating system before it returns, so `kill -9` of the bastion loses nothing that a
client was shown. A thread of its own (the Recordings' flusher) makes the files durable against loss of power, each
within a second or so of its last byte.

A recording is `DIRECTORY/TENANT/YYYY/MM/DD/SESSION.cast`, by the UTC day on which it began. It is playable while it
grows. Open, it is mode 0600 and locked (flock); closed, it is mode 0400, which is how `mend` knows it at start-up. A
link in the place of any of these folders, or of the file, is refused; DIRECTORY itself may be one.

What it does not do: it keeps nobody with root on the bastion from changing a file (the digest in the audit trail
shows it), and it encrypts nothing yet.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bastion.asciicast.encoder import Encoder, Head
from bastion.errors import NotRecorded, OperatorError
from bastion.recording.follow import Follower, Tap

__all__ = ["Closed", "Head", "Recorder", "Recordings"]

FLUSH_SECONDS = 1.0

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class Closed:
    """A recording that is whole. `name` is relative to the directory; `size` in bytes; `duration` in seconds; `markers`
    are places to jump to."""

    name: str
    sha256: str
    size: int
    events: int
    duration: float
    markers: int = 0


class Recorder:
    """One channel's recording. Life: made by Recordings.open; `output`, `resize`, `marker` at will, from one thread at
    a time; then `finish` and `close`, or `abandon`.

    Every method but `abandon` raises NotRecorded when the bytes can not be kept; from then on every call does.
    """

    def __init__(self, fd: int, name: str, folder: Path, clock: Callable[[], float]) -> None:
        self.name = name
        """Relative to the directory of recordings."""
        self.failed: NotRecorded | None = None
        self._fd = fd
        self._folder: Path | None = folder
        """Where the file's name is not durable yet."""
        self._clock = clock
        self._began = clock()
        self._encoder = Encoder()
        self._digest = hashlib.sha256()
        self._size = 0
        self._unflushed = False
        self._finished: Closed | None = None
        self._markers = 0
        self.tap = Tap()
        """For those who follow it while it grows."""
        self._flushing = threading.Lock()
        """Held while the descriptor is flushed or closed: the flusher's thread must not meet a closed one."""

    def begin(self, head: Head, timestamp: int) -> None:
        """The header (Recordings.open calls this). `timestamp` is in seconds since 1970."""
        self._write(self._encoder.begin(head, timestamp))

    def output(self, stream: int, data: bytes) -> None:
        """Bytes of output about to be shown: `stream` is 0 for stdout, 1 for stderr."""
        self._write(self._encoder.output(self._clock() - self._began, stream, data))

    def resize(self, columns: int, rows: int) -> None:
        """The client's window has changed."""
        self._write(self._encoder.resize(self._clock() - self._began, columns, rows))

    def marker(self, label: str) -> None:
        """A place to jump to in the player."""
        self._write(self._encoder.marker(self._clock() - self._began, label))
        self._markers += 1

    def finish(self) -> Closed:
        """Write the end, durably, and nothing after it. Waits for the disk: call it where that is no harm
        (asyncio.to_thread). The file is still an open one, which `mend` would tell of after a crash."""
        if self._finished is None:
            duration = self._clock() - self._began
            try:
                self._write(self._encoder.finish(duration))
                with self._flushing:
                    self._sync()
            except OSError as error:
                raise self._fail(error) from error
            digest = self._digest.hexdigest()
            self._finished = Closed(self.name, digest, self._size, self._encoder.events, duration, self._markers)
        return self._finished

    def close(self) -> Closed:
        """Mark the recording as a closed one, which is whole and told of: after `finish`, and after its digest is in
        the audit trail."""
        try:
            closed = self.finish()
            with self._flushing:
                os.fchmod(self._fd, 0o400)
        except OSError as error:
            raise self._fail(error) from error
        finally:
            self.abandon()
        return closed

    def abandon(self) -> None:
        """Let go of the file as it is; `mend` will close it at the next start. Never raises; twice is once."""
        with self._flushing:
            if self._fd >= 0:
                fd, self._fd = self._fd, -1
                os.close(fd)
        if self.failed is None:
            self.failed = NotRecorded(f"the recording {self.name} is closed")
        self.tap.end()

    def flush(self) -> None:
        """Make what is written durable (the flusher's thread calls this). A failure is raised by the next call."""
        with self._flushing:
            if self._fd < 0 or not self._unflushed:
                return
            self._unflushed = False
            try:
                self._sync()
            except OSError as error:
                self._fail(error)

    def _sync(self) -> None:
        os.fsync(self._fd)
        if self._folder is not None:
            _flush_folder(self._folder)
            self._folder = None

    def _write(self, lines: bytes) -> None:
        if self.failed is not None:
            raise self.failed
        if not lines:
            return
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise self._fail(error) from error
        self._digest.update(lines)
        self._size += len(lines)
        self._unflushed = True
        self.tap.wrote(lines)

    def _fail(self, error: OSError) -> NotRecorded:
        if self.failed is None:
            self.failed = NotRecorded(f"the recording {self.name} can not be written: {error.strerror}")
        return self.failed


class Recordings:
    """The directory of recordings. Life: made once; `open` for each channel; `stop` once, when all are closed.

    `wall` gives seconds since 1970, `monotonic` seconds that never go back.
    """

    def __init__(
        self,
        directory: Path,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self.directory = directory
        self._wall = wall
        self._monotonic = monotonic
        self._flush_seconds = flush_seconds
        self._open: set[Recorder] = set()
        self._lock = threading.Lock()
        """Guards the set, which the flusher's thread reads."""
        self._stopping = threading.Event()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"the directory of recordings {directory} can not be made: {error.strerror}") from error
        self._flusher = threading.Thread(target=self._flush_all, name="recordings-flusher", daemon=True)
        self._flusher.start()

    def open(self, head: Head) -> Recorder:
        """Begin the recording of one channel: its header is with the operating system when this returns.

        Raises NotRecorded, also for a session that has one already.
        """
        if not _TENANT.match(head.tenant) or not _SESSION.match(head.session):
            raise NotRecorded("a recording needs the tenant's and the session's name in plain letters and digits")
        wall = self._wall()
        day = Path(head.tenant, time.strftime("%Y/%m/%d", time.gmtime(wall)))
        name = str(day / f"{head.session}.cast")
        try:
            folder = _open_folder(self.directory, day.parts)
        except OSError as error:
            raise NotRecorded(f"the recording {name} can not be opened: {error.strerror}") from error
        try:
            recorder = self._begin(folder, name, head, wall)
        finally:
            os.close(folder)
        with self._lock:
            self._open.add(recorder)
        return recorder

    def follow(self, tenant: str, session: str, wake: Callable[[], None]) -> Follower | None:
        """Follow a recording that is open; None when there is none of that tenant and session."""
        with self._lock:
            recorders = [recorder for recorder in self._open if recorder.failed is None]
        for recorder in recorders:
            if recorder.name.startswith(f"{tenant}/") and recorder.name.endswith(f"/{session}.cast"):
                return recorder.tap.follow(self.directory / recorder.name, wake)
        return None

    def stop(self) -> None:
        """End the flusher, after a last flush. Open recorders stay usable, but are flushed only by their `close`."""
        self._stopping.set()
        self._flusher.join()

    def flush(self) -> None:
        """Make everything written so far durable. Waits for the disk."""
        with self._lock:
            recorders = list(self._open)
            self._open = {recorder for recorder in recorders if recorder.failed is None}
        for recorder in recorders:
            if recorder.failed is None:
                recorder.flush()
            else:
                recorder.abandon()  # closed already, or it never will be: a failed one holds no descriptor for long

    def _flush_all(self) -> None:
        while not self._stopping.wait(self._flush_seconds):
            self.flush()
        self.flush()

    def _begin(self, folder: int, name: str, head: Head, wall: float) -> Recorder:
        path = self.directory / name
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path.name, flags, 0o600, dir_fd=folder)
        except OSError as error:
            raise NotRecorded(f"the recording {name} can not be opened: {error.strerror}") from error
        recorder = Recorder(fd, name, path.parent, self._monotonic)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            recorder.begin(head, int(wall))
        except (OSError, NotRecorded) as error:
            recorder.abandon()
            with contextlib.suppress(OSError):  # an empty file that can not be removed is put aside by `mend`
                os.unlink(path.name, dir_fd=folder)
            if isinstance(error, NotRecorded):
                raise
            raise NotRecorded(f"the recording {name} can not be locked: {error.strerror}") from error
        return recorder


def _open_folder(directory: Path, parts: Sequence[str]) -> int:
    """A descriptor of the folder `parts` below `directory`, made where it is missing, each of them private.

    Every step is taken from the folder before it and none through a link (O_NOFOLLOW), so that nobody who could put a
    link anywhere below the directory sends a recording to another place, another tenant's among them. Raises OSError.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    folder = os.open(directory, flags)  # the directory itself may be a link: that is the operator's to say
    try:
        for part in parts:
            try:
                below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=folder)
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):  # another channel has just made it
                    os.mkdir(part, 0o700, dir_fd=folder)
                os.fsync(folder)
                below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
    except OSError:
        os.close(folder)
        raise
    return folder


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
