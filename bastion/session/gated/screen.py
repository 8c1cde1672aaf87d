"""What the client's terminal shows of the prompt and the line, and the bytes that change it into what it shall show.

The only sequences used are those every terminal since the VT100 has: CR, LF, BS, cursor up, down, left and right, erase
to the end of the screen, and the automatic margin: a cursor that has filled the last column waits there until more is
drawn. Text at the end of the line costs exactly its own bytes, and its removal draws nothing.

Who masks what is drawn never sees the rear part of a secret without its front: what comes after anything else than the
line's text (a move, a removal, a bell) draws the whole line anew. A line that would not fit on the screen is shown in
part, with `...` where more is hidden, and dots for a word that is cut there.

Limits: what others write to the terminal while a line is shown is not seen; `withdraw` first. After a new size it
depends on the terminal where the rows are (some wrap lines anew, some do not): remains of the old picture can stay
above, and never is anything above erased. A secret that is one only by the word before it (`--password x`) is shown
where that word is on the hidden side. A terminal of fewer columns than MIN_COLUMNS, or of one or two rows, is drawn on
wrongly.
"""

from __future__ import annotations

from bastion.session.gated.cells import MAX_COST, cost, joins, lay, run, width
from bastion.session.gated.prompt import Prompt

MIN_COLUMNS = 10
MAX_SIZE = 4096
"""Columns or rows that are believed."""
DEFAULT_COLUMNS = 80
DEFAULT_ROWS = 24

_MORE = "..."
_ERASE = "\x1b[J"


class Screen:
    """Life: `begin` for each line, with the cursor in the first column; `draw` as it changes; `finish` at its end. In
    between `withdraw` and `again`, `resize`, `clear`; nothing is drawn while withdrawn."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = _sizes(columns, rows)
        self.shown = False
        self._prompt = Prompt(b"")
        self._label: Prompt | None = None
        self._above = 0  # rows of the prompt before its last line
        self._text = ""
        self._ends = [0]  # the offset before each character of the text, and after the last
        self._joined = False  # whether the last that was drawn is the text, from its beginning to its end
        self._row = self._column = 0  # where the cursor is; in column `columns`, it waits at the margin
        self._first = 0  # of the line's characters that is shown

    def begin(self, prompt: Prompt) -> str:
        self._prompt, self._label, self._first = prompt, None, 0
        return self.again()

    def again(self) -> str:
        """The prompt, from the first column of the row the cursor is on; `draw` shows the line."""
        self.shown = True
        drawn, self._above = self._prompt.above(self.columns)
        return drawn + self._last_row()

    def draw(self, text: str, cursor: int, label: Prompt | None = None) -> str:
        """Show this text, with the cursor before its character `cursor`; `label` in the place of the prompt's last
        line."""
        if not self.shown:
            return ""
        out = ""
        if label is not self._label:
            self._label, self._first = label, 0
            out = self._move(self._above * self.columns) + _ERASE + self._last_row()
        text, cursor = self._part(text, cursor)
        out += self._change(text)
        if cursor < len(text):
            return out + self._move(self._place(cursor))
        if self._at_end():
            return out
        start = len(text) if self._ends_at(text, len(text)) else 0
        out += self._move(self._ends[start])
        self._joined = start == 0
        return out + self._lay(text, start)

    def interrupted(self) -> None:
        """Something else went to the terminal, and has not moved the cursor."""
        self._joined = False

    def finish(self) -> str:
        """Leave what is shown, and go behind it, to a row of its own."""
        if not self.shown:
            return ""
        self.shown = False
        row, _ = self._end()
        return (f"\x1b[{row - self._row}B" if row > self._row else "") + "\r\n"

    def withdraw(self) -> str:
        """Clear prompt and line; the cursor stands where the prompt began."""
        if not self.shown:
            return ""
        self.shown = False
        return "\r" + _up(self._row) + _ERASE

    def resize(self, columns: int, rows: int) -> str:
        """Clear, for `again` at a new size: up to where the prompt begins for a terminal that wraps anew, or for one
        that does not, whichever is nearer."""
        before = self._row
        place = self._column + (self._row - self._above) * self.columns  # in the last line of the prompt
        self.columns, self.rows = _sizes(columns, rows)
        if not self.shown:
            return ""
        self.shown = False
        _, above = self._prompt.above(self.columns)
        return "\r" + _up(min(before, above + max(place - 1, 0) // self.columns)) + _ERASE

    def clear(self) -> str:
        """Clear the whole screen, for `again`."""
        self.shown = False
        return "\x1b[H\x1b[2J"

    # -- what is there

    def _last_row(self) -> str:
        drawn, cells = (self._label or self._prompt).last(self.columns)
        offset = self._above * self.columns + cells
        self._text, self._ends = "", [offset]
        self._row, self._column = divmod(offset, self.columns)
        self._joined = True
        return drawn

    def _waits(self, text: str, index: int) -> bool:
        """Whether the cursor waits at the margin when nothing is drawn from this character on."""
        return index > 0 and self._ends[index] % self.columns == 0 and text[index - 1] != "\n"

    def _end(self) -> tuple[int, int]:
        """Row and column of the cursor behind the whole text."""
        row, column = divmod(self._ends[-1], self.columns)
        return (row - 1, self.columns) if self._waits(self._text, len(self._text)) else (row, column)

    def _at_end(self) -> bool:
        return (self._row, self._column) == self._end()

    def _place(self, index: int) -> int:
        """The offset of the cell that this character is drawn in; a wide one leaves a last column blank."""
        offset = self._ends[index]
        wraps = width(self._text[index]) == 2 and offset % self.columns == self.columns - 1
        return offset + wraps

    # -- changing it

    def _change(self, text: str) -> str:
        old = self._text
        if text == old:
            return ""
        same = _common(old, text)
        if same == len(old) and self._at_end() and self._joined:
            return self._lay(text, same)
        start = same if same == len(text) and self._ends_at(text, same) else 0
        out = self._move(self._ends[start]) + (_ERASE if start < len(old) else "")
        self._joined = start == 0
        return out + self._lay(text, start)

    def _ends_at(self, text: str, end: int) -> bool:
        """Whether the cursor can get behind this text, of which `end` characters are shown, with nothing drawn anew."""
        return not (joins(text, end) or joins(self._text, end) or self._waits(self._text, end))

    def _lay(self, text: str, start: int) -> str:
        drawn, ends = lay(text, start, self._ends[start], self.columns)
        del self._ends[start + 1 :]
        self._ends += ends
        self._text = text
        self._row, self._column = self._end()
        return drawn

    def _move(self, offset: int) -> str:
        row, column = divmod(offset, self.columns)
        if (row, column) != (self._row, self._column):
            self._joined = False
        out = ""
        if self._column == self.columns:  # waits at the margin; where moves start from then is not agreed upon
            out, self._column = "\r", 0
        if row != self._row:
            out += _up(self._row - row) if row < self._row else f"\x1b[{row - self._row}B"
        if column == 0 and self._column:
            out += "\r"
        elif column < self._column:
            out += "\b" if column == self._column - 1 else f"\x1b[{self._column - column}D"
        elif column > self._column:
            out += f"\x1b[{column - self._column}C"
        self._row, self._column = row, column
        return out

    def _part(self, text: str, cursor: int) -> tuple[str, int]:
        """The part of a line that fits on the screen, and the cursor in it. It stays the same while the cursor is in
        it, so that typing goes on where it is."""
        _, cells = (self._label or self._prompt).last(self.columns)
        rows = max(self.rows - self._above - cells // self.columns - 1, 1)
        room = rows * (self.columns - 1) - 2 * len(_MORE)
        surely = len(text) * MAX_COST <= room and "\n" not in text
        if surely or self._fits(text, 0, room) == len(text):
            self._first = 0
            return text, cursor
        first, needed = min(self._first, len(text)), min(cursor + 1, len(text))
        if first > cursor or (first and first == cursor) or self._fits(text, first, room) < needed:
            first = self._begins(text, cursor, room // 2)
        while joins(text, first):
            first -= 1
        self._first = first
        last = max(self._fits(text, first, room), needed)
        before, after = _MORE if first else "", _MORE if last < len(text) else ""
        return before + _uncut(text, first, last) + after, cursor - first + len(before)

    def _fits(self, text: str, first: int, room: int) -> int:
        """Where what is shown ends, if it begins at `first` and takes no more than `room` cells."""
        last = first
        while last < len(text):
            end, cells = run(text, last)
            if not cells:
                end, cells = last + 1, cost(text[last], self.columns)
            fits = min(end - last, room // cells)
            if not fits:
                break
            last += fits
            room -= fits * cells
        return last

    def _begins(self, text: str, cursor: int, room: int) -> int:
        """Where what is shown begins, if what stands before the cursor takes about `room` cells."""
        before = text[max(cursor - room, 0) : cursor]
        if run(before, 0) == (len(before), 1):
            return cursor - len(before)
        first = cursor
        while first > 0 and room >= 0:
            first -= 1
            room -= cost(text[first], self.columns)
        return first


def _uncut(text: str, first: int, last: int) -> str:
    """This part of a line, with dots for the words that it has not whole."""
    begins, ends = first, last
    if first > 0 and not text[first - 1].isspace():
        while begins < last and not text[begins].isspace():
            begins += 1
    if last < len(text) and not text[last].isspace():
        while ends > begins and not text[ends - 1].isspace():
            ends -= 1
    return _dots(text[first:begins]) + text[begins:ends] + _dots(text[ends:last])


def _dots(text: str) -> str:
    return "".join("." if width(character) else character for character in text)


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows > 0 else ""


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    if other.startswith(one):
        return len(one)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _sizes(columns: int, rows: int) -> tuple[int, int]:
    """Sizes that can be drawn on; 0 is what a client sends that does not know (RFC 4254, section 6.2)."""
    return (
        min(max(columns, MIN_COLUMNS), MAX_SIZE) if columns > 0 else DEFAULT_COLUMNS,
        min(rows, MAX_SIZE) if rows > 0 else DEFAULT_ROWS,
    )
