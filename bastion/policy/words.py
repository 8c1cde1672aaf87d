"""One word of a pattern: its wildcards, and what a path comes to.

    `*`  as a word    any one word                 `**` at a word's end      the rest of the word: `/var/log/**`
    `*`  in a word    characters other than `/`

`grants` is how allow and approve rules read a word, and errs towards no: nothing with a `..` in it, or that goes by a
link of /proc, matches a wildcard beside a `/`. `restrains` is how deny and approve rules read it, and errs towards yes:
`*` also crosses `/`, and paths match as written or normalised.

Limits: a path is text. Links on the target, its working directory and case-insensitive file systems are unknown here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import AnyStr

from bastion.analysis.command import Unknown

_STAR = "*"
_BREAK = "\0"
_MAX_FOLDERS = 16
_HIDDEN_PARENT = re.compile(rb"(?:\A|/)\.[^/]*[*?\[]")
"""A glob such as `.*`, which finds `..` in shells before bash 5.2."""


@lru_cache(maxsize=1 << 16)
def compiled(regex: AnyStr) -> re.Pattern[AnyStr]:
    """Compiled when first asked: most of a large policy's patterns never are, and a reload should not wait for them."""
    return re.compile(regex, re.DOTALL)


class BadPattern(ValueError):
    """The pattern can not be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command pattern, compiled both ways. `literal` is its value when it has no wildcard."""

    literal: bytes | None
    _grants: bytes | None
    _restrains: bytes | None
    _guards_path: bool
    below: bool
    prefix: bytes
    """What every matching word begins with, as written or normalised."""

    def grants(self, word: bytes) -> bool:
        if self._guards_path and detour(word):
            return False
        return self._matches(self._grants, word)

    def grants_unknown(self, word: Unknown) -> bool:
        """Whether whatever this turns out to be is covered: `*` takes any one word, `/var/log/**` any path that a glob
        below it finds."""
        if self.literal is None and not self._guards_path:
            return word.single
        if not self.below or not word.glob or detour(word.text) or _HIDDEN_PARENT.search(word.text):
            return False
        return word.prefix.startswith(self.prefix) and self._matches(self._grants, word.text)

    def restrains_unknown(self, word: Unknown) -> bool:
        """Whether this could turn out to be what a deny or approve rule is about."""
        if not word.glob or b".." in word.text:
            return True
        if self.prefix.startswith(b"/") and not word.text.startswith(b"/"):
            return False  # what a glob finds begins as it does: no path from the root
        return any(
            start.startswith(self.prefix) or self.prefix.startswith(start)
            for start in (word.prefix, normal(word.prefix))
        )

    def restrains(self, word: bytes) -> bool:
        if self._matches(self._restrains, word):
            return True
        return b"/" in word and self._matches(self._restrains, normal(word))

    @property
    def key(self) -> bytes | None:
        """The whole word where it is known and has one spelling, or the folders that it begins with."""
        if self.literal is not None and b"/" not in self.literal:
            return self.literal
        folders = folders_of(self.prefix)
        return folders[-1] if folders else None

    def _matches(self, regex: bytes | None, word: bytes) -> bool:
        return word == self.literal if regex is None else compiled(regex).fullmatch(word) is not None


_DETOUR = re.compile(
    rb"(?:/proc/[^/]+(?:/task/[^/]+)?/(?:root|cwd|exe|fd|map_files)|/dev/(?:fd|std(?:in|out|err)))(?:/|\Z)"
)
_ROOT_AGAIN = re.compile(rb"/proc/[^/]+(?:/task/[^/]+)?/root(?=/|\Z)")


def normal(path: bytes) -> bytes:
    """Without `.`, `..`, doubled slashes and `/proc/self/root`; POSIX lets `//` at the start stand, Linux reads it as
    `/`."""
    normal = posixpath.normpath(path)
    if normal.startswith(b"//"):
        normal = normal[1:]
    while found := _ROOT_AGAIN.match(normal):
        normal = posixpath.normpath(b"/" + normal[found.end() :].lstrip(b"/"))
    return normal


def detour(path: bytes) -> bool:
    """Whether a path leads elsewhere than it says: by `..`, or by the links that the kernel keeps in /proc and /dev."""
    return b".." in path.split(b"/") or _DETOUR.search(re.sub(rb"/+(?:\./+)*", b"/", path)) is not None


def folders_of(path: bytes) -> list[bytes]:
    """The beginnings of `path` that end in a slash, at most the first sixteen."""
    found: list[bytes] = []
    at = path.find(b"/")
    while at >= 0 and len(found) < _MAX_FOLDERS:
        found.append(path[: at + 1])
        at = path.find(b"/", at + 1)
    return found


def split(text: str) -> list[list[str | None]]:
    """Words of pieces: a literal character, or None for a `*`. Raises BadPattern."""
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


def word_of(pieces: list[str | None], *, first: bool) -> Word:
    """One word. `first`: it is a program's name or a path, and so not empty. Raises BadPattern."""
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
        return Word(literal, None, None, False, False, literal)
    alone = len(pieces) == 1 and not first
    ends_with_rest = stars[-1][1] == 2
    body = pieces[:-2] if ends_with_rest else pieces
    # A wildcard among a program's name never crosses a slash: `git*` is a name, and no path.
    star = "." if alone else "[^/]"
    literals = [re.escape(part) for part in "".join(_BREAK if piece is None else piece for piece in body).split(_BREAK)]
    narrow = expression(literals, star, rest=ends_with_rest).encode()
    wide = expression(literals, ".", rest=ends_with_rest).encode()
    prefix = "".join(piece or "" for piece in pieces[: stars[0][0]]).encode()
    below = ends_with_rest and len(stars) == 1 and prefix.endswith(b"/")
    return Word(None, narrow, wide, not alone, below, prefix)


def expression(literals: Sequence[str], star: str, *, rest: bool) -> str:
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
