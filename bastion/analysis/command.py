"""The one intermediate form that the judge and the printer both read, and nothing else.

A text is an Analysis: the simple commands that it would run, in order, and why it is undecidable, if it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in the text that can not be judged, and why. `start` and `end` are byte offsets."""

    start: int
    end: int
    reason: str


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
    None when the text is undecidable."""

    text: bytes
    commands: tuple[Command, ...]
    undecidable: tuple[Finding, ...]
    runs: bytes | None
    categories: frozenset[str] = field(default_factory=frozenset)
