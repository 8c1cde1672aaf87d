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
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from bastion.masking.columns.table import KEPT, Fields, Table, line_of
from bastion.masking.columns.value import Mask, fitting, starred

MOST = 4096
"""Fields of a header in which readings are told apart: as many as MariaDB can have. Of more, each is masked."""


class Loose(Fields):
    """`columns` has the column that masks each field, or None. A table of one column has no separator: b"".

    `below` tells whether the first line is the border that shows the header to have been a drawn table's.
    """

    def __init__(
        self,
        mask: Mask,
        separator: bytes,
        columns: Sequence[str | None],
        header: Callable[[bytes, bytes], Table | None],
        below: Callable[[bytes], Table | None] | None = None,
    ) -> None:
        super().__init__(mask, separator, columns, header)
        self.widen(columns)
        self._below = self._first_below = below
        self._stop = re.compile(b"[" + re.escape(separator) + b"\n]")
        self._begins = 1
        """The fields in which a line may begin, a bit for each."""
        self._reach = 1
        """The fields that the one at hand may be, whatever follows."""
        self._line = bytearray()
        self._held = bytearray()
        self._holding = False
        self._passing = False

    def widen(self, columns: Sequence[str | None]) -> None:
        if len(columns) > MOST:
            columns = [next(filter(None, columns))]  # of more fields than any reading can have, each is masked
        super().widen(columns)
        self._named = sum(1 << at for at, column in enumerate(columns) if column is not None)
        self._all = (1 << len(columns)) - 1

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        out = bytearray()
        while at < len(data):
            self._holding = self._holding or bool(self._reach & self._named)
            found = self._stop.search(data, at)
            stop = found.end() if found else len(data)
            self._line += data[at : min(stop, at + KEPT - len(self._line))]
            out += self._taken(data[at:stop]) if self._holding else data[at:stop]
            at = stop
            if found and found.group() == b"\n":
                out += self._end_line()
                break
            if found and not self._holding:
                self._reach |= self._reach << 1 & self._all
        return bytes(out), at

    def let_go(self) -> bytes:
        """What is held, and the line to its end, as stars between separators: a line is known only as a whole."""
        if not self._held:
            return b""
        self._passing = True
        self.mask.count(self._name(self._named))
        held = bytes(self._held)
        self._held.clear()
        return starred(held, kept=self.separator)

    def state(self) -> object:
        return self._columns, self._begins, self._below, self._above

    def held(self) -> int:
        return len(self._held)

    def end(self) -> bytes:
        out, _ = self.begun()
        return out if self.fresh else out + self._end_line()

    def _name(self, fields: int) -> str:
        """The column that masks the first of these fields."""
        return self._columns[(fields & -fields).bit_length() - 1] or ""

    def _taken(self, data: bytes) -> bytes:
        if self._passing:
            return starred(data, kept=self.separator)
        room = fitting(self._held, data)
        self._held += data[:room]
        return self.let_go() + starred(data[room:], kept=self.separator) if room < len(data) else b""

    def _end_line(self) -> bytes:
        """The line is known: what was held of it, masked; and where the next may begin."""
        line = line_of(self._line)
        fields = line.split(self.separator) if self.separator else [line]
        doubtful = sum(self._doubtful(left, right) for left, right in pairwise(fields))
        out = b""
        if self._held:
            self.turned = self._below(line) if self._below else None
            out = bytes(self._held) if self.turned else self._masked(len(fields), doubtful)
        self._below = None
        if self.turned is None and self.turn(line):
            self._begins, self._below = 1, self._first_below
        else:
            self._begins = self._next(len(fields), doubtful)
        self._line.clear()
        self._held.clear()
        self._reach = self._begins | 1
        self._holding = self._passing = False
        self.fresh = True
        return out

    def _masked(self, count: int, doubtful: int) -> bytes:
        """What is held, with each field masked that any reading gives a named column."""
        parts = bytes(self._held).split(self.separator) if self.separator else [bytes(self._held)]
        first = count - len(parts)
        for place, found in enumerate(self._readings(count, doubtful)):
            if place >= first and found:
                parts[place - first] = self.mask.value(parts[place - first], self._name(found))
        return self.separator.join(parts)

    def _readings(self, count: int, doubtful: int) -> Iterator[int]:
        """For each field of a line the named ones that it is in some reading."""
        fields = len(self._columns)
        begins = self._begins if count < fields else self._begins | 1
        if count == fields and begins & 1 and not doubtful:
            begins = 1
        # A line that begins in the field `begin` has this many separators in fields, at most:
        # max(doubtful, begin + count - fields). So the beginnings up to `few` have `doubtful` ones, later ones more.
        few = max(0, fields - count + doubtful + 1)
        near = begins & ((1 << few) - 1)
        far = begins ^ near
        for place in range(count):
            if place:
                near = (near << 1 | (near if place <= doubtful else 0)) & self._all
                far |= far << 1 & self._all
            least = max(0, place - count + fields)
            yield (near | (far >> least << least)) & self._named

    @staticmethod
    def _doubtful(left: bytes, right: bytes) -> bool:
        """Whether the separator between these stands as in prose: clients put no blank there."""
        return left.endswith(b" ") or right.startswith(b" ")

    def _next(self, count: int, doubtful: int) -> int:
        last = len(self._columns) - 1
        if count > last:
            ends = 1 << last
        else:
            ends = self._begins << (count - 1)
            ends = ends & self._all | (1 << last if ends > self._all else 0)
        less, done = min(doubtful, last), 0
        while done < less:  # each end, and those up to `less` fields before it
            step = min(done + 1, less - done)
            ends |= ends >> step
            done += step
        return ends | 1 if ends >> last else ends
