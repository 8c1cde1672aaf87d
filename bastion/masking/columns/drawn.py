"""Rows of a drawn table: what stands where the border says that a named column stands.

Where every character has one width a cell ends at its rule and nowhere else, so a rule within a value is a part of it.
After a character that clients count differently the place is a range: a rule within it ends the cell, for a named one
the last such rule. A line whose rules do not stand where they should is masked from there on while a named column is
still to come. Without rules a character is masked if it may stand under the name.

The row of a table with a frame ends with the frame: a newline before it belongs to a value, as MariaDB prints it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bastion.masking.columns.ends import Look, look
from bastion.masking.columns.fit import fit
from bastion.masking.columns.layout import Layout
from bastion.masking.columns.table import KEPT, STRANGE, Table, line_of
from bastion.masking.columns.text import span, tokens
from bastion.masking.columns.value import Mask, fitting, starred

_CORNERS = frozenset(corner.encode() for corner in "+├└╞╠╚╟╰┌╔╭")
_BORDER = frozenset(character.encode() for character in "+-├└╞╠╚╟╰┌╔╭─═┼┴┬╪╬╩╤╧╫╨┤┘╡╣╝╢╯╥╦╮╗┐ \r")
_MARGIN = frozenset(mark.encode() for mark in " .…")
"""What stands in the first column of the screen where rules stand between cells alone."""
_RUN = re.compile(rb"[\x20-\x7e]+")


class Drawn(Table):
    """A drawn table in force, from the line below the border."""

    def __init__(self, mask: Mask, layout: Layout, header: Callable[[bytes, bytes], Table | None]) -> None:
        super().__init__(mask)
        self._header = header
        """Tells whether a line, below another, begins a table."""
        self._strange = 0
        """Lines that can be no rows, one after the other."""
        self._noticing = False
        self._notice = bytearray()
        """What has come of such a line; it has passed."""
        self._above = b""
        """The last one."""
        self._layout = layout
        self._cells = layout.cells
        self._final = max(at for at, cell in enumerate(layout.cells) if cell.column)
        """The last named one."""
        self._closed = False
        """The last line was a border: the table is over, unless a row follows."""
        self._held = bytearray()
        self._rules: list[tuple[int, int]] = []
        """Where rules stand in what is held, one of which may end the cell."""
        self._low = self._high = 0
        """The least and the most columns of the screen that this row has taken."""
        self._new_row()

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        out = bytearray()
        while at < len(data) and not self.fresh and not self.over:
            if self._noticing:
                at = self._noticed(data, at, out)
                continue
            run = self._run(data, at) if self._begun and not self._border else b""
            if run:
                self._take(run, out)
                self._low = self._high = self._low + len(run)
                at += len(run)
                continue
            token = next(tokens(data, at))
            if token[0] != 0x1B and not self._begun and not self._begins(token):
                continue
            if token[0] != 0x1B and self._border and token != b"\n":
                self.over = token not in _BORDER
            if self.over:
                break
            at += len(token)
            if token == b"\n" and not self._in_value():
                self._end_row(out)
            else:
                self._put(token, out)
        return bytes(out), at

    def let_go(self) -> bytes:
        if not self._held:
            return b""
        self._passing = True
        self.mask.count(self._cells[self._at].column)
        held = bytes(self._held)
        self._clear()
        return starred(held, blanks=True)

    def end(self) -> bytes:
        passed, rest = self.begun()
        out = bytearray(passed)
        self._close(out)
        return bytes(out + (rest or b""))

    def held(self) -> int:
        return len(self._held)

    # -- lines -------------------------------------------------------------------------------------------------------

    def _new_row(self) -> None:
        self._begun = False
        self._border = False
        self._lost = False
        """Rules are not where they should be."""
        self._at = -1 if self._layout.framed else 0
        self._low = self._high = 0
        self._clear()
        self._passing = False

    def _begins(self, token: bytes) -> bool:
        """The first character of a line: a row's, a border's, or one behind the table."""
        self._begun = True
        if self._layout.framed:
            self._border = token in _CORNERS
            strange = token != self._layout.rule and not self._border
            self.over = self._closed and (self._border or strange)
        else:
            strange = self._layout.ruled and token not in _MARGIN
        if strange and not self.over:
            self.over = token in _BORDER or token == b"\n" or self._strange >= STRANGE
            self._noticing = not self.over
        return not self.over and not strange

    def _noticed(self, data: bytes, at: int, out: bytearray) -> int:
        """A line that can be no row: a notice, or the table is over. It passes, and may be a header."""
        newline = data.find(b"\n", at)
        stop = newline + 1 if newline >= 0 else len(data)
        self._notice += data[at : min(stop, at + KEPT - len(self._notice))]
        out += data[at:stop]
        if newline >= 0:
            line = line_of(self._notice)
            above, self._above = self._above, line
            self._strange += 1
            self.over = look(bytes(self._notice), terminal=False) is Look.END
            self._noticing = False
            self._notice.clear()
            self.turned = None if self.over else self._header(above, line)
            self.fresh = True
            self._new_row()
        return stop

    def _in_value(self) -> bool:
        """Whether a newline that comes here belongs to a value."""
        if self._border or self._lost or not self._layout.framed:
            return False
        last = len(self._cells) - 1
        return 0 <= self._at < last or (self._at == last and not self._rules)

    def _end_row(self, out: bytearray) -> None:
        self._close(out)
        out += b"\n"
        self._closed = self._border
        self._strange = 0
        self.fresh = True
        self._new_row()

    # -- cells -------------------------------------------------------------------------------------------------------

    def _inside(self) -> bool:
        return 0 <= self._at < len(self._cells) and not self._lost

    def _stop(self) -> int | None:
        """Where the cell ends; None for a last one that nothing ends."""
        last = self._at == len(self._cells) - 1 and not self._layout.framed
        return None if last else self._cells[self._at].end

    def _run(self, data: bytes, at: int) -> bytes:
        """Bytes from `at` that certainly stand in the same cell, and are one column of the screen each."""
        if not self._inside() or self._low != self._high:
            return b""
        found = _RUN.match(data, at)
        stop = self._stop()
        if found is None:
            return b""
        return found.group() if stop is None else found.group()[: max(0, stop - self._low)]

    def _put(self, token: bytes, out: bytearray) -> None:
        if not self._inside():
            out += starred(token, blanks=True) if self._lost and self._at <= self._final else token
            if self._at < 0 and token == self._layout.rule:
                self._enter(0)
            return
        if self._layout.ruled:
            self._ruled(token, out)
            return
        low, high = span(token)
        low = high if self._layout.wide and token.decode("utf-8", "replace").isalpha() else low
        stop = self._stop()
        while stop is not None and low and self._leaves(stop):
            self._close(out)
            self._at += 1
            stop = self._stop()
        self._take(token, out)
        self._low += low
        self._high += high

    def _leaves(self, stop: int) -> bool:
        """Without rules: late from under a name, early to under one."""
        return (self._high if self._cells[self._at + 1].column else self._low) >= stop

    def _ruled(self, token: bytes, out: bytearray) -> None:
        low, high = span(token)
        stop = self._stop()
        if stop is None:
            self._take(token, out)
        elif token == self._layout.rule and self._low <= stop <= self._high:
            if self._low == self._high or not self._cells[self._at].column:
                self._close(out)
                out += token
                self._enter(self._at + 1)
                return
            self._rules.append((len(self._held), len(token)))
            self._take(token, out)
        elif self._low > stop or (self._low == self._high == stop and low):
            self._missed(token, out)
            return
        else:
            self._take(token, out)
        self._low += low
        self._high += high

    def _missed(self, token: bytes, out: bytearray) -> None:
        """The rule has come already, or does not stand where it should."""
        if self._rules and not self._passing:
            rest = self._split(out)
            self._enter(self._at + 1)
            for one in tokens(rest + token):
                self._put(one, out)
            return
        out += self.let_go()
        self._lost = True
        self._put(token, out)

    def _split(self, out: bytearray) -> bytes:
        """The value up to the last rule that may end it goes; what is held behind the rule comes back."""
        place, length = self._rules[-1]
        rule, rest = bytes(self._held[place : place + length]), bytes(self._held[place + length :])
        del self._held[place:]
        self._rules.clear()
        self._close(out)
        out += rule
        return rest

    def _enter(self, at: int) -> None:
        before = self._cells[at - 1].end + 1 if at else 1
        self._at = at
        self._low = self._high = before
        self._passing = False

    def _take(self, data: bytes, out: bytearray) -> None:
        if not self._cells[self._at].column:
            out += data
        elif self._passing:
            out += starred(data, blanks=True)
        else:
            room = fitting(self._held, data)
            self._held += data[:room]
            if room < len(data):
                out += self.let_go() + starred(data[room:], blanks=True)

    def _close(self, out: bytearray) -> None:
        """The cell is over."""
        if self._rules and not self._passing:
            out += self._split(out)  # of the last cell: what stands behind its frame
            return
        if self._held:
            out += fit(
                bytes(self._held),
                self._cells[self._at],
                self.mask,
                ruled=self._layout.ruled,
                last=self._stop() is None,
                exact=self._low == self._high,
            )
        self._clear()
        self._passing = False

    def _clear(self) -> None:
        self._held.clear()
        self._rules.clear()
