"""Whether a path that only the target knows could be one that a pattern names, by what is known of it.

An outline is a path in which NUL marks what is not known: `/etc/sh*` and `/etc/sh"$x"` are both `/etc/sh` and a NUL.
What stands for a NUL is taken to hold no slash.

A pattern that begins at the root is met whenever some value makes the two alike and the match is no accident of two
wildcards. One that begins with `**/` could lie anywhere, so nearly every glob could be it (`*.json` is
`credentials.json` in some folder): there, what is known must itself point at it: the folder above, the beginning of the
name, or the whole of its end.

Limits: a variable that holds several folders (`$x/shadow`), and a bare `*` in a folder that is not a known one.
"""

from __future__ import annotations

import re
from functools import lru_cache

_UNKNOWN = "\0"
_MIN_BEGINNING = 2
_MIN_END = 4
_DEEP = 3
MAX_PARTS = 32
"""Names in an outline; a longer one is taken to be any path."""


def could_be(outline: str, pattern: str) -> bool:
    """`outline` is made plain. Never raises."""
    if not outline.startswith("/") and not outline.strip("\0/."):
        return False
    parts = [_shorter(part) for part in outline.split("/")]
    if len(parts) > MAX_PARTS:
        return True
    if pattern.startswith("/"):
        wanted = pattern.split("/")
        # A folder that is not known: any may be meant, as long as a name in it is.
        anywhere = parts[0] == _UNKNOWN and any(_UNKNOWN not in part for part in parts[1:])
        return _meets(parts, wanted) or (
            anywhere
            and any(
                _meets(parts[1:], wanted[at:], at) for at in range(2, len(wanted)) if "*" not in "".join(wanted[at:])
            )
        )
    if not pattern.startswith("**/"):
        return False
    wanted = pattern.removeprefix("**/").split("/")
    return any(_points(parts[at:], wanted) for at in range(len(parts)))


def _shorter(part: str) -> str:
    """A part with many unknowns is one of which only the ends are known."""
    return part if part.count(_UNKNOWN) <= 2 else part.partition(_UNKNOWN)[0] + _UNKNOWN + part.rpartition(_UNKNOWN)[2]


def _meets(parts: list[str], wanted: list[str], depth: int = 0) -> bool:
    """Whether some path is both; `**` stands for any parts."""
    if not wanted or not parts:
        return not wanted and not parts
    if wanted[0] == "**":
        first = 1 if len(wanted) == 1 else 0
        return any(_meets(parts[at:], wanted[1:], depth + at) for at in range(first, len(parts) + 1))
    return (
        _alike(parts[0], wanted[0]) and _likely(parts[0], wanted[0], depth) and _meets(parts[1:], wanted[1:], depth + 1)
    )


def _likely(part: str, wanted: str, depth: int) -> bool:
    """Whether a part that could be what is wanted is not so by the width of both (`/tmp/*.log`, `/tmp/krb5cc_*`): a
    name of which something is wanted needs to show it, but in a folder that holds little else."""
    if wanted in ("*", "") or "*" not in wanted or _UNKNOWN not in part:
        return True
    return _shows(part, wanted) or (part == _UNKNOWN and depth >= _DEEP)


@lru_cache(maxsize=4096)
def _alike(part: str, wanted: str) -> bool:
    """Whether some text is both `part`, with its unknowns, and `wanted`, in which `*` stands for anything."""
    if _UNKNOWN not in part:
        return re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), part) is not None
    if "*" not in wanted:
        return re.fullmatch(".*".join(map(re.escape, part.split(_UNKNOWN))), wanted) is not None
    begins, wants = part.partition(_UNKNOWN)[0], wanted.partition("*")[0]
    ends, wishes = part.rpartition(_UNKNOWN)[2], wanted.rpartition("*")[2]
    heads = begins.startswith(wants) or wants.startswith(begins)
    return heads and (ends.endswith(wishes) or wishes.endswith(ends))


def _points(parts: list[str], wanted: list[str]) -> bool:
    """Whether the known text of these parts points at what is wanted."""
    if wanted[-1] == "**":
        if len(parts) < len(wanted):
            return False
        parts = parts[: len(wanted) - 1]
        wanted = wanted[:-1]
    if len(parts) != len(wanted) or "**" in wanted:
        return False
    known = False
    for part, want in zip(parts, wanted, strict=True):
        if not _alike(part, want):
            return False
        if part != _UNKNOWN and not _shows(part, want):
            return False
        if part == _UNKNOWN and not known:
            return False
        known = True
    return known


def _shows(part: str, wanted: str) -> bool:
    if _UNKNOWN not in part:
        return True
    if not wanted.startswith("*"):
        return len(part.partition(_UNKNOWN)[0]) >= _MIN_BEGINNING
    ending = wanted.rpartition("*")[2]
    return len(ending) >= _MIN_END and part.rpartition(_UNKNOWN)[2].endswith(ending)
