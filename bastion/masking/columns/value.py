"""The value of one named field on its way: held until its end, replaced, and masked as it passes if it is too long."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bastion.masking.columns.names import Names
from bastion.masking.columns.text import ESCAPE, escapes, plain, span, tokens, torn, width

BOUND = 3584
"""The most bytes of a value that are held; with what decides a line's beginning it stays below 4 KiB."""
_LINES = re.compile(rb"(\r?\n)")


@dataclass(frozen=True)
class Mask:
    """What masks: the names, the caller's replacement, whether this is a terminal, and the counts."""

    names: Names
    replace: Callable[[bytes, str], bytes]
    terminal: bool
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, column: str) -> None:
        key = f"column:{column}"
        self.counts[key] = self.counts.get(key, 0) + 1

    def replaced(self, value: bytes, column: str) -> bytes:
        """The replacement of a value without its escapes, as one line: a replacement breaks no row."""
        bare = ESCAPE.sub(b"", value) if b"\x1b" in value else value
        self.count(column)
        return self.replace(bare, column).replace(b"\n", b" ").replace(b"\r", b" ")

    def value(self, raw: bytes, column: str) -> bytes:
        """A value as it came, replaced. Escapes go behind it; on a terminal each line of it is replaced alone, so
        that the screen keeps its lines. A line end behind it stays."""
        body = raw.rstrip(b"\r\n")
        end = raw[len(body) :]
        if self.terminal and b"\n" in body:
            parts = _LINES.split(body)
            return b"".join(part if at % 2 else self._line(part, column) for at, part in enumerate(parts)) + end
        return self._line(body, column) + end

    def _line(self, raw: bytes, column: str) -> bytes:
        return self.replaced(raw, column) + escapes(raw) if plain(raw) else raw


class Hold:
    """One value: `add` what comes of it, then `end`. `release` lets out what is held, and the rest masked as it comes.

    What `add` returns passes. Beyond BOUND bytes the value is released. What was released is stars, one a column of
    the screen: the caller's replacement is for values that are known whole.
    """

    def __init__(self, mask: Mask, column: str) -> None:
        self._mask = mask
        self._column = column
        self.held = bytearray()
        self.passing = False

    def add(self, data: bytes) -> bytes:
        if self.passing:
            return starred(data)
        room = fitting(self.held, data)
        self.held += data[:room]
        return self.release() + starred(data[room:]) if len(data) > room else b""

    def release(self) -> bytes:
        if self.passing or not self.held:
            return b""
        self._mask.count(self._column)
        return starred(self._taken())

    def end(self) -> bytes:
        return b"" if self.passing else self._mask.value(self._taken(), self._column)

    def _taken(self) -> bytes:
        self.passing = True
        held = bytes(self.held)
        self.held.clear()
        return held


def fitting(held: bytearray, data: bytes) -> int:
    """How many bytes of `data`, in whole characters and escapes, may still be held."""
    room = BOUND - len(held)
    return room - torn(data[:room]) if len(data) > room else len(data)


def starred(data: bytes, *, blanks: bool = False, kept: bytes = b"") -> bytes:
    """Every character as stars of its width. Escapes and line ends stay, and with `blanks` the blanks; and `kept`."""
    out = bytearray()
    for token in tokens(data):
        if token in (b"\r", b"\n") or token[0] == 0x1B or (token == b" " and blanks) or (kept and token == kept):
            out += token
        else:
            out += b"*" * (width(token.decode("utf-8", "replace")) if len(token) > 1 else span(token)[0])
    return bytes(out)
