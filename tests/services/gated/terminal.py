"""A terminal that draws what the line editor sends, as xterm does, and refuses whatever is not agreed upon.

It fails on unknown sequences, on moves while the cursor waits at the margin, on moves off the screen and on erasing
outside of what the editor may erase. tests/system/test_editor_terminal.py holds it against a real one.
"""

from __future__ import annotations

import re

from wcwidth import wcwidth

_PARTS = re.compile(
    "(?P<csi>\x1b\\[(?P<number>\\??[0-9;]*)(?P<final>[A-Za-z]))|(?P<osc>\x1b\\][^\x07\x1b]*\x07)|(?s:.)"
)


class Terminal:
    """`rows` is all that was ever shown, the scrolled-off part first; of it the last `height` are on the screen."""

    def __init__(self, columns: int, height: int = 1000) -> None:
        self.columns = columns
        self.height = height
        self.rows: list[list[str]] = [[" "] * columns]
        self.wraps = [False]
        """Whether a row goes on in the next one, by the automatic margin."""
        self.x = self.y = 0
        self.bells = 0
        self.pasting = False
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data
        for part in _PARTS.finditer(data.decode()):
            if part["csi"]:
                self._control(part["number"], part["final"])
            elif not part["osc"]:
                self._character(part.group())

    def picture(self, first: int = 0) -> list[str]:
        """Rows from `first` on, without blanks at their ends and blank rows at the end."""
        rows = ["".join(row).rstrip(" ") for row in self.rows[first:]]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def resize(self, columns: int, *, reflow: bool) -> None:
        """A new width: rows are cut, as xterm does, or those that were wrapped are wrapped anew."""
        if not reflow:
            self.rows = [(row + [" "] * columns)[:columns] for row in self.rows]
            self.columns = columns
            self.x = min(self.x, columns - 1)
            return
        old, place = self.rows, (self.x if self.x < self.columns else self.x - 1, self.y)
        wraps = self.wraps
        self.columns, self.x, self.y = columns, 0, 0
        self.rows, self.wraps = [[" "] * columns], [False]
        cursor = (0, 0)
        for number, row in enumerate(old):
            used = len(row) if wraps[number] else max((n + 1 for n, cell in enumerate(row) if cell != " "), default=0)
            used = max(used, place[0] + 1) if number == place[1] else used
            for column, cell in enumerate(row[:used]):
                if cell:
                    self._put(cell[0], len(row[column + 1 : column + 2]) and row[column + 1] == "")
                    self._cell_before(cell[1:])
                if (column, number) == place:
                    cursor = (min(self.x, columns) - 1, self.y)
            if not wraps[number] and number + 1 < len(old):
                self._character("\r")
                self._character("\n")
        self.x, self.y = cursor

    # -- what comes

    def _character(self, character: str) -> None:
        if character == "\r":
            self.x = 0
        elif character == "\n":
            self._down()
        elif character == "\b":
            assert 0 < self.x < self.columns, "backspace where it is not agreed upon"
            self.x -= 1
        elif character == "\a":
            self.bells += 1
        else:
            assert character.isprintable() or 0xE000 <= ord(character) < 0xF900, f"{character!r} is obeyed, not drawn"
            width = wcwidth(character)
            if width == 0:
                self._cell_before(character)
            else:
                self._put(character, width == 2)

    def _put(self, character: str, wide: bool | int) -> None:
        if self.x + 1 + bool(wide) > self.columns:
            self.wraps[self.y] = True
            self.x = 0
            self._down()
        row = self.rows[self.y]
        if row[self.x] == "":
            row[self.x - 1] = " "
        row[self.x : self.x + 1 + bool(wide)] = [character, ""] if wide else [character]
        self.x += 1 + bool(wide)
        if self.x < self.columns and row[self.x] == "":
            row[self.x] = " "

    def _cell_before(self, mark: str) -> None:
        row = self.rows[self.y]
        if not mark:
            return
        assert self.x > 0, "a mark without a character before it"
        at = self.x - 1 if row[self.x - 1] else self.x - 2
        row[at] += mark

    def _down(self) -> None:
        self.x = min(self.x, self.columns - 1)
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append([" "] * self.columns)
            self.wraps.append(False)

    def _control(self, number: str, final: str) -> None:
        if final == "m":
            return
        if number == "?2004":
            self.pasting = {"h": True, "l": False}[final]
            return
        if final == "H":
            assert number == ""
            self.x, self.y = 0, max(0, len(self.rows) - self.height)
            return
        if final == "J" and number == "2":
            top = max(0, len(self.rows) - self.height)
            self.rows[top:] = [[" "] * self.columns for _ in self.rows[top:]]
            return
        assert self.x < self.columns, f"{final} while the cursor waits at the margin"
        if final == "J":
            assert number == ""
            self.rows[self.y][self.x :] = [" "] * (self.columns - self.x)
            self.rows[self.y + 1 :] = [[" "] * self.columns for _ in self.rows[self.y + 1 :]]
            self.wraps[self.y :] = [False] * len(self.wraps[self.y :])
            return
        self._move(int(number or "1"), final)

    def _move(self, count: int, final: str) -> None:
        assert count > 0
        self.x += {"C": count, "D": -count}.get(final, 0)
        self.y += {"B": count, "A": -count}.get(final, 0)
        assert final in "ABCD", f"unknown sequence {final}"
        assert 0 <= self.x < self.columns, "a move off the side"
        assert max(0, len(self.rows) - self.height) <= self.y < len(self.rows), "a move off the screen"
