"""Tables and lists of names and values for people: aligned by what a terminal draws, cut to its width, and inert.

Every text goes through bastion.characters.shown, so nothing of a session, a client or a target is obeyed by the
terminal. On anything but a terminal nothing is cut.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from json import dumps

from bastion.characters import shown
from bastion.session.gated.cells import width

GAP = "  "
MAX_CELL = 1 << 20
"""Characters of one text."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def columns() -> int | None:
    """Of the terminal; None where output goes elsewhere."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None if sys.stdout.isatty() else None
    except (OSError, ValueError):
        return None


def cells(text: str) -> int:
    """What a terminal draws it with; for a text that was `shown`."""
    return len(text) if text.isascii() else sum(max(0, width(character)) for character in text)


def cut(text: str, room: int) -> str:
    """So much of it as fits, and `…` where that is not all."""
    if cells(text) <= room:
        return text
    kept, used = [], 0
    for character in text:
        used += max(0, width(character))
        if used > room - 1:
            break
        kept.append(character)
    return "".join(kept) + "…" if room > 0 else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]], room: int | None) -> list[str]:
    """Lines, the first of them `head`. The last column takes what is left of `room`."""
    lines = [list(head), *([shown(cell, MAX_CELL) for cell in row] for row in rows)]
    wide = [max(cells(line[place]) for line in lines) for place in range(len(head))]
    told = []
    for line in lines:
        padded = [text + " " * (size - cells(text)) for text, size in zip(line[:-1], wide, strict=False)]
        whole = GAP.join([*padded, line[-1]]).rstrip()
        told.append(whole if room is None else cut(whole, room))
    return told


def show(
    found: Sequence[object], head: Sequence[str], rows: Iterable[Sequence[object]], *, json: bool, none: str = "none"
) -> None:
    """Print a list: its objects as JSON, or its rows; where there are none, `none` on stderr."""
    if json:
        print(dumps(found))
    elif found:
        print("\n".join(table(head, rows, columns())))
    else:
        print(none, file=sys.stderr)


def line(values: Iterable[object], room: int | None) -> str:
    """One by itself, of no table."""
    whole = GAP.join(shown(value, MAX_CELL) for value in values)
    return whole if room is None else cut(whole, room)


def pairs(values: Iterable[tuple[str, object]]) -> list[str]:
    """`name   value` lines, each value whole; those that are None or empty are left out."""
    told = [(name, shown(value, MAX_CELL)) for name, value in values if value not in (None, "", [], ())]
    wide = max((len(name) for name, _ in told), default=0)
    return [f"{name:<{wide}}{GAP}{value}" for name, value in told]


def seconds(moment: object) -> float | None:
    """RFC 3339 as seconds since 1970; None for what is none."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except (ValueError, OverflowError):
        return None


def span(length: float) -> str:
    """`45s`, `12m`, `3h`, `2d`: the largest unit that fits."""
    whole = max(0, int(length))
    for size, unit in _UNITS:
        if whole >= size:
            return f"{whole // size}{unit}"
    return "0s"


def ago(moment: object, now: float) -> str:
    """`12m ago` or `in 8m`; `-` for no time."""
    at = seconds(moment)
    if at is None:
        return "-"
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def when(moment: object, now: float) -> str:
    """Both: `2026-11-28 10:00:00 UTC (12m ago)`."""
    at = seconds(moment)
    if at is None:
        return ""
    return f"{datetime.fromtimestamp(at, UTC).strftime('%Y-%m-%d %H:%M:%S UTC')} ({ago(moment, now)})"
