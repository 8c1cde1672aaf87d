"""At start-up: the recordings that the last run left open are mended and closed.

Open ones are told by their mode (see recorder), so that a start looks at the names and modes of all recordings but
reads only those few. One that another process still writes (it holds the lock) is left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bastion.asciicast import mend as asciicast
from bastion.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Mended:
    """A recording that was mended and closed. `recording` is its name, relative to the directory; `cut` and `size` in
    bytes; the digest is of the file as it is now. `tenant` and `session` are from its path."""

    tenant: str
    session: str
    recording: str
    cut: int
    size: int
    sha256: str


def mend(directory: Path) -> list[Mended]:
    """Mend what is left open under `directory`. Raises OperatorError when one can not be mended.

    A file without a whole header tells nothing (nothing was shown before it was written): it is made a `.torn` one,
    for a person to look at, and listed with size 0.
    """
    mended = []
    for path in sorted(_open_ones(directory)):
        try:
            found = _mend(directory, path)
        except OSError as error:
            raise OperatorError(f"the recording {path} can not be mended: {error.strerror}") from error
        if found is not None:
            mended.append(found)
    return mended


def _open_ones(directory: Path) -> Iterator[Path]:
    pending = [directory]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    elif entry.name.endswith(".cast") and _is_open(entry.stat(follow_symlinks=False)):
                        yield Path(entry.path)
        except OSError as error:
            raise OperatorError(f"the recordings in {error.filename} can not be listed: {error.strerror}") from error


def _is_open(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & stat.S_IWUSR)


def _mend(directory: Path, path: Path) -> Mended | None:
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None  # it is being written
        before = os.fstat(fd).st_size
        name = str(path.relative_to(directory))
        tenant, session = path.relative_to(directory).parts[0], path.stem
        mending = _mending(fd, before)
        if mending is None:
            path.rename(path.with_name(path.name + ".torn"))
            return Mended(tenant, session, name + ".torn", before, 0, "")
        os.ftruncate(fd, mending.keep)
        os.lseek(fd, 0, os.SEEK_END)
        rest = memoryview(mending.add)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.lseek(fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(fd), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fchmod(fd, 0o400)
        os.fsync(fd)
        return Mended(tenant, session, name, before - mending.keep, mending.keep + len(mending.add), digest)
    finally:
        os.close(fd)


def _mending(fd: int, size: int) -> asciicast.Mending | None:
    if size == 0:
        return None
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as content:
        return asciicast.mend(content)
