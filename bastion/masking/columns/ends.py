"""What ends a table, though it stands where a row would: a footer, the prompt of a client or of a shell.

Told from the beginning of a line alone, and told as "not yet" while more bytes could still make it one. A prompt is
looked for on a terminal only. Limits: prompts of psql, mariadb, mysql, sqlite3 and `user@host:path$ ` as they come; a
table in force runs on past others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from bastion.masking.columns.text import ESCAPE, torn

WINDOW = 300
"""The most bytes of a line's beginning that are looked at."""


class Look(Enum):
    END = auto()
    ROW = auto()
    WAIT = auto()


# Each is a row of atoms, so that a beginning of it can be told as well: the atoms but the last may have come in part.
_WORD = rb"[\w.~-]{1,64}"
_NUMBER = rb"[0-9]{1,12}"


def _letters(text: str) -> list[bytes]:
    return [re.escape(letter.encode()) for letter in text]


_LINE_END = [rb"\r?", rb"\n"]
_WARNED: list[list[bytes]] = [[], [*_letters(", "), _NUMBER, *_letters(" warning"), b"s?"]]
_FOOTERS: list[list[bytes]] = [
    [rb"\(", _NUMBER, b" ", rb"[A-Za-z\x80-\xff]{1,32}", rb"\)", *_LINE_END],
    *[[_NUMBER, *_letters(" row"), b"s?", *_letters(" in set"), *warned, *_letters(" (")] for warned in _WARNED],
    *[[*_letters("Empty set"), *warned, *_letters(" (")] for warned in _WARNED],
]
_PROMPTS: list[list[bytes]] = [
    [_WORD, rb"[=(*!^$'\"-]", b"[#>]", b" "],
    [*_letters("MariaDB ["), rb"[^\]\r\n]{1,64}", *_letters("]> ")],
    _letters("mysql> "),
    _letters("sqlite> "),
    [_WORD, b"@", _WORD, b":", rb"[^\s$#]{1,128}", b"[$#]", b" "],
]


def _whole(ends: Sequence[Sequence[bytes]]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(b"".join(atoms) for atoms in ends))


def _begun(ends: Sequence[Sequence[bytes]]) -> re.Pattern[bytes]:
    """What may still become one of `ends`: (a(b(c)?)?)? for each."""
    parts = []
    for atoms in ends:
        nested = b""
        for atom in reversed(atoms):
            nested = b"(?:" + atom + nested + b")?"
        parts.append(nested)
    return re.compile(b"(?:" + b"|".join(parts) + rb")\Z")


_FOOTER, _FOOTER_BEGUN = _whole(_FOOTERS), _begun(_FOOTERS)
_ANY, _ANY_BEGUN = _whole(_FOOTERS + _PROMPTS), _begun(_FOOTERS + _PROMPTS)
_COPY_END = re.compile(rb"\\\.\r?\n")
_COPY_BEGUN = re.compile(rb"(?:\\(?:\.\r?)?)?\Z")


def look(start: bytes, *, terminal: bool, copy: bool = False) -> Look:
    """What the line that begins with `start` is. The answer is the same for any longer beginning, or it is WAIT."""
    window = start[:WINDOW]
    cut = torn(window)
    text = ESCAPE.sub(b"", window[: len(window) - cut] if cut else window)
    if (_ANY if terminal else _FOOTER).match(text) or (copy and _COPY_END.match(text)):
        return Look.END
    if len(window) >= WINDOW:
        return Look.ROW
    begun = (_ANY_BEGUN if terminal else _FOOTER_BEGUN).match(text) or (copy and _COPY_BEGUN.match(text))
    return Look.WAIT if begun else Look.ROW
