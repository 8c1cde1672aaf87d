"""The patterns of rules: names with `*`, and commands over argv.

A name (identity, target, account, label, claim, environment variable) matches literally, `*` standing for any run of
characters. A command pattern is words; quotes and backslashes make a character of it literal, as in the shell.

    `*`  as a word    any one word                 `**` as the last word     any further words, also none
    `*`  in a word    characters other than `/`    `**` at a word's end      the rest of the word: `/var/log/**`

The two readings of one pattern differ on purpose. `grants` is how allow and approve rules read it: a bare name is the
program found by PATH or in a system directory. `restrains` is how deny and approve rules read it: a name is any program
of that basename, further words always match, and a word that only the target knows may be the one they are about. What
a single word matches is for words.py.

Limits: a deny rule is a second fence, not a wall: `systemctl stop` does not know that `systemctl --no-block stop` is
the same. What keeps a program away is that no rule allows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bastion.analysis.command import Unknown
from bastion.policy.words import BadPattern, Word, compiled, expression, folders_of, normal, split, word_of

SYSTEM_DIRECTORIES = (
    b"/bin/",
    b"/usr/bin/",
    b"/usr/local/bin/",
    b"/sbin/",
    b"/usr/sbin/",
    b"/usr/local/sbin/",
)
"""Where an allow rule's bare name may also be spelled out: the directories of Debian's default PATH."""

_NONE: Mapping[int, Unknown] = {}
_MAX_PLACES = 6

ArgumentKey = tuple[int, bytes]
"""Where a word stands among argv, and the word, or folders that it begins with. What rules are filed under."""


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A name, `*` standing for any run of characters. Case counts."""

    text: str
    _regex: str

    @classmethod
    def of(cls, text: str) -> NamePattern:
        return cls(text, expression([re.escape(part) for part in re.split(r"\*+", text)], ".", rest=False))

    @property
    def literal(self) -> bool:
        return "*" not in self.text

    def matches(self, name: str) -> bool:
        return compiled(self._regex).fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class CommandPattern:
    """A pattern over argv. `words` is empty for the pattern `**`, which is any command at all."""

    text: str
    words: tuple[Word, ...]
    rest: bool
    program: bytes | None
    """The basename that a matching program must have, or None when it may have any."""

    @property
    def any_command(self) -> bool:
        return not self.words

    @property
    def arguments(self) -> tuple[ArgumentKey, ...]:
        """What is known of the arguments of every matching command; each is one of its `argument_keys`."""
        places = enumerate(self.words[1:_MAX_PLACES], 1)
        return tuple((at, key) for at, word in places if (key := word.key) is not None)

    def grants(
        self,
        argv: Sequence[bytes | None],
        unknown: Mapping[int, Unknown] = _NONE,
        dynamic: bool = False,
        below: bool = False,
    ) -> bool:
        """Whether an allow or approve rule covers the command. `unknown` tells of each None in argv, which only a rule
        that is `dynamic` can cover; with `below`, only where a word such as `/var/log/**` takes each of them."""
        if below and not all(0 < at < len(self.words) and self.words[at].below for at in unknown):
            return False
        if not self.words:
            return self.rest and (dynamic or not unknown)
        name = argv[0]
        if name is None or len(argv) < len(self.words) or (len(argv) > len(self.words) and not self.rest):
            return False
        if unknown and not dynamic:
            return False
        return self._name_grants(name) and all(
            pattern.grants_unknown(unknown[at]) if word is None else pattern.grants(word)
            for at, (pattern, word) in enumerate(zip(self.words[1:], argv[1:], strict=False), 1)
        )

    def restrains(self, argv: Sequence[bytes | None], unknown: Mapping[int, Unknown] = _NONE) -> bool:
        """Whether a deny or approve rule holds the command back; a word that is not known may be what it says, and one
        that is not quoted may be none, or several."""
        if not self.words:
            return True
        name = argv[0]
        if name is None or (self.program is not None and self.program != base_name(name)):
            return False
        if not self._name_restrains(name):
            return False
        reached = {1}
        for at, word in enumerate(argv[1:], 1):
            if len(self.words) in reached:
                return True
            if word is not None:
                reached = {place + 1 for place in reached if self.words[place].restrains(word)}
                continue
            known = unknown[at]
            may = {place + 1 for place in reached if self.words[place].restrains_unknown(known)}
            while not known.single and not may <= reached:
                reached |= may
                may = {place + 1 for place in reached - {len(self.words)} if self.words[place].restrains_unknown(known)}
            reached = may if known.single else reached
        return len(self.words) in reached

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


_HOMES = (b"/home/", b"/root/", b"/Users/")
"""Where a folder lies that does not begin at the root, as a rule."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern over one path: `/tmp/**`, `/srv/*/log`, `**` for any. Read narrowly by what allows and widely by what
    holds back, as the words of commands are."""

    text: str
    word: Word | None

    def grants(self, path: bytes | None) -> bool:
        """Whether it covers `path`; one that only the target knows is covered by `**` alone."""
        if self.word is None:
            return True
        return path is not None and self.word.grants(path)

    def restrains(self, path: bytes | None) -> bool:
        """Whether `path` is, or may be, one of these."""
        return self.word is None or path is None or self.word.restrains(path)

    def lies_below(self, folder: bytes | None) -> bool:
        """Whether one of these lies, or may lie, somewhere below `folder`."""
        if self.word is None or folder is None:
            return True
        fixed, wild, _ = self.text.strip("'\"").encode().partition(b"*")
        above = normal(folder).rstrip(b"/") + b"/"
        if not above.startswith(b"/"):
            return not fixed.startswith(b"/") or fixed.startswith(_HOMES)
        return fixed.startswith(above) or (bool(wild) and above.startswith(fixed))


def path_pattern(text: str) -> PathPattern:
    """Read `text`. Raises BadPattern."""
    words = split(text)
    if len(words) != 1:
        raise BadPattern("one path, without blanks (or in quotes)")
    if words == [[None, None]]:
        return PathPattern(text, None)
    return PathPattern(text, word_of(words[0], first=True))


def argument_keys(argv: Sequence[bytes | None], unknown: Mapping[int, Unknown] = _NONE) -> set[ArgumentKey]:
    """All that a pattern granting this command can have among its `arguments`, and one that holds it back too, where
    every word is known."""
    keys: set[ArgumentKey] = set()
    for at, word in enumerate(argv[1:_MAX_PLACES], 1):
        if word is None:
            keys.update((at, folder) for folder in folders_of(unknown[at].prefix))
            continue
        keys.add((at, word))
        if b"/" in word:
            plain = normal(word)
            keys.add((at, plain))
            keys.update((at, folder) for spelling in {word, plain} for folder in folders_of(spelling))
    return keys


def base_name(name: bytes) -> bytes:
    """The last part of a program's name; of `rm/`, still `rm`."""
    return name.rstrip(b"/").rpartition(b"/")[2]


def command_pattern(text: str) -> CommandPattern:
    """Read `text`. Raises BadPattern."""
    words = split(text)
    rest = bool(words) and words[-1] == [None, None]
    words = words[:-1] if rest else words
    if not words and not rest:
        raise BadPattern("a command pattern can not be empty")
    read = tuple(word_of(pieces, first=at == 0) for at, pieces in enumerate(words))
    name = read[0].literal if read else None
    return CommandPattern(text, read, rest, None if name is None else base_name(name))
