"""Words as they are written, evaluated as the shell would: quotes removed, escapes resolved, braces expanded.

The reader here takes nothing from the parser's tree but where a substitution ends: each word is read from its own
bytes, because the parser splits, joins and drops words in ways that no error node tells of. Whatever it does not know
is refused (Unreadable), never guessed.

Limits: a literal brace, tilde or extended pattern that shells treat differently is refused even where bash is certain.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bastion.analysis import names, read_ansi, read_braces, read_parameters
from bastion.analysis.bounds import MAX_LEVELS, MAX_STEPS
from bastion.analysis.read_braces import CLOSE, COMMA, OPEN, Mark, Piece, Sequence
from bastion.analysis.read_here import Here
from bastion.analysis.tree import Arithmetic, Glob, Literal, Parameter, Part, Process, Script, Substitution, Tilde, Word


class Unreadable(Exception):
    """This place of the text is not understood. `start` and `end` are byte offsets."""

    def __init__(self, start: int, end: int, reason: str) -> None:
        super().__init__(reason)
        self.start = start
        self.end = end
        self.reason = reason


_PLAIN = re.compile(rb"[^\\'\"$`*?\[{},~#|&;()<> \t\n]+")
_WHOLE = re.compile(rb"[^\\'\"$`*?\[{},~#|&;()<> \t\n]++(?=[ \t\n|&;()]|\Z|[<>](?!\())")
_BREAKS = frozenset(b" \t\n|&;()<>")
_QUOTED = re.compile(rb'[^"$`\\]+')
_HERE = re.compile(rb"[^$`\\]+")
_TILDE = re.compile(rb"~([a-z_][a-z0-9_-]*|[+-])?(?=[/ \t\n|&;()<>]|\Z)")
_TILDE_IN_VALUE = re.compile(rb"~([a-z_][a-z0-9_-]*|[+-])?(?=[/: \t\n|&;()<>]|\Z)")
_LOOKS_ASSIGNED = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\+?=")
_SET = re.compile(rb"\[[!^]?(?:[A-Za-z0-9_.,:@%+=-]|\[:[a-z]+:\])+\]")
_SET_END = re.compile(rb"[^ \t\n|&;()<>]*\]")
_AFTER_DOLLAR = frozenset(b' \t\n"/.,:%)|\\=+^]}~;&')
_ESCAPED_IN_QUOTES = b'$`"\\'
_ESCAPED_IN_BACKTICKS = re.compile(rb"\\([$`\\])")
_ESCAPED_IN_QUOTED_BACKTICKS = re.compile(rb"\\([$`\\\"])")
_BACKTICKED = re.compile(rb"`((?:[^`\\]|\\.)*)`", re.DOTALL)

ARGUMENT, VALUE, PATTERN = "argument", "value", "pattern"
"""Where a word stands: among a command's words, after `name=`, or where the shell matches patterns."""


class Builder:
    """Pieces of one word in order; neighbouring literals become one."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._pending: bytearray | None = None

    def literal(self, value: bytes) -> None:
        if self._pending is None:
            self._pending = bytearray()
        self._pending += value

    def add(self, piece: Piece) -> None:
        self.flush()
        self.pieces.append(piece)

    def flush(self) -> None:
        if self._pending is not None:
            self.pieces.append(Literal(bytes(self._pending)))
            self._pending = None


def parts_of(pieces: list[Piece]) -> tuple[Part, ...]:
    """Pieces of a word without braces: none of them is a brace's mark."""
    return tuple([piece for piece in pieces if not isinstance(piece, Mark | Sequence)])


class Budget:
    """What is left to read of one text, and of those inside it, together."""

    def __init__(self) -> None:
        self.steps = MAX_STEPS


class WordReader:
    """Words of one text. The statements' reader gives it substitutions: `script_at` reads the one that begins at an
    offset and says where it ends, `script_of` reads a text of its own (what stood between backticks)."""

    def __init__(self, text: bytes, posix: bool, budget: Budget) -> None:
        self.text = text
        self.posix = posix
        self.budget = budget
        self.depth = 0
        self.here: dict[int, Here] = {}
        self.here_read: set[int] = set()
        self.script_at: Callable[[int, bytes], tuple[Script, int]]
        self.script_of: Callable[[bytes, int, int], Script]

    def refuse(self, start: int, reason: str, end: int | None = None) -> Unreadable:
        return Unreadable(start, min(start + 1, len(self.text)) if end is None else end, reason)

    def step(self, at: int, count: int = 1) -> None:
        self.budget.steps -= count
        if self.budget.steps < 0:
            raise self.refuse(at, f"more than {MAX_STEPS} parts")

    def enter(self, at: int) -> None:
        self.depth += 1
        if self.depth > MAX_LEVELS:
            raise self.refuse(at, f"nested deeper than {MAX_LEVELS} levels")

    def words(self, at: int, end: int) -> tuple[tuple[Word, ...], int]:
        """The words that one written word makes, and where it ends: one, unless braces make more or none."""
        plain = _WHOLE.match(self.text, at, end)
        if plain is not None:
            self.step(at)
            return (Word((Literal(plain[0]),)),), plain.end()
        pieces, braced, at = self._pieces(at, end, ARGUMENT)
        if not braced:
            return (Word(parts_of(pieces)),), at
        try:
            alternatives = read_braces.expand(pieces)
        except read_braces.NotExpandable as error:
            raise self.refuse(at, str(error)) from None
        if self.posix and (len(alternatives) != 1):
            raise self.refuse(at, "braces, which this login shell does not expand")
        self.step(at, len(alternatives))
        return tuple(Word(parts) for parts in alternatives if parts), at

    def word(self, at: int, end: int, mode: str = ARGUMENT) -> tuple[Word, int]:
        """Exactly one word."""
        if mode == ARGUMENT:
            found, after = self.words(at, end)
            if len(found) != 1:
                raise self.refuse(at, "braces where one word belongs", after)
            return found[0], after
        pieces, _, after = self._pieces(at, end, mode)
        return Word(parts_of(pieces)), after

    def _pieces(self, start: int, end: int, mode: str) -> tuple[list[Piece], bool, int]:
        text, at, builder = self.text, start, Builder()
        braced = opening = bare = False
        opened = 0
        while at < end:
            self.step(at)
            if plain := _PLAIN.match(text, at, end):
                builder.literal(plain[0])
                at = plain.end()
                continue
            character = text[at : at + 1]
            if character in b"<>" and text[at + 1 : at + 2] == b"(" and mode != PATTERN:
                at = self._process(at, end, builder)
            elif text[at] in _BREAKS:
                break
            elif character == b"'":
                at = self._single(at, end, builder)
            elif character == b'"':
                at = self._double(at, end, builder)
            elif character == b"\\":
                at = self._escaped(at, end, builder)
            elif character == b"$":
                bare = bare or text[at + 1 : at + 2] not in b"({'"
                at = self._dollar(at, end, builder, False)
            elif character == b"`":
                at = self._backticks(at, end, builder, False)
            elif character in b"{,}" and mode == ARGUMENT:
                opened += (character == b"{") - (character == b"}" and opened > 0)
                braced = braced or character != b","
                opening = opening or character == b"{"
                at = self._brace(at, builder, opened)
            elif character in b"*?[" and mode != VALUE:
                at = self._glob(at, end, builder)
            elif character == b"~":
                at = self._tilde(start, at, end, builder, mode)
            elif character == b"#" and at == start and mode == ARGUMENT:
                raise self.refuse(at, "a comment inside a command")
            else:
                builder.literal(character)
                at += 1
        if at == start:
            raise self.refuse(at, "a word is missing here")
        if opening and bare:
            raise self.refuse(start, "a variable beside braces", at)
        builder.flush()
        return builder.pieces, braced, at

    # -- quoting

    def _single(self, at: int, end: int, builder: Builder) -> int:
        close = self.text.find(b"'", at + 1, end)
        if close < 0:
            raise self.refuse(at, "a quote that is not closed")
        builder.literal(self.text[at + 1 : close])
        return close + 1

    def _escaped(self, at: int, end: int, builder: Builder) -> int:
        following = self.text[at + 1 : min(at + 2, end)]
        if not following:
            raise self.refuse(at, "a backslash at the end")
        if following == b"\n":
            raise self.refuse(at, "a line continuation inside a word")
        builder.literal(following)
        return at + 2

    def _double(self, at: int, end: int, builder: Builder) -> int:
        """POSIX XCU 2.2.3: inside "…" a backslash escapes only $ ` " \\ and a newline, and stays otherwise."""
        start, at = at, at + 1
        before = len(builder.pieces)
        while at < end:
            if self.text[at : at + 1] == b'"':
                if at == start + 1 or (len(builder.pieces) == before and builder._pending is None):
                    builder.literal(b"")
                return at + 1
            at = self.quoted(at, end, builder, _QUOTED)
        raise self.refuse(start, "a quote that is not closed")

    def quoted(self, at: int, end: int, builder: Builder, plain: re.Pattern[bytes] = _HERE) -> int:
        """One step inside double quotes, or inside a here-document (where `"` is plain)."""
        self.step(at)
        if found := plain.match(self.text, at, end):
            builder.literal(found[0])
            return found.end()
        character = self.text[at : at + 1]
        if character == b"$":
            return self._dollar(at, end, builder, True)
        if character == b"`":
            return self._backticks(at, end, builder, True)
        following = self.text[at + 1 : min(at + 2, end)]
        escapes = _ESCAPED_IN_QUOTES if plain is _QUOTED else b"$`\\"
        if following == b"\n":
            return at + 2
        if following and following in escapes:
            builder.literal(following)
            return at + 2
        builder.literal(b"\\")
        return at + 1

    # -- expansions

    def _dollar(self, at: int, end: int, builder: Builder, quoted: bool) -> int:
        text = self.text
        following = text[at + 1 : min(at + 2, end)]
        if following == b"{":
            found = read_parameters.BRACED_POSIX.match(text, at, end)
            if found is None and not self.posix:
                found = read_parameters.BRACED_BASH.match(text, at, end)
            if found is None:
                raise self.refuse(at, "an expansion of a kind that is not known to be harmless", end)
            given = read_parameters.ASSIGNS.match(found[1])
            if given is not None and names.decides(given[1], not self.posix):
                raise self.refuse(at, f"a value for {given[1].decode()}, which decides what other commands do")
            builder.add(Parameter(found[1], quoted))
            return found.end()
        if following == b"(":
            return self._parenthesis(at, end, builder, quoted)
        if found := read_parameters.BARE.match(text, at, end):
            builder.add(Parameter(found[1], quoted))
            return found.end()
        if following == b"'" and not quoted:
            value, at = read_ansi.read(text, at, end, self.refuse)
            builder.literal(value)
            return at
        if not following or (quoted and following[0] in _AFTER_DOLLAR) or following in (b"/", b".", b",", b":", b"%"):
            builder.literal(b"$")
            return at + 1
        if not quoted and following in (b" ", b"\t", b"\n"):
            builder.literal(b"$")
            return at + 1
        raise self.refuse(at, "a dollar that shells read differently")

    def _parenthesis(self, at: int, end: int, builder: Builder, quoted: bool) -> int:
        if self.text[at + 2 : at + 3] == b"(":
            inner = read_parameters.arithmetic(self.text, at, end)
            if inner is None:
                raise self.refuse(at, "arithmetic on anything but numbers", end)
            builder.add(Arithmetic(inner, quoted))
            return at + len(inner) + 5
        script, after = self.script_at(at, b"$(")
        if after > end:
            raise self.refuse(at, "a substitution that ends outside its command")
        if not script.items:
            raise self.refuse(at, "an empty command substitution", after)
        builder.add(Substitution(script, quoted))
        return after

    def _process(self, at: int, end: int, builder: Builder) -> int:
        if self.posix:
            raise self.refuse(at, "a process substitution, which this login shell does not have")
        operator = self.text[at : at + 2]
        script, after = self.script_at(at, operator)
        if after > end:
            raise self.refuse(at, "a substitution that ends outside its command")
        builder.add(Process(operator[:1], script))
        return after

    def _backticks(self, at: int, end: int, builder: Builder, quoted: bool) -> int:
        """POSIX XCU 2.6.3: inside, a backslash escapes only $ ` and \\ (and, between double quotes, `"`)."""
        found = _BACKTICKED.match(self.text, at, end)
        if found is None:
            raise self.refuse(at, "a backtick that is not closed")
        escapes = _ESCAPED_IN_QUOTED_BACKTICKS if quoted else _ESCAPED_IN_BACKTICKS
        script = self.script_of(escapes.sub(rb"\1", found[1]), at, found.end())
        if not script.items:  # printed as `$( )`, which the parser can not read again
            raise self.refuse(at, "an empty command substitution", found.end())
        builder.add(Substitution(script, quoted))
        return found.end()

    # -- what stays unquoted

    def _brace(self, at: int, builder: Builder, opened: int) -> int:
        character = self.text[at : at + 1]
        if character == b"{":
            if found := read_braces.SEQUENCE.match(self.text, at):
                builder.add(Sequence(found[0], read_braces.sequence(found)))
                return found.end()
            builder.add(OPEN)
        elif character == b"}":
            builder.add(CLOSE)
        else:
            mark: Mark = COMMA
            builder.add(mark) if opened else builder.literal(b",")
        return at + 1

    def _glob(self, at: int, end: int, builder: Builder) -> int:
        if self.text[at : at + 1] != b"[":
            if self.text[at + 1 : at + 2] == b"(":
                raise self.refuse(at, "an extended pattern")
            builder.add(Glob(self.text[at : at + 1]))
            return at + 1
        found = _SET.match(self.text, at, end)
        if found is not None:
            # dash takes only `!` for "none of these".
            builder.add(Glob(b"[!" + found[0][2:] if found[0][1:2] == b"^" else found[0]))
            return found.end()
        if _SET_END.match(self.text, at + 1, end):
            raise self.refuse(at, "a pattern that shells read differently")
        builder.literal(b"[")
        return at + 1

    def _tilde(self, start: int, at: int, end: int, builder: Builder, mode: str) -> int:
        first = at == start
        if mode == VALUE and (first or self.text[at - 1 : at] == b":"):
            found = _TILDE_IN_VALUE.match(self.text, at, end)
        elif first:
            found = _TILDE.match(self.text, at, end)
        else:
            if self.text[at - 1 : at] in (b"=", b":") and _LOOKS_ASSIGNED.match(self.text, start, at):
                raise self.refuse(at, "a tilde that shells expand differently")
            builder.literal(b"~")
            return at + 1
        if found is None or mode == PATTERN:
            raise self.refuse(at, "a tilde that shells expand differently")
        builder.add(Tilde(found[1] or b""))
        return found.end()
