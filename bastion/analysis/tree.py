"""The one intermediate form of shell text: what the reader builds, and what judge and printer both read.

It holds less than the shell's grammar, on purpose: what has no place here can not be printed, so it can not run. Two
texts that mean the same have the same tree: quoting is gone (a literal is its value), braces are expanded, backticks
are substitutions, `|&` and `&>` are the redirections that they stand for.

Every class is a value. Offsets (`start`, `end`, in bytes of the text that was read) are for findings only and do not
take part in comparison: the tree of a printed text equals the tree that it was printed from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

# -- words


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that the shell passes on as they are. Printed in single quotes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Parameter:
    """`${inner}`; `inner` has passed an allow-list (read_parameters.py). `quoted`: inside double quotes."""

    inner: bytes
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(script)`, also where it was written with backticks."""

    script: Script
    quoted: bool


@dataclass(frozen=True, slots=True)
class Process:
    """`<(script)` or `>(script)`; `direction` is b"<" or b">"."""

    direction: bytes
    script: Script


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((text))` over numbers only: no name whose value would be evaluated in turn."""

    text: bytes
    quoted: bool


@dataclass(frozen=True, slots=True)
class Glob:
    """`*`, `?` or a bracket set, left unquoted."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Tilde:
    """`~` or `~user` where the shell expands it, `~+` and `~-` where some do; what follows is nothing or begins with
    `/` (or `:`)."""

    user: bytes


@dataclass(frozen=True, slots=True)
class ShellText:
    """A literal word that a shell will read as a script: judged, and printed again from its own tree. `by_input`: it
    reads it from its standard input, which has a form of its own (walk_input.py); `posix`: for that shell's syntax.
    `printed`: the text of the script, where it was printed before; texts inside one another are printed once each."""

    script: Script
    by_input: bool = False
    posix: bool = False
    printed: bytes = field(default=b"", compare=False)


Part: TypeAlias = Literal | Parameter | Substitution | Process | Arithmetic | Glob | Tilde | ShellText

_ALWAYS_ONE = frozenset({b"#", b"?", b"$"})


@dataclass(frozen=True, slots=True)
class Word:
    """Parts that stand side by side. Without parts it is no word at all, and is not built."""

    parts: tuple[Part, ...]

    @property
    def literal(self) -> bytes | None:
        """The value, or None where only the target could know it."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Literal):
            return self.parts[0].value
        return None

    @property
    def single(self) -> bool:
        """Whether this is exactly one word to the program, whatever its value turns out to be."""
        return all(_single(part) for part in self.parts)


def _single(part: Part) -> bool:
    match part:
        case Literal() | Process() | ShellText() | Tilde():
            return True
        case Parameter(inner, quoted):
            many = inner[:1] in (b"@", b"*") or b"[@]" in inner or b"[*]" in inner
            return inner in _ALWAYS_ONE or inner[:1] == b"#" or (quoted and not many)
        case Substitution() | Arithmetic():
            return part.quoted
        case Glob():
            return False


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value`, `name+=value` or `name=(values)`. `elements` is None unless it is an array."""

    name: bytes
    append: bool
    value: Word | None
    elements: tuple[Word, ...] | None = None


@dataclass(frozen=True, slots=True)
class Redirection:
    """`descriptor operator target`; the descriptor is b"" for the operator's own. A here-document is a `<<<`."""

    descriptor: bytes
    operator: bytes
    target: Word


# -- commands


@dataclass(frozen=True, slots=True)
class Simple:
    """A program with its words, or assignments alone, or redirections alone."""

    words: tuple[Word, ...]
    assignments: tuple[Assignment, ...] = ()
    redirections: tuple[Redirection, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Declaration:
    """`export`, `readonly`, `local`, `declare`, `typeset`: their `name=value` must stay unquoted up to the `=`."""

    name: bytes
    options: tuple[bytes, ...]
    arguments: tuple[Assignment | bytes, ...]
    redirections: tuple[Redirection, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Test:
    """`[[ … ]]` in source order: bytes are operators, words are operands, the word after `==` or `!=` a pattern."""

    tokens: tuple[bytes | Word, ...]
    redirections: tuple[Redirection, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """`{ …; }`"""

    body: Script
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class Subshell:
    """`( … )`"""

    body: Script
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class If:
    """Each branch is a condition and what it leads to; `otherwise` is the else branch."""

    branches: tuple[tuple[Script, Script], ...]
    otherwise: Script | None
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    """`for name in words`, or `select`. Without `in` the words are `"$@"`."""

    name: bytes
    words: tuple[Word, ...]
    body: Script
    select: bool = False
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class While:
    """`while condition`, or `until`."""

    condition: Script
    body: Script
    until: bool = False
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Each item: patterns, what they lead to, and how it ends (`;;`, `;&` or `;;&`)."""

    subject: Word
    items: tuple[tuple[tuple[Word, ...], Script, bytes], ...]
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """`name() body`; redirections are the body's."""

    name: bytes
    body: Command
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Coproc:
    """`coproc` before a simple command."""

    command: Simple


Command: TypeAlias = Simple | Declaration | Test | Group | Subshell | If | For | While | Case | Function | Coproc


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`[time [-p]] [!] a | b`. `timed` is the words that were written, or empty."""

    commands: tuple[Command, ...]
    negated: bool = False
    timed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class AndOr:
    """`a && b || c`, left to right. `background`: followed by `&`."""

    first: Pipeline
    rest: tuple[tuple[bytes, Pipeline], ...] = ()
    background: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """A list of commands; may be empty (`$()`)."""

    items: tuple[AndOr, ...]
