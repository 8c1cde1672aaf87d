"""`$'…'`, bash(1) QUOTING. Escapes that depend on the locale, or differ between versions of shells, are refused."""

from __future__ import annotations

import re
from collections.abc import Callable

_SIMPLE = {
    b"a": b"\a",
    b"b": b"\b",
    b"e": b"\x1b",
    b"E": b"\x1b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b"'": b"'",
    b'"': b'"',
    b"?": b"?",
}
_OCTAL = re.compile(rb"[0-7]{1,3}")
_HEX = {
    b"x": re.compile(rb"[0-9A-Fa-f]{1,2}"),
    b"u": re.compile(rb"[0-9A-Fa-f]{1,4}"),
    b"U": re.compile(rb"[0-9A-Fa-f]{1,8}"),
}
_PLAIN = re.compile(rb"[^'\\]+")


def read(text: bytes, at: int, end: int, refuse: Callable[[int, str], Exception]) -> tuple[bytes, int]:
    """The value of the `$'…'` that begins at `at`, and where it ends. Raises what `refuse` makes."""
    start, at = at, at + 2
    value = bytearray()
    while at < end:
        if plain := _PLAIN.match(text, at, end):
            value += plain[0]
            at = plain.end()
        elif text[at : at + 1] == b"'":
            return bytes(value), at + 1
        else:
            at = _escape(text, at, value, refuse)
    raise refuse(start, "a quote that is not closed")


def _escape(text: bytes, at: int, value: bytearray, refuse: Callable[[int, str], Exception]) -> int:
    letter = text[at + 1 : at + 2]
    if letter in _SIMPLE:
        value += _SIMPLE[letter]
        return at + 2
    if letter in _HEX:
        digits, base, most = _HEX[letter].match(text, at + 2), 16, 0xFF if letter == b"x" else 0x7F
    else:
        digits, base, most = _OCTAL.match(text, at + 1), 8, 0xFF
    if digits is None:
        raise refuse(at, "an escape in $'…' that shells read differently")
    number = int(digits[0], base)
    if not 0 < number <= most:
        raise refuse(at, "a NUL or an escape in $'…' that depends on the locale")
    value.append(number)
    return digits.end()
