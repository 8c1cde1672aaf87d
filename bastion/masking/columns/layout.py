"""The layout of a drawn table, read from its header and the border below it.

Borders are those of psql (border 0, 1, 2; ASCII and Unicode lines), MariaDB and MySQL, sqlite3 (column, table, box,
markdown). A border without rules (psql's border 0, sqlite3's column) tells the columns' places alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from bastion.masking.columns.names import Names
from bastion.masking.columns.text import RULES, width
from bastion.masking.columns.text import line as seen

_FLAT = str.maketrans(dict.fromkeys("─━═:", "-") | dict.fromkeys("|┼┬┴├┤┌┐└┘╪╞╡╔╗╚╝╬╠╣╦╩╤╧╟╢╫╥╨╭╮╰╯", "+"))
_RULED = re.compile(r"(\+?)(-+(?:\+-+)*)(\+?)")
_BLANK = re.compile(r"-+(?: {1,2}-+)*")
_CELLS = re.compile("[" + RULES + "]")


@dataclass(frozen=True)
class Cell:
    """A column's place: from the column of the screen behind the rule before it, to that of the rule behind it.

    Without rules to where the next one starts; `gap` of these columns of the screen, at the end, hold no value.
    `column` is what masks it, or empty.
    """

    start: int
    end: int
    gap: int
    column: str


@dataclass(frozen=True)
class Layout:
    """`ruled`: cells stand between rules. `framed`: rules stand before the first and behind the last one as well.
    `wide`: the client is known to count a wide letter as two columns of the screen (psql, by its single blanks)."""

    cells: tuple[Cell, ...]
    ruled: bool
    framed: bool
    wide: bool
    rule: bytes
    """What stands between cells; empty without rules."""


def flat(line: bytes) -> str | None:
    """A border in `+` and `-`, whatever it is drawn with; None if the line is none."""
    text = seen(line).rstrip().translate(_FLAT)
    return text if _RULED.fullmatch(text) or _BLANK.fullmatch(text) else None


def layout(header: bytes, border: bytes, names: Names) -> Layout | None:
    """The layout of the table that these two lines begin; None when they begin none with a named column."""
    line = flat(border)
    if line is None:
        return None
    text = seen(header)
    places = [found.span() for found in re.finditer("-+", line)]
    ruled = "+" in line
    framed = line.startswith("+")
    found = _split(text, framed=framed) if ruled else _placed(text, [start for start, _ in places])
    if framed != line.endswith("+") or len(found) != len(places):
        return None
    ends = [end for _, end in places] if ruled else [start for start, _ in places[1:]] + [places[-1][1]]
    cells = tuple(
        Cell(start, end, 1 if ruled else end - drawn, names.find(name) or "")
        for (start, drawn), end, name in zip(places, ends, found, strict=True)
    )
    wide = not ruled and all(cell.gap == 1 for cell in cells[:-1])
    rule = next((rule for rule in RULES if ruled and rule in text), "").encode()
    return Layout(cells, ruled, framed, wide, rule) if any(cell.column for cell in cells) else None


def _split(text: str, *, framed: bool) -> list[str]:
    parts = _CELLS.split(text.rstrip() if framed else text)
    return parts[1:-1] if framed else parts


def _placed(text: str, starts: list[int]) -> list[str]:
    """The pieces of a header without rules that stand at these columns of the screen."""
    pieces = [""] * len(starts)
    at = 0
    for character in text:
        pieces[max(0, bisect_right(starts, at) - 1)] += character
        at += width(character)
    return pieces
