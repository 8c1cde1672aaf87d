"""The patterns of rules: names with `*`, and commands over argv.

A name (identity, target, account, label, claim, environment variable) matches literally, `*` standing for any run of
characters. A command pattern is words; quotes and backslashes make a character of it literal, as in the shell.

    `*`  as a word    any one word                 `**` as the last word     any further words, also none
    `*`  in a word    characters other than `/`    `**` at a word's end      the rest of the word: `/var/log/**`

The two readings of one pattern differ on purpose. `grants` is how allow and approve rules read it, and errs towards
no: a bare name is the program found by PATH or in a system directory, and a word with a `..` component never matches
a wildcard beside a `/`. `restrains` is how deny and approve rules read it, and errs towards yes: a name is any program
of that basename, further words always match, `*` also crosses `/`, and paths match as written or normalised.

Limits: a deny rule is a second fence, not a wall: `systemctl stop` does not know that `systemctl --no-block stop` is
the same. What keeps a program away is that no rule allows it. A path is text: links on the target, its working
directory and case-insensitive file systems are unknown here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import AnyStr

SYSTEM_DIRECTORIES = (
    b"/bin/",
    b"/usr/bin/",
    b"/usr/local/bin/",
    b"/sbin/",
    b"/usr/sbin/",
    b"/usr/local/sbin/",
)
"""Where an allow rule's bare name may also be spelled out: the directories of Debian's default PATH."""

_STAR = "*"
_BREAK = "\0"
_MAX_FOLDERS = 16
_MAX_PLACES = 6

ArgumentKey = tuple[int, bytes]
"""Where a word stands among argv, and the word, or folders that it begins with. What rules are filed under."""


@lru_cache(maxsize=1 << 16)
def _compiled(regex: AnyStr) -> re.Pattern[AnyStr]:
    """Compiled when first asked: most of a large policy's patterns never are, and a reload should not wait for them."""
    return re.compile(regex, re.DOTALL)


class BadPattern(ValueError):
    """The pattern can not be read; the message says why."""


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A name, `*` standing for any run of characters. Case counts."""

    text: str
    _regex: str

    @classmethod
    def of(cls, text: str) -> NamePattern:
        return cls(text, _regex([re.escape(part) for part in re.split(r"\*+", text)], ".", rest=False))

    @property
    def literal(self) -> bool:
        return _STAR not in self.text

    def matches(self, name: str) -> bool:
        return _compiled(self._regex).fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command pattern, compiled both ways. `literal` is its value when it has no wildcard."""

    literal: bytes | None
    _grants: bytes | None
    _restrains: bytes | None
    _guards_path: bool
    prefix: bytes
    """What every matching word begins with, as written or normalised."""

    def grants(self, word: bytes) -> bool:
        if self._guards_path and b".." in word.split(b"/"):
            return False
        return self._matches(self._grants, word)

    def restrains(self, word: bytes) -> bool:
        if self._matches(self._restrains, word):
            return True
        return b"/" in word and self._matches(self._restrains, normal(word))

    @property
    def key(self) -> bytes | None:
        """The whole word where it is known and has one spelling, or the folders that it begins with."""
        if self.literal is not None and b"/" not in self.literal:
            return self.literal
        folders = _folders(self.prefix)
        return folders[-1] if folders else None

    def _matches(self, regex: bytes | None, word: bytes) -> bool:
        return word == self.literal if regex is None else _compiled(regex).fullmatch(word) is not None


def normal(path: bytes) -> bytes:
    """Without `.`, `..` and doubled slashes; POSIX lets `//` at the start stand, Linux reads it as `/`."""
    normal = posixpath.normpath(path)
    return normal[1:] if normal.startswith(b"//") else normal


@dataclass(frozen=True, slots=True)
class CommandPattern:
    """A pattern over argv. `words` is empty for the pattern `**`, which is any command at all."""

    text: str
    words: tuple[Word, ...]
    rest: bool

    @property
    def program(self) -> bytes | None:
        """The basename that a matching program must have, or None when it may have any."""
        name = self.words[0].literal if self.words else None
        return None if name is None else base_name(name)

    @property
    def arguments(self) -> tuple[ArgumentKey, ...]:
        """What is known of the arguments of every matching command; each is one of its `argument_keys`."""
        places = enumerate(self.words[1:_MAX_PLACES], 1)
        return tuple((at, key) for at, word in places if (key := word.key) is not None)

    def grants(self, argv: Sequence[bytes]) -> bool:
        """Whether an allow or approve rule covers the command."""
        if not self.words:
            return self.rest
        if len(argv) < len(self.words) or (len(argv) > len(self.words) and not self.rest):
            return False
        pairs = zip(self.words[1:], argv[1:], strict=False)
        return self._name_grants(argv[0]) and all(pattern.grants(word) for pattern, word in pairs)

    def restrains(self, argv: Sequence[bytes]) -> bool:
        """Whether a deny or approve rule holds the command back."""
        if len(argv) < len(self.words):
            return False
        if not self.words:
            return True
        pairs = zip(self.words[1:], argv[1:], strict=False)
        return self._name_restrains(argv[0]) and all(pattern.restrains(word) for pattern, word in pairs)

    def _name_grants(self, name: bytes) -> bool:
        word = self.words[0]
        if word.grants(name):
            return True
        directory, slash, base = name.rpartition(b"/")
        return directory + slash in SYSTEM_DIRECTORIES and word.grants(base)

    def _name_restrains(self, name: bytes) -> bool:
        """A rule that spells a path out still holds back the bare name: PATH may well lead there."""
        word = self.words[0]
        if word.restrains(name) or word.restrains(base_name(name)):
            return True
        return b"/" not in name and word.literal is not None and base_name(word.literal) == name


def argument_keys(argv: Sequence[bytes]) -> set[ArgumentKey]:
    """All that a pattern matching this command can have among its `arguments`."""
    keys: set[ArgumentKey] = set()
    for at, word in enumerate(argv[1:_MAX_PLACES], 1):
        for spelling in (word, normal(word)):
            keys.add((at, spelling))
            keys.update((at, folder) for folder in _folders(spelling))
    return keys


def _folders(path: bytes) -> list[bytes]:
    """The beginnings of `path` that end in a slash, at most the first sixteen."""
    found: list[bytes] = []
    at = path.find(b"/")
    while at >= 0 and len(found) < _MAX_FOLDERS:
        found.append(path[: at + 1])
        at = path.find(b"/", at + 1)
    return found


def base_name(name: bytes) -> bytes:
    """The last part of a program's name; of `rm/`, still `rm`."""
    return posixpath.basename(name.rstrip(b"/"))


def command_pattern(text: str) -> CommandPattern:
    """Read `text`. Raises BadPattern."""
    words = _split(text)
    rest = bool(words) and words[-1] == [None, None]
    words = words[:-1] if rest else words
    if not words and not rest:
        raise BadPattern("a command pattern can not be empty")
    return CommandPattern(text, tuple(_word(pieces, first=at == 0) for at, pieces in enumerate(words)), rest)


def _split(text: str) -> list[list[str | None]]:
    """Words of pieces: a literal character, or None for a `*`."""
    words: list[list[str | None]] = []
    current: list[str | None] | None = None
    quote = ""
    characters = iter(text)
    for character in characters:
        if quote:
            if character == quote:
                quote = ""
            elif current is not None:
                current.append(character)
            continue
        if character in " \t\n":
            current = None
            continue
        if current is None:
            words.append(current := [])
        if character in "'\"":
            quote = character
        elif character == "\\":
            following = next(characters, None)
            if following is None:
                raise BadPattern("a backslash at the end")
            current.append(following)
        else:
            current.append(None if character == _STAR else character)
    if quote:
        raise BadPattern(f"a quote {quote} that is not closed")
    return words


def _word(pieces: list[str | None], *, first: bool) -> Word:
    stars = _runs_of_stars(pieces)
    if any(length > 2 for _, length in stars):
        raise BadPattern("no more than two stars in a row")
    if pieces == [None, None]:
        raise BadPattern("** stands for all the rest, so it comes last")
    if any(length == 2 and at + 2 != len(pieces) for at, length in stars):
        raise BadPattern("** stands for the rest of a word, so it comes last in it")
    if not stars:
        if first and not pieces:
            raise BadPattern("a program's name can not be empty")
        literal = "".join(piece or "" for piece in pieces).encode()
        return Word(literal, None, None, False, literal)
    alone = len(pieces) == 1 and not first
    ends_with_rest = stars[-1][1] == 2
    body = pieces[:-2] if ends_with_rest else pieces
    # A wildcard among a program's name never crosses a slash: `git*` is a name, and no path.
    star = "." if alone else "[^/]"
    literals = [re.escape(part) for part in "".join(_BREAK if piece is None else piece for piece in body).split(_BREAK)]
    narrow = _regex(literals, star, rest=ends_with_rest).encode()
    wide = _regex(literals, ".", rest=ends_with_rest).encode()
    prefix = "".join(piece or "" for piece in pieces[: stars[0][0]]).encode()
    return Word(None, narrow, wide, not alone, prefix)


def _regex(literals: Sequence[str], star: str, *, rest: bool) -> str:
    """The escaped `literals` with any number of `star` between them, and of anything after them if `rest`.

    A client chooses the word, so matching must not backtrack over several stars (8 KiB and five of them would hold up
    everyone). Each middle literal is taken where it first occurs, for good: a later place never leaves more to the
    rest, whether stars cross slashes or not.
    """
    first, *others = literals
    last = [] if rest or not others else [others.pop()]
    middle = "".join(f"(?>{star}*?{literal})" for literal in others)
    return first + middle + "".join(f"{star}*{literal}" for literal in last) + (".*" if rest else "")


def _runs_of_stars(pieces: list[str | None]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for at, piece in enumerate(pieces):
        if piece is not None:
            continue
        if runs and sum(runs[-1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((at, 1))
    return runs
