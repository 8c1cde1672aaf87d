"""Cuts SQL into words, strings, quoted names and symbols, and refuses what two readers could cut differently.

The parser behind this (sqlglot) never sees the client's text: it is given the text written again from these tokens
(`plain`), without comments, each string and quoted name in one harmless form. So a difference between its tokeniser
and a server's can not hide a statement; a difference between this one and a server's could, which is why it knows
little and refuses the rest.

Refused: a comment inside a comment (some servers nest them, some do not), a quote right after a word that is no known
prefix, a backslash right before the end of a string where the server may be set to read it either way, `U&` escapes, a
backslash, `$`, a brace or a letter outside ASCII where it stands in no quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bastion.analysis.sql_clients import Lexis

_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_$@#])")
_DOLLAR_QUOTE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)?\$")
_PUNCTUATION = {"(": "open", ")": "close", ",": "comma", ".": "dot", ";": "end"}
_CLOSING = {"[": "]"}
_PLAIN_STRING = re.compile(r"[A-Za-z0-9 _.:%,/+-]*\Z")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*\Z")


class NotRead(Exception):
    """The text can not be cut for certain. The message is for its author."""


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: word, name (quoted), string, number, symbol, open, close, comma, dot, end (`;`).

    `text` is a word in upper case as it stands, a name's or string's content, else the character itself. `apart`
    tells that a blank or a comment stands before it.
    """

    kind: str
    text: str
    apart: bool

    def is_word(self, *words: str) -> bool:
        """One of these keywords (in upper case), not quoted."""
        return self.kind == "word" and self.text in words


class _Reader:
    def __init__(self, text: str, lexis: Lexis) -> None:
        self._text = text
        self._lexis = lexis
        self._at = 0
        self._apart = False
        self._word = re.compile(rf"[{lexis.word_start}][A-Za-z0-9_@#]*" if "@" in lexis.word_start else r"[A-Za-z_]\w*")
        self.tokens: list[Token] = []

    def read(self) -> None:
        while self._at < len(self._text):
            if self._skip_blank():
                self._apart = True
                continue
            self._one(self._text[self._at])
            self._apart = False

    def _add(self, kind: str, text: str, end: int) -> None:
        self.tokens.append(Token(kind, text, self._apart))
        self._at = end

    def _where(self) -> str:
        line = self._text.count("\n", 0, self._at) + 1
        return f"line {line}, column {self._at - self._text.rfind(chr(10), 0, self._at)}"

    def _fail(self, reason: str) -> NotRead:
        return NotRead(f"{reason} ({self._where()})")

    def _skip_blank(self) -> bool:
        """Past one blank or comment, if there is one here."""
        text, at = self._text, self._at
        if text[at] in " \t\n":
            self._at += 1
        elif text.startswith("--", at):
            if self._lexis.blank_after_dashes and text[at + 2 : at + 3] not in ("", " ", "\t", "\n"):
                raise self._fail("`--` with no blank after it is a comment to some servers only")
            self._to_end_of_line()
        elif self._lexis.hash_comments and text[at] == "#":
            self._to_end_of_line()
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            if end < 0:
                raise self._fail("a comment without an end")
            if "/*" in text[at + 2 : end] or "\\" in text[at:end]:
                raise self._fail("a comment or a backslash inside a comment")
            self._at = end + 2
        else:
            return False
        return True

    def _to_end_of_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _one(self, first: str) -> None:
        if first in self._lexis.strings:
            self._string(first, self._lexis.backslash)
        elif first in self._lexis.names:
            self._name(_CLOSING.get(first, first))
        elif first in _PUNCTUATION:
            self._add(_PUNCTUATION[first], first, self._at + 1)
        elif first.isascii() and first.isdigit():
            self._number()
        elif (word := self._word.match(self._text, self._at)) is not None and word[0].isascii():
            self._a_word(word[0])
        elif first == "$" and self._lexis.dollar_quotes:
            self._dollar_quoted()
        elif first == ":" and self._lexis.colon_variables:
            self._colon()
        elif first in self._lexis.symbols:
            self._add("symbol", first, self._at + 1)
        elif first == "\\":
            raise self._fail("a backslash outside quotes is a command to the client")
        else:
            raise self._fail(f"`{first}` can not be read for certain here")

    def _a_word(self, word: str) -> None:
        end = self._at + len(word)
        after = self._text[end : end + 1]
        if self._lexis.hash_comments and word.upper().endswith("DELIMITER"):
            raise self._fail("`delimiter` would change what ends a statement")
        if after == "$" or (word.upper() == "U" and self._text[end : end + 2] in ("&'", '&"')):
            raise self._fail("`$` in a name, or a `U&` escape")
        if after and after in self._lexis.strings:
            if word.upper() not in self._lexis.prefixes:
                raise self._fail("a quote right after a word")
            self._at = end
            self._string(after, "always" if word.upper() == "E" else self._lexis.backslash)
        elif after and after in self._lexis.names and after != "[":
            raise self._fail("a quote right after a word")
        else:
            self._add("word", word.upper(), end)

    def _number(self) -> None:
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise self._fail("a number with letters in it")
        self._add("number", number[0], number.end())

    def _string(self, quote: str, backslash: str) -> None:
        """A string, its quotes doubled inside; to a server that may read a backslash either way, both readings."""
        text, at = self._text, self._at + 1
        while True:
            at = _find(text, quote, at, escapes=backslash == "always")
            if at < 0:
                raise self._fail("a string without an end")
            if backslash == "settable" and _backslashes_before(text, at) % 2:
                raise self._fail("a backslash right before a quote: whether it ends the string is a server setting")
            if text[at + 1 : at + 2] != quote:
                break
            at += 2
        self._add("string", text[self._at + 1 : at], at + 1)

    def _name(self, quote: str) -> None:
        text, at = self._text, self._at + 1
        while True:
            at = text.find(quote, at)
            if at < 0:
                raise self._fail("a quoted name without an end")
            if text[at + 1 : at + 2] != quote or quote == "]":
                break
            at += 2
        content = text[self._at + 1 : at]
        if not content or "\\" in content or (quote == "]" and text[at + 1 : at + 2] == "]"):
            raise self._fail("a quoted name that is empty, has a backslash or a doubled bracket in it")
        self._add("name", content, at + 1)

    def _colon(self) -> None:
        """psql reads `::` first; a `:` before a name, a quote or a brace has a variable's value put in its place."""
        if self._text.startswith("::", self._at):
            self._add("symbol", "::", self._at + 2)
            return
        after = self._text[self._at + 1 : self._at + 2]
        if after and after not in " \t\n=]":
            raise self._fail("a variable whose value is not known here")
        self._add("symbol", ":", self._at + 1)

    def _dollar_quoted(self) -> None:
        opened = _DOLLAR_QUOTE.match(self._text, self._at)
        end = -1 if opened is None else self._text.find(opened[0], opened.end())
        if opened is None or end < 0:
            raise self._fail("`$` begins no dollar-quoted string that ends")
        self._add("string", self._text[opened.end() : end], end + len(opened[0]))


def _find(text: str, quote: str, at: int, *, escapes: bool) -> int:
    while escapes and at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == quote:
            return at
        else:
            at += 1
    return -1 if escapes else text.find(quote, at)


def _backslashes_before(text: str, at: int) -> int:
    return at - len(text[:at].rstrip("\\"))


def tokens_of(text: str, lexis: Lexis) -> tuple[Token, ...]:
    """The tokens of `text`, comments left out. Raises NotRead."""
    for pattern, reason in (
        (lexis.refused, "a variable, hint or comment that the client or the server would act on"),
        (lexis.lines, "a line that the client takes for a command of its own"),
    ):
        if pattern is not None and pattern.search(text) is not None:
            raise NotRead(reason)
    reader = _Reader(text, lexis)
    reader.read()
    return tuple(reader.tokens)


def statements_of(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """The statements between the semicolons; empty ones are left out."""
    statements: list[tuple[Token, ...]] = []
    begin = 0
    for index, token in enumerate(tokens):
        if token.kind == "end":
            statements.append(tuple(tokens[begin:index]))
            begin = index + 1
    statements.append(tuple(tokens[begin:]))
    return [statement for statement in statements if statement]


def plain(tokens: Sequence[Token], quote: str) -> str:
    """The tokens as text again, for the parser: equal strings stay equal, and none of them holds a quote, a backslash
    or a comment mark. `quote` is what the parser's dialect puts round names."""
    stand_ins: dict[str, str] = {}

    def stand_in(content: str, keeps: Callable[[str], object]) -> str:
        if keeps(content):
            return content
        if "\\" in content:
            return "%"  # escapes are not read here: as a pattern, it may match anything
        return stand_ins.setdefault(content, f"stand in {len(stand_ins)}")

    pieces: list[str] = []
    for token in tokens:
        pieces.append(" " if token.apart else "")
        if token.kind == "string":
            pieces.append(f" '{stand_in(token.text, _keeps_string)}' ")
        elif token.kind == "name":
            pieces.append(f"{quote}{stand_in(token.text, _PLAIN_NAME.match)}{quote}")
        else:
            pieces.append(token.text)
    return "".join(pieces)


def _keeps_string(content: str) -> bool:
    return _PLAIN_STRING.match(content) is not None and "--" not in content and "/*" not in content
