"""Here-documents and here-strings, found before the parser sees the text, which reads them wrongly in many places.

A body is taken from the lines of the text and blanked there; the operator becomes a plain `<` of the same length with
a file, so that every offset stays what it was. Whoever reads that `<` looks here what it was. Every
one that was found must be read as a redirection, or the text is refused: the quotes were not where this scan saw them.

Limits: in backticks, and in a line that continues inside brackets, no here-document is found; the text is then refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class NotClosed(ValueError):
    """A here-document, or a quote or bracket beside one, that can not be read. `at` is where it begins."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


@dataclass(frozen=True, slots=True)
class Here:
    """What a `<` was. With `body` a here-document, whose delimiter ends at `end`, and was quoted when `literal`;
    without one a here-string, whose word is read from `end` on."""

    end: int
    body: bytes | None = None
    literal: bool = True


@dataclass(slots=True)
class _Inside:
    """A quote or a bracket that is open: where, and how many `case` in it, whose patterns end in a lone bracket."""

    kind: int
    at: int
    arithmetic: bool = False
    cases: int = 0


@dataclass(frozen=True, slots=True)
class _Pending:
    at: int
    end: int
    delimiter: bytes
    literal: bool
    tabs: bool
    depth: int


_DELIMITER = re.compile(
    rb"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n$`\\]+)\"|(\\?)([A-Za-z0-9_.,!@%+=:/-]+))(?=[ \t\n|&;()<>]|\Z)"
)
_PLAIN = re.compile(rb"[^\\'\"`$()#\n<ce]+")
_PLAIN_QUOTED = re.compile(rb"[^\\\"`$]+")
_ANSI = re.compile(rb"\$'(?:[^'\\]|\\.)*'", re.DOTALL)
_BRACED = re.compile(rb"\$\{[^'\"`\n}]*\}")
_BACKTICKED = re.compile(rb"`(?:[^`\\]|\\.)*`", re.DOTALL)
_WORD = re.compile(rb"[A-Za-z0-9_./=-]+")
_CASE = re.compile(rb"(?<![^ \t\n;&|()])(?:(case)|(esac))(?![^ \t\n;&|()])")
_BEFORE_COMMENT = frozenset(b" \t\n;&|()")
_OPEN, _CLOSE, _DOUBLE, _NEWLINE = b'()"\n'


def blank(text: bytes) -> tuple[bytes, dict[int, Here]]:
    """The text for the parser, and what stood at the offsets of those `<` in it. Raises NotClosed."""
    scan = _Scan(text, 0)
    scan.run(0)
    if scan.pending or scan.inside:
        raise NotClosed(scan.pending[0].at if scan.pending else scan.inside[-1].at, "something here is not closed")
    return bytes(scan.blanked), scan.found


def substitution_end(text: bytes, at: int) -> int:
    """Where the `$(` at this offset ends. Raises NotClosed."""
    scan = _Scan(text, at)
    scan.run(1)
    if scan.inside:
        raise NotClosed(at, "a substitution that is not closed")
    return scan.at


def unquoted(text: bytes) -> bytes:
    """The text with a plain letter for each byte that is quoted, or a comment: what a parser has to tell apart. Raises
    NotClosed."""
    scan = _Scan(text, 0)
    scan.run(0)
    if scan.pending or scan.inside:
        raise NotClosed(scan.inside[-1].at if scan.inside else scan.pending[0].at, "something here is not closed")
    return bytes(scan.masked)


class _Scan:
    """One pass. `run` goes on to the end, or until as few things are open as when it began its first one."""

    def __init__(self, text: bytes, at: int) -> None:
        self.text = text
        self.at = at
        self.blanked = bytearray(text)
        self.masked = bytearray(text)
        self.found: dict[int, Here] = {}
        self.pending: list[_Pending] = []
        self.inside: list[_Inside] = []

    def run(self, first: int) -> None:
        while self.at < len(self.text):
            quoted = bool(self.inside) and self.inside[-1].kind == _DOUBLE
            plain = (_PLAIN_QUOTED if quoted else _PLAIN).match(self.text, self.at)
            if plain is not None:
                if quoted:
                    self._mask(self.at, plain.end())
                self.at = plain.end()
                continue
            (self._quoted if quoted else self._bare)(self.text[self.at])
            if first and not self.inside:
                return

    def _mask(self, start: int, end: int) -> None:
        self.masked[start:end] = b"q" * (end - start)

    def _take(self, pattern: re.Pattern[bytes]) -> bool:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found is not None

    def _must(self, pattern: re.Pattern[bytes]) -> None:
        if not self._take(pattern):
            raise NotClosed(self.at, "something here is not closed")

    def _quoted(self, character: int) -> None:
        if character == _DOUBLE:
            self.inside.pop()
            self.at += 1
        else:
            self._expansion(character)

    def _expansion(self, character: int) -> None:
        """A backslash, a backtick or a dollar: the same inside double quotes and out of them."""
        following = self.text[self.at + 1 : self.at + 2]
        if character == 0x5C:
            self.at += 2
        elif character == 0x60:
            self._must(_BACKTICKED)
        elif following == b"{":
            self._must(_BRACED)
        elif following == b"(":
            self.at += 1
            self._opened()
        else:
            self.at += 1

    def _opened(self) -> None:
        """A round bracket, or the two of arithmetic, where `<<` is an operator of numbers."""
        double = self.text.startswith(b"((", self.at)
        arithmetic = double or (bool(self.inside) and self.inside[-1].arithmetic)
        for _ in range(1 + double):
            self.inside.append(_Inside(_OPEN, self.at, arithmetic))
            self.at += 1

    def _bare(self, character: int) -> None:
        text, at = self.text, self.at
        if character in b"\\`" or (character == 0x24 and text[at + 1 : at + 2] != b"'"):
            self._expansion(character)
        elif character == 0x24:
            self._must(_ANSI)
            self._mask(at, self.at)
        elif character == 0x27:
            self.at = text.find(b"'", at + 1) + 1
            if not self.at:
                raise NotClosed(at, "a quote that is not closed")
            self._mask(at, self.at)
        elif character == _OPEN:
            self._opened()
        elif character == _DOUBLE:
            self.inside.append(_Inside(_DOUBLE, at))
            self.at += 1
        elif character == _CLOSE:
            self._closed()
        elif character == 0x23:
            line = text.find(b"\n", at)
            comment = at == 0 or text[at - 1] in _BEFORE_COMMENT
            self.at = at + 1 if not comment else len(text) if line < 0 else line
            if comment:
                self._mask(at, self.at)
        elif character == _NEWLINE:
            self._line()
        elif character == 0x3C:
            self._redirection()
        else:
            self._word()

    def _word(self) -> None:
        found = _CASE.match(self.text, self.at)
        self._must(_WORD)
        if found is not None and self.inside:
            self.inside[-1].cases = max(0, self.inside[-1].cases + (1 if found[1] else -1))

    def _closed(self) -> None:
        if self.inside and not self.inside[-1].cases:
            if self.pending and self.pending[-1].depth == len(self.inside):
                raise NotClosed(self.pending[-1].at, "a here-document that is not closed")
            self.inside.pop()
        self.at += 1

    def _redirection(self) -> None:
        at = self.at
        if self.inside and self.inside[-1].arithmetic:
            self.at = at + 1
        elif self.text.startswith(b"<<<", at):
            self.blanked[at + 1 : at + 3] = b"  "
            self.found[at] = Here(at + 3)
            self.at = at + 3
        elif self.text.startswith(b"<<", at):
            found = _DELIMITER.match(self.text, at)
            if found is None:
                raise NotClosed(at, "a here-document of a kind that can not be read")
            delimiter = found[2] or found[3] or found[5]
            literal = found[5] is None or bool(found[4])
            pending = _Pending(at, found.end(), delimiter, literal, bool(found[1]), len(self.inside))
            self.pending.append(pending)
            self.blanked[at + 1 : found.end()] = b" " + b"x" * (found.end() - at - 2)
            self.at = found.end()
        else:
            self.at = at + 1

    def _line(self) -> None:
        """The end of a line: the bodies of its here-documents follow."""
        self.at += 1
        for pending in self.pending:
            if pending.depth != len(self.inside):
                raise NotClosed(pending.at, "a here-document of a kind that can not be read")
            start, lines = self.at, list[bytes]()
            while True:
                end = self.text.find(b"\n", self.at)
                line = self.text[self.at : len(self.text) if end < 0 else end]
                line = line.lstrip(b"\t") if pending.tabs else line
                self.at = len(self.text) if end < 0 else end + 1
                if line == pending.delimiter:
                    break
                if end < 0:
                    raise NotClosed(pending.at, "a here-document that is not closed")
                lines.append(line + b"\n")
            self.blanked[start : self.at] = b" " * (self.at - start - 1) + self.text[self.at - 1 : self.at]
            if self.text[self.at - 1] != _NEWLINE:
                self.blanked[self.at - 1] = 0x20
            self.found[pending.at] = Here(pending.end, b"".join(lines), pending.literal)
        self.pending = []
