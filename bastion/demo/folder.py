"""Where things are in a demo's folder, for the commands that reach a demo while it runs.

    DIR/bastion/state/bastion.sock    the local operator's door
    DIR/people/NAME                   what that person proves who they are with at the demo's issuer, mode 0600

Whoever can read DIR/people is any of these people. It is the demo's user alone, as all of DIR is (see private).
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bastion.api.unix import NAME
from bastion.characters import shown
from bastion.demo import private
from bastion.errors import NoSuchRequest, OperatorError

PEOPLE = "people"
_MAX = 16 << 10
"""Bytes of one person's file."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client of the demo's issuer, whose tokens are a person's."""

    issuer: str
    client: str
    secret: str


def socket(folder: Path) -> Path:
    return folder / "bastion" / "state" / NAME


def keep(folder: Path, people: Mapping[str, Credentials]) -> None:
    """Write each person's, in place of those of an earlier demo."""
    place = folder / PEOPLE
    place.mkdir(mode=0o700, exist_ok=True)
    for name, found in people.items():
        private.replace(place / name, f"{json.dumps(dataclasses.asdict(found))}\n".encode())


def credentials(folder: Path, person: str) -> Credentials:
    """Those of one person. NoSuchRequest when the demo has none of that name, OperatorError when they can not be used.

    Only a plain file that is this user's (or root reads it) and closed to others is believed: another one could lead to
    an issuer of somebody else's."""
    place = folder / PEOPLE
    try:
        names = sorted(entry.name for entry in os.scandir(place) if not entry.name.startswith("."))
    except OSError as error:
        raise OperatorError(f"{place}: can not be read: {error.strerror}; is there a demo in {folder}?") from error
    if person not in names:
        raise NoSuchRequest(f"the demo has no person {shown(person)}; there are: {', '.join(map(shown, names))}")
    try:
        descriptor = os.open(place / person, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            own = status.st_uid == os.geteuid() or os.geteuid() == 0
            if not stat.S_ISREG(status.st_mode) or not own or status.st_mode & 0o077:
                raise OperatorError(f"{place / person}: a secret that others can read or have made")
            values = json.loads(file.read(_MAX))
            return Credentials(*(str(values[field.name]) for field in dataclasses.fields(Credentials)))
    except OSError as error:
        raise OperatorError(f"{place / person}: can not be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OperatorError(f"{place / person}: not a person's credentials: start the demo again") from error
