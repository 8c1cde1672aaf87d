"""Files and folders whose change is noticed: at once by watchdog (inotify), and by a look every few seconds.

The look is the net below: it compares inode, size and times of what is watched, so it also sees what gives no event,
such as a change behind a link or on a network's file system, and a folder that was moved away and made again, which is
then watched anew. What is noticed is not read at once: `quiet` waits until nobody writes.

Limits: that somebody still writes is known from the events, of which a network's file system has none; there, and
behind a link, a pause of UNSEEN seconds counts as the end of writing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks."""
QUIET = 0.15
"""Seconds for which nothing may change before it is read."""
UNSEEN = 1.0
"""The same, for a change of which no event told."""
PATIENCE = 10.0
"""Seconds after which one who waits for quiet is told that there is none."""
_CHANGES = {"created", "modified", "deleted", "moved", "closed"}
_MAX_ENTRIES = 5000

Seen = Callable[[FileSystemEvent, Path], None]
Signature = tuple[object, ...]


@dataclass
class _Folder:
    identity: Signature | None = None
    watch: ObservedWatch | None = None
    calls: list[Seen] = field(default_factory=list)


class Folders:
    """The folders under watch, each once. Life: `add`, `start`, `check` from any thread, `stop`."""

    def __init__(self) -> None:
        self._observer = Observer()
        self._lock = threading.Lock()
        self._folders: dict[Path, _Folder] = {}

    def add(self, folder: Path, call: Seen) -> None:
        """`call`, in watchdog's thread, with each event in `folder` and the folder's real path."""
        self._folders.setdefault(folder, _Folder()).calls.append(call)

    def start(self) -> None:
        """OSError when a folder can not be watched."""
        for path in sorted(self._folders):
            self._watch(path, self._folders[path], _identity(path))
        self._observer.start()

    def stop(self) -> None:
        """Waits for the threads."""
        with self._lock:
            self._observer.stop()
            self._observer.join()

    def check(self, folder: Path) -> None:
        """Watch `folder` anew when another one stands in its place."""
        with self._lock:
            known, now = self._folders[folder], _identity(folder)
            if not self._observer.is_alive() or now == known.identity:
                return
            if known.watch is not None:
                self._observer.unschedule(known.watch)
                known.watch = known.identity = None
            try:
                if now is not None:
                    self._watch(folder, known, now)
            except OSError as error:
                log.warning("%s can not be watched, and is only looked at: %s", folder, error)

    def _watch(self, folder: Path, known: _Folder, identity: Signature | None) -> None:
        real = Path(os.path.realpath(folder))  # of a link, watchdog would watch the link itself
        known.watch = self._observer.schedule(_Handler(real, known.calls), str(real), recursive=False)
        known.identity = identity


class _Handler(FileSystemEventHandler):
    def __init__(self, real: Path, calls: list[Seen]) -> None:
        self._real = real
        self._calls = calls

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _CHANGES:  # to read a file is no change
            for call in self._calls:
                call(event, self._real)


class Watch:
    """One file, or a folder and all in it. Life: made before `folders.start`, `begin`, then `changed` and `quiet`.

    A neighbour of a single file does not count (the audit trail may be one), unless that file is a link: then what it
    leads through may be the neighbour, as `..data` is in a volume of Kubernetes.
    """

    def __init__(self, folders: Folders, path: Path, *, folder: bool) -> None:
        self.path = path
        self._folders = folders
        self._folder = path if folder else path.parent
        self._name = None if folder else path.name
        self._event = asyncio.Event()
        self._writing: set[str] = set()
        self._signature: Signature = (None,)
        self._unseen = False
        self._loop: asyncio.AbstractEventLoop | None = None
        folders.add(self._folder, self._told)

    def begin(self) -> None:
        """From now on changes are noticed, and what came before this is one."""
        self._loop = asyncio.get_running_loop()
        self._signature = self._look()
        self._event.set()

    @property
    def writing(self) -> list[str]:
        """Names of files that somebody has begun to write and not closed."""
        return sorted(self._writing)

    async def changed(self) -> None:
        """Returns when there is something that has not been read."""
        while not self._event.is_set():
            try:
                await asyncio.wait_for(self._event.wait(), EVERY)
            except TimeoutError:
                if await asyncio.to_thread(self._look) != self._signature:
                    self._unseen = True
                    break
        self._event.clear()

    async def quiet(self, patience: float = PATIENCE) -> bool:
        """Wait until nothing changes and nobody writes; False when that has not come after `patience` seconds."""
        pause, self._unseen = (UNSEEN if self._unseen else QUIET), False
        deadline = time.monotonic() + patience
        before = await asyncio.to_thread(self._look)
        while True:
            await asyncio.sleep(pause)
            last, self._signature = self._signature, await asyncio.to_thread(self._look)
            if last[0] != self._signature[0]:  # of writers in a folder that went away no event will tell
                self._writing.clear()
            if self._signature == before and not self._writing:
                return True
            if time.monotonic() > deadline:
                return False
            before = self._signature

    def _told(self, event: FileSystemEvent, real: Path) -> None:
        """In watchdog's thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._note, event, real)

    def _note(self, event: FileSystemEvent, real: Path) -> None:
        places = [Path(os.fsdecode(place)) for place in (event.src_path, event.dest_path) if place]
        names = {path.name for path in places if path.parent == real}
        if event.event_type != "modified":
            self._writing -= names
        elif not event.is_directory:
            self._writing |= {name for name in names if self._read(name)}
        linked = self._name is not None and os.path.islink(self.path)  # noqa: PTH114 (it never raises, as Path's does)
        if self._name is None or linked or self._name in names:
            self._event.set()

    def _read(self, name: str) -> bool:
        return name == self._name or (self._name is None and name.endswith(".yaml") and not name.startswith("."))

    def _look(self) -> Signature:
        """What stands there, by inodes, sizes and times; in another thread. Sees to it that the folder is watched."""
        self._folders.check(self._folder)
        if self._name is not None:
            return (_identity(self._folder), _stat(self.path))
        try:
            entries = sorted(self.path.iterdir())[:_MAX_ENTRIES]
        except OSError as error:
            return (_identity(self._folder), error.errno)
        seen = ((entry.name, _stat(entry)) for entry in entries if not entry.name.startswith("."))
        return (_identity(self._folder), *seen)


def _identity(folder: Path) -> Signature | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (os.path.realpath(folder), status.st_dev, status.st_ino)


def _stat(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno,)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
