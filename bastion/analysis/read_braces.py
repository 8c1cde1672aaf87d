"""Brace expansion, bash(1) EXPANSION: one written word becomes several, each of which is judged by itself.

Expansion comes before everything else and is purely about text, so it is done here and what is printed has no braces
left. A brace that pairs with none is refused; one that holds neither a comma nor a sequence is a plain character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from bastion.analysis.bounds import MAX_LEVELS, MAX_WORDS
from bastion.analysis.tree import Literal, Part


class NotExpandable(ValueError):
    """These braces make too many words, or shells read them differently."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An unquoted `{`, `,` or `}`."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Sequence:
    """`{1..3}`: as written, and what it makes; None when too many, or when shells differ."""

    text: bytes
    values: tuple[bytes, ...] | None


OPEN, COMMA, CLOSE = Mark(b"{"), Mark(b","), Mark(b"}")
Piece: TypeAlias = Part | Mark | Sequence

SEQUENCE = re.compile(
    rb"\{(?:(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})(?:\.\.(-?[0-9]{1,9}))?|([a-z])\.\.([a-z])|([A-Z])\.\.([A-Z]))\}"
)


def sequence(found: re.Match[bytes]) -> tuple[bytes, ...] | None:
    """What a sequence expression makes, zero-padded where an end is; None past MAX_WORDS."""
    if found[1] is None:
        first, last, step, width = (found[4] or found[6])[0], (found[5] or found[7])[0], 1, 0
    else:
        first, last, step = int(found[1]), int(found[2]), abs(int(found[3] or b"1")) or 1
        padded = any(re.match(rb"-?0[0-9]", text) for text in (found[1], found[2]))
        width = max(len(found[1]), len(found[2])) if padded else 0
    if abs(last - first) // step >= MAX_WORDS:
        return None
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if found[1] is None:
        return tuple(bytes([number]) for number in numbers)
    return tuple(b"%0*d" % (width, number) for number in numbers)


def expand(pieces: list[Piece], level: int = 0) -> list[tuple[Part, ...]]:
    """The words that `pieces` make, each as parts; one without parts is no word. Raises NotExpandable."""
    if level > MAX_LEVELS:
        raise NotExpandable(f"braces nested deeper than {MAX_LEVELS} levels")
    made: list[list[Part]] = [[]]
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece == OPEN:
            close, commas = _pair(pieces, at)
            if not commas:
                _append(made, Literal(b"{"))
                continue
            cuts = [at - 1, *commas, close]
            choices = [
                made_inside for low, high in pairwise(cuts) for made_inside in expand(pieces[low + 1 : high], level + 1)
            ]
            made = _product(made, choices)
            at = close + 1
        elif isinstance(piece, Sequence):
            if piece.values is None:
                raise NotExpandable(f"braces that make more than {MAX_WORDS} words")
            made = _product(made, [(Literal(value),) for value in piece.values])
        elif isinstance(piece, Mark):
            _append(made, Literal(piece.text))
        else:
            _append(made, piece)
    return [_joined(parts) for parts in made]


def _pair(pieces: list[Piece], at: int) -> tuple[int, list[int]]:
    """Where the brace that was opened before `at` closes, and the commas of its own level."""
    depth, commas = 1, list[int]()
    for index in range(at, len(pieces)):
        piece = pieces[index]
        if piece == OPEN:
            depth += 1
        elif piece == CLOSE:
            depth -= 1
            if depth == 0:
                return index, commas
        elif piece == COMMA and depth == 1:
            commas.append(index)
    raise NotExpandable("a brace that is not closed")


def _append(made: list[list[Part]], part: Part) -> None:
    for parts in made:
        parts.append(part)


def _product(made: list[list[Part]], choices: list[tuple[Part, ...]]) -> list[list[Part]]:
    if len(made) * len(choices) > MAX_WORDS:
        raise NotExpandable(f"braces that make more than {MAX_WORDS} words")
    return [[*parts, *choice] for parts in made for choice in choices]


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Neighbouring literals as one."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, Literal) and joined and isinstance(joined[-1], Literal):
            joined[-1] = Literal(joined[-1].value + part.value)
        else:
            joined.append(part)
    return tuple(joined)
