"""The audit trail on disk: one file of JSON lines that only grows, each line durable before its writer goes on.

A thread of its own writes; the event loop never waits for the disk. Events that wait together share one fsync, so a
thousand writers cost about as much as one.

Fail closed: the first line that can not be kept (disk full, file gone or changed by someone else) ends it. From then
on every `write` raises NotRecorded, until the bastion is started anew with the cause removed.

Crash: a line that was acknowledged is on disk. One that was being written may be there in part; `open` sets such a
torn end aside, into `NAME.torn` beside the log, and tells so in the trail.

What it does not do: it checks the last 4 MiB of the chain when it opens, not all of it (`chain.verify` does), it
does not rotate, and it can not see a file that was cut back at a line's end while no bastion ran. What strangers can
add to it is bounded (see budget); what proven identities can is not.
"""

from __future__ import annotations

import asyncio
import datetime
import fcntl
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from bastion.audit.budget import Budget
from bastion.audit.chain import Broken, Head, link, verify
from bastion.audit.events import AuditMended, ConnectionRefused, Event, EventsDropped, LoginRefused
from bastion.errors import NotRecorded, OperatorError

MAX_SOON = 1024
"""Events of `write_soon` that may wait; more are dropped and counted."""
MAX_BATCH = 512
"""Events that share one fsync."""
TAIL_BYTES = 4 << 20
"""How much of the end of the file is checked when it is opened; more than any line is long."""


class _Waiting:
    """One event in the queue, and who waits for it (nobody, for `write_soon`).

    It is read here, in the caller's thread: an event that is no good fails its caller, and not the log.
    """

    __slots__ = ("entries", "future", "loop")

    def __init__(self, event: Event, time: float, future: asyncio.Future[None] | None = None) -> None:
        self.entries = {"time": _stamp(time), **event.record()}
        self.future = future
        self.loop = None if future is None else future.get_loop()


class AuditLog:
    """Life: `open`; `write` and `write_soon` from any event loop; `close` once, which keeps what still waits."""

    def __init__(
        self, path: Path, fd: int, head: Head, size: int, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._path = path
        self._fd = fd
        self._clock = clock
        self._monotonic = monotonic
        self._strangers = Budget()
        self._size = size
        self._head = head
        self._queue: deque[_Waiting] = deque()
        self._soon = 0
        self._dropped = 0
        self._failed: NotRecorded | None = None
        self.heard: Callable[[Event], None] = lambda _: None
        """Told of each event of `write` once it is durable, and of each of `write_soon` that is kept, when it is
        queued; in the writer's event loop. It must not raise."""
        self._closing = False
        self._changed = threading.Condition()
        """Guards the queue, the budget, the counts, and the two states above."""
        self._thread = threading.Thread(target=self._run, name="audit-log", daemon=True)

    @classmethod
    def open(
        cls, path: Path, *, clock: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> AuditLog:
        """Open or make the log and take it for this process. `clock` gives seconds since 1970, `monotonic` seconds
        that never go back.

        Raises OperatorError: no permission, another bastion has it, its chain is broken, not a plain file.
        """
        try:
            fd = _take(path)
        except OSError as error:
            raise OperatorError(f"the audit log {path} can not be opened: {error.strerror}") from error
        try:
            torn, head, size = _mend(path, fd)
            log = cls(path, fd, head, size, clock, monotonic)
            if torn:
                log._append([_Waiting(AuditMended(size=torn, aside=_aside(path).name), clock())])
        except OSError as error:
            os.close(fd)
            raise OperatorError(f"the audit log {path} can not be read or mended: {error.strerror}") from error
        except OperatorError:
            os.close(fd)
            raise
        log._thread.start()
        return log

    @property
    def failed(self) -> NotRecorded | None:
        """Why nothing is kept any more; None while all is well."""
        return self._failed

    @property
    def head(self) -> Head:
        """Where the chain stands: of the last durable line."""
        return self._head

    async def write(self, event: Event) -> None:
        """Keep an event; returns when it is durable. Raises NotRecorded, and then nothing may happen that it tells of.

        A caller that is cancelled meanwhile does not take the event back.
        """
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(event, self._clock(), future)
        with self._changed:
            self._refuse_if_over()
            self._queue.append(waiting)
            self._changed.notify()
        await future
        self.heard(event)

    def write_soon(self, event: Event) -> None:
        """Keep an event that strangers can cause at will, without waiting. When too many wait, or its source has used
        up its budget (see budget), it is dropped, and a later line (`events-dropped`) tells how many were. When the log
        has failed it is dropped too."""
        if not self._affordable(event):
            return
        waiting = _Waiting(event, self._clock())
        with self._changed:
            if self._soon >= MAX_SOON or self._failed is not None or self._closing:
                self._dropped += 1
                return
            self._soon += 1
            self._queue.append(waiting)
            self._changed.notify()
        self.heard(event)

    async def close(self) -> None:
        """Keep what still waits, then let go of the file. Raises NotRecorded when that can not be done."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._failed is not None:
            raise self._failed

    def _affordable(self, event: Event) -> bool:
        """Whether the trail takes one more event of someone who never proved who they are."""
        if not isinstance(event, ConnectionRefused | LoginRefused):
            return True
        with self._changed:
            now = self._monotonic()
            first = self._strangers.due(now) is None
            kept = self._strangers.spend(event.source, now)
            if first and not kept:
                self._changed.notify()  # the thread may be waiting for ever, and there is something to tell in a while
            return kept

    def _refuse_if_over(self) -> None:
        if self._failed is not None:
            raise NotRecorded(str(self._failed))
        if self._closing:
            raise NotRecorded("the audit log is closed: the bastion is stopping")

    # -- the thread

    def _run(self) -> None:
        while batch := self._next():
            error: NotRecorded | None = None
            try:
                self._append(batch)
            except OSError as cause:
                error = NotRecorded(f"the audit log {self._path} can not be written: {cause.strerror or cause}")
            except Exception as cause:  # noqa: BLE001 - whatever it is, nobody may believe that their event was kept
                error = NotRecorded(f"the audit log {self._path} can not be written: {type(cause).__name__}")
            if error is not None:
                with self._changed:
                    self._failed = error
                    batch.extend(self._queue)
                    self._queue.clear()
            _answer(batch, error)
            if error is not None:
                return

    def _next(self) -> list[_Waiting]:
        """The next events to write together; empty when it is over."""
        with self._changed:
            while not self._queue and not self._closing and (due := self._strangers.due(self._monotonic())) != 0:
                self._changed.wait(due)
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
            self._soon -= sum(waiting.future is None for waiting in batch)
            batch.extend(_Waiting(event, self._clock()) for event in self._uncounted())
            return batch

    def _uncounted(self) -> Iterator[EventsDropped]:
        """What tells of the events that were not kept, when it is time to."""
        if self._dropped:
            yield EventsDropped(count=self._dropped)
            self._dropped = 0
        if self._closing or self._strangers.due(self._monotonic()) == 0:
            over = self._strangers.summary()
            if over is not None:
                sources = tuple(f"{source} {count}" for source, count in over.sources)
                yield EventsDropped(count=over.count, sources=sources)

    def _append(self, batch: list[_Waiting]) -> None:
        """Write the lines of `batch` and make them durable. Raises OSError."""
        self._refuse_if_changed()
        head, lines = self._head, []
        for waiting in batch:
            line, head = link(head, waiting.entries)
            lines.append(line)
        rest = memoryview(b"".join(lines))
        size = self._size + len(rest)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fdatasync(self._fd)
        self._head, self._size = head, size

    def _refuse_if_changed(self) -> None:
        """Lines written to a file that was removed, replaced or cut would be lost unseen."""
        named, ours = self._path.lstat(), os.fstat(self._fd)
        if (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino):
            raise OSError(0, "the file was moved or replaced while the bastion ran")
        if ours.st_size != self._size:
            raise OSError(0, "the file was changed by something else while the bastion ran")


def _answer(batch: list[_Waiting], error: NotRecorded | None) -> None:
    """Tell those who wait, each in its own event loop, one wake-up a loop."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiting in batch:
        if waiting.future is not None and waiting.loop is not None:
            loops.setdefault(waiting.loop, []).append(waiting.future)
    for loop, futures in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures, error)
        except RuntimeError:
            continue  # that loop has ended, and all who waited in it


def _resolve(futures: list[asyncio.Future[None]], error: NotRecorded | None) -> None:
    for future in futures:
        if future.done():  # the one who waited was cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(NotRecorded(str(error)))


def _stamp(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


# -- opening -----------------------------------------------------------------------------------------------------------


def _take(path: Path) -> int:
    """Open or make the file, private, and lock it."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OperatorError(f"the audit log {path} is not a plain file")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(f"the audit log {path} is in use: another bastion runs with it") from None
        os.fchmod(fd, 0o600)
        _flush_folder(path.parent)
    except (OSError, OperatorError):
        os.close(fd)
        raise
    return fd


def _mend(path: Path, fd: int) -> tuple[int, Head, int]:
    """Set a torn end aside. Returns its size, where the chain stands, and the size of the file after. All in bytes."""
    size = os.fstat(fd).st_size
    start = max(0, size - TAIL_BYTES)
    tail = os.pread(fd, size - start, start)
    whole = tail.rfind(b"\n") + 1
    torn = tail[whole:]
    if start and not whole:
        raise OperatorError(f"the audit log {path} ends in {len(tail)} bytes that are no line: move it aside and see")
    first = 0 if start == 0 else tail.index(b"\n") + 1
    try:
        head = verify(tail[first:whole].splitlines(keepends=True), Head() if start == 0 else None)
    except Broken as error:
        where = "" if start == 0 else f" (counted from byte {start + first})"
        raise OperatorError(
            f"the audit log {path} was altered: its chain breaks at {error}{where}."
            " Keep the file as evidence: move it aside, and the bastion starts a new one"
        ) from error
    if torn:
        _set_aside(_aside(path), torn)
        os.ftruncate(fd, start + whole)
        os.fsync(fd)
    return len(torn), head, start + whole


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".torn")


def _set_aside(path: Path, torn: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(torn + b"\n")
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
