"""Two fields in a line, the first alone a named column's: the header of a table, or the first field of a record.

`email|name` and `email|Miller` look alike, so the second field is held until the line below is known. A line that does
not begin with what could be a name is a row; an empty one, or one that begins with a named column's name, belongs to
records. Below any other line both readings hold: the second field of the first line is masked, and so are rows and
values, with the keys of unnamed fields, until a line tells that these are records.

Limits: the value of a record of several lines, the second of which begins with no name, is read as a table's row. A
second field with an `@` behind its first character is taken for a value, never for a name.
"""

from __future__ import annotations

from bastion.masking.columns.records import Records, Style, named_field
from bastion.masking.columns.table import Table
from bastion.masking.columns.text import line as seen
from bastion.masking.columns.value import Mask, fitting, starred


class Either(Table):
    """In force from behind the first line's end (`begin`), or from within that line (`go_on`)."""

    def __init__(self, mask: Mask, column: str, separator: str) -> None:
        super().__init__(mask)
        self._column = column
        self._separator = separator
        self._table: Table | None = None
        """The table that the first line begins."""
        self._held = bytearray()
        self._first = 0
        """How much of what is held is the first line's: what stands behind its separator, and its end."""
        self._passing = False
        self._open = False
        """Within the quotes of a value of several lines."""

    def begin(self, value: bytes, table: Table) -> None:
        """Below a line that holds `value` behind the separator, and begins `table` if it is a header."""
        self._table = table
        self._held += value + b"\n"
        self._first = len(self._held)

    def go_on(self, value: bytes) -> None:
        """Behind `value`, which has passed as stars: whatever the line is, both readings hold."""
        self._passing = True
        self.fresh = False
        self._stars(value)

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        newline = data.find(b"\n", at)
        stop = newline if newline >= 0 else len(data)
        out = self._more(data[at:stop])
        if newline < 0:
            return out, stop
        if not self._passing:
            out += self._known()
            if self.turned is not None:
                return out, stop
        self._passing = False
        self.fresh = True
        return out + b"\n", stop + 1

    def let_go(self) -> bytes:
        out = self._value()
        if self._held:
            self._passing = True
            out += self._stars(bytes(self._held))
            self._held.clear()
        return out

    def stopped(self, rest: bytes) -> bytes:
        """A footer below the first line belongs to a table without rows."""
        return self._shown() if rest.startswith(b"(") else self._value()

    def end(self) -> bytes:
        out, _ = self.begun()
        if self._passing or not self._held[self._first :]:
            return out + self._value()
        out += self._known()
        return out + (self.turned.feed(self.back)[0] + self.turned.end() if self.turned else b"")

    def held(self) -> int:
        return len(self._held)

    def _more(self, data: bytes) -> bytes:
        if self._passing:
            return self._stars(data)
        room = fitting(self._held, data)
        self._held += data[:room]
        return self.let_go() + self._more(data[room:]) if room < len(data) else b""

    def _stars(self, data: bytes) -> bytes:
        self._open ^= data.count(b'"') % 2 == 1
        return starred(data, blanks=True)

    def _shown(self) -> bytes:
        first = bytes(self._held[: self._first])
        del self._held[: self._first]
        self._first = 0
        return first

    def _value(self) -> bytes:
        """What is behind the first line's separator, masked."""
        first = self._shown()
        return self.mask.value(first[:-1], self._column) + b"\n" if first else b""

    def _known(self) -> bytes:
        """The line is whole: what it tells."""
        line = bytes(self._held[self._first :])
        del self._held[self._first :]
        text = seen(line)
        field = named_field(text) if not self._open else None
        if self._first and text.strip() and (field is None or field[1] != self._separator):
            self.turned, self.back = self._table, line
            return self._shown()
        out = self._value()
        if not self._open and (not text.strip() or (field is not None and self.mask.names.find(field[0]))):
            records = Records(self.mask, Style.UNALIGNED, separator=self._separator)
            records.go_on(self._column, b"", whole=True)
            self.turned, self.back = records, line
            return out
        return out + self._masked(line)

    def _masked(self, line: bytes) -> bytes:
        """A line that may be a row: only the second of two fields is shown."""
        separator = self._separator.encode()
        parts = line.split(separator)
        quotes = line.count(b'"')
        if len(parts) != 2 or quotes or self._open:
            self._open ^= quotes % 2 == 1
            return self.mask.value(line, self._column)
        return self.mask.value(parts[0], self._column) + separator + parts[1]
