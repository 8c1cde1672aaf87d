"""What the words of a tree are to those who judge them: values, and what is known of the unknown ones."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from bastion.analysis.bounds import MAX_DETOURS, MAX_OUTLINES
from bastion.analysis.command import Command, Unknown
from bastion.analysis.profile.acts import Acts, Nested
from bastion.analysis.tree import Assignment, Glob, Literal, Parameter, Part, Process, Redirection, Tilde, Word
from bastion.analysis.walk_input import value_of
from bastion.characters import briefly

_OPENS = frozenset({b">", b">>", b"<", b"<>", b">|"})


def unknowns(words: tuple[Word, ...]) -> tuple[Unknown, ...]:
    """What is known of those that are not literal."""
    if None not in [word.literal for word in words]:
        return ()
    return tuple([_unknown(at, word) for at, word in enumerate(words) if value_of(word) is None])


def unknowns_inside(outer: Command, nested: Nested, words: tuple[bytes | None, ...]) -> tuple[Unknown, ...]:
    """What is known of the unknown words of a command that stands in the words of another."""
    low, high = nested.words
    around = {word.index - low: word for word in outer.unknown} if high - low == len(nested.argv) else {}
    one = nested.single | nested.plain
    if nested.replaced:  # a name that a glob finds may hold the text that is replaced
        around = {at: Unknown(at, single=word.single) for at, word in around.items()}
    return tuple(
        [
            dataclasses.replace(around[at], index=at) if at in around else Unknown(at, single=at in one)
            for at, word in enumerate(words)
            if word is None
        ]
    )


def _unknown(index: int, word: Word) -> Unknown:
    prefix, text = [], []
    glob = True
    for part in word.parts:
        if isinstance(part, Literal):
            text.append(part.value)
        elif isinstance(part, Glob):
            text.append(part.text)
        else:
            glob = False
            break
    for part in word.parts:
        if not isinstance(part, Literal):
            break
        prefix.append(part.value)
    # Of an unquoted `/a/$x` only the first word begins with `/a/`.
    begins = b"".join(prefix) if glob or word.single else b""
    return Unknown(index, word.single, begins, glob, b"".join(text) if glob else b"", outline(word))


def outline(word: Word) -> bytes:
    """What is known of a word, b"\\0" standing for what is not (a process substitution is `/dev/fd/` and a number)."""
    known = [_outlined(part) for part in word.parts]
    return b"".join(known) if any(part != b"\0" for part in known) else b""


def _outlined(part: Part) -> bytes:
    match part:
        case Literal(value):
            return value
        case Tilde(user):
            return b"~" + user
        case Parameter(b"HOME"):
            return b"$HOME"
        case Process():
            return b"/dev/fd/\0"
        case _:
            return b"\0"


_HOME = Parameter(b"HOME", True)


def spelled(word: Word) -> bytes | None:
    """The value of a literal word, and of a path in a home directory its spelling, `~user/x` or `$HOME/x`: for the
    profiles, which know such paths. None for any other word."""
    if len(word.parts) > 2:
        return None
    first, rest = word.parts[0], word.parts[1:]
    if rest and not isinstance(rest[0], Literal):
        return None
    after = rest[0].value if rest and isinstance(rest[0], Literal) else b""
    if isinstance(first, Tilde):
        return b"~" + first.user + after
    if isinstance(first, Parameter) and first == _HOME and after[:1] in (b"", b"/"):
        return b"$HOME" + after
    return word.literal


@dataclass(frozen=True, slots=True)
class Words:
    """Words for a profile. Of the unknown ones, by index: `single` are exactly one word, `plain` are that and no option
    either, `globs` become any number of words that all fit their outline; `outlines` what is known of each."""

    argv: tuple[bytes | None, ...]
    single: frozenset[int]
    plain: frozenset[int]
    globs: frozenset[int]
    outlines: Mapping[int, bytes]


class PathTally:
    """How much of one text is left to paths: words that are known in part, and those with `..` in them, each counted
    in every folder that the text may be in (bounds.py)."""

    def __init__(self) -> None:
        self._outlines = self._detours = 0

    def too_many(self, words: Words, visited: Sequence[bytes]) -> str:
        """These words counted with those before them; why that is too much, or nothing. `visited` are the folders that
        the text may be in: where one of them is known in part only, so is every word that names a path."""
        known = words.argv if any(b"\0" in folder for folder in visited) else ()
        parts = sum(1 + word.count(b"/") for word in (*words.outlines.values(), *known) if word is not None)
        self._outlines += parts * (1 + len(visited))
        if self._outlines > MAX_OUTLINES:
            return f"more than {MAX_OUTLINES} names in paths that are known in part"
        self._detours += sum(b".." in word for word in words.argv if word is not None) * (1 + len(visited))
        if self._detours > MAX_DETOURS:
            return f"more than {MAX_DETOURS} places to which `..` may lead"
        return ""


class Judge(Protocol):
    """What a program does with these words; profiles.acts is one."""

    def __call__(
        self,
        argv: Sequence[bytes | None],
        stdin: bytes | None = None,
        terminal: bool = False,
        *,
        more: bool = False,
        single: frozenset[int] = frozenset(),
        plain: frozenset[int] = frozenset(),
        globs: frozenset[int] = frozenset(),
        folder: bytes | None = b"",
        outlines: Mapping[int, bytes] = MappingProxyType({}),
        piped: bool = False,
        visited: Sequence[bytes] = (),
        home: bool = False,
    ) -> Acts: ...


_NONE: frozenset[int] = frozenset()
_NOTHING: Mapping[int, bytes] = MappingProxyType({})


def judged_words(argv: tuple[bytes | None, ...], unknown: tuple[Unknown, ...], plain: frozenset[int] = _NONE) -> Words:
    """`plain` are those that are known to be so from elsewhere."""
    if not unknown:
        return Words(argv, _NONE, _NONE, _NONE, _NOTHING)
    return Words(
        argv,
        frozenset([word.index for word in unknown if word.single]) | plain,
        plain,
        frozenset([word.index for word in unknown if word.glob and not word.single]),
        {word.index: word.outline for word in unknown if word.outline},
    )


def assigned(assignment: Assignment) -> tuple[bytes, bytes | None]:
    """Its name and value; None for an array, or what only the target knows."""
    if assignment.elements is not None:
        return assignment.name, None
    return assignment.name, b"" if assignment.value is None else assignment.value.literal


def opened_files(redirections: tuple[Redirection, ...]) -> tuple[tuple[str, bytes | None], ...]:
    """The files that these open, each with its operator."""
    if not redirections:
        return ()
    return tuple((given.operator.decode(), given.target.literal) for given in redirections if given.operator in _OPENS)


def name_of(command: Command) -> str:
    """The program's name, as a reason tells it."""
    name = command.argv[0] if command.argv else None
    return "" if name is None else briefly(posixpath.basename(name.rstrip(b"/")))
