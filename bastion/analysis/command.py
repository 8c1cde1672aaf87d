"""What the analysis answers, and policy judges: the simple commands that a text would run, in order, with what is known
of each, and why it is undecidable, if it is. The tree that they are made from, and the text to run printed from, is in
tree.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bastion.analysis.profile.acts import Acts


class FindingKind(StrEnum):
    """What is found at a place.

    UNREADABLE: it is not understood, or not known what it would run; nothing of the text may run.
    TAKES_COMMANDS: it was read and printed, and is a program that acts on its own.
    UNKNOWN: it was read and printed, and what the program does with these arguments is not known.
    EFFECT: a category of what it does; not a reason by itself to hold anything back.
    """

    UNREADABLE = "unreadable"
    TAKES_COMMANDS = "takes-commands"
    UNKNOWN = "unknown"
    EFFECT = "effect"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier texts of the same shell have left to this one: any variable may be an array, the shell may be in any
    of `folders` (b"\\0" for anywhere), and it reads its commands from a channel of its own."""

    folders: tuple[bytes, ...] = ()


ANYWHERE = b"\0"
"""A folder that is not known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in the text, and what is to be said of it. `start` and `end` are byte offsets; a finding inside a text
    that another program reads has the place of that program. `technique` is an id of MITRE ATT&CK.
    `command` is the index in Analysis.commands of the command that it is about, -1 where it is about the text."""

    start: int
    end: int
    reason: str
    kind: FindingKind = FindingKind.UNREADABLE
    category: str = ""
    technique: str = ""
    command: int = -1


@dataclass(frozen=True, slots=True)
class SqlFinding:
    """Literal SQL that a client program is given. `kinds` are those of sql.KINDS; `undecidable` says why that is not
    all that is known of it, if it is not. `command` is the index of that program in Analysis.commands."""

    dialect: str
    text: bytes
    kinds: frozenset[str]
    undecidable: tuple[str, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    command: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What is known of a word that only the target knows: the word at `index` of a command's argv.

    `single`: it is exactly one word, whatever its value; otherwise it may be none, or several. `prefix`: what each
    word that it becomes begins with. `glob`: it is made of literals and of `*`, `?` and bracket sets only, so it
    becomes paths that exist and match it, or stays as it was written; `text` is it then, as written. `outline` is all
    of its known text, with b"\\0" for each part that is not known; empty when none is.
    """

    index: int
    single: bool = False
    prefix: bytes = b""
    glob: bool = False
    text: bytes = b""
    outline: bytes = b""


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command. A word of `argv` is its literal value, or None where only the target could know it; one that
    is not quoted may turn out to be none, or several.

    argv[0] is the program's name and always literal when the analysis is decidable. Values are bytes: a word is
    whatever the shell would pass on, and need not be UTF-8. argv is empty for assignments or redirections alone, and
    begins with `[[` for such a test.

    `redirections` are those that open a file (`2>&1` does not), without their descriptor; those of the compound
    commands around it are among them. `stdin` is its standard input where the text says it. `via` are the programs
    through which it is reached, outermost first. `acts` is what its program's profile says, None where no program is
    called. `unknown` tells of each None in argv. `index` is its place in Analysis.commands. `function`: it calls a
    function that the text has surely defined by then, so no program.
    """

    argv: tuple[bytes | None, ...]
    environment: tuple[tuple[bytes, bytes | None], ...] = ()
    redirections: tuple[tuple[str, bytes | None], ...] = ()
    stdin: bytes | None = None
    via: tuple[bytes, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    acts: Acts | None = field(default=None, compare=False, repr=False)
    unknown: tuple[Unknown, ...] = field(default=(), compare=False)
    index: int = field(default=-1, compare=False)
    function: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a text would do. `runs` is what may be sent to the target: printed from the tree, never the client's text;
    None when any of the text is unreadable.

    `commands` are all simple commands, those in substitutions and in shells' arguments included, in the order of the
    text. `undecidable` are the reasons why that may not be all; `findings` the effects that are known.

    A program that takes commands itself (a shell, sudo, an editor) is a finding too, but one of kind TAKES_COMMANDS:
    its text was read and printed, and a rule that says `interactive: true` may let it run.

    `wants_stdin`: the only doubt is that one shell, or one client of SQL, reads commands from the text's standard
    input, so that with it (analyse's `stdin`) there would be none. `stdin_used`: that input was given and read as such;
    it is part of `runs`, and none of it may be sent.
    """

    text: bytes
    commands: tuple[Command, ...]
    undecidable: tuple[Finding, ...]
    runs: bytes | None
    categories: frozenset[str] = field(default_factory=frozenset)
    sql: tuple[SqlFinding, ...] = ()
    findings: tuple[Finding, ...] = ()
    wants_stdin: bool = False
    stdin_used: bool = False

    @property
    def unreadable(self) -> Finding | None:
        """The first place that was not understood; while there is one, nothing of the text may run."""
        return next((found for found in self.undecidable if found.kind is FindingKind.UNREADABLE), None)

    @property
    def takes_commands(self) -> Finding | None:
        """The first program that would run or read further commands, or of whose use it is not known that it would
        not; this analysis has not judged them."""
        return next((found for found in self.undecidable if found.kind is not FindingKind.UNREADABLE), None)
