"""The demo's folder is its user's alone: nothing that another user of this machine put there beforehand is believed.

`own` looks at everything in the folder before any of it is used, and `hold` and `replace` write secrets that no other
user could have opened before. A folder that is kept safe so stays safe: it is mode 0700.

Limits: root is trusted, and so is whatever else runs as the same user. What a group may do by an access list (ACL)
shows as the group's bits, and is refused as those are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from bastion.errors import OperatorError

_ADVICE = "choose another --dir, such as ~/bastion-demo"


def own(folder: Path) -> None:
    """Make the folder, or take one that only this user can have written. OperatorError for any other."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(folder)
        for above in Path(os.path.realpath(folder)).parents:
            _refuse_swappable(above)
        folder.chmod(0o700)
        for inside, folders, files in os.walk(folder, onerror=_raise):
            for name in (*folders, *files):
                _refuse_foreign(Path(inside) / name)
    except OSError as error:
        raise OperatorError(f"{folder} can not be used: {error.strerror}; {_ADVICE}") from error


def hold(path: Path, make: Callable[[], bytes]) -> bytes:
    """The secret at `path`: the one that is there, if it is this user's alone, else what `make` gives, kept there."""
    try:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            content = make()
            _create(path, content)
            return content
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
                raise OperatorError(f"{path}: a secret that others can read or have made; remove it, or {_ADVICE}")
            return file.read()
    except OSError as error:
        raise OperatorError(f"{path} can not be made or read: {error.strerror}; {_ADVICE}") from error


def replace(path: Path, content: bytes) -> None:
    """Put a new secret in the place of the one from before, if there is one: the file is new, its mode 0600."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        _create(beside, content)
        beside.replace(path)
    except OSError as error:
        raise OperatorError(f"{path} can not be written: {error.strerror}; {_ADVICE}") from error


def _create(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)


def _refuse_foreign(path: Path) -> None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise OperatorError(f"{path} is a link, which could lead anywhere; {_ADVICE}")
    if status.st_uid != os.geteuid():
        raise OperatorError(f"{path} belongs to another user (number {status.st_uid}); {_ADVICE}")
    if status.st_mode & 0o022:
        mode = stat.S_IMODE(status.st_mode)
        raise OperatorError(
            f"{path} may be written by others (mode {mode:04o}), who could have put anything there; {_ADVICE},"
            f" or chmod go-w it if you know that nobody has"
        )


def _refuse_swappable(above: Path) -> None:
    """A folder in which others may rename what is ours: they could put theirs in its place while the demo runs."""
    status = above.lstat()
    open_to_all = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    if open_to_all or status.st_uid not in (0, os.geteuid()):
        raise OperatorError(f"{above}, above the demo's folder, may be changed by other users; {_ADVICE}")


def _raise(error: OSError) -> None:
    raise error
