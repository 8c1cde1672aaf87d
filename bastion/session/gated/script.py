"""A script as it comes on standard input, cut into whole commands: bytes in, one command at a time out.

It is cut in the same way however the bytes were cut into packets. A command is text as far as it is UTF-8; bytes that
are not go on to the judge as they came, who refuses them.

Limits: those of completeness.py. A command that stays open for long is looked at again only when the caller asks for
it, so that one that comes a byte at a time costs little (`long`).
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from bastion.session.gated.completeness import MAX_OPEN, first

MAX_WAITING = 32 * 1024
"""Characters that wait before the client is asked to wait."""
LONG = 1024
"""Characters of an open command that are not looked at anew for every packet."""


@dataclass(frozen=True, slots=True)
class Command:
    """One whole command; `line` is where it begins in the script, from 1. Bytes that are not UTF-8 are lone surrogates
    in `text` (PEP 383)."""

    text: str
    line: int


class Script:
    """Life: `feed` and `take` in any order; `end` once no more will come."""

    def __init__(self, shell: str) -> None:
        self._shell = shell
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._line = 1
        self._looked = 0
        """How much of the text was looked at and found open."""
        self._ended = False

    def feed(self, data: bytes) -> None:
        self._text += self._decoder.decode(data)

    def end(self) -> None:
        """What is open now is a command as it is."""
        self._text += self._decoder.decode(b"", True)
        self._ended = True

    def drop(self) -> None:
        """What waits is no command any more."""
        self._text, self._looked = "", 0

    @property
    def full(self) -> bool:
        return len(self._text) > MAX_WAITING

    @property
    def long(self) -> bool:
        """What waits is a part of one command, and so much that it should not be looked at for every packet."""
        return self._looked > LONG and not self._ended

    @property
    def done(self) -> bool:
        """No command will come any more."""
        return self._ended and not self._text

    def take(self) -> Command | None:
        """The next command; None where it has not ended yet."""
        while self._text:
            if not self._ended and "\n" not in self._text[self._looked : MAX_OPEN] and len(self._text) <= MAX_OPEN:
                break
            found = first(self._text, self._shell)
            if found is None:
                if not self._ended:
                    break
                found = first(self._text + "\n", self._shell) or (len(self._text), self._text)
            ends, command = found
            line, piece = self._line, self._text[:ends]
            self._text, self._looked = self._text[ends:], 0
            self._line += piece.count("\n")
            if command is not None:
                return Command(command, line)
        self._looked = len(self._text)
        return None
