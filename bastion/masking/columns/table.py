"""What every table in force has in common: lines come in, and are rows until an end of the table stands in their place.

Life: `feed` (again and again; it tells what is no longer the table's), `release` at any time, `end` once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bastion.masking.columns.ends import WINDOW, Look, look
from bastion.masking.columns.text import ESCAPE
from bastion.masking.columns.value import Mask

KEPT = 128 * 1024
"""The most bytes of a line that are kept (not held: they have passed) to see whether it is a header."""

STRANGE = 8
"""So many lines that can not be rows, one after the other, end a table: fewer may be a notice, or short rows."""


class Table:
    """A table in force. Whoever inherits says what a row is: `row`, `let_go`, `held`.

    `data` of `feed` holds whole characters and escapes only.
    """

    copy = False

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self.fresh = True
        """Whether the next byte begins a row, or an end."""
        self.over = False
        """Set by `row` when what follows is no longer the table's."""
        self.turned: Table | None = None
        """Set by `row` when what follows is another table's."""
        self.back = b""
        """What `row` has taken of a line that is no longer the table's."""
        self._start = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """What passes, and the bytes that are no longer this table's; None while it is in force."""
        out = bytearray()
        data = self._start + data
        self._start = b""
        at = begin = past = 0
        before: tuple[object, dict[str, int]] | None = None
        while at < len(data):
            if self.fresh:
                before = self._before() if begin < at and data.startswith(data[begin:at], at) else None
                begin, past = at, len(out)
                seen = look(data[at : at + WINDOW], terminal=self.mask.terminal, copy=self.copy)
                if seen is Look.WAIT:
                    self._start = data[at:]
                    break
                if seen is Look.END:
                    return bytes(out) + self.stopped(data[at:]), data[at:]
                self.fresh = False
            passed, at = self.row(data, at)
            out += passed
            if self.over or self.turned is not None:
                return bytes(out), self.back + data[at:]
            if before is not None and self.fresh:
                times = self._times(data, begin, at, before)
                out += out[past:] * times
                at += times * (at - begin)
        return bytes(out), None

    def _before(self) -> tuple[object, dict[str, int]] | None:
        """What a line like the one before must leave as it is, so that more of them need not be read."""
        state = self.state()
        return None if state is None else (state, dict(self.mask.counts))

    def _times(self, data: bytes, begin: int, at: int, before: tuple[object, dict[str, int]]) -> int:
        """How often the row from `begin` to `at` follows again and passes as it has, as it has changed nothing."""
        state, counts = before
        if self.state() != state:
            return 0
        row, end = data[begin:at], at
        while data.startswith(row, end):
            end += len(row)
        times = (end - at) // len(row)
        for column, count in self.mask.counts.items():
            self.mask.counts[column] = count + times * (count - counts.get(column, 0))
        return times

    def release(self) -> tuple[bytes, bytes | None]:
        """All that is held, masked where it may be a named field's, and what is no longer the table's, as of `feed`."""
        out, rest = self.begun()
        return (out + self.let_go(), None) if rest is None else (out, rest)

    def end(self) -> bytes:
        """The stream has ended here."""
        out, rest = self.release()
        return out + (rest or b"")

    def stopped(self, rest: bytes) -> bytes:
        """What is held when an end comes, the beginning of `rest`: where a row begins, nothing."""
        return b"" if rest else self.let_go()

    def begun(self) -> tuple[bytes, bytes | None]:
        """Reads what is held since it may yet become an end as what begins a row, or what is behind the table."""
        if not self._start:
            return b"", None
        start, self._start = self._start, b""
        self.fresh = False
        out, at = self.row(start, 0)
        return out, self.back + start[at:] if self.over or self.turned is not None else None

    @property
    def holding(self) -> int:
        """How many bytes are held."""
        return len(self._start) + self.held()

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Read from `at` to the end of the row (then `fresh` is set), or of `data`: what passes, and where it ended."""
        raise NotImplementedError

    def state(self) -> object:
        """All by which a row is read, between rows; None where that is not told."""
        return None

    def let_go(self) -> bytes:
        raise NotImplementedError

    def held(self) -> int:
        raise NotImplementedError


class Fields(Table):
    """Rows of fields that a separator tells apart. `header` tells whether a line, below another, begins a table."""

    plain = True
    """Whether each field of the header looks like a name."""

    def __init__(
        self,
        mask: Mask,
        separator: bytes,
        columns: Sequence[str | None],
        header: Callable[[bytes, bytes], Table | None],
    ) -> None:
        super().__init__(mask)
        self.separator = separator
        self.count = len(columns)
        self.named = sum(column is not None for column in columns)
        """How many fields the header has, and how many of these are named."""
        self._columns = columns
        self._first = columns
        """Those of the header alone."""
        self.own = b""
        """The header."""
        self._header = header
        self._above = b""
        """The line before, when a name may stand in it."""

    def turn(self, line: bytes) -> bool:
        """After each line: whether it has begun another table. One with as many fields may be a row that holds a
        name: then what either header says is masked. Whether it is this one's header again: then it begins anew."""
        if self.plain and line == self.own:  # plain: no border of a drawn table
            self._above = b""
            self.widen(self._first)
            return True
        above, self._above = self._above, line if len(line) < KEPT and self.mask.names.hit(line.lower()) else b""
        table = self._header(above, line)
        if isinstance(table, Fields) and not table.plain and table.count == self.count:
            self.widen([one or other for one, other in zip(self._columns, table._columns, strict=True)])
        else:
            self.turned = table
        return False

    def widen(self, columns: Sequence[str | None]) -> None:
        self._columns = columns


def line_of(raw: bytes | bytearray) -> bytes:
    """A line without its end and without escapes."""
    bare = bytes(raw)
    return (ESCAPE.sub(b"", bare) if b"\x1b" in bare else bare).rstrip(b"\r\n")
