"""Rows of CSV: fields between separators, quoted ones with separators, doubled quotes and newlines in them.

A quoted field that never ends is read to the end of the stream; where it is not a named one its bytes pass. So what
psql prints unaligned with a separator of `,` or `;` is safe only while no field begins with a lone quote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum, auto

from bastion.masking.columns.table import KEPT, STRANGE, Fields, Table, line_of
from bastion.masking.columns.value import Hold, Mask


class _In(Enum):
    START = auto()
    BARE = auto()
    QUOTED = auto()
    QUOTE = auto()
    """Behind a quote that ends the field, or is the first of two."""


class Csv(Fields):
    """`columns` has, for each field of the header, the column that masks it, or None."""

    spaced = False
    """Whether blanks stand behind the header's separators: then they are none of a field's."""

    def __init__(
        self,
        mask: Mask,
        separator: bytes,
        columns: Sequence[str | None],
        header: Callable[[bytes, bytes], Table | None],
    ) -> None:
        super().__init__(mask, separator, columns, header)
        self._stop = re.compile(b"[" + re.escape(separator) + b"\n]")
        self._strange = 0
        """Lines without a separator, one after the other."""
        self._line = bytearray()
        self._index = 0
        self._in = _In.START
        self._hold = self._of_field()

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        out = bytearray()
        while at < len(data):
            start = at
            if self._in is _In.QUOTED:
                at = self._quoted(data, at, out)
            elif self._in is _In.BARE:
                at = self._bare(data, at, out)
            else:
                at = self._at_quote(data, at, out)
            self._line += data[start : min(at, start + KEPT - len(self._line))]
            if self.fresh:
                self._end_row()
                break
        return bytes(out), at

    def let_go(self) -> bytes:
        return self._hold.release() if self._hold else b""

    def state(self) -> object:
        return self._columns, self._strange, self._above

    def held(self) -> int:
        return len(self._hold.held) if self._hold else 0

    def _of_field(self) -> Hold | None:
        column = self._columns[self._index] if self._index < len(self._columns) else None
        return Hold(self.mask, column) if column is not None else None

    def _quoted(self, data: bytes, at: int, out: bytearray) -> int:
        quote = data.find(b'"', at)
        stop = quote if quote >= 0 else len(data)
        out += self._hold.add(data[at:stop]) if self._hold else data[at:stop]
        if quote < 0:
            return stop
        self._in = _In.QUOTE
        return quote + 1

    def _at_quote(self, data: bytes, at: int, out: bytearray) -> int:
        """At the beginning of a field, or behind a quote in a quoted one."""
        quote = data[at : at + 1] == b'"'
        if self._in is _In.START and self.spaced and data[at : at + 1] == b" ":
            out += b" "
            return at + 1
        if self._in is _In.START:
            self._in = _In.QUOTED if quote else _In.BARE
            out += b'"' if quote else b""
        elif quote:
            self._in = _In.QUOTED
            out += self._hold.add(b'""') if self._hold else b'""'
        else:  # the field is over, or what follows its quote is no CSV: that much is masked as well
            out += self._close(quoted=True) + b'"'
            self._hold = self._of_field()
            self._in = _In.BARE
        return at + quote

    def _bare(self, data: bytes, at: int, out: bytearray) -> int:
        found = self._stop.search(data, at)
        stop = found.start() if found else len(data)
        out += self._hold.add(data[at:stop]) if self._hold else data[at:stop]
        if not found:
            return stop
        out += self._close(quoted=False) + found.group()
        if found.group() == b"\n":
            self.fresh = True
        else:
            self._index += 1
            self._in = _In.START
            self._hold = self._of_field()
        return stop + 1

    def _close(self, *, quoted: bool) -> bytes:
        if self._hold is None:
            return b""
        if quoted and not self._hold.passing:
            self._hold.held[:] = self._hold.held.replace(b'""', b'"')
            return self._hold.end().replace(b'"', b'""')
        return self._hold.end()

    def _end_row(self) -> None:
        line = line_of(self._line)
        if self._index:
            self._strange = 0
        elif line.strip():
            self._strange += 1
        self.turn(line)
        self.over = self._strange >= STRANGE and len(self._columns) > 1 and self.turned is None
        self._line.clear()
        self._index = 0
        self._in = _In.START
        self._hold = self._of_field()
