"""What a pattern is made of: the tree between its text and RE2, and what can be known from it without any input.

A tree knows its shortest and longest match, and can be turned into the pattern of its own beginnings (`begun`): all
that stands at the end of a stream when a match has begun there and is not whole yet. That is how a masker knows,
exactly, what it must still hold.

Everything is of bytes. The longest match of a tree is finite by construction: a repetition always has an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_


@dataclass(frozen=True, slots=True)
class Chars:
    """One byte out of a set, whose members are the bits of `of`."""

    of: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place and no byte: `\\b`, `\\B`, `^` for the beginning of a line, `z` for the end of the stream."""

    sign: str


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other. An empty one is the empty text."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first that fits, in this order."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` times, as often as it fits. Only `loosened` makes one without an end, whose `high` is ENDLESS."""

    part: Node
    low: int
    high: int


Node = Chars | Assertion | Row | Choice | Repeat

ENDLESS = 1 << 30
EMPTY = Row(())
_DIGITS = sum(1 << byte for byte in b"0123456789")
LONG_ROW = 64
"""Parts of a row up to which its beginnings are nested in each other."""
COUNTED = 4
"""Repetitions up to so many stay as they are when a tree is loosened."""
LOOSE = 6
"""Members of a set, digits not counted, from which on it says little of where it is."""
_SIGNS = {"b": r"\b", "B": r"\B", "^": "(?m:^)", "z": r"\z"}


def sequence(parts: Sequence[Node]) -> Node:
    """The parts in order; sequences within it are laid flat."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Row) else (part,))
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def shortest(node: Node) -> int:
    """Bytes of the shortest match."""
    match node:
        case Chars():
            return 1
        case Assertion():
            return 0
        case Row(parts):
            return sum(shortest(part) for part in parts)
        case Choice(parts):
            return min(shortest(part) for part in parts)
        case Repeat(part, low, _):
            return low * shortest(part)


def longest(node: Node) -> int:
    """Bytes of the longest match."""
    match node:
        case Chars():
            return 1
        case Assertion():
            return 0
        case Row(parts):
            return sum(longest(part) for part in parts)
        case Choice(parts):
            return max(longest(part) for part in parts)
        case Repeat(part, _, high):
            return high * longest(part)


def head(node: Node, most: int) -> Node:
    """What every match begins with, of at most `most` bytes; the node itself where no match is longer."""
    if longest(node) <= most:
        return node
    match node:
        case Row(parts):
            kept: list[Node] = []
            for part in parts:
                kept.append(head(part, most))
                most -= longest(part)
                if most < 0:
                    break
            return sequence(kept)
        case Choice(parts):
            return Choice(tuple(head(part, most) for part in parts))
        case Repeat(part, low, _):
            times = most // longest(part)
            if times == 0 and low > 0:
                return head(part, most)
            return Repeat(part, min(low, times), times)
    return EMPTY


def core(node: Node) -> Node:
    """What stands in every match, from the byte before what is first known on: `[a-z]@home` of `[a-z]{3,9}@home`.
    The node itself where it begins with something known. A core's automaton has no states for words in which a match
    may have begun, and that is nearly every word."""
    flat = sequence(node.parts) if isinstance(node, Row) else node
    parts = flat.parts if isinstance(flat, Row) else (flat,)
    at = context = next((at for at, part in enumerate(parts) if shortest(part) or isinstance(part, Repeat)), len(parts))
    while at < len(parts) and _loose(parts[at]):
        at += 1
    if at == context or at == len(parts) or not isinstance(parts[at], Chars | Choice) or not shortest(parts[at]):
        return node
    before = Row(parts[:at])
    return sequence([*([Chars(_ends(before))] if shortest(before) else []), *parts[at:]])


def _loose(node: Node) -> bool:
    """Whether a node says little of where it matches: it takes letters of many kinds."""
    match node:
        case Chars(of):
            return (of & ~_DIGITS).bit_count() >= LOOSE
        case Row(parts) | Choice(parts):
            return all(_loose(part) for part in parts)
        case Repeat(part):
            return _loose(part)
    return False


def _ends(node: Node) -> int:
    """The bytes that a match may end with, as the members of a set."""
    match node:
        case Chars(of):
            return of
        case Choice(parts):
            return reduce(or_, map(_ends, parts), 0)
        case Repeat(part):
            return _ends(part)
        case Row(parts):
            of = 0
            for part in reversed(parts):
                of |= _ends(part)
                if shortest(part):
                    break
            return of
    return 0


def begun(node: Node, more: bool = False) -> Node | None:
    """What matches every beginning of a match, of at least one byte, for which it matters what comes next: those that
    are not whole, or could be longer, or must be followed by something. None where there is none. `more`: whether
    something that matters follows the node."""
    match node:
        case Chars():
            return node if more else None
        case Assertion():
            return None
        case Row(parts):
            return _begun_row(parts, more)
        case Choice(parts):
            choices = tuple(found for part in parts if (found := begun(part, more)) is not None)
            return Choice(choices) if choices else None
        case Repeat(part, _, high):
            return _begun_repeat(part, high, more)


def _begun_row(parts: tuple[Node, ...], more: bool) -> Node | None:
    """Of a long row the beginnings of its first half, or that half and those of the second: a group in a group for each
    of hundreds of letters is deeper than Python goes."""
    if len(parts) > LONG_ROW:
        left, right = parts[: len(parts) // 2], parts[len(parts) // 2 :]
        first, later = _begun_row(left, more or any(map(_matters, right))), _begun_row(right, more)
        whole = None if later is None else sequence([*left, later])
        return Choice((first, whole)) if first is not None and whole is not None else first or whole
    found: Node | None = None
    for part in reversed(parts):
        first = begun(part, more)
        more = more or _matters(part)
        if found is None:
            found = first
        elif isinstance(part, Chars):
            found = sequence([part, Repeat(found, 0, 1)])
        elif first is None:
            found = sequence([part, found])
        else:
            found = Choice((first, sequence([part, found])))
    return found


def _begun_repeat(part: Node, high: int, more: bool) -> Node | None:
    inner, last = begun(part, True), begun(part, more)
    if high == ENDLESS:
        return None if inner is None else sequence([Repeat(part, 0, ENDLESS), inner])
    choices: list[Node] = []
    if inner is not None and high > 1:
        choices.append(sequence([Repeat(part, 0, high - 2), inner]) if high > 2 else inner)
    if last is not None:
        choices.append(sequence([Repeat(part, high - 1, high - 1), last]) if high > 1 else last)
    return Choice(tuple(choices)) if choices else None


def _matters(node: Node) -> bool:
    """Whether a node looks at what follows: takes bytes, or asks for the end of a word or of the stream."""
    match node:
        case Assertion(sign):
            return sign != "^"
        case Row(parts) | Choice(parts):
            return any(_matters(part) for part in parts)
        case Repeat(part):
            return _matters(part)
    return True


def loosened(node: Node, most: int = 1, digits: int = 1) -> Node:
    """The same with long repetitions made endless, from `most` (of digits: `digits`) or what it was: it matches more,
    and its automaton has fewer counters in it, which makes it small enough to be run over every piece."""
    match node:
        case Row(parts):
            return Row(tuple(loosened(part, most, digits) for part in parts))
        case Choice(parts):
            return Choice(tuple(loosened(part, most, digits) for part in parts))
        case Repeat(Chars(of), low, high) if high > COUNTED:
            return Repeat(Chars(of), min(low, most if of & ~_DIGITS else digits), ENDLESS)
        case Repeat(part, low, high) if high > COUNTED:
            return Repeat(loosened(part, most, digits), min(low, most), ENDLESS)
        case Repeat(part, low, high):
            return Repeat(loosened(part, most, digits), low, high)
    return node


def written(node: Node) -> str:
    """The pattern's text for RE2, in which bytes are Latin-1 characters. It has no groups that are remembered."""
    match node:
        case Chars(of):
            return _written_set(of)
        case Assertion(sign):
            return _SIGNS[sign]
        case Row(parts):
            return "".join(f"(?:{written(part)})" if isinstance(part, Choice) else written(part) for part in parts)
        case Choice(parts):
            return "|".join(written(part) for part in parts)
        case Repeat(part, low, high):
            text = written(part) if isinstance(part, Chars) else f"(?:{written(part)})"
            return text + _written_times(low, high)


def _written_times(low: int, high: int) -> str:
    if high == ENDLESS:
        return f"{{{low},}}" if low > 1 else "+" if low else "*"
    if (low, high) == (0, 1):
        return "?"
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"


@lru_cache(maxsize=4096)
def _written_set(of: int) -> str:
    """Kept: sets are few, and the beginnings of a pattern have each of them many times."""
    members = [byte for byte in range(256) if of >> byte & 1]
    if len(members) == 1:
        return f"\\x{members[0]:02x}"
    ranges: list[list[int]] = []
    for byte in members:
        if ranges and ranges[-1][1] == byte - 1:
            ranges[-1][1] = byte
        else:
            ranges.append([byte, byte])
    return "[" + "".join(f"\\x{low:02x}-\\x{high:02x}" for low, high in ranges) + "]"
