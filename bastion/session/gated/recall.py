"""Out of the history: lines, one after the other (Up, Down and their kind) or by the incremental search; and the last
word of a line (Meta-dot)."""

from __future__ import annotations

import re

from bastion.session.gated.history import History
from bastion.session.gated.keys import Key, Text
from bastion.session.gated.line import Line
from bastion.session.gated.search import Search

_WORDS = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\S)+""", re.DOTALL)
"""Words as they were typed, each with its quotes."""


class Recall:
    """Life: `begin` for each line; then `press`, which tells whether the key was one of these, `done` whether it could
    do something (else a bell)."""

    def __init__(self, history: History, line: Line) -> None:
        self._history = history
        self._line = line
        self._draft = ""
        self._sought = ""
        self._worded: int | None = None  # the entry whose last word the key before this one took
        self.number = 0
        """Of the entry that is shown; `history.end`: the line that is being typed."""
        self.search: Search | None = None
        self.done = True

    def begin(self, number: int) -> None:
        self.number = number
        self._draft = ""
        self._worded = None
        self.search = None

    def press(self, key: Key, name: str) -> bool:
        """Take the key, if it is for the history or goes on with the search. A key that does not ends the search, and
        is for the line that was found."""
        self.done = True
        worded, self._worded = self._worded, None
        if self.search is not None:
            if self._searched(self.search, key, name):
                return True
            if not self._accept(self.search):
                self.done = False
                return True
        ways = {
            "C-p": self.number - 1,
            "up": self.number - 1,
            "C-n": self.number + 1,
            "down": self.number + 1,
            "M-<": self._history.first,
            "M->": self._history.end,
        }
        if name in ways:
            self.done = self._recall(ways[name])
        elif name == "M-.":
            self.done = self._last_word(worded)
        elif name in ("C-r", "C-s"):
            line = self._line
            self.search = Search(
                self._history, self.number, line.text, line.cursor, forward=name == "C-s", last=self._sought
            )
        else:
            return False
        return True

    def _recall(self, number: int) -> bool:
        """Show an entry, or again the line that was being typed; changes to an entry are lost when it is left."""
        text = self._draft if number == self._history.end else self._history.entry(number)
        if text is None or number == self.number:
            return False
        return self._show(text, number)

    def _last_word(self, worded: int | None) -> bool:
        """Put the last word of the newest entry at the cursor; pressed again, that of the one before in its place."""
        number = self._history.end if worded is None else worded
        words = _WORDS.findall(self._history.entry(number - 1) or "")
        done = bool(words) and self._line.insert_word(words[-1], instead=worded is not None)
        self._worded = number - 1 if done else worded
        return done

    def _show(self, text: str, number: int) -> bool:
        typed = self._line.text
        if not self._line.replace(text):
            return False
        if self.number == self._history.end != number:
            self._draft = typed
        self.number = number
        return True

    def _searched(self, search: Search, key: Key, name: str) -> bool:
        if isinstance(key, Text) and not key.paste:
            for character in key.text:  # each is a step that Backspace takes back
                self.done = search.add(character) and self.done
        elif name in ("C-r", "C-s"):
            self.done = search.again(forward=name == "C-s")
        elif name == "backspace":
            self.done = search.remove()
        elif name == "C-g":
            self.search, self.done = None, False
        elif name == "refused":
            self.done = False
        else:
            return name == "unknown"
        return True

    def _accept(self, search: Search) -> bool:
        """Take what was found into the line. False: there is no room for it, and the key must not act on another."""
        self.search = None
        self._sought = search.sought or self._sought
        text, cursor, number = search.found
        if text != self._line.text and not self._show(text, number):
            return False
        self._line.move(cursor)
        self.number = number
        return True
