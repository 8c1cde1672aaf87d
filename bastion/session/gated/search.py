"""The incremental search through the history (Ctrl-R, Ctrl-S), as readline has it; it draws nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bastion.characters import shown
from bastion.session.gated.cells import joins
from bastion.session.gated.history import History

MAX_SOUGHT = 256
"""Characters."""
MAX_STEPS = 512
"""That Backspace can take back."""


@dataclass(frozen=True, slots=True)
class _State:
    sought: str
    number: int  # of the entry that is shown
    failed: bool
    forward: bool


class Search:
    """Life: made when the search begins, at the entry `number` (`history.end`: the line that is being typed); then
    `add`, `remove` and `again`, which answer False when nothing is found; `found` at the end."""

    def __init__(self, history: History, number: int, line: str, cursor: int, *, forward: bool, last: str) -> None:
        self._history = history
        self._last = last
        self._original = (line, cursor, number)
        self._states = [_State("", number, False, forward)]

    @property
    def sought(self) -> str:
        return self._states[-1].sought

    @property
    def original(self) -> tuple[str, int, int]:
        """The line, the cursor and the number of the entry that the search began with."""
        return self._original

    @property
    def label(self) -> str:
        """What stands before the line that was found."""
        state = self._states[-1]
        way = "i-search" if state.forward else "reverse-i-search"
        return f"({'failed ' if state.failed else ''}{way})`{shown(state.sought)}': "

    @property
    def found(self) -> tuple[str, int, int]:
        """What is shown: the line, the place in it, and the number of its entry."""
        state = self._states[-1]
        line = self._text(state.number)
        cursor = self._original[1] if state.number == self._original[2] else len(line)
        at = line.rfind(state.sought) if state.sought and not state.failed else cursor
        at = cursor if at < 0 else at
        while joins(line, at):  # what was sought begins with a mark: the cursor is on its letter
            at -= 1
        return line, at, state.number

    def add(self, text: str) -> bool:
        """More to look for, from the line that is shown on."""
        state = self._states[-1]
        room = MAX_SOUGHT - len(state.sought)
        if not text[:room]:
            return False
        self._look(replace(state, sought=state.sought + text[:room], failed=False), moved=False)
        return not self._states[-1].failed and len(text) <= room

    def remove(self) -> bool:
        """Back to what was shown before the last character was added, or the search went on."""
        if len(self._states) > 1:
            self._states.pop()
            return True
        return False

    def again(self, *, forward: bool) -> bool:
        """The next match, older or newer; with nothing to look for, what was looked for the last time."""
        state = self._states[-1]
        if not state.sought:
            self._states[-1] = replace(state, forward=forward)
            return self.add(self._last) if self._last else True
        if state.failed and state.forward == forward:
            return False
        self._look(replace(state, forward=forward, failed=False), moved=True)
        return not self._states[-1].failed

    def _look(self, state: _State, *, moved: bool) -> None:
        """Find the nearest line that holds what is sought: the one that is shown as well if the search has not `moved`,
        else one that reads otherwise."""
        number = self._near(state, moved)
        self._states.append(replace(state, failed=True) if number is None else replace(state, number=number))
        del self._states[:-MAX_STEPS]

    def _near(self, state: _State, moved: bool) -> int | None:
        line, _, typed = self._original
        here, text = state.number, self._text(state.number)
        if not moved and state.sought in text:
            return here
        step = 1 if state.forward else -1
        number = self._history.find(state.sought, here + step, step)
        while number is not None:
            near = self._text(number)
            if state.sought in near and not (moved and near == text):
                return number
            number = self._history.find(state.sought, number + step, step)
        return typed if state.forward and here != typed == self._history.end and state.sought in line else None

    def _text(self, number: int) -> str:
        return self._original[0] if number == self._original[2] else self._history.entry(number) or ""
