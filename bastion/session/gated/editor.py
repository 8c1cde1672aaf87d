"""The bastion's own line editor: keys in, what to show and whole lines out. Pure: no I/O, no clock.

At the prompt nothing that is typed goes to the target; what does is a whole line, judged. A line holds no control
character but Tab (and line feeds in a command that was taken from the history): whatever else is typed or quoted is
refused with a bell, as the judge would refuse it, and as a terminal would obey it wherever the line is shown.

How it is used: `begin`, then `feed` with what the client sends, until a Line, an Interrupt or an EndOfInput is among
the events. Keys that came behind it wait (`pending`) until the next `begin` or `continued` and are then taken by
`feed(b"")`. A Complete is answered with `completed`, and keys wait for that too; Ctrl-C does not, it throws away what
waits. While `pasting`, what the client sends belongs here, whatever runs: the end of the paste must be seen.

What is drawn is drawn once for each `feed`, so bytes cut otherwise give other Shows; the other events and the picture
at the end are the same. Bracketed paste (`ESC [ ? 2004 h`) is on from `begin` to the end of the line.

Cost: some microseconds a key, and for each `feed` at most one drawing of a line of at most MAX_COMMAND bytes. Keys on
one long line cost up to 0.1 ms each: whoever shares a thread among clients feeds a few KiB at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bastion.session.gated.events import Complete, EndOfInput, Event, Interrupt, Line, Show
from bastion.session.gated.history import History
from bastion.session.gated.keys import Decoder, Key, Press, Text
from bastion.session.gated.line import Line as Edited
from bastion.session.gated.listing import listed
from bastion.session.gated.prompt import Prompt
from bastion.session.gated.recall import Recall
from bastion.session.gated.screen import DEFAULT_ROWS, Screen
from bastion.session.gated.typeahead import TypeAhead

MAX_COMMAND = 8 * 1024
"""Bytes of UTF-8 of one command, all its lines together; what the analysis reads at most. A line takes the character
that makes it longer, and none after that (a bell): so what lost its end is refused by the judge, and never run."""

_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_SILENT = frozenset({"C-z", "C-q", "C-@", "unknown"})
"""Keys that do nothing, without a bell."""


class Editor:
    """One for each terminal. `history` is shared by those of one session, if by any. Sizes in cells; 0: not known."""

    def __init__(self, columns: int, history: History, rows: int = DEFAULT_ROWS) -> None:
        self._history = history
        self._decoder = Decoder()
        self._screen = Screen(columns, rows)
        self._line = Edited()
        self._recall = Recall(history, self._line)
        self._waiting = TypeAhead()
        self._editing = False
        self._completing = False
        self._before: list[str] = []  # lines of this command that were ended
        self._next: int | None = None  # Ctrl-O: the entry to begin the next line with
        self._label: Prompt | None = None  # in the place of the prompt while there is a search
        self._label_text = ""
        self._quoted = False
        self._key = self._key_before = ""
        self._paste = 0  # that the last line came out of
        self._bell = self._cleared = False

    # -- for the caller

    @property
    def text(self) -> str:
        return self._line.text

    @property
    def cursor(self) -> int:
        return self._line.cursor

    @property
    def pending(self) -> bool:
        """Whether keys wait."""
        return bool(self._waiting)

    @property
    def pasting(self) -> bool:
        """Whether a paste has begun whose end has not come."""
        return self._decoder.paste != 0

    def begin(self, prompt: bytes, *, fresh: bool = True) -> bytes:
        """Begin a command; the bytes to show. The cursor must be in the first column: `fresh` says that it surely is
        (else, after output without an end of line, a reversed `%` is left behind it, as zsh does)."""
        self._history.add("\n".join(self._before))
        self._before.clear()
        text = self._history.entry(self._next) if self._next is not None else None
        number = self._history.end if text is None or self._next is None else self._next
        self._next = None
        return self._begin(prompt, number, text or "", fresh)

    def continued(self, prompt: bytes, *, fresh: bool = True) -> bytes:
        """Begin one more line of the same command."""
        return self._begin(prompt, self._history.end, "", fresh)

    def feed(self, keys: bytes) -> list[Event]:
        """What the client sent. In order; Shows stand where they must be shown."""
        events: list[Event] = []
        self._take(keys, events)
        return events

    def completed(self, insert: str, candidates: Sequence[str] = ()) -> list[Event]:
        """What completion answered: text to insert at the cursor, and candidates to list; nothing of either: a bell.
        Does nothing when none is waited for, as after Ctrl-C."""
        if not self._completing:
            return []
        self._completing = False
        events: list[Event] = []
        fits = not any(_control(character) for character in insert) and self._line.insert(insert, "completed")
        self._bell = self._bell or not fits or not (insert or candidates)
        if candidates and self._screen.shown:
            cursor = self._line.cursor
            self._line.move(len(self._line.text))
            self._show(events)
            self._line.move(cursor)
            self._add(events, self._screen.finish() + listed(candidates, self._screen.columns) + self._screen.again())
        self._take(b"", events)
        return events

    def resize(self, columns: int, rows: int = DEFAULT_ROWS) -> bytes:
        """The terminal has another size."""
        cleared = self._screen.resize(columns, rows)
        return cleared.encode() + self.again() if cleared else b""

    def withdraw(self) -> bytes:
        """Clear prompt and line, so that something can be shown above; it must end with an end of line."""
        return self._screen.withdraw().encode()

    def again(self) -> bytes:
        """Show prompt and line again."""
        if not self._editing or self._screen.shown:
            return b""
        return (self._screen.again() + self._drawn()).encode()

    def drop_paste(self) -> int:
        """Throw away what is left of the paste that the last line came out of, as when that line was refused; how many
        lines of it had come, a last one without an end among them. What is still to come is thrown away uncounted."""
        if not self._paste:
            return 0
        if self._decoder.paste == self._paste:
            self._decoder.drop()
        return self._waiting.drop(self._paste)

    def forget(self) -> None:
        """Throw away the keys that wait, as after Ctrl-C, and what is to come of a paste."""
        self._waiting.clear()
        self._decoder.drop()

    # -- keys that come, and keys that wait

    def _take(self, keys: bytes, events: list[Event]) -> None:
        while self._waiting and self._editing and not self._completing:
            self._press(self._waiting.take(), events)
        for key in self._decoder.feed(keys):
            if self._editing and not self._completing and not self._waiting:
                self._press(key, events)
            else:
                self._wait(key, events)
        self._show(events)

    def _wait(self, key: Key, events: list[Event]) -> None:
        if self._completing and key == Press("C-c"):
            self._waiting.clear()
            self._completing = False
            self._press(key, events)
        else:
            self._ring(self._waiting.put(key))

    # -- one key

    def _press(self, key: Key, events: list[Event]) -> None:
        name = "" if isinstance(key, Text) else key.name
        self._key_before, self._key = self._key, name
        if self._quoted and not isinstance(key, Text):
            self._quoted = False
            self._ring(name == "tab" and self._line.insert("\t"))
            return
        self._quoted = False
        if self._recall.press(key, name):
            self._ring(self._recall.done)
            return
        self._ring(self._recall.done)
        if isinstance(key, Text):
            self._ring(self._line.insert(key.text, f"paste {key.paste}" if key.paste else "typed"))
        elif name == "enter":
            self._end(events, Line(self._line.text, key.paste != 0))
            self._paste = key.paste
        elif name in _SILENT:
            return
        elif name == "C-d" and not self._line.text:
            self._end(events, EndOfInput())
        elif name in _ACTIONS:
            _ACTIONS[name](self, events)
        else:
            self._ring(self._line.press(name) or False)

    def _ring(self, done: bool) -> None:
        self._bell = self._bell or not done

    def _end(self, events: list[Event], event: Event, mark: str = "") -> None:
        """The line is over: leave it as it is on the screen."""
        self._line.move(len(self._line.text))
        self._show(events)
        if self._screen.shown:
            self._add(events, mark + _PASTE_OFF + self._screen.finish())
        self._editing = False
        if isinstance(event, Line):
            self._before.append(event.text)
        else:
            self._before.clear()
        events.append(event)

    def _interrupt(self, events: list[Event]) -> None:
        self._next = None
        self._end(events, Interrupt(), "^C")

    def _accept_and_next(self, events: list[Event]) -> None:
        number = self._recall.number
        self._next = number + 1 if number < self._history.end else None
        self._end(events, Line(self._line.text))
        self._paste = 0

    def _complete(self, events: list[Event]) -> None:
        self._show(events)
        self._completing = True
        text, cursor = self._line.text, self._line.cursor
        events.append(Complete(text[:cursor], text[cursor:], self._key_before == "tab"))

    def _clear(self, events: list[Event]) -> None:
        del events
        self._cleared = True

    def _quote(self, events: list[Event]) -> None:
        del events
        self._quoted = True

    # -- the picture

    def _begin(self, prompt: bytes, number: int, text: str, fresh: bool) -> bytes:
        out = self._screen.withdraw()
        used = sum(len(line.encode()) + 1 for line in self._before)
        limit = max(MAX_COMMAND - used, 0)
        self._line.reset(limit, text if len(text.encode()) <= limit else "")
        self._recall.begin(number)
        self._key, self._quoted, self._bell, self._cleared = "", False, False, False
        self._editing, self._completing = True, False
        if not fresh and not out:
            out = f"\x1b[7m%\x1b[27m{' ' * (self._screen.columns - 1)}\r \r"
        out += self._screen.begin(Prompt(prompt)) + self._drawn() + _PASTE_ON
        self._screen.interrupted()
        return out.encode()

    def _drawn(self) -> str:
        search = self._recall.search
        if search is None:
            return self._screen.draw(self._line.text, self._line.cursor)
        if search.label != self._label_text or self._label is None:
            self._label_text, self._label = search.label, Prompt(search.label.encode())
        text, cursor, _ = search.found
        return self._screen.draw(text, cursor, self._label)

    def _show(self, events: list[Event]) -> None:
        """Draw what has changed; ring if that was called for."""
        out = ""
        if self._cleared and self._screen.shown:
            out = self._screen.clear() + self._screen.again()
        self._cleared = False
        self._add(events, out + self._drawn() if self._editing else "")

    def _add(self, events: list[Event], shown: str) -> None:
        bell, self._bell = "\a" if self._bell else "", False
        if bell:
            self._screen.interrupted()
        if shown or bell:
            data = (shown + bell).encode()
            last = events[-1] if events else None
            if isinstance(last, Show):
                events[-1] = Show(last.data + data)
            else:
                events.append(Show(data))


def _control(character: str) -> bool:
    return character != "\t" and (ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0)


_ACTIONS: dict[str, Callable[[Editor, list[Event]], None]] = {
    "C-c": Editor._interrupt,
    "C-o": Editor._accept_and_next,
    "tab": Editor._complete,
    "C-l": Editor._clear,
    "C-v": Editor._quote,
}
