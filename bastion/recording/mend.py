"""At start-up: the recordings that the last run left open are mended and closed.

Open ones are told by their mode (see recorder), so that a start looks at the names and modes of all recordings but
reads only those few. One that another process still writes (it holds the lock) is left alone.

The mode is the commit: one that was mended is closed when its caller, who has told of it by then, asks for the next. A
start that is killed in between leaves it open, and the next one tells of it again, with the same digest.

What is not the bastion's (another user's file, a name or a place that no recording has, a link) is not looked into,
and what can not be read or mended stays as it is: each is told in the log, and none keeps the bastion from starting.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import mmap
import os
import re
import stat
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bastion.asciicast import mend as asciicast
from bastion.errors import OperatorError

log = logging.getLogger(__name__)

MAX_TOLD = 20
"""Things passed over that the log names; of more it tells only the number."""
_LEVELS = tuple(
    re.compile(pattern) for pattern in (r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z", r"\d{4}\Z", r"\d\d\Z", r"\d\d\Z")
)
"""Below the directory: tenant, year, month, day (see recorder)."""
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.cast\Z")


@dataclass(frozen=True, slots=True)
class Mended:
    """A recording that was mended and closed. `recording` is its name, relative to the directory; `cut` and `size` in
    bytes; the digest is of the file as it is now. `tenant` and `session` are from its path. It `began` in seconds since
    1970, lasted `duration` seconds, and `commands` can be jumped to."""

    tenant: str
    session: str
    recording: str
    cut: int
    size: int
    sha256: str
    began: int = 0
    duration: float = 0.0
    commands: int = 0


def mend(directory: Path) -> Generator[Mended, None, None]:
    """Mend what is left open under `directory`, one at a time; each is closed once the next is asked for. Raises
    OperatorError only when the directory itself can not be listed.

    A file without a whole header tells nothing (nothing was shown before it was written): it is made a `.torn` one,
    for a person to look at, and told with size 0.
    """
    try:
        entries = _list(directory)
    except OSError as error:
        raise OperatorError(f"the recordings in {directory} can not be listed: {error.strerror}") from error
    passed_over: list[str] = []
    for path in _open_ones(entries, _LEVELS, passed_over):
        try:
            yield from _mended(directory, path)
        except OSError as error:
            passed_over.append(f"{path} can not be mended: {error.strerror}")
    for reason in passed_over[:MAX_TOLD]:
        log.warning("recordings: passed over: %s", reason)
    if len(passed_over) > MAX_TOLD:
        log.warning("recordings: passed over: %d more", len(passed_over) - MAX_TOLD)


def _list(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _open_ones(
    entries: Sequence[os.DirEntry[str]], levels: Sequence[re.Pattern[str]], passed_over: list[str]
) -> Iterator[Path]:
    """The recordings that are open, in the order of their names. `levels` are the names that folders may have."""
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
            if levels and stat.S_ISDIR(status.st_mode) and levels[0].match(entry.name):
                yield from _open_ones(_list(Path(entry.path)), levels[1:], passed_over)
            elif levels and entry.name.endswith(".cast"):
                passed_over.append(f"{entry.path} is not where a recording is")
            elif stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
                passed_over.append(f"{entry.path} is no folder of recordings")
            elif _SESSION.match(entry.name) and _is_open(status):
                if status.st_uid == os.geteuid():
                    yield Path(entry.path)
                else:
                    passed_over.append(f"{entry.path} belongs to another user (number {status.st_uid})")
        except OSError as error:
            passed_over.append(f"{entry.path} can not be read: {error.strerror}")


def _is_open(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & stat.S_IWUSR)


def _mended(directory: Path, path: Path) -> Iterator[Mended]:
    """It, once; closed behind that. Nothing where somebody writes it."""
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        found = _mend(fd, path.relative_to(directory))
        yield found
        if found.sha256:
            os.fchmod(fd, 0o400)
            os.fsync(fd)
        else:
            path.rename(directory / found.recording)
    finally:
        os.close(fd)


def _mend(fd: int, name: Path) -> Mended:
    before = os.fstat(fd).st_size
    tenant, session = name.parts[0], name.stem
    mending = _mending(fd, before)
    if mending is None:
        return Mended(tenant, session, f"{name}.torn", before, 0, "")
    os.ftruncate(fd, mending.keep)
    os.lseek(fd, 0, os.SEEK_END)
    rest = memoryview(mending.add)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    os.fsync(fd)
    size = mending.keep + len(mending.add)
    told = (mending.began, mending.duration, mending.markers)
    return Mended(tenant, session, str(name), before - mending.keep, size, digest, *told)


def _mending(fd: int, size: int) -> asciicast.Mending | None:
    if size == 0:
        return None
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as content:
        return asciicast.mend(content)
