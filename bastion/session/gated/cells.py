"""How text is laid into the cells of a terminal: widths, wide and combining characters, tabs, the margin.

What a terminal would obey, would not draw, or would draw in ways that differ from one to the next (`characters.hidden`:
controls, bidi, zero-width and private characters, variation selectors, joiners) is drawn as its escape, `\\u{200b}`, so
that a person sees what stands in the line. Widths are those of Unicode as the library wcwidth has them.

Limits: terminals differ on East Asian "ambiguous" characters (taken as narrow here), on flags and skin tones (taken as
two cells each), and on the spacing marks of Indic scripts (taken as none). Where a terminal sees one of those otherwise
its picture of the line is off until the next prompt; what is judged and run is the text, never the picture.

An offset counts cells from the row that the prompt begins on: row = offset // columns, column = offset % columns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from wcwidth import wcwidth

from bastion.characters import hidden, shown

ESCAPED = -1
"""The width of a character that is drawn as its escape, or is a tab or a line feed."""
MAX_COST = 10
"""Cells that a character takes at most, as `\\u{10ffff}` does; but for a line feed."""
MAX_MARKS = 8
"""Combining characters on one base; further ones are drawn as escapes."""

# Runs of characters that are surely one cell or two: most text is made of these, and they are laid fast.
_NARROW = re.compile("[ -~\u00a1-\u00ac\u00ae-\u024f\u0410-\u044f]+")
_WIDE = re.compile("[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]+")
_TAB = 8


@lru_cache(4096)
def width(character: str) -> int:
    """1 or 2 cells; 0 for a combining mark; or ESCAPED."""
    if hidden(character):
        return ESCAPED
    cells = wcwidth(character)
    if cells == 0 and unicodedata.category(character)[0] != "M":
        return ESCAPED
    return cells if cells >= 0 else ESCAPED


def joins(text: str, index: int) -> bool:
    """Whether the character at `index` is a mark that is drawn on the character before it, in the same cell."""
    if not 0 < index < len(text) or width(text[index]) != 0:
        return False
    for before in range(index - 1, max(index - 1 - MAX_MARKS, -1), -1):
        cells = width(text[before])
        if cells:
            return cells > 0
    return False


def cost(character: str, columns: int) -> int:
    """No fewer cells than this character takes, wherever it stands; but for the one left blank at a margin."""
    if character == "\n":
        return columns
    if character == "\t":
        return _TAB
    cells = width(character)
    return cells if cells > 0 else max(len(shown(character)), MAX_COST)


def lay(text: str, start: int, offset: int, columns: int) -> tuple[str, list[int]]:
    """What draws `text[start:]` from `offset` on, wrapping by itself at the margin, and the offset after each of its
    characters. After a cell in the last column the terminal's cursor waits at the margin until more is drawn."""
    drawn: list[str] = []
    ends: list[int] = []
    index = start
    while index < len(text):
        end, cells = run(text, index)
        if cells:
            drawn.append(text[index:end])
            ends.extend(_along(offset, end - index, cells, columns))
            index = end
        else:
            piece, offset = _cell(text, index, offset, columns)
            drawn.append(piece)
            ends.append(offset)
            index += 1
        offset = ends[-1]
    return "".join(drawn), ends


def run(text: str, start: int) -> tuple[int, int]:
    """Where a run of characters of surely the same width ends that begins at `start`, and that width; 0: there is
    none."""
    if found := _NARROW.match(text, start):
        return found.end(), 1
    if found := _WIDE.match(text, start):
        return found.end(), 2
    return start, 0


def _along(offset: int, count: int, cells: int, columns: int) -> Iterable[int]:
    """The offsets after each of `count` characters of so many cells."""
    if cells == 1:
        return range(offset + 1, offset + 1 + count)
    ends = []
    for _ in range(count):
        offset += 2 if offset % columns != columns - 1 else 3
        ends.append(offset)
    return ends


def _cell(text: str, index: int, offset: int, columns: int) -> tuple[str, int]:
    character = text[index]
    if character == "\n":  # a cell of its own, so that the cursor can stand on it
        return " \r\n", (offset // columns + 1) * columns
    if character == "\t":
        column = offset % columns
        blanks = min(_TAB - column % _TAB, columns - column)
        return " " * blanks, offset + blanks
    cells = width(character)
    if cells > 0:
        return character, offset + cells + (cells == 2 and offset % columns == columns - 1)
    if joins(text, index):
        return character, offset
    escape = shown(character) if cells < 0 else f"\\u{{{ord(character):04x}}}"
    return escape, offset + len(escape)
