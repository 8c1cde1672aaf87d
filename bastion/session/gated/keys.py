"""Keys out of the bytes that a terminal sends: text, control keys, Meta keys, cursor keys, bracketed paste.

The encodings are those of xterm (normal and application mode), of the VT100 and of the Linux console; what terminals
answer to queries (ECMA-48, section 5.4: control sequences; section 5.6: OSC, DCS and their kind) and what is not known
is swallowed whole. There is no clock: a lone ESC waits for the next byte and makes it a Meta key.

A paste (`ESC [ 200 ~` … `ESC [ 201 ~`) is text whatever stands in it. A line can hold no control character, so where
one is pasted U+FFFD stands in its place: leaving it out would make another text of the paste, unseen.

Limits: what a terminal answers outside such sequences (the answerback of ENQ) can not be told from typing. The end of
a paste is told by the terminal: one that leaves brackets in the text it pastes can be made to end its paste early, and
the rest is then taken for typed; it is judged all the same.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_PASTE = 64 * 1024
"""Bytes of one paste; what is beyond is dropped, with a bell."""

_PASTE_END = b"\x1b[201~"
_TEXT = re.compile(rb"[\x20-\x7e\x80-\xff]+")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PARTS = re.compile("(\r\n|[\r\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff])")
_LETTERS = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}
_NUMBERS = {"1": "home", "7": "home", "4": "end", "8": "end", "3": "delete"}
_BY_WORD = {"left": "M-b", "right": "M-f"}
"""What Alt and Ctrl make of a cursor key."""
_NAMED = {0x08: "backspace", 0x7F: "backspace", 0x09: "tab", 0x0A: "enter", 0x0D: "enter"}
_MAX_SEQUENCE = 64
"""Bytes of a control sequence that are looked at; a longer one is swallowed, and means nothing."""
_MAX_STRING = 4096
"""Bytes of an OSC, DCS or the like that are swallowed."""


@dataclass(frozen=True, slots=True)
class Text:
    """Characters to insert, none of them a control character but, in a paste, Tab. `paste` numbers the paste they came
    in, from 1; 0: typed."""

    text: str
    paste: int = 0


@dataclass(frozen=True, slots=True)
class Press:
    """A key by its name: `C-a`, `M-f`, `up`, `enter`, `tab`, `backspace`, `delete`, `home`, …; `unknown`: a sequence
    that means nothing here; `refused`: bytes that are no character. In a paste there are only `enter` and `refused`."""

    name: str
    paste: int = 0


Key = Text | Press


class Decoder:
    """Life: `feed` with bytes as they come, cut anywhere: the keys are the same, but for where a run of text is cut."""

    def __init__(self) -> None:
        self._state: Callable[[int], None] = self._ground
        self._characters = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._keys: list[Key] = []
        self._sequence = ""
        self._swallowed = 0
        self._pastes = 0
        self._tail = b""  # of a paste: what may be the begin of its end
        self._after_return = False
        self._room = 0
        self.paste = 0
        """The number of the paste that has begun and not ended; 0: none."""

    def feed(self, data: bytes) -> list[Key]:
        at = 0
        while at < len(data):
            if self.paste:
                at = self._pasted(data, at)
            elif self._state == self._ground and (run := _TEXT.match(data, at)):
                self._typed(self._characters.decode(run.group()))
                at = run.end()
            else:
                self._state(data[at])
                at += 1
        keys, self._keys = self._keys, []
        return keys

    def drop(self) -> None:
        """Throw away what is still to come of the paste that goes on."""
        self._room = -1
        self._characters.reset()

    # -- typed

    def _typed(self, text: str) -> None:
        at = 0
        for control in _CONTROLS.finditer(text):  # C1 controls, and bytes that are not UTF-8
            if at < control.start():
                self._keys.append(Text(text[at : control.start()]))
            self._press("refused")
            at = control.end()
        if at < len(text):
            self._keys.append(Text(text[at:]))

    def _press(self, name: str) -> None:
        self._keys.append(Press(name))

    def _ground(self, byte: int) -> None:
        self._state = self._ground
        if byte >= 0x20 and byte != 0x7F:
            self._typed(self._characters.decode(bytes([byte])))
            return
        self._typed(self._characters.decode(b"", True))
        if byte == 0x1B:
            self._state = self._escape
        elif byte in _NAMED:
            self._press(_NAMED[byte])
        else:
            self._press("C-" + chr(byte + 0x40).lower())

    def _escape(self, byte: int) -> None:
        character = chr(byte)
        self._sequence, self._swallowed = "", 0
        if byte == 0x1B:
            return
        if character == "[":
            self._state = self._control_sequence
        elif character == "O":
            self._state = self._single_shift
        elif character in "]PX^_":
            self._state = self._string
        elif byte in (0x08, 0x7F):
            self._end("M-backspace")
        elif 0x20 <= byte < 0x7F:
            self._end("M-" + character.lower())
        else:
            self._ground(byte)

    def _end(self, name: str) -> None:
        self._state = self._ground
        self._press(name)

    def _control_sequence(self, byte: int) -> None:
        """`ESC [`, parameters and intermediates (0x20 to 0x3f), one final byte (0x40 to 0x7e)."""
        character = chr(byte)
        if 0x20 <= byte < 0x40:
            if len(self._sequence) <= _MAX_SEQUENCE:
                self._sequence += character
        elif not 0x40 <= byte < 0x7F:
            self._press("unknown")
            self._ground(byte)
        elif self._sequence == "" and character in "[M":
            # The Linux console's function keys have one byte more, the mouse reports of X10 three.
            self._swallowed = 1 if character == "[" else 3
            self._state = self._more
        elif self._sequence == "200" and character == "~":
            self._begin_paste()
        else:
            self._end(_named(self._sequence, character))

    def _single_shift(self, byte: int) -> None:
        """`ESC O`, perhaps digits, one final byte: cursor and keypad keys in application mode."""
        character = chr(byte)
        if character in "0123456789;" and len(self._sequence) <= _MAX_SEQUENCE:
            self._sequence += character
        elif not 0x20 <= byte < 0x7F:
            self._press("unknown")
            self._ground(byte)
        else:
            self._end("enter" if character == "M" else _LETTERS.get(character, "unknown"))

    def _more(self, byte: int) -> None:
        if byte < 0x20:
            self._press("unknown")
            self._ground(byte)
            return
        self._swallowed -= 1
        if not self._swallowed:
            self._end("unknown")

    def _string(self, byte: int) -> None:
        """Up to BEL or ST. A control character breaks it off and is swallowed with it: what was typed meanwhile was not
        seen, and an Enter must not run what stands before. Ctrl-C is itself."""
        self._swallowed += 1
        if byte == 0x1B:
            self._state = self._string_end
        elif byte == 0x03:
            self._ground(byte)
        elif byte == 0x07:
            self._end("unknown")
        elif byte < 0x20 or self._swallowed >= _MAX_STRING:
            self._end("refused")

    def _string_end(self, byte: int) -> None:
        self._state = self._escape
        if byte == 0x5C:
            self._end("unknown")
        elif byte < 0x20 and byte not in (0x03, 0x1B):
            self._end("refused")
        else:
            self._escape(byte)

    # -- pasted

    def _begin_paste(self) -> None:
        self._state = self._ground
        self._pastes += 1
        self.paste = self._pastes
        self._room = MAX_PASTE
        self._after_return = False

    def _pasted(self, data: bytes, at: int) -> int:
        """What of `data` belongs to the paste; where it ends."""
        start, held = at - len(self._tail), self._tail + data[at:]
        end = held.find(_PASTE_END)
        if end >= 0:
            self._take(held[:end], ended=True)
            self._tail = b""
            self.paste = 0
            return start + end + len(_PASTE_END)
        keep = next(n for n in range(len(_PASTE_END) - 1, -1, -1) if held.endswith(_PASTE_END[:n]))
        self._tail = held[len(held) - keep :]
        self._take(held[: len(held) - keep], ended=False)
        return len(data)

    def _take(self, data: bytes, *, ended: bool) -> None:
        dropped = self._room >= 0 and len(data) > self._room
        taken = data[: max(self._room, 0)]
        self._room = -1 if dropped else self._room - len(taken) if self._room >= 0 else -1
        text = self._characters.decode(taken, ended or dropped)
        if self._after_return and text:
            text = text.removeprefix("\n")
            self._after_return = False
        self._after_return = self._after_return or text.endswith("\r")
        for part in filter(None, _PARTS.split(text)):
            if part in ("\r", "\n", "\r\n"):
                self._keys.append(Press("enter", self.paste))
            elif _CONTROLS.match(part) and part[0] != "\t":
                self._keys += Text("\ufffd", self.paste), Press("refused", self.paste)
            else:
                self._keys.append(Text(part, self.paste))
        if dropped:
            self._keys.append(Press("refused", self.paste))


def _named(parameters: str, final: str) -> str:
    """The key of a control sequence; Ctrl or Alt (xterm's `1;5C`) make it move by words."""
    first, _, modifiers = parameters.partition(";")
    if final == "~":
        return _NUMBERS.get(first, "unknown") if modifiers.isdigit() or not modifiers else "unknown"
    name = _LETTERS.get(final, "unknown")
    if parameters in ("", "1"):
        return name
    if first == "1" and modifiers in ("3", "5"):
        return _BY_WORD.get(name, name)
    return name if first == "1" and modifiers.isdigit() else "unknown"
