"""Patterns as their authors write them: a part of RE2's syntax, read into a tree, with bounds on all of it.

What may stand in a pattern: literal characters (those outside ASCII as their UTF-8), `.`, sets such as `[^a-f\\d]`,
`\\d \\w \\s` and their opposites, `\\b \\B ^`, `\\z` (the end of the stream), escapes (`\\. \\n \\x2d`), groups `(…)`,
`(?:…)`, `(?i:…)` and `(?P<secret>…)`, `(?i)` at the head, alternatives, and repetitions with a told end: `?`, `{3}`,
`{3,20}`. `*`, `+` and `{3,}` are refused, for a match must have a longest length: `{1,64}` says it.

The part named `secret` is what is masked; without one it is the whole match. It stands at the top of the pattern, so
that what is before it need not be held back, and is not masked.

Limits: what RE2 also knows and is not named here (`$`, `\\pL`, lazy repetitions, other flags) is refused, with a
message that says what to write instead. A byte of a multi-byte character is a character to a set.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastion.errors import OperatorError
from bastion.masking.tree import EMPTY, Assertion, Chars, Choice, Node, Repeat, longest, sequence, shortest

MAX_PATTERN = 1000
"""Characters of one pattern."""
MAX_MATCH = 1024
"""Bytes of the longest match of one pattern."""
MAX_BEFORE = 192
"""Bytes of the longest text that may stand before the secret: less than the context that is kept."""
MAX_REPEAT = 1000
MAX_DEPTH = 12

_ALL = (1 << 256) - 1


class BadPattern(OperatorError):
    """A pattern, validator or word of a deny list that can not be used. The message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern read: what stands before the secret, the secret, and what must follow it."""

    before: Node
    secret: Node
    after: Node

    @property
    def longest(self) -> int:
        """Bytes of the longest match, all of its parts together."""
        return longest(self.before) + longest(self.secret) + longest(self.after)


def _of(*bytes_: int) -> int:
    found = 0
    for byte in bytes_:
        found |= 1 << byte
    return found


_DIGITS = _of(*b"0123456789")
_LOWER = _of(*range(ord("a"), ord("z") + 1))
_UPPER = _of(*range(ord("A"), ord("Z") + 1))
_WORD = _DIGITS | _LOWER | _UPPER | _of(ord("_"))
_BLANK = _of(*b"\t\n\f\r ")
_CLASSES = {"d": _DIGITS, "D": _ALL ^ _DIGITS, "w": _WORD, "W": _ALL ^ _WORD, "s": _BLANK, "S": _ALL ^ _BLANK}
_ESCAPES = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11}
_NOT_LINE_END = _ALL ^ _of(10)


def read(text: str) -> Pattern:
    """The tree of a pattern, or BadPattern."""
    if not text:
        raise BadPattern("an empty pattern matches nothing that could be masked")
    if len(text) > MAX_PATTERN:
        raise BadPattern(f"a pattern of {len(text)} characters; at most {MAX_PATTERN} are read: make two of it")
    pattern = _Reader(text).whole()
    if shortest(pattern.secret) == 0:
        raise BadPattern("it also matches the empty text: let at least one character be needed")
    if pattern.longest > MAX_MATCH:
        raise BadPattern(
            f"its longest match has {pattern.longest} bytes; at most {MAX_MATCH} are possible: lower the {{m,n}}"
        )
    if (long := longest(pattern.before)) > MAX_BEFORE:
        raise BadPattern(f"up to {long} bytes before the secret; at most {MAX_BEFORE} are possible: lower the {{m,n}}")
    return pattern


def literal(word: str) -> Pattern:
    """The pattern of a literal word in upper and lower case, for deny lists. BadPattern for one too short or long."""
    if not 3 <= len(word.encode()) <= 256:
        raise BadPattern("a word to be masked has 3 to 256 bytes")
    return Pattern(EMPTY, sequence([_either_case(letter) for letter in word]), EMPTY)


def _either_case(letter: str) -> Node:
    forms = [form.encode() for form in dict.fromkeys((letter, letter.lower(), letter.upper()))]
    if all(len(form) == 1 for form in forms):
        return Chars(_of(*b"".join(forms)))
    return Choice(tuple(sequence([Chars(1 << byte) for byte in form]) for form in forms))


class _Reader:
    """A recursive descent over the text. `_at` is the place, `_fold` whether case is ignored."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._fold = False
        self._depth = 0
        self._secrets: list[tuple[Node, int]] = []

    def whole(self) -> Pattern:
        if self._text.startswith("(?i)"):
            self._fold, self._at = True, 4
        parts, mark = self._top()
        if mark is None:
            return Pattern(EMPTY, sequence(parts), EMPTY)
        return Pattern(sequence(parts[:mark]), parts[mark], sequence(parts[mark + 1 :]))

    def _top(self) -> tuple[list[Node], int | None]:
        """The parts at the top, and the index of the one named `secret`."""
        choices: list[list[Node]] = [[]]
        mark: int | None = None
        while self._at < len(self._text):
            if self._take("|"):
                choices.append([])
                continue
            if self._text.startswith("(?P<secret>", self._at):
                if mark is not None:
                    raise self._bad("two parts named secret: name one")
                mark = len(choices[-1])
            choices[-1].append(self._repeated(self._atom()))
        if len(choices) == 1:
            return choices[0], mark
        if mark is not None:
            raise self._bad("the part named secret stands in one of several alternatives: put those in a group (?:…)")
        return [Choice(tuple(sequence(parts) for parts in choices))], None

    def _bad(self, what: str) -> BadPattern:
        return BadPattern(f"at character {self._at + 1}: {what}")

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _choice(self) -> Node:
        choices: list[list[Node]] = [[]]
        while self._at < len(self._text) and self._text[self._at] != ")":
            if self._take("|"):
                choices.append([])
            else:
                choices[-1].append(self._repeated(self._atom()))
        found = tuple(sequence(parts) for parts in choices)
        return found[0] if len(found) == 1 else Choice(found)

    def _atom(self) -> Node:
        letter = self._text[self._at]
        self._at += 1
        match letter:
            case "(":
                return self._group()
            case "[":
                return self._set()
            case "\\":
                return self._escape()
            case ".":
                return Chars(_NOT_LINE_END)
            case "^":
                return Assertion("^")
            case "$":
                raise self._bad("$ is not known here: write (?:[\\r\\n]|\\z), or a \\b")
            case ")":
                raise self._bad("a ) without its (")
            case "*" | "+" | "?" | "{":
                raise self._bad(f"nothing before {letter} that it could repeat; the character itself is \\{letter}")
        encoded = letter.encode()
        return sequence([self._one(byte) for byte in encoded])

    def _one(self, byte: int) -> Chars:
        return Chars(self._folded(1 << byte))

    def _folded(self, of: int) -> int:
        if not self._fold:
            return of
        return of | (of & _UPPER) << 32 | (of & _LOWER) >> 32

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._bad(f"groups nested deeper than {MAX_DEPTH}")
        outer = self._fold
        if self._take("?i:"):
            self._fold = True
        elif self._take("?P<secret>"):
            if self._depth > 1:
                raise self._bad("the part named secret stands inside a group: it belongs at the top")
        elif not self._take("?:") and self._text.startswith("?", self._at):
            raise self._bad("of groups with ? only (?:…), (?i:…) and (?P<secret>…) are known")
        found = self._choice()
        if not self._take(")"):
            raise self._bad("a ( without its )")
        self._fold = outer
        self._depth -= 1
        return found

    def _escape(self) -> Node:
        letter = self._text[self._at : self._at + 1]
        if letter in ("b", "B", "z") and letter:
            self._at += 1
            return Assertion(letter)
        return Chars(self._escaped())

    def _escaped(self) -> int:
        """After a backslash: the set it stands for."""
        letter = self._text[self._at : self._at + 1]
        self._at += 1
        if letter in _CLASSES and letter:
            return _CLASSES[letter]
        if letter in _ESCAPES and letter:
            return 1 << _ESCAPES[letter]
        if letter == "x":
            digits = self._text[self._at : self._at + 2]
            if len(digits) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
                self._at += 2
                return self._folded(1 << int(digits, 16))
            raise self._bad("\\x wants two hexadecimal digits")
        if letter and letter.isascii() and not letter.isalnum():
            return 1 << ord(letter)
        raise self._bad(f"\\{letter} is not known here")

    def _set(self) -> Node:
        opposite = self._take("^")
        found = 0
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise self._bad("a [ without its ]")
            if self._text.startswith("[:", self._at):
                raise self._bad("names such as [:alpha:] are not known here: write a-zA-Z")
            first = False
            low = self._member()
            if self._text.startswith("-", self._at) and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                found |= self._range(low, self._member())
            else:
                found |= low
        self._at += 1
        found = self._folded(found)
        if opposite:
            found = _ALL ^ found
        if not found:
            raise self._bad("a set without members")
        return Chars(found)

    def _member(self) -> int:
        letter = self._text[self._at : self._at + 1]
        self._at += 1
        if letter == "\\":
            return self._escaped()
        if not letter.isascii():
            raise self._bad("a character outside ASCII in a set: make it an alternative, (?:[a-z]|ä)")
        return 1 << ord(letter) if letter else 0

    def _range(self, low: int, high: int) -> int:
        if low.bit_count() != 1 or high.bit_count() != 1 or low > high:
            raise self._bad("not a range of characters")
        return (high << 1) - low

    def _repeated(self, node: Node) -> Node:
        found = self._times()
        if found is None:
            return node
        low, high = found
        if self._text[self._at : self._at + 1] in ("?", "*", "+", "{"):
            raise self._bad("a repetition of a repetition, or a lazy one: leave the second away")
        if low > high or high > MAX_REPEAT or high == 0:
            raise self._bad(f"a repetition is of 0 to {MAX_REPEAT}, the lower number first")
        return node if (low, high) == (1, 1) else Repeat(node, low, high)

    def _times(self) -> tuple[int, int] | None:
        if self._take("?"):
            return 0, 1
        for sign, low in (("*", 0), ("+", 1)):
            if self._take(sign):
                raise self._bad(f"{sign} has no end: write how often at most, such as {{{low},64}}")
        if not self._take("{"):
            return None
        end = self._text.find("}", self._at)
        numbers = self._text[self._at : end].split(",") if end > 0 else []
        if not 1 <= len(numbers) <= 2 or not all(_is_number(number) for number in numbers[:1]):
            raise self._bad("a { that is no repetition such as {3} or {3,20}; the character itself is \\{")
        self._at = end + 1
        if not _is_number(numbers[-1]):
            raise self._bad(f"{{{numbers[0]},}} has no end: write how often at most, such as {{{numbers[0]},64}}")
        return int(numbers[0]), int(numbers[-1])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
