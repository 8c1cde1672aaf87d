"""`[[ … ]]`, read flat and in the order of the text: the parser's precedence in it is wrong.

Limits: what bash would evaluate as arithmetic (both sides of `-eq` and its kin) must be a number; `-v` and `-R`, which
evaluate subscripts, are not read.
"""

from __future__ import annotations

import re

from bastion.analysis.read_words import ARGUMENT, PATTERN, WordReader
from bastion.analysis.tree import Command, Literal, Parameter, Test, Word

_SKIP = re.compile(rb"(?:[ \t]|(?<=[ \t(|])\\\n)*")
_SKIPPED = frozenset({b" ", b"\t", b"\\"})
_ENDS = frozenset(b" \t\n|&;()<>")
_UNARY = frozenset(b"-a -b -c -d -e -f -g -h -k -n -p -r -s -t -u -w -x -z -G -L -N -O -S".split())
_STRINGS = frozenset(b"= == != < > -nt -ot -ef".split())
_NUMBERS = frozenset(b"-eq -ne -lt -le -gt -ge".split())
_NUMBER = re.compile(rb"-?[0-9]{1,18}\Z")
_SAFE_NUMBERS = re.compile(rb"[#?$]\Z|#[A-Za-z_][A-Za-z0-9_]*\Z|#[0-9]\Z")
_REGEX = re.compile(
    rb"(?:[A-Za-z0-9_.,:/@%=^*+?|-]|\$(?=[ \t)|]|\Z)|\\[.+*?^$|/]|\[\^?[A-Za-z0-9_.,:/@%=+-]+\]|[()](?=\S))+"
)


class TestReader(WordReader):
    """Adds tests to words."""

    def skip(self, at: int, end: int) -> int:
        """Past blanks, and line continuations after blanks."""
        if self.text[at : at + 1] not in _SKIPPED:
            return at
        found = _SKIP.match(self.text, at, end)
        return at if found is None else found.end()

    def raw(self, start: int, end: int) -> bytes:
        at = start
        while at < end and self.text[at] not in _ENDS:
            at += 1
        return self.text[start:at]

    def test(self, start: int, end: int) -> Command:
        """`[[ … ]]`, flat and in source order. What bash would evaluate as arithmetic must be a number."""
        if self.posix:
            raise self.refuse(start, "[[, which this login shell does not have", end)
        tokens: list[bytes | Word] = []
        at = self.skip(start + 2, end - 2)
        if self.text[end - 2 : end] != b"]]" or self.text[end - 3] not in b" \t" or self.text[start + 2] not in b" \t":
            raise self.refuse(start, "a test that can not be read", end)
        while at < end - 2:
            token, at = self._test_token(at, end - 2, tokens)
            tokens.append(token)
            at = self.skip(at, end - 2)
        self._test_shape(tokens, start, end)
        return Test(tuple(tokens), (), start, end)

    def _test_token(self, at: int, end: int, before: list[bytes | Word]) -> tuple[bytes | Word, int]:
        previous = before[-1] if before else b""
        for operator in (b"&&", b"||"):
            if self.text.startswith(operator, at):
                return operator, at + 2
        if self.text[at] in b"()":
            return self.text[at : at + 1], at + 1
        raw = self.raw(at, end)
        starts = not before or previous in (b"&&", b"||", b"(", b"!")
        if starts and (raw == b"!" or raw in _UNARY) and at + len(raw) < end:
            return raw, at + len(raw)
        if isinstance(previous, Word) and (raw in _STRINGS or raw in _NUMBERS or raw == b"=~"):
            return raw, at + len(raw)
        if isinstance(previous, Word) and self.text[at : at + 1] in (b"<", b">"):
            return self.text[at : at + 1], at + 1
        if previous == b"=~":
            found = _REGEX.match(self.text, at, end)
            if found is None or (found.end() < end and self.text[found.end()] not in b" \t"):
                raise self.refuse(at, "a regular expression that can not be printed")
            return b"~" + found[0], found.end()
        word, at = self.word(at, end, PATTERN if previous in (b"==", b"=", b"!=") else ARGUMENT)
        return word, at

    def _test_shape(self, tokens: list[bytes | Word], start: int, end: int) -> None:
        """Operands stand where operands may stand, and numbers where bash evaluates arithmetic."""
        operand, depth = True, 0
        for index, token in enumerate(tokens):
            if token in (b"&&", b"||"):
                fits, operand = not operand, True
            elif token == b"(":
                fits, depth = operand, depth + 1
            elif token == b")":
                fits, depth = not operand and depth > 0, depth - 1
            elif token == b"!" or token in _UNARY:
                fits = operand
            elif isinstance(token, bytes) and token[:1] == b"~" and tokens[index - 1] == b"=~":
                fits, operand = operand, False
            elif isinstance(token, bytes):
                fits, operand = not operand, True
                if token in _NUMBERS:
                    sides = [*tokens[index - 1 : index], *tokens[index + 1 : index + 2]]
                    fits = fits and len(sides) == 2 and all(_is_number(side) for side in sides)
            else:
                fits, operand = operand, False
                fits = fits and token.parts != ()
            if not fits:
                raise self.refuse(start, "a test that can not be read", end)
        if operand or depth or not tokens:
            raise self.refuse(start, "a test that can not be read", end)


def _is_number(token: bytes | Word) -> bool:
    """A number, or a parameter that always is one: bash evaluates anything else, with the subscripts in it."""
    if not isinstance(token, Word) or len(token.parts) != 1:
        return False
    part = token.parts[0]
    if isinstance(part, Literal):
        return _NUMBER.match(part.value) is not None
    return isinstance(part, Parameter) and _SAFE_NUMBERS.match(part.inner) is not None
