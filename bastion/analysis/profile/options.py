"""An argv against a profile: which word is an option, which its value, which an operand, and where a command begins.

Styles are told in loader.py. A word that only the target knows may be any option, or several words: it is a doubt at
every place where options are still read, unless the caller vouches (`single`) that it is one word and it stands where
a value is wanted, or what is known of it (outlines.py) fits no option. What may be several words shifts the places of
all others (`many`).

Limits: POSIXLY_CORRECT in the target's environment moves the end of the options; what is then an operand, and no
option, is read as an option here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bastion.analysis.profile.acts import Tally, Word
from bastion.analysis.profile.model import Arity, Option, Style, Unknown, Use
from bastion.characters import briefly

MAX_REASONS = 16
"""Reasons why an argv is undecidable, after which the rest of it is not read: it will not run."""

_ALWAYS = {b"--help": Option(b"--help", ("harmless",), Arity.NONE)}
_ALWAYS[b"--version"] = Option(b"--version", ("harmless",), Arity.NONE)
_HELP = tuple(_ALWAYS.values())
_NUMBER = re.compile(rb"[-+][0-9]+[a-zA-Z]?\Z")
_BOOLEAN = frozenset({b"true", b"false", b"1", b"0"})


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an option: the word without what precedes it, its index in argv, and the bytes that precede it."""

    word: Word
    index: int
    prefix: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """An option that was given."""

    option: Option
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class At:
    """Words in a role, where what follows from them is added, and the option's name (for reasons)."""

    values: tuple[Value, ...]
    tally: Tally
    name: str


@dataclass(slots=True)
class Reading:
    """What the words are. `levels` are the Uses passed through, the subcommand's last; `operands` the indices of the
    last level's; `rest` is set when the last of them begins a command that takes all words from there; `many` is the
    index of the first word that may be several, or none."""

    levels: list[Use]
    commands: list[bytes] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unlisted: bool = False
    doubtful: bool = False
    many: int | None = None
    rest: bool = False

    @property
    def only_asks(self) -> bool:
        """Whether --help or --version is all that is given, which no program takes for anything else."""
        names = [taken.option.name for taken in self.taken]
        return len(names) == 1 and names[0] in _ALWAYS and not (self.operands or self.unknown or self.unlisted)

    @property
    def given(self) -> set[bytes]:
        return {taken.option.name for taken in self.taken}


_NONE: frozenset[int] = frozenset()


def read(
    use: Use,
    argv: Sequence[Word],
    single: frozenset[int] = _NONE,
    plain: frozenset[int] = _NONE,
    globs: Mapping[int, bytes] = MappingProxyType({}),
) -> Reading:
    """Read argv[1:]. Never raises. `single`, `plain`: indices of unknown words that are one word, and no option;
    `globs` outlines of those each of whose words, be they several, fits it."""
    reader = _Reader(use, argv, single, plain, globs)
    reader.run()
    return reader.reading


def could_be_option(outline: bytes, use: Use) -> bool:
    """Whether a word of which only so much is known could be, or hold, an option of this level."""
    begins, _, rest = outline.partition(b"\0")
    if begins[:1] in (b"-", b"+"):
        return True
    if begins:
        words = [option.name.rstrip(b"*") for option in use.known_options if option.name[:1] not in b"-+"]
        return any(name.startswith(begins) or begins.startswith(name) for name in words)
    ends = rest.rpartition(b"\0")[2]
    if use.style is not Style.EXACT or not ends or use.numbers:
        return True
    return any(
        option.name.endswith(ends) or (option.roles[0] != "harmless" and option.arity is Arity.OPTIONAL)
        for option in (*use.options.values(), *_HELP)
    ) or any(option.roles[0] != "harmless" for option in use.prefixes)


class _Reader:
    def __init__(
        self,
        use: Use,
        argv: Sequence[Word],
        single: frozenset[int],
        plain: frozenset[int],
        globs: Mapping[int, bytes],
    ) -> None:
        self.argv = argv
        self.single = single | plain
        self.plain = plain
        self.globs = globs
        self.use = use
        self.at = 1
        self.ended = False
        self.lost = False
        self.reading = Reading([use])

    def run(self) -> None:
        if self.use.bundled and len(self.argv) > 1:
            first = self.argv[1]
            if first and not first.startswith(b"-"):
                self.at = 2
                self._bundle_without_dash(first)
        while self.at < len(self.argv) and not self.reading.rest and len(self.reading.unknown) < MAX_REASONS:
            word = self.argv[self.at]
            self.at += 1
            if word is None:
                self._dynamic()
            elif self.ended:
                if word[:1] not in (b"-", b"+"):
                    # `--` ends what begins with a dash: a word means what it did, and it and its value are words too.
                    here = self.at
                    self._option(word)
                    self.at = here
                self._operand(word)
            elif not self._option(word):
                self._operand(word)

    def _dynamic(self) -> None:
        index = self.at - 1
        self._count(index)
        if not self._no_option(index) and (not self.ended or self.use.operands.rest is not None):
            self._doubt()
        if self.use.commands and not self.reading.operands:
            self.reading.unknown.append("the subcommand is a word that only the target knows")
        self.reading.operands.append(index)
        self._after_operand()

    def _count(self, index: int) -> None:
        """Note the first word that may be several: the places of those that follow are not known."""
        if index not in self.single and index < len(self.argv) and self.reading.many is None:
            self.reading.many = index

    def _no_option(self, index: int) -> bool:
        """Whether an unknown word is surely no option, nor several words where their number matters."""
        if index in self.plain:
            return True
        if index not in self.globs or (index not in self.single and self.use.operands.rest is not None):
            return False
        return not (self.use.bundled and index == 1) and not could_be_option(self.globs[index], self.use)

    def _doubt(self) -> None:
        self.reading.doubtful = True
        if self._chooses():
            self.reading.unknown.append("a word that only the target knows stands before the command that is run")

    def _chooses(self) -> bool:
        """Whether a later word of this level says what is run, so that what stands before it matters."""
        return bool(self.use.commands and not self.reading.operands) or self.use.operands.rest is not None

    def _operand(self, word: bytes) -> None:
        if self.use.commands and not self.reading.operands and not self.lost:
            below = self.use.commands.get(word)
            if below is not None:
                self._descend(word, below)
                return
            if self.use.otherwise is not Unknown.HARMLESS:
                self.ended = True
            if self.use.otherwise is Unknown.UNLISTED:
                self.reading.unlisted = True
            elif self.use.otherwise is Unknown.UNDECIDABLE:
                self.reading.unknown.append("its subcommand is not known")
        self.reading.operands.append(self.at - 1)
        self._after_operand()

    def _descend(self, word: bytes, below: Use) -> None:
        """On to a subcommand's level."""
        self.use = below
        self.ended = False
        self.reading.levels.append(below)
        self.reading.commands.append(word)

    def _after_operand(self) -> None:
        rest = self.use.operands.rest
        if rest is not None and len(self.reading.operands) > rest:
            self.reading.rest = True
        if self.use.style is Style.POSIX:
            self.ended = True

    # -- options -------------------------------------------------------------------------------------------------------

    def _option(self, word: bytes) -> bool:
        """Take `word` as an option, with its values. False when it is an operand."""
        exact = self.use.options.get(word)
        if exact is not None:
            self._take(exact)
            return True
        name, equals, value = word.partition(b"=")
        if equals and (option := self.use.options.get(name)) is not None and len(name) > 2 - (name[:1] not in b"-+"):
            return self._take_joined(option, value, len(name) + 1)
        if word == b"--" and self.use.style is not Style.EXACT:
            self.ended = True
            return True
        for option in self.use.prefixes:
            if word.startswith(option.name[:-1]) and option.name[:1] not in (b"-", b"+"):
                self._note(option, (Value(word[len(option.name) - 1 :], self.at - 1, len(option.name) - 1),))
                return True
        if len(word) < 2 or word[:1] not in (b"-", b"+") or (word[:1] == b"+" and not self._plus()):
            return False
        for option in self.use.prefixes:
            if word.startswith(option.name[:-1]):
                self._note(option, (Value(word[len(option.name) - 1 :], self.at - 1, len(option.name) - 1),))
                return True
        if self.use.numbers and _NUMBER.match(word):
            return True
        if self.use.style is Style.EXACT:
            # Many such programs take two dashes for one.
            other = self.use.options.get(name[1:]) if word.startswith(b"--") else None
            if other is not None and (equals or other.arity is not Arity.REQUIRED):
                self._take_joined(other, value, len(name) + 1) if equals else self._take(other)
            elif name in _ALWAYS:
                self._note(_ALWAYS[name], ())
            else:
                self._not_known(word)
        elif word.startswith(b"--"):
            self._long(name, value if equals else None, len(name) + 1)
        else:
            self._bundle(word)
        return True

    def _plus(self) -> bool:
        return any(option.name.startswith(b"+") for option in self.use.known_options)

    def _long(self, name: bytes, value: bytes | None, prefix: int) -> None:
        option = _ALWAYS.get(name)
        found: list[Option] = []
        if option is None and self.use.style in (Style.GNU, Style.POSIX) and len(name) > 2:
            found = [known for key, known in self.use.options.items() if key.startswith(name)]
            if len(found) == 1:
                option = found[0]
            elif found and {known.roles[0] for known in found} == {"harmless"} and len({k.arity for k in found}) == 1:
                option = Option(name, found[0].roles, found[0].arity)
        if option is None:
            self._not_known(name, ambiguous=bool(found))
        elif value is None:
            self._take(option)
        else:
            self._take_joined(option, value, prefix)

    def _bundle(self, word: bytes) -> None:
        sign = word[:1]
        for position in range(1, len(word)):
            letter = word[position : position + 1]
            option = self.use.options.get(sign + letter)
            if option is None:
                self._not_known(sign + letter)
                return
            rest = word[position + 1 :]
            if option.arity is Arity.NONE:
                self._note(option, ())
            elif rest:
                skipped = 1 if self.use.style is Style.GO and rest.startswith(b"=") else 0
                self._values(option, [Value(rest[skipped:], self.at - 1, position + 1 + skipped)])
                return
            else:
                self._take(option)
                return

    def _bundle_without_dash(self, word: bytes) -> None:
        """tar's old form: `tar cfb FILE 20`: the values follow in the order of the letters."""
        for position in range(len(word)):
            letter = word[position : position + 1]
            option = self.use.options.get(b"-" + letter)
            if option is None:
                self._not_known(b"-" + letter)
                return
            self._take(option)

    def _take_joined(self, option: Option, value: bytes, prefix: int) -> bool:
        if option.arity is Arity.NONE:
            if not (self.use.style is Style.GO and value in _BOOLEAN):
                self._not_known(option.name + b"=")
            self._note(option, ())
        else:
            self._values(option, [Value(value, self.at - 1, prefix)])
        return True

    def _take(self, option: Option) -> None:
        if option.arity is Arity.REQUIRED:
            self._values(option, [])
        else:
            self._note(option, ())

    def _values(self, option: Option, values: list[Value]) -> None:
        """Complete the values of an option with the words that follow. One that is missing is not known."""
        if option.roles[0] == "command-to-semicolon":
            self._to_semicolon(option)
            return
        wanted = len(option.roles) if option.arity is Arity.REQUIRED else 1
        while len(values) < wanted:
            word = self.argv[self.at] if self.at < len(self.argv) else None
            values.append(Value(word, self.at))
            if word is None:
                self._count(self.at)
                if self.at not in self.single and not self._no_option(self.at):
                    self._doubt()
            self.at += 1
        self._note(option, tuple(values))

    def _to_semicolon(self, option: Option) -> None:
        """The words up to `;`, or `{}` `+`: find's -exec. Without an end, or with a dynamic word: all that follow."""
        start = self.at
        while self.at < len(self.argv):
            word = self.argv[self.at]
            self.at += 1
            if word == b";" or (word == b"+" and self.argv[self.at - 2] == b"{}" and self.at - 2 >= start):
                self._note(option, tuple(Value(self.argv[i], i) for i in range(start, self.at)))
                return
        self.reading.unknown.append(f"{option.name.decode()} without its end")
        self._note(option, tuple(Value(self.argv[i], i) for i in range(start, len(self.argv))))

    def _note(self, option: Option, values: tuple[Value, ...]) -> None:
        self.reading.taken.append(Taken(option, values))

    def _not_known(self, name: bytes, *, ambiguous: bool = False) -> None:
        if self.use.unknown is Unknown.HARMLESS:
            return
        if self.use.unknown is Unknown.UNLISTED and self.use.operands.rest is None and not ambiguous:
            self.reading.unlisted = True
            if self.use.commands and not self.reading.operands:
                # Whether the next word is its value or the subcommand is not known: nothing is claimed of either.
                self.lost = True
        else:
            self.reading.unknown.append(f"the option {briefly(name)} is not known, or not unique")
