"""An editor with a terminal before it, and a caller that answers its events by fixed rules."""

from __future__ import annotations

from wcwidth import wcwidth

from bastion.characters import hidden, shown
from bastion.session.gated.editor import Editor
from bastion.session.gated.events import Complete, EndOfInput, Event, Interrupt, Line, Show
from bastion.session.gated.history import History
from tests.services.gated.terminal import Terminal

PROMPT = "$ "


class House:
    """`type` keys; what becomes of them is in `events` (but for what is shown) and on the `terminal`. Each line is
    answered with a new prompt, a line `refuse` with dropping the rest of its paste, one that ends in `\\` with a
    continuation; Tab completes as `answer` says."""

    def __init__(
        self, columns: int = 80, rows: int = 1000, prompt: str = PROMPT, history: History | None = None
    ) -> None:
        self.history = history or History()
        self.editor = Editor(columns, self.history, rows)
        self.terminal = Terminal(columns, rows)
        self.prompt = prompt
        self.answer: tuple[str, tuple[str, ...]] = ("", ())
        self.events: list[Event] = []
        self.dropped: list[int] = []
        self.start = 0  # row of the terminal that the prompt begins on
        self.begin()

    def begin(self, *, continued: bool = False) -> None:
        self.start = self.terminal.y
        begin = self.editor.continued if continued else self.editor.begin
        self.terminal.write(begin(b"> " if continued else self.prompt.encode()))

    def type(self, keys: bytes) -> None:
        self._answer(self.editor.feed(keys))

    def _answer(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Show):
                self.terminal.write(event.data)
            else:
                self.events.append(event)
        last = next((event for event in reversed(events) if not isinstance(event, Show)), None)
        if isinstance(last, Complete):
            self._answer(self.editor.completed(*self.answer))
        elif isinstance(last, Line | Interrupt | EndOfInput):
            if last == Line("refuse", True):
                self.dropped.append(self.editor.drop_paste())
            self.begin(continued=isinstance(last, Line) and last.text.endswith("\\"))
            if self.editor.pending:
                self._answer(self.editor.feed(b""))

    def resize(self, columns: int, *, reflow: bool) -> None:
        self.terminal.resize(columns, reflow=reflow)
        self.terminal.write(self.editor.resize(columns, self.terminal.height))

    @property
    def line(self) -> str:
        """The line, with `|` where the cursor is."""
        text, cursor = self.editor.text, self.editor.cursor
        return text[:cursor] + "|" + text[cursor:]


def expected(columns: int, prompt: str, text: str, cursor: int) -> tuple[list[str], int, int]:
    """The picture of prompt and line on an empty terminal, and the cursor: row and column of the cell that the
    character at the cursor is drawn in."""
    terminal = Terminal(columns)
    terminal.write(prompt.replace("\n", "\r\n").encode())
    if terminal.x == columns:
        terminal.write(b" \r")
    place = (terminal.y, terminal.x)
    marks = -1  # on the cell before, which is none that can have some
    for index, character in enumerate(text):
        mark = wcwidth(character) == 0 and not hidden(character) and 0 <= marks < 8
        for piece in character if mark else _pieces(character, terminal):
            terminal.write(piece.encode())
            if index == cursor and piece is not None:
                place, cursor = (terminal.y, terminal.x - max(wcwidth(piece), 1)), -1
        plain = not hidden(character) and wcwidth(character) > 0
        marks = marks + 1 if mark else 0 if plain else -1
        if character == "\n":
            terminal.write(b"\r\n")
    if cursor >= 0:
        place = (terminal.y, terminal.x)
    return terminal.picture(), *place


def _pieces(character: str, terminal: Terminal) -> str:
    if character == "\n":
        return " "
    if character == "\t":
        column = terminal.x % terminal.columns
        return " " * min(8 - column % 8, terminal.columns - column)
    if hidden(character):
        return shown(character)
    return character if wcwidth(character) else f"\\u{{{ord(character):04x}}}"
