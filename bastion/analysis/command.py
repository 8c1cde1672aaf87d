"""The one intermediate form that the judge and the printer both read, and nothing else.

A text is an Analysis: the simple commands that it would run, in order, and why it is undecidable, if it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FindingKind(StrEnum):
    """Why a place is undecidable: the text is not understood, or it is and names a program that acts on its own."""

    UNREADABLE = "unreadable"
    TAKES_COMMANDS = "takes-commands"


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in the text that can not be judged, and why. `start` and `end` are byte offsets."""

    start: int
    end: int
    reason: str
    kind: FindingKind = FindingKind.UNREADABLE


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command. A word of `argv` is its literal value, or None where only the target could know it.

    argv[0] is the program's name and always literal when the analysis is decidable. Values are bytes: a word is
    whatever the shell would pass on, and need not be UTF-8.
    """

    argv: tuple[bytes | None, ...]
    environment: tuple[tuple[bytes, bytes | None], ...] = ()
    redirections: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a text would do. `runs` is what may be sent to the target: printed from the tree, never the client's text;
    None when any of the text is unreadable.

    A program that takes commands itself (a shell, sudo, an editor) is a finding too, but one of kind TAKES_COMMANDS:
    its text was read and printed, and a rule that says `interactive: true` may let it run.
    """

    text: bytes
    commands: tuple[Command, ...]
    undecidable: tuple[Finding, ...]
    runs: bytes | None
    categories: frozenset[str] = field(default_factory=frozenset)

    @property
    def unreadable(self) -> Finding | None:
        """The first place that was not understood; while there is one, nothing of the text may run."""
        return next((found for found in self.undecidable if found.kind is FindingKind.UNREADABLE), None)

    @property
    def takes_commands(self) -> Finding | None:
        """The first program that would run or read further commands, which this analysis has not judged."""
        return next((found for found in self.undecidable if found.kind is FindingKind.TAKES_COMMANDS), None)
