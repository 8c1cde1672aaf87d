"""Whose command is judged, and where, when nobody is connected: for explaining, testing and comparing policies.

An Asker is what a Subject says, and how the target would read the text. It is told in the same words everywhere: as
options on the command line, under `as:` in a file of cases, and as members of a JSON object (batches, the API).

    identity   name, or list of names, that `who.identities` is matched with      anyone
    groups     list of groups                                                    none
    claims     text by name                                                      none
    target     name of the target                                                anywhere
    labels     text by name                                                      none
    account    account on the target                                             anyone
    shell      the account's login shell                                         bash
    terminal   whether there is one                                              no
    source     the client's address                                              none
    at         when, as a date and time (RFC 3339)                               none

What is left out is a name that no rule means, though `*` matches it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bastion.policy.decision import Subject

KEYS = ("identity", "groups", "claims", "target", "labels", "account", "shell", "terminal", "source", "at")
SHELLS = ("sh", "bash", "rbash", "dash", "ash", "busybox")
"""Login shells that a target may have; every other than bash is read as POSIX has it."""

MAX_TEXT = 1024
"""Characters of one name."""
MAX_MEMBERS = 256
"""Groups, claims, labels."""
MAX_MOMENT = 32503680000
"""Seconds since 1970: the year 3000. Far later times have no day in every zone."""

Pairs = tuple[tuple[str, str], ...]


class BadAsker(ValueError):
    """A member that can not be used: its key, and what it must be."""

    def __init__(self, key: str, wanted: str) -> None:
        super().__init__(f"{key!r} must be {wanted}")
        self.key = key
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Asker:
    """The values; `at` is in seconds since 1970."""

    identity: tuple[str, ...] = ("anyone",)
    groups: frozenset[str] = frozenset()
    claims: Pairs = ()
    target: str = "anywhere"
    labels: Pairs = ()
    account: str = "anyone"
    shell: str = "bash"
    terminal: bool = False
    source: str = ""
    at: float | None = None

    @property
    def subject(self) -> Subject:
        target = self.target.lower()
        return Subject(self.identity, self.groups, self.claims, target, self.labels, self.account, self.source, self.at)

    def __str__(self) -> str:
        """For people: `agent@demo (agents) as deploy on web-1`."""
        groups = f" ({', '.join(sorted(self.groups))})" if self.groups else ""
        return f"{self.identity[0]}{groups} as {self.account} on {self.target}"

    def but(self, values: Mapping[str, object]) -> Asker:
        """The same but for `values`, as they stand in JSON. Other members are passed over. Raises BadAsker."""
        known = {key: _READ[key](key, values[key]) for key in KEYS if key in values}
        return dataclasses.replace(self, **known) if known else self


def moment(text: str) -> float:
    """A date and time as seconds since 1970; UTC where no zone is told. Raises ValueError."""
    found = datetime.fromisoformat(text)
    seconds = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= seconds < MAX_MOMENT:
        raise ValueError(f"not between 1970 and 3000: {text}")
    return seconds


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise BadAsker(key, f"text of 1 to {MAX_TEXT} characters")
    return value


def _optional(key: str, value: object) -> str:
    return "" if value == "" else _text(key, value)


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_MEMBERS:
        raise BadAsker(key, f"a list of at most {MAX_MEMBERS} texts")
    return tuple(_text(key, member) for member in value)


def _names(key: str, value: object) -> tuple[str, ...]:
    names = _texts(key, value) if isinstance(value, list) else (_text(key, value),)
    if not names:
        raise BadAsker(key, "a name, or a list of at least one")
    return names


def _group_names(key: str, value: object) -> frozenset[str]:
    return frozenset(_texts(key, value))


def _pairs(key: str, value: object) -> Pairs:
    if not isinstance(value, dict) or len(value) > MAX_MEMBERS:
        raise BadAsker(key, f"an object of at most {MAX_MEMBERS} texts")
    return tuple(sorted((str(name), _optional(f"{key}.{name}", member)) for name, member in value.items()))


def _shell(key: str, value: object) -> str:
    if value not in SHELLS:
        raise BadAsker(key, f"one of {', '.join(SHELLS)}")
    return str(value)


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadAsker(key, "true or false")
    return value


def _moment(key: str, value: object) -> float:
    try:
        return moment(_text(key, value))
    except (ValueError, OverflowError):
        raise BadAsker(key, "a date and time such as 2026-01-31T09:30:00Z") from None


# Each makes what the field of its name holds.
_READ: dict[str, Callable[[str, object], Any]] = {
    "identity": _names,
    "groups": _group_names,
    "claims": _pairs,
    "target": _text,
    "labels": _pairs,
    "account": _text,
    "shell": _shell,
    "terminal": _boolean,
    "source": _optional,
    "at": _moment,
}
