"""RE2, as the rest of this folder uses it: bytes are Latin-1, groups are few, memory has an end.

RE2 takes time that is linear in the text for every pattern, which is why patterns of a policy may be run on what a
stranger prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import re2

from bastion.masking.pattern import BadPattern

_MEMORY = 64 << 20
"""Bytes for one compiled pattern: with less, RE2 throws its automaton away again and again, and gets slow."""


TOO_LARGE = "the patterns are too large together: use fewer of them, or shorter ones"


class Found(Protocol):
    """A match."""

    def span(self, group: int = 0) -> tuple[int, int]: ...


class Search(Protocol):
    """A compiled pattern."""

    def search(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> Found | None: ...
    def match(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> Found | None: ...


class Which(Protocol):
    """A compiled set of patterns: the indices of those that match somewhere in the text."""

    def Match(self, text: bytes) -> list[int] | None: ...  # noqa: N802 (the library's name)


def _options(captures: bool) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = not captures
    options.max_mem = _MEMORY
    options.log_errors = False
    return options


def compiled(text: str, *, captures: bool = False) -> Search:
    """The pattern, or BadPattern where RE2 refuses it (too large, mostly)."""
    try:
        found: Search = re2.compile(text.encode("latin-1"), _options(captures))
    except re2.error as error:
        raise BadPattern(f"RE2 refuses it: {_told(error)}") from None
    return found


def which(texts: Sequence[str]) -> Which:
    """All the patterns at once, or BadPattern where RE2 refuses them."""
    made = re2.Set.SearchSet(_options(captures=False))
    try:
        for text in texts:
            made.Add(text.encode("latin-1"))
        made.Compile()
    except re2.error:
        raise BadPattern(TOO_LARGE) from None
    found: Which = made
    return found


def _told(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("latin-1") if isinstance(said, bytes) else str(said)
