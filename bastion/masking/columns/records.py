"""Records printed field by field: psql's expanded format (aligned and not), MariaDB's and MySQL's `\\G`.

A record begins with a line of its own (`-[ RECORD 1 ]-`, `* Record 1`, `*** 1. row ***`); psql's unaligned one does
not, there the first line of a named field is the evidence. A line without a name goes on with the field before.

Limits: in a value of several lines, under `\\G` or unaligned, a line that looks like the next field's ends the value
(for `\\G` one with the colon in the same column of the screen).
"""

from __future__ import annotations

import re
from enum import Enum, auto

from bastion.masking.columns.fit import put
from bastion.masking.columns.table import STRANGE, Table
from bastion.masking.columns.text import ESCAPE, plain
from bastion.masking.columns.text import line as seen
from bastion.masking.columns.text import place as mark_at
from bastion.masking.columns.value import Mask, fitting, starred

_DRAWN = r"[-─═+┬┼┌├╔╠╪╤]"
_RULED = re.compile(rf"{_DRAWN}{{1,2}}\[ \w+ \d+ \]{_DRAWN}*[┐┤╗╣]?")
_BLANK = re.compile(r"\* \w+ \d+ *")
_STARRED = re.compile(r"\*{5,64} \d+\. row \*{5,64}")
_NAME = re.compile(r"([^\W\d](?:[\w ?.()*$#-]{0,62}[\w?.()*$#-])?|\?column\?)([|,;\t])")
EVIDENCE = (b" ]", b"* record ", b". row *")
"""One of these stands in every line that begins a record; lower-cased."""
_RULE = re.compile("[|]|│|║".encode())
_LONGEST = 65
"""The most characters before the end of an unaligned record's name."""
_MOST = 200
"""The most columns of the screen that a replacement may take where nothing stands behind it."""


class Style(Enum):
    RULED = auto()
    BLANK = auto()
    COLON = auto()
    UNALIGNED = auto()


def record(line: bytes) -> Style | None:
    """Whether this line, without its end, begins a record."""
    text = seen(line).rstrip(" ")
    if _RULED.fullmatch(text):
        return Style.RULED
    if _BLANK.fullmatch(text):
        return Style.BLANK
    return Style.COLON if _STARRED.fullmatch(text) else None


def named_field(text: str) -> tuple[str, str] | None:
    """The name and the separator with which a line of an unaligned record begins."""
    found = _NAME.match(text)
    return (found.group(1), found.group(2)) if found else None


class Records(Table):
    """Records in force, from the line below the first one's beginning; of UNALIGNED ones from the first line.

    A line is held until its end, since only then its value has one.
    """

    def __init__(self, mask: Mask, style: Style, *, separator: str = "") -> None:
        super().__init__(mask)
        self._style = style
        self._separator = separator
        self._open = False
        """Within the quotes of a value, where quotes have a meaning."""
        self._column: str | None = None
        """What masks the field that the lines belong to."""
        self._strange = 0
        """Lines that can be no fields, one after the other."""
        self._colon = -1
        """Where this record's names end: in characters, and in bytes, by which both clients pad them."""
        self._bytes = -1
        self._line = bytearray()
        self._passing = self._masked = False
        """While passing: as stars."""
        self._past = 0
        """How much of the line has been let go before its name was whole."""

    def go_on(self, column: str, value: bytes, *, whole: bool) -> None:
        """Begin behind a field of this column, or (not `whole`) within it, a part of which has passed as stars."""
        self._column = column
        self._quotes(value)
        self._passing = self._masked = not whole
        self.fresh = whole

    def _quotes(self, data: bytes) -> None:
        if self._separator in (",", ";"):
            self._open ^= data.count(b'"') % 2 == 1

    def row(self, data: bytes, at: int) -> tuple[bytes, int]:
        newline = data.find(b"\n", at)
        stop = newline if newline >= 0 else len(data)
        out = self._more(data[at:stop])
        if newline < 0:
            return out, stop
        if not self._passing:
            line = bytes(self._line)
            out += self._whole(line)
            if self.over:
                self.back = line[self._past :]
                return out, stop
            self._quotes(line)
        self._line.clear()
        self._passing = False
        self._past = 0
        self.fresh = not self._open
        return out + b"\n", stop + 1

    def let_go(self) -> bytes:
        """A name that is not whole is kept, to tell whose the value is: it passes if the field before is none."""
        if not self.held():
            return b""
        if not self._told(bytes(self._line)):
            out = bytes(self._line[self._past :])
            self._past = len(self._line)
            return starred(out, blanks=True) if self._column is not None else out
        return self._let_go()

    def _let_go(self) -> bytes:
        held, past = bytes(self._line), self._past
        self._line.clear()
        self._past = 0
        self._passing = True
        self._quotes(held)
        place = self._value(held)
        self._masked = place is None or self._column is not None
        if not self._masked:
            return held[past:]
        self.mask.count(self._column or "")
        at = max(place or 0, past)
        return held[past:at] + starred(held[at:], blanks=True)

    def _told(self, line: bytes) -> bool:
        """Whether the name with which the line begins is whole, or the line has none."""
        text = plain(line)
        if self._style is Style.RULED:
            return len(_RULE.findall(line)) > self._framed(line)
        if self._style is Style.BLANK:
            return " " in text
        if self._style is Style.UNALIGNED:
            return self._open or self._separator in text or len(text) > _LONGEST
        if self._colon < 0:
            return ": " in text
        return len(text) >= self._colon + 2 and len(ESCAPE.sub(b"", line)) >= self._bytes + 2

    def end(self) -> bytes:
        out, rest = self.begun()
        if rest is not None or self._passing:
            return out + (rest or b"")
        line = bytes(self._line)
        out += self._whole(line)
        return out + line[self._past :] if self.over else out

    def state(self) -> object:
        return self._column, self._strange, self._colon, self._bytes, self._open

    def held(self) -> int:
        return len(self._line) - self._past

    def _more(self, data: bytes) -> bytes:
        if not self._passing:
            room = fitting(self._line, data)
            self._line += data[:room]
            if room == len(data):
                return b""
            return self._let_go() + self._more(data[room:])
        self._quotes(data)
        return starred(data, blanks=True) if self._masked else data

    def _whole(self, line: bytes) -> bytes:
        """A line without its newline and what has passed, masked if it is a named field's; or `over`."""
        past = self._past
        if record(line) is not None:
            self._column, self._colon = None, -1
            return line[past:]
        place = self._value(line)
        if place is None:
            self._strange += 1
            notice = plain(line)[:1].isalpha() and not self.mask.names.hit(line.lower())
            self.over = not notice or self._strange > STRANGE
            return b"" if self.over else line[past:]
        self._strange = 0
        if self._column is None:
            return line[past:]
        body = line.rstrip(b"\r")
        place = max(place, past)
        value = body[place:]
        return body[past:place] + self._put(value, framed=self._framed(line)) + line[max(past, len(body)) :]

    def _put(self, value: bytes, *, framed: bool) -> bytes:
        if self._style not in (Style.RULED, Style.BLANK):
            return self.mask.value(value, self._column or "")
        text = plain(value)
        left = text[:1] if self._style is Style.RULED and text[:1] in (" ", ".", "…") else ""
        if framed:
            rule = _RULE.findall(value)[-1] if _RULE.search(value) else b""
            value = value[: value.rfind(rule)] if rule else value
            right = text[-1:] if (text := plain(value)).endswith((" ", "+", "↵", ".", "…")) else ""
            return put(value, self._column or "", self.mask, left, right) + rule
        right = text[-1:] if text.endswith((" +", " ↵")) or text in ("+", "↵") else ""
        return put(value, self._column or "", self.mask, left, right, most=_MOST)

    def _framed(self, line: bytes) -> bool:
        return _RULE.match(ESCAPE.sub(b"", line)) is not None

    def _value(self, line: bytes) -> int | None:
        """Where the value of this line begins, and whose it is; None where the line is no field."""
        if self._style is Style.RULED:
            found = list(_RULE.finditer(line))[: 1 + self._framed(line)]
            if len(found) < 1 + self._framed(line):
                return None
            start = found[0].end() if self._framed(line) else 0
            return self._of(plain(line[start : found[-1].start()]).strip(" +↵.…"), found[-1].end())
        text = plain(line).rstrip("\r")
        if self._style is Style.BLANK:
            if not text.strip():
                return None
            word = re.match(rb"(?:\x1b\[[0-?]*m)*(\S*) *", line)
            return self._of(plain(word.group(1)), word.end()) if word else 0
        if self._style is Style.UNALIGNED:
            field = named_field(text) if not self._open else None
            if field is None or field[1] != self._separator:
                return 0
            return self._of(field[0], mark_at(line, field[1]) + 1)
        return self._behind_colon(line, text)

    def _behind_colon(self, line: bytes, text: str) -> int:
        """The same under `\\G`. A byte that is no UTF-8 is a character of the text: places in it are none in bytes."""
        bare = ESCAPE.sub(b"", line)
        if self._colon < 0:
            self._colon = text.find(": ") if ": " in text else len(text) - 1
            self._bytes = bare.find(b": ") if ": " in text else len(bare.rstrip(b"\r")) - 1
        for name, rest in (
            (text[: self._colon], text[self._colon :]),
            (plain(bare[: self._bytes]), plain(bare[self._bytes :])),
        ):
            if rest[:1] == ":" and rest[1:2].strip() == "" and name[-1:].strip():
                place = mark_at(line, ":", name.count(":")) + 1
                return self._of(name, place + (line[place : place + 1] == b" "))
        return 0

    def _of(self, name: str, place: int) -> int:
        """A field of this name; without a name, more of the one before."""
        if name.strip():
            self._column = self.mask.names.find(name)
        return place
