"""Past commands, from the headers of recordings: what was asked, by whom and where, so that policy can be asked again.

Only a recording's first line is read: the header's key `bastion` has all of it. Recordings made before that key told
groups, claims and labels leave them unknown.

Limits: a login shell that the header does not name counts as bash, which reads the most. The header has the text as it
could be shown, so bytes that were not UTF-8 are escapes there. What was typed into a shell is in no header.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from bastion import document
from bastion.asciicast.reader import BadRecording, Header, header
from bastion.errors import OperatorError
from bastion.policy.asker import MAX_MOMENT, SHELLS, Asker, BadAsker

MAX_HEADER = 2 << 20
"""Bytes of a first line; those that the bastion writes are shorter."""

SUFFIX = ".cast"
_LISTS = ("principals", "groups")
_MAPPINGS = ("claims", "labels")


@dataclass(frozen=True, slots=True)
class Past:
    """One command that was asked for. `groups_known` is false where nothing says which groups the identity had; `torn`
    is the file whose end is missing, or empty; `stdin` the script on its standard input, which no header tells."""

    session: str
    tenant: str
    command: bytes
    asker: Asker
    groups_known: bool
    torn: str = ""
    stdin: bytes | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that tells no command; `why` is one line. `torn`: it should have told one."""

    file: str
    why: str
    torn: bool = True


def read(directory: Path) -> Iterator[Past | Skipped]:
    """Every recording below a folder, by its name. OperatorError when the folder can not be listed."""
    if not directory.is_dir():
        raise OperatorError(f"{document.shown(directory)}: no such folder of recordings")
    for folder, folders, names in os.walk(directory, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            if name.endswith(SUFFIX):
                yield one(Path(folder, name))


def one(path: Path) -> Past | Skipped:
    """One recording. Never raises: what can not be read is Skipped."""
    shown = document.shown(path)
    try:
        line, whole = _first_line(path)
        found = header(line)
        if not found.bastion:
            return Skipped(shown, "not a recording of a bastion: its header has no key `bastion`")
        if found.bastion.get("kind", "exec") != "exec":
            return Skipped(shown, f"a {found.bastion['kind']}, not a command", torn=False)
        return _past(found, "" if whole else shown)
    except OSError as error:
        return Skipped(shown, f"can not be read: {error.strerror}")
    except BadRecording as error:
        return Skipped(shown, str(error))
    except BadAsker as error:
        return Skipped(shown, f"its header can not be used: {error}")


def _past(found: Header, torn: str) -> Past:
    told = found.bastion
    lists = {name: _json(told, name, list) for name in _LISTS}
    mappings = {name: _json(told, name, dict) for name in _MAPPINGS}
    values: dict[str, object] = {
        "identity": lists["principals"] or told.get("identity"),
        "groups": lists["groups"],
        "target": told.get("target"),
        "account": told.get("account"),
        "source": told.get("source"),
        **mappings,
    }
    began = found.timestamp if found.timestamp is not None and 0 <= found.timestamp < MAX_MOMENT else None
    asker = Asker(at=began, terminal="TERM" in found.env)
    asker = asker.but({name: value for name, value in values.items() if value is not None})
    shell = posixpath.basename(found.env.get("SHELL", ""))
    if shell in SHELLS and shell != "sh":  # `sh` is what an inventory says of a shell that is asked for later
        asker = asker.but({"shell": shell})
    if "command" not in told:
        raise BadRecording(1, "its header tells no command")
    return Past(
        session=told.get("session", ""),
        tenant=told.get("tenant", ""),
        command=told["command"].encode("utf-8", "surrogatepass"),
        asker=asker,
        groups_known=lists["groups"] is not None,
        torn=torn,
    )


def _json(told: Mapping[str, str], name: str, kind: type) -> object:
    """A value that stands as JSON text in the header; None where there is none."""
    if name not in told:
        return None
    try:
        value = orjson.loads(told[name])
    except orjson.JSONDecodeError:
        raise BadRecording(1, f"its header's {name} are not JSON") from None
    if not isinstance(value, kind):
        raise BadRecording(1, f"its header's {name} are of another kind")
    return value


def _first_line(path: Path) -> tuple[bytes, bool]:
    """The header's line, and whether the last line has its end. BadRecording when the first has none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        line, size = file.readline(MAX_HEADER), status.st_size
        if not line.endswith(b"\n"):
            raise BadRecording(1, "torn: the header has no end" if line else "empty")
        if size > len(line):
            file.seek(-1, os.SEEK_END)
        return line, size == len(line) or file.read(1) == b"\n"


def _raise(error: OSError) -> None:
    raise OperatorError(f"{error.filename}: can not be listed: {error.strerror}") from error
