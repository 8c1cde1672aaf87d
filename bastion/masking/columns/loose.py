"""Rows of fields between separators without quoting: psql's unaligned format, mysql's batch, sqlite3's list, COPY.

A field may hold the separator or a newline, and nothing tells. A line with as many fields as the header is a row. Any
other, and one with a blank beside a separator, is read in each way that the lines before leave open (a row whose first
field holds a separator, the rest of a row that a newline broke, more of the last field), and a field is masked where
any of these gives it a named column: too much rather than too little. For that the line is held from the first such
field on.

Limit: a row broken by a newline, the first part of which has as many fields as the header because a separator stands
in another value without a blank beside it, is read as a row (MariaDB with --raw, where values hold tabs and newlines).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from bastion.masking.columns.table import KEPT, Table, line_of
from bastion.masking.columns.value import Mask, fitting, starred


class Loose(Table):
    """`columns` has the column that masks each field, or None. A table of one column has no separator: b"".

    `header` tells whether a line is the header of another table, `below` whether the first line is the border that
    shows the header to have been a drawn table's.
    """

    def __init__(
        self,
        mask: Mask,
        separator: bytes,
        columns: Sequence[str | None],
        header: Callable[[bytes], Table | None],
        below: Callable[[bytes], Table | None] | None = None,
    ) -> None:
        super().__init__(mask)
        self._separator = separator
        self._columns = columns
        self._named = {at: column for at, column in enumerate(columns) if column is not None}
        self._header = header
        self._below = below
        self._stop = re.compile(b"[" + re.escape(separator) + b"\n]")
        self._begins = frozenset({0})
        """The fields in which a line may begin."""
        self._line = bytearray()
        self._index = 0
        self._held = bytearray()
        self._holding = False
        self._passing = False

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        out = bytearray()
        while at < len(data):
            self._holding = self._holding or self._possible()
            found = self._stop.search(data, at)
            stop = found.end() if found else len(data)
            self._line += data[at : min(stop, at + KEPT - len(self._line))]
            out += self._taken(data[at:stop]) if self._holding else data[at:stop]
            at = stop
            if found and found.group() == b"\n":
                out += self._end_line()
                break
            self._index += found is not None
        return bytes(out), at

    def let_go(self) -> bytes:
        """What is held, and the line to its end, as stars between separators: a line is known only as a whole."""
        if not self._held:
            return b""
        self._passing = True
        self.mask.count(next(iter(self._named.values())))
        held = bytes(self._held)
        self._held.clear()
        return starred(held, kept=self._separator)

    def held(self) -> int:
        return len(self._held)

    def end(self) -> bytes:
        out = b""
        if self._start:
            start, self._start = self._start, b""
            self.fresh = False
            out = self.row(start, 0)[0]
        return out if self.fresh else out + self._end_line()

    def _possible(self) -> bool:
        """Whether the field that begins here may be a named one, whatever follows."""
        last = len(self._columns) - 1
        begins = self._begins | {0}
        return any(begin <= at <= min(begin + self._index, last) for begin in begins for at in self._named)

    def _taken(self, data: bytes) -> bytes:
        if self._passing:
            return starred(data, kept=self._separator)
        room = fitting(self._held, data)
        self._held += data[:room]
        return self.let_go() + starred(data[room:], kept=self._separator) if room < len(data) else b""

    def _end_line(self) -> bytes:
        """The line is known: what was held of it, masked; and where the next may begin."""
        line = line_of(self._line)
        fields = line.split(self._separator) if self._separator else [line]
        doubtful = sum(self._doubtful(left, right) for left, right in pairwise(fields))
        out = b""
        if self._held:
            self.turned = self._below(line) if self._below else None
            out = bytes(self._held) if self.turned else self._masked(len(fields), doubtful)
        self._below = None
        self.turned = self.turned or self._header(line)
        self._begins = self._next(len(fields), doubtful)
        self._line.clear()
        self._held.clear()
        self._index = 0
        self._holding = self._passing = False
        self.fresh = True
        return out

    def _masked(self, count: int, doubtful: int) -> bytes:
        """What is held, with each field masked that any reading gives a named column."""
        parts = bytes(self._held).split(self._separator) if self._separator else [bytes(self._held)]
        first = count - len(parts)
        for place, part in enumerate(parts):
            column = self._column(first + place, count, doubtful)
            if column is not None:
                parts[place] = self.mask.value(part, column)
        return self._separator.join(parts)

    def _column(self, place: int, count: int, doubtful: int) -> str | None:
        fields = len(self._columns)
        begins = self._begins if count < fields else self._begins | {0}
        if count == fields and 0 in self._begins and not doubtful:
            begins = frozenset({0})
        for begin in begins:
            more = max(doubtful, begin + count - fields)  # so many separators may stand in fields
            low, high = max(begin, begin + place - more), min(begin + place, fields - 1)
            for at, column in self._named.items():
                if low <= at <= high:
                    return column
        return None

    @staticmethod
    def _doubtful(left: bytes, right: bytes) -> bool:
        """Whether the separator between these stands as in prose: clients put no blank there."""
        return left.endswith(b" ") or right.startswith(b" ")

    def _next(self, count: int, doubtful: int) -> frozenset[int]:
        last = len(self._columns) - 1
        most = {last} if count > last else {min(begin + count - 1, last) for begin in self._begins}
        ends = {max(0, end - less) for end in most for less in range(min(doubtful, last) + 1)}
        return frozenset(ends | {0}) if last in ends else frozenset(ends)
