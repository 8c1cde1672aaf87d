"""Tables in a stream: looks for what begins one, and hands the stream to it while it is in force.

Nothing is held while no table is in force, but for a line that begins with a named column and a separator (psql's
unaligned records), and for the torn end of a character or an escape.
"""

from __future__ import annotations

import re

from bastion.masking.columns.either import Either
from bastion.masking.columns.headers import Headers
from bastion.masking.columns.records import EVIDENCE, Records, Style, named_field
from bastion.masking.columns.table import KEPT, Fields, Table
from bastion.masking.columns.text import line as seen
from bastion.masking.columns.text import place, plain, torn
from bastion.masking.columns.value import Mask, fitting, starred

_EXPRESSION = re.compile(rb"[\w .()+*/%<>=!'-]{0,64}\r?")
_BACK = 512
"""Bytes of the line so far that are looked at again for a name that was cut."""


class Tables:
    """`feed` in whatever pieces, `release` at any time, `flush` at the end of a command's output."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._headers = Headers(mask)
        looked_for = map(re.escape, (*mask.names.literals, *EVIDENCE))
        self._anywhere = re.compile(b"|".join(looked_for))
        self._table: Table | None = None
        self._torn = b""
        self.named = False
        """Whether a name may stand in what passed last, or a table was in force, or a line in doubt."""
        self._forget()

    def feed(self, data: bytes) -> bytes:
        self.named = self._table is not None or self._doubting
        data = self._torn + data
        cut = torn(data)
        self._torn = data[len(data) - cut :] if cut else b""
        return self._through(data[: len(data) - cut] if cut else data)

    def release(self) -> bytes:
        """A torn escape or character is kept: nothing would be seen of it, and in pieces it would be none."""
        if self._doubting:
            return self._as_stars(b"")
        out = b""
        while self._table is not None:
            passed, rest = self._table.release()
            out += passed
            if rest is None:
                break
            self._table = self._table.turned
            self._forget()
            out += self._through(rest)
        return out

    def flush(self) -> bytes:
        rest, self._torn = self._torn, b""
        out = self._through(rest) if rest else b""
        if self._doubting:
            out += self._decided(b"")
        if self._table:
            out += self._table.end()
        self._table = None
        self._forget()
        return out

    @property
    def holding(self) -> int:
        """How many bytes are held."""
        return len(self._torn) + len(self._doubt) + (self._table.holding if self._table else 0)

    def _forget(self) -> None:
        self._line = bytearray()
        """The line so far; it has passed."""
        self._hit = False
        """Whether a name may stand in it."""
        self._above: bytes | None = None
        """The line above, when a name may stand in it: a header, if this one is a border."""
        self._previous = b""
        """The beginning of the line above."""
        self._doubting = False
        self._column = self._separator = ""
        self._doubt = bytearray()
        """What stands behind `NAME|`: a value, or more names of a header."""

    def _through(self, data: bytes) -> bytes:
        out = bytearray()
        while data:
            if self._table is not None:
                passed, rest = self._table.feed(data)
                out += passed
                if rest is None:
                    break
                self._table = self._table.turned
                self._forget()
                data = rest
            elif self._doubting:
                passed, data = self._doubted(data)
                out += passed
            else:
                passed, data = self._outside(data)
                out += passed
        return bytes(out)

    # -- while no table is in force ----------------------------------------------------------------------------------

    def _outside(self, data: bytes) -> tuple[bytes, bytes]:
        """What passes, and what follows it when a table has begun."""
        lowered = (bytes(self._line[-_BACK:]) + data).lower()
        named = self._mask.names.hit(lowered)
        self.named = self.named or named or b"\\u" in lowered
        if self._hit or self._above is not None or named or _evident(lowered):
            return self._lines(data, lowered[len(lowered) - len(data) :])
        last = data.rfind(b"\n")
        if last >= 0:
            start = data.rfind(b"\n", 0, last) + 1
            self._previous = (data[start:last] if start else bytes(self._line) + data[:last])[:_BACK]
            self._line.clear()
        self._line += data[last + 1 :][: KEPT - len(self._line)]
        return data, b""

    def _lines(self, data: bytes, lowered: bytes) -> tuple[bytes, bytes]:
        at = 0
        while at < len(data):
            if self._above is None and not self._line:
                at = self._skip(data, lowered, at)
            newline = data.find(b"\n", at)
            piece = data[at : newline if newline >= 0 else len(data)]
            behind = self._behind_name(piece)
            if behind:
                self._line += piece[:behind]
                self._doubting = True
                return data[: at + behind], data[at + behind :]
            self._line += piece[: KEPT - len(self._line)]
            if newline < 0:
                self._hit = self._mask.names.hit(bytes(self._line).lower())
                break
            at = newline + 1
            self._table = self._look(bytes(self._line))
            if self._table is not None:
                self._forget()
                return data[:at], data[at:]
        return data, b""

    def _skip(self, data: bytes, lowered: bytes, at: int) -> int:
        """The beginning of the next line in which something may be found."""
        found = self._anywhere.search(lowered, at)
        stop = data.rfind(b"\n", at, found.start() if found else len(data)) + 1
        if stop <= at:
            return at
        start = data.rfind(b"\n", at, stop - 1) + 1 or at
        self._previous = data[start : stop - 1][:_BACK]
        return stop

    def _look(self, line: bytes) -> Table | None:
        """The table that begins below this line."""
        self._line.clear()
        self._hit = False
        above, self._above, self._previous = self._above, None, line[:_BACK]
        table = self._headers.drawn(above, line) if above is not None else None
        lowered = line.lower()
        hit = self._mask.names.hit(lowered)
        if table is None and (hit or _evident(lowered)):
            table = self._headers.table(line)
        self._above = line if hit and len(line) < KEPT else None
        return table

    # -- a line that begins with a named column and a separator --------------------------------------------------------

    def _behind_name(self, piece: bytes) -> int:
        """How many bytes of `piece` stand before the value when the line begins with a named column's name."""
        past = len(self._line)
        if past >= _BACK:
            return 0
        start = bytes(self._line) + piece[:_BACK]
        field = named_field(plain(start).lstrip("\r"))
        column = self._mask.names.find(field[0]) if field else None
        if field is None or column is None:
            return 0
        self._column, self._separator = column, field[1]
        return max(0, place(start, field[1]) + 1 - past)

    def _doubted(self, data: bytes) -> tuple[bytes, bytes]:
        newline = data.find(b"\n")
        piece = data[: newline if newline >= 0 else len(data)]
        room = fitting(self._doubt, piece)
        self._doubt += piece[:room]
        if room < len(piece):
            return self._as_stars(piece[room:]), data[len(piece) :]
        return (self._decided(b"\n"), data[newline + 1 :]) if newline >= 0 else (b"", b"")

    def _as_stars(self, more: bytes) -> bytes:
        above = self._field_above()
        held, column = self._taken()
        self._mask.count(column)
        if above:
            self._table = self._records(column, held + more, whole=False)
        else:
            self._table = Either(self._mask, column, self._separator)
            self._table.go_on(held + more)
        return starred(held + more, blanks=True)

    def _records(self, column: str, value: bytes, *, whole: bool) -> Records:
        records = Records(self._mask, Style.UNALIGNED, separator=self._separator)
        records.go_on(column, value, whole=whole)
        return records

    def _field_above(self) -> bool:
        """Whether the line above is a record's field."""
        above = named_field(seen(self._previous))
        return above is not None and above[1] == self._separator

    def _decided(self, end: bytes) -> bytes:
        """The line is whole: names only make a header, unless the line above was a field already."""
        line = bytes(self._line + self._doubt)
        value, column = self._taken()
        field_above = self._field_above() and seen(line).count(self._separator) == 1
        prose = self._separator in ",;" and value[:1] in (b" ", b"")
        table = None if field_above else self._headers.delimited(line)
        address = isinstance(table, Fields) and table.count == 2 and b"@" in value[1:]  # names hold no such sign
        if prose or (isinstance(table, Fields) and not address):
            self._table = self._look(line)
            if prose or self._table is None or not isinstance(table, Fields) or not _one_value(table, value):
                return value + end
            either = Either(self._mask, column, self._separator)
            either.begin(value, self._table)
            self._table = either if end else None
            return b"" if end else either.end().removesuffix(b"\n")
        self._table = self._records(column, value, whole=True)
        return self._mask.value(value, column) + end

    def _taken(self) -> tuple[bytes, str]:
        value = bytes(self._doubt)
        self._doubt.clear()
        self._doubting = False
        return value, self._column


def _one_value(table: Fields, value: bytes) -> bool:
    """Whether what stands behind a name may be a value rather than the name of the one other field. Behind a tab, which
    MariaDB has between names, a name or an expression is none."""
    name = table.separator == b"\t" and (table.plain or _EXPRESSION.fullmatch(value))
    return (table.count, table.named) == (2, 1) and not name


def _evident(lowered: bytes) -> bool:
    return any(evidence in lowered for evidence in EVIDENCE)
