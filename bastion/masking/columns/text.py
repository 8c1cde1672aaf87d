"""How bytes of a terminal are read: escapes, whole characters, and how many columns of the screen they take.

Limits: clients of databases disagree about wide characters (sqlite counts a character as one column, MariaDB an emoji
as one), so a width is a range from what any of them would count to the most. Of escapes only CSI and the short ones
are known; an OSC counts as text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_CSI = rb"\x1b\[[0-?]{0,60}[ -/]{0,4}[@-~]"
_CHARACTER = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
ESCAPE = re.compile(_CSI + rb"|\x1b[()*+][ -~]|\x1b[0-9=>A-Z\\]")
_TOKEN = re.compile(ESCAPE.pattern + rb"|[\x20-\x7e]|" + _CHARACTER + rb"|[\x00-\xff]", re.DOTALL)
_TORN = re.compile(
    rb"(?:\x1b(?:\[[0-?]{0,60}[ -/]{0,4}|[()*+])?"
    rb"|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)
TORN = 70
"""The most bytes that `torn` tells."""
RULES = "|│║"
"""What may stand between the columns of a drawn table."""


def torn(data: bytes) -> int:
    """How many bytes at the end are the beginning of an escape or of a character."""
    found = _TORN.search(data, max(0, len(data) - TORN))
    return len(data) - found.start() if found else 0


def tokens(data: bytes, at: int = 0) -> Iterator[bytes]:
    """Characters and escapes, one by one; a byte that belongs to none is one of its own."""
    return (found.group() for found in _TOKEN.finditer(data, at))


def plain(data: bytes) -> str:
    """The text without its escapes; a byte that is not UTF-8 as U+FFFD."""
    if b"\x1b" in data:
        data = ESCAPE.sub(b"", data)
    return data.decode("utf-8", "replace")


def line(data: bytes) -> str:
    """A line as it is seen: without its end, and without what a carriage return has put it over (a shell's line editor
    ends so)."""
    return plain(data).rstrip("\r\n").rpartition("\r")[2]


def place(data: bytes, mark: str, before: int = 0) -> int:
    """Where the mark stands outside an escape behind so many others of its kind; it must stand somewhere."""
    bare = ESCAPE.sub(lambda found: b"\0" * len(found.group()), data)
    at = bare.index(mark.encode())
    for _ in range(before):
        at = bare.index(mark.encode(), at + 1)
    return at


def escapes(data: bytes) -> bytes:
    """The escapes alone."""
    return b"".join(ESCAPE.findall(data)) if b"\x1b" in data else b""


@lru_cache(maxsize=4096)
def span(token: bytes) -> tuple[int, int]:
    """The least and the most columns of the screen that a client counts for a token."""
    if len(token) == 1 and 0x20 <= token[0] < 0x7F:
        return 1, 1
    if (token[0] == 0x1B and len(token) > 1) or token == b"\r":
        return 0, 0
    character = token.decode("utf-8", "replace")
    if len(character) != 1 or character == "\ufffd":
        return 0, 4
    category = unicodedata.category(character)
    if category[0] in "MC":
        return 0, 1
    drawing = "\u2500" <= character < "\u2600"
    if unicodedata.east_asian_width(character) in "WF" or (category == "So" and character > "\u2300" and not drawing):
        return 1, 2
    return 1, 1


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.category(character)[0] in "MC":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width(text: str) -> int:
    """The columns of the screen that a terminal gives the text."""
    return len(text) if text.isascii() and text.isprintable() else sum(map(_columns, text))


def fitted(text: str, columns: int, *, right: bool = False) -> str:
    """The text cut or padded with blanks to that many columns; `right` puts it to the right end."""
    while text and width(text) > columns:
        text = text[: min(len(text) - 1, columns)]
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks
