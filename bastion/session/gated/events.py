"""What comes out of the line editor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Show:
    """Bytes for the client's terminal, the bell (BEL) among them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """A line was ended. `text` has no end of line; a line feed stands in it only where a command of several lines was
    taken from the history. `pasted`: its end came out of a paste, and nobody has pressed Enter."""

    text: str
    pasted: bool = False


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C: the line, and the lines before it of the same command, are thrown away."""


@dataclass(frozen=True, slots=True)
class EndOfInput:
    """Ctrl-D on an empty line."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Tab: what stands before and after the cursor of this line. `again`: the key before was Tab too (where bash would
    list the candidates). Keys wait until `Editor.completed` is called."""

    before: str
    after: str
    again: bool


Event = Show | Line | Interrupt | EndOfInput | Complete
