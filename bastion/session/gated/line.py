"""One line being edited: its text, the cursor, what was killed and what can be undone. Emacs keys, as readline has
them; it draws nothing.

The cursor never stands between a character and a combining mark on it: they are moved over and deleted as one. A word
is a run of letters and digits; for Ctrl-W it is what stands between blanks.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from bastion.session.gated.cells import joins, width

MAX_KILLS = 16
MAX_UNDO = 256
MAX_UNDO_CHARACTERS = 128 * 1024

_WORD = re.compile("[^\\W_]+(?:[\u0300-\u036f]+[^\\W_]*)*")
_WORD_REVERSED = re.compile("[\u0300-\u036f]*[^\\W_]+(?:[\u0300-\u036f]+[^\\W_]+)*")
_ASCII_WORD = re.compile("[0-9A-Za-z]+")  # the same where there is nothing else, and several times as fast
_BLANK_WORD_REVERSED = re.compile(r"\s*\S*")
_TYPED_WORDS = re.compile(r"\S*\s*")


class Line:
    """Life: `reset` for each line; then `insert`, `replace` and `press` as keys come. Each answers False when nothing
    could be done (a bell): at an end, or past the line's bound."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._limit = 0
        self._kills: deque[str] = deque(maxlen=MAX_KILLS)
        self._undo: deque[tuple[str, int]] = deque()
        self._undo_characters = 0
        self._did = self._did_before = ""
        self._yanked = 0  # where what was yanked, or the word from the history, begins

    def reset(self, limit: int, text: str = "") -> None:
        """An empty line, or one that begins with `text`, of at most `limit` bytes of UTF-8. What was killed stays."""
        self.text, self.cursor, self._limit = text, len(text), limit
        self._undo.clear()
        self._undo_characters = 0
        self._did = ""

    def insert(self, text: str, did: str = "typed") -> bool:
        """Put text at the cursor, as much as there is room for. `did` names what does it: what the same one inserts in
        a row is undone at once, but typed text word by word."""
        before, self._did = self._did, did
        new = before != did
        fits = self._fitting(text)
        for word in _TYPED_WORDS.findall(fits) if did == "typed" else [fits]:
            follows = self.text[self.cursor - 1 : self.cursor]
            parted = did == "typed" and follows.isspace() and not word[:1].isspace()
            if word:
                self._put(word, new or parted)
                new = False
        return fits == text

    def _fitting(self, text: str) -> str:
        """What a line takes of this: up to the character that makes it longer than its bound."""
        room = self._limit - len(self.text.encode())
        if len(text) * 4 <= room:
            return text
        size = 0
        for index, character in enumerate(text):
            if size > room:
                return text[:index]
            size += len(character.encode())
        return text

    def _put(self, text: str, new: bool) -> None:
        """One by one where a mark follows: it joins the first, and the cursor goes behind it."""
        while text:
            marked = self.cursor < len(self.text) and width(self.text[self.cursor]) == 0
            part, text = (text[0], text[1:]) if marked else (text, "")
            self._change(self.text[: self.cursor] + part + self.text[self.cursor :], self.cursor + len(part), new)
            new = False

    def replace(self, text: str) -> bool:
        """Another line instead, as from the history; undone as one change."""
        self._did = ""
        return self._bounded(text, len(text))

    def insert_word(self, word: str, *, instead: bool) -> bool:
        """Put a word at the cursor, all of it; or `instead` of the one that was put there so by the key before."""
        start = self._yanked if instead else self.cursor
        self._did = ""
        if not self._bounded(self.text[:start] + word + self.text[self.cursor :], start + len(word)):
            return False
        self._yanked = start
        return True

    def move(self, cursor: int) -> None:
        self._did = ""
        self.cursor = cursor
        self._settle()

    def press(self, key: str) -> bool | None:
        """Do what a key means; None when it means nothing to a line."""
        action = _KEYS.get(key)
        if action is None:
            return None
        self._did_before, self._did = self._did, ""
        return action(self)

    # -- changes

    def _bounded(self, text: str, cursor: int) -> bool:
        """Change the line, if it does not grow past its bound."""
        if len(text) * 4 > self._limit and self._limit < len(text.encode()) > len(self.text.encode()):
            return False
        return self._change(text, cursor)

    def _change(self, text: str, cursor: int, undoable: bool = True) -> bool:
        if undoable:
            self._undo.append((self.text, self.cursor))
            self._undo_characters += len(self.text)
            while self._undo_characters > MAX_UNDO_CHARACTERS or len(self._undo) > MAX_UNDO:
                self._undo_characters -= len(self._undo.popleft()[0])
        self.text, self.cursor = text, cursor
        self._settle()
        return True

    def _settle(self) -> None:
        while joins(self.text, self.cursor):
            self.cursor += 1

    def _undo_last(self) -> bool:
        if not self._undo:
            return False
        self.text, self.cursor = self._undo.pop()
        self._undo_characters -= len(self.text)
        return True

    def _cut(self, start: int, end: int) -> bool:
        return start < end and self._change(self.text[:start] + self.text[end:], start)

    # -- places

    def _before(self, at: int) -> int:
        at = max(at - 1, 0)
        while joins(self.text, at):
            at -= 1
        return at

    def _after(self, at: int) -> int:
        at = min(at + 1, len(self.text))
        while joins(self.text, at):
            at += 1
        return at

    def _word_end(self) -> int:
        found = (_ASCII_WORD if self.text.isascii() else _WORD).search(self.text, self.cursor)
        return found.end() if found else len(self.text)

    def _word_start(self) -> int:
        found = (_ASCII_WORD if self.text.isascii() else _WORD_REVERSED).search(self.text[: self.cursor][::-1])
        return self.cursor - found.end() if found else 0

    def _go(self, to: int) -> bool:
        moved = to != self.cursor
        self.cursor = to
        self._settle()
        return moved

    # -- what keys do

    def _kill(self, start: int, end: int) -> bool:
        """Cut, and keep for Ctrl-Y; kills in a row are kept as one."""
        if start == end:
            self._did = self._did_before if self._did_before == "kill" else ""
            return False
        killed, forward = self.text[start:end], start == self.cursor
        if self._did_before == "kill" and self._kills:
            last = self._kills.pop()
            killed = last + killed if forward else killed + last
        self._kills.append(killed[: self._limit])
        self._did = "kill"
        return self._cut(start, end)

    def _kill_blank_word(self) -> bool:
        found = _BLANK_WORD_REVERSED.match(self.text[: self.cursor][::-1])
        return self._kill(self.cursor - found.end() if found else 0, self.cursor)

    def _yank(self) -> bool:
        if not self._kills:
            return False
        self._yanked = self.cursor
        self._did = "yank"
        killed = self._kills[-1]
        text = self.text[: self.cursor] + killed + self.text[self.cursor :]
        return self._bounded(text, self.cursor + len(killed))

    def _yank_other(self) -> bool:
        if self._did_before != "yank" or len(self._kills) < 2:
            return False
        self._kills.rotate(1)
        other = self._kills[-1]
        self._did = "yank"
        text = self.text[: self._yanked] + other + self.text[self.cursor :]
        return self._bounded(text, self._yanked + len(other))

    def _transpose(self) -> bool:
        """The character before the cursor goes behind the one under it; at the end of the line, the last two swap."""
        middle = self.cursor if self.cursor < len(self.text) else self._before(self.cursor)
        start, end = self._before(middle), self._after(middle)
        if not start < middle < end:
            return False
        text = self.text[:start] + self.text[middle:end] + self.text[start:middle] + self.text[end:]
        return self._change(text, end)

    def _case(self, change: Callable[[str], str]) -> bool:
        end = self._word_end()
        word = change(self.text[self.cursor : end])
        return self.cursor < end and self._bounded(
            self.text[: self.cursor] + word + self.text[end:], self.cursor + len(word)
        )


def _capital(text: str) -> str:
    """Blanks and marks before the word stay."""
    found = _WORD.search(text)
    start = found.start() if found else 0
    return text[:start] + text[start : start + 1].upper() + text[start + 1 :].lower()


_KEYS: dict[str, Callable[[Line], bool]] = {
    "C-a": lambda line: line._go(0) or True,
    "C-e": lambda line: line._go(len(line.text)) or True,
    "C-b": lambda line: line._go(line._before(line.cursor)),
    "C-f": lambda line: line._go(line._after(line.cursor)),
    "M-b": lambda line: line._go(line._word_start()),
    "M-f": lambda line: line._go(line._word_end()),
    "C-d": lambda line: line._cut(line.cursor, line._after(line.cursor)),
    "backspace": lambda line: line._cut(line._before(line.cursor), line.cursor),
    "C-k": lambda line: line._kill(line.cursor, len(line.text)),
    "C-u": lambda line: line._kill(0, line.cursor),
    "C-w": lambda line: line._kill_blank_word(),
    "M-d": lambda line: line._kill(line.cursor, line._word_end()),
    "M-backspace": lambda line: line._kill(line._word_start(), line.cursor),
    "C-y": lambda line: line._yank(),
    "M-y": lambda line: line._yank_other(),
    "C-t": lambda line: line._transpose(),
    "M-u": lambda line: line._case(str.upper),
    "M-l": lambda line: line._case(str.lower),
    "M-c": lambda line: line._case(_capital),
    "C-_": lambda line: line._undo_last(),
}
_KEYS |= {"home": _KEYS["C-a"], "end": _KEYS["C-e"], "left": _KEYS["C-b"], "right": _KEYS["C-f"]}
_KEYS |= {"delete": _KEYS["C-d"]}
