"""One word as it is written, evaluated as the shell would: quotes removed, escapes resolved, nothing else done.

`literal` reads plain text, `\\x`, '…', "…" and $'…'. Whatever the shell would treat in any further way (a variable, a
glob, a brace, a tilde, an operator, a blank that the parser should have split at) raises NotLiteral, so a word that
the parser cut wrongly is refused rather than guessed. Where shells read an escape differently, it is refused too.
"""

from __future__ import annotations

import re


class NotLiteral(ValueError):
    """The word at byte `offset` is not the same in every shell, or is not known before the target runs it."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


_REFUSED = {
    b"$": "a variable or substitution",
    b"`": "a command substitution",
    b"*": "a glob",
    b"?": "a glob",
    b"[": "a glob",
    b"{": "a brace",
    b"}": "a brace",
    b" ": "a blank inside a word",
    b"\t": "a blank inside a word",
    b"\n": "a newline inside a command",
}
_OPERATORS = b"|&;()<>"
_PLAIN = re.compile(rb"[^\\'\"$`*?\[{}~#|&;()<> \t\n]+")
_SIMPLE_ESCAPES = {
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
_IN_DOUBLE_QUOTES = b'$`"\\'


def literal(source: bytes) -> bytes:
    """The value of the word written as `source`. Raises NotLiteral."""
    value = bytearray()
    at = 0
    while at < len(source):
        if plain := _PLAIN.match(source, at):
            value += plain[0]
            at = plain.end()
            continue
        character = source[at : at + 1]
        if character == b"'":
            at = _single(source, at, value)
        elif character == b'"':
            at = _double(source, at, value)
        elif character == b"\\":
            at = _escaped(source, at, value)
        elif source.startswith(b"$'", at):
            at = _ansi_c(source, at, value)
        else:
            _bare(source, at)
            value += character
            at += 1
    return bytes(value)


def _bare(source: bytes, at: int) -> None:
    """An unquoted character that is special somewhere: raise unless it is plain where it stands."""
    character = source[at : at + 1]
    if character in _OPERATORS:
        raise NotLiteral(at, f"the operator {character.decode()}")
    if character in _REFUSED:
        raise NotLiteral(at, _REFUSED[character])
    before = source[at - 1 : at]
    if character == b"~" and before in (b"", b"=", b":"):
        raise NotLiteral(at, "a tilde that the shell may expand")
    if character == b"#" and not before:
        raise NotLiteral(at, "a comment")


def _single(source: bytes, at: int, value: bytearray) -> int:
    end = source.find(b"'", at + 1)
    if end < 0:
        raise NotLiteral(at, "a quote that is not closed")
    value += source[at + 1 : end]
    return end + 1


def _escaped(source: bytes, at: int, value: bytearray) -> int:
    following = source[at + 1 : at + 2]
    if not following:
        raise NotLiteral(at, "a backslash at the end")
    if following == b"\n":
        raise NotLiteral(at, "a line continuation inside a word")
    value += following
    return at + 2


def _double(source: bytes, at: int, value: bytearray) -> int:
    """POSIX XCU 2.2.3: inside "…" a backslash escapes only $ ` " \\ and a newline, and stays otherwise."""
    start, at = at, at + 1
    while at < len(source):
        character = source[at : at + 1]
        if character == b'"':
            return at + 1
        if character in (b"$", b"`"):
            raise NotLiteral(at, _REFUSED[character])
        following = source[at + 1 : at + 2]
        if character == b"\\" and following == b"\n":
            at += 2
        elif character == b"\\" and following and following in _IN_DOUBLE_QUOTES:
            value += following
            at += 2
        else:
            value += character
            at += 1
    raise NotLiteral(start, "a quote that is not closed")


def _ansi_c(source: bytes, at: int, value: bytearray) -> int:
    """bash(1) QUOTING: $'…'. Escapes that depend on the locale or differ between versions are refused."""
    start, at = at, at + 2
    while at < len(source):
        character = source[at : at + 1]
        if character == b"'":
            return at + 1
        if character == b"\\":
            at = _ansi_escape(source, at, value)
        else:
            value += character
            at += 1
    raise NotLiteral(start, "a quote that is not closed")


def _ansi_escape(source: bytes, at: int, value: bytearray) -> int:
    letter = source[at + 1 : at + 2]
    if letter in _SIMPLE_ESCAPES:
        value += _SIMPLE_ESCAPES[letter]
        return at + 2
    if letter in _HEX:
        digits, base, most = _HEX[letter].match(source, at + 2), 16, 0xFF if letter == b"x" else 0x7F
    else:
        digits, base, most = _OCTAL.match(source, at + 1), 8, 0xFF
    if digits is None:
        raise NotLiteral(at, "an escape in $'…' that shells read differently")
    number = int(digits[0], base)
    if not 0 < number <= most:
        raise NotLiteral(at, "a NUL or an escape in $'…' that depends on the locale")
    value.append(number)
    return digits.end()
