"""Values behind a key: JSON objects, whatever they stand in, and MariaDB's XML.

A key is a quoted name and a colon; its string, number, word or nested value is masked, in nested ones every string
(also keys: they may be data) and every scalar, so that the text stays JSON. A key may stand in a string of JSON
(`\\"`). Off a terminal a replacement that is no string becomes one.

Limits: a key longer than 128 bytes as it is written, keys in single quotes, JSON in a quoted field of CSV
(`""email""`).
"""

from __future__ import annotations

import re
from enum import Enum, auto

from bastion.masking.columns.text import ESCAPE, plain, torn
from bastion.masking.columns.value import Hold, Mask

_NAME = 128
_SEEN = 2 * _NAME + 16
"""Bytes that have come before and are looked at again for a key that was cut: the most that `_key` looks at."""
_BLANK = re.compile(rb"(?:[\s|+]|" + ESCAPE.pattern + rb")+")
_SCALAR = re.compile(rb"[^\s,{}\[\]\"\\\x1b]+")
_WORDS = re.compile(rb"[-+.0-9eE]+|true|false|null|\*+")
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
_STOP = re.compile(rb'[\\"\n]')
_RUN = 32
"""Backslashes in which every quoting that is known turns round."""
_UNQUOTED = bytes.maketrans(b'"\\', b"'/")
"""What a replacement may not hold in a string."""


class _In(Enum):
    TEXT = auto()
    KEY = auto()
    """Behind a key: a colon must come."""
    VALUE = auto()
    """Behind the colon, or between the values of a nested one."""
    STRING = auto()
    SCALAR = auto()
    XML = auto()


class Keyed:
    """`feed` in whatever pieces, `release` at any time, `flush` at the end of a command's output."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._torn = b""
        self._lowered = b""
        """The piece that is read."""
        self._reset()

    def feed(self, data: bytes) -> bytes:
        data = self._torn + data
        cut = torn(data)
        self._torn = data[len(data) - cut :] if cut else b""
        return self._through(data[: len(data) - cut] if cut else data)

    def passed(self, data: bytes) -> bytes:
        """The same as `feed` for bytes in which, with the line before them, no name stands."""
        if self._in is not _In.TEXT or self._torn:
            return self.feed(data)
        self._keep(self._seen + data)
        return data

    def release(self) -> bytes:
        """All of it: what is torn in the stream is kept by the tables, and comes whole."""
        return self._untorn() + self._hold.release()

    def flush(self) -> bytes:
        out = self._untorn()
        if self._in is _In.SCALAR:
            out += self._scalar_end()
        elif self._in in (_In.STRING, _In.XML):
            out += self._hold.add(b"\\" * self._run) + self._hold.end()
        self._reset()
        return out

    def _untorn(self) -> bytes:
        rest, self._torn = self._torn, b""
        return self._through(rest) if rest else b""

    @property
    def holding(self) -> int:
        """How many bytes are held."""
        return len(self._torn) + len(self._hold.held)

    def _reset(self) -> None:
        self._in = _In.TEXT
        self._seen = b""
        """The last bytes that came, whatever was read in them: what a key begins with may have ended a value."""
        self._begin = 0
        """From where on in these, and what follows, a name may begin."""
        self._column = ""
        self._field = False
        """The key is the name of a field of XML."""
        self._depth = 0
        self._slashes = 0
        """Backslashes before the quotes of this text: 0, 1 within a string of JSON, 3 within one within one."""
        self._run = 0
        """Backslashes at the end of what was read of a string."""
        self._hold = Hold(self._mask, "")

    def _through(self, data: bytes) -> bytes:
        out = bytearray()
        at = len(self._seen)
        data = self._seen + data
        self._lowered = data.lower()
        while at < len(data):
            text = self._in is _In.TEXT
            at = self._step(data, at, out)
            if not text:
                self._begin = at
        self._keep(data)
        return bytes(out)

    def _keep(self, data: bytes) -> None:
        past = max(0, len(data) - _SEEN)
        self._seen = data[past:]
        self._begin = max(0, self._begin - past)

    def _step(self, data: bytes, at: int, out: bytearray) -> int:
        if self._in is _In.TEXT:
            return self._text(data, at, out)
        if self._in is _In.STRING:
            return self._string(data, at, out)
        if self._in is _In.SCALAR:
            return self._scalar(data, at, out)
        if self._in is _In.XML:
            return self._xml(data, at, out)
        blank = _BLANK.match(data, at)
        if blank:
            out += blank.group()
            return blank.end()
        if self._in is _In.KEY:
            return self._behind_key(data, at, out)
        return self._value(data, at, out)

    # -- keys --------------------------------------------------------------------------------------------------------

    def _text(self, data: bytes, at: int, out: bytearray) -> int:
        """Up to behind a key that is a named column's; a key that was cut is looked at again."""
        places = self._mask.names.places(self._lowered, self._begin)
        key = next((key for key in (self._key(data, place, at) for place in places) if key is not None), None)
        if key is None:
            out += data[at:]
            return len(data)
        stop, self._slashes, self._column, self._field = key
        self._in = _In.KEY
        out += data[at:stop]
        return stop

    def _key(self, data: bytes, place: int, at: int) -> tuple[int, int, str, bool] | None:
        """The end of the quoted name round `place`, its backslashes, its column, and whether it is a field of XML."""
        left = data.rfind(b'"', max(0, place - _NAME), place)
        right = data.find(b'"', place, place + _NAME)
        if left < 0 or right < at:
            return None
        name = data[left + 1 : right]
        bare = name.rstrip(b"\\")
        before = data[max(0, left - 16) : left]
        slashes = len(before) - len(before.rstrip(b"\\"))
        text = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), plain(bare))
        column = self._mask.names.find(text) if b"\n" not in bare else None
        if column is None or slashes != len(name) - len(bare) or slashes & (slashes + 1):
            return None
        return right + 1, slashes, column, before.endswith(b"<field name=")

    def _behind_key(self, data: bytes, at: int, out: bytearray) -> int:
        mark = data[at : at + 1]
        if mark == b":":
            self._in = _In.VALUE
        elif mark == b">" and self._field:
            self._in = _In.XML
            self._hold = Hold(self._mask, self._column)
        else:
            self._in = _In.TEXT
            return at
        out += mark
        return at + 1

    # -- values ------------------------------------------------------------------------------------------------------

    def _value(self, data: bytes, at: int, out: bytearray) -> int:
        """Where a value begins, or what stands between the values of a nested one."""
        mark = data[at : at + 1]
        run, self._run = self._run, 0
        if mark == b"\\" and run < self._slashes:
            self._run = run + 1
        elif mark == b'"' and run == self._slashes:
            self._in = _In.STRING
            self._hold = Hold(self._mask, self._column)
        elif mark in (b"{", b"["):
            self._depth += 1
        elif self._depth and mark in (b"}", b"]"):
            self._depth -= 1
            self._in = _In.VALUE if self._depth else _In.TEXT
        elif not (self._depth and mark in (b",", b":")):
            scalar = _SCALAR.match(data, at) is not None
            self._in = _In.SCALAR if scalar else _In.TEXT
            self._hold = Hold(self._mask, self._column)
            self._depth = self._depth if scalar else 0
            return at
        out += mark
        return at + 1

    def _string(self, data: bytes, at: int, out: bytearray) -> int:
        if data[at : at + 1] == b"\\":
            self._run += 1
            if self._run > 2 * _RUN:  # a whole number of turns less makes no other quote the last
                self._run -= _RUN
                out += self._hold.add(b"\\" * _RUN)
            return at + 1
        if data[at : at + 1] == b'"' and self._run % (2 * (self._slashes + 1)) == self._slashes:
            out += self._hold.add(b"\\" * (self._run - self._slashes))
            out += self._hold.end().translate(_UNQUOTED) + b"\\" * self._slashes + b'"'
            self._over()
            return at + 1
        found = _STOP.search(data, at + 1)
        stop = found.start() if found else len(data)
        if data[at : at + 1] == b"\n":  # no string of JSON goes on in the next line
            out += self._hold.add(b"\\" * self._run) + self._hold.end().translate(_UNQUOTED)
            self._depth = 0
            self._over()
            return at
        out += self._hold.add(b"\\" * self._run + data[at:stop])
        self._run = 0
        return stop

    def _scalar(self, data: bytes, at: int, out: bytearray) -> int:
        found = _SCALAR.match(data, at)
        if found:
            out += self._hold.add(found.group())
            return found.end()
        out += self._scalar_end()
        self._over()
        return at

    def _scalar_end(self) -> bytes:
        """A number or a word; in a nested value any other word than JSON's is the end of all of it."""
        if not self._hold.passing and not _WORDS.fullmatch(self._hold.held):
            self._depth = 0
        if self._hold.passing or self._mask.terminal:
            return self._hold.end()
        quote = b"\\" * self._slashes + b'"'
        return quote + self._hold.end().translate(_UNQUOTED) + quote

    def _xml(self, data: bytes, at: int, out: bytearray) -> int:
        stop = data.find(b"<", at)
        if stop < 0:
            out += self._hold.add(data[at:])
            return len(data)
        out += self._hold.add(data[at:stop]) + self._hold.end()
        self._over()
        return stop

    def _over(self) -> None:
        """A value has ended."""
        self._run = 0
        self._in = _In.VALUE if self._depth else _In.TEXT
