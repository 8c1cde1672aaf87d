"""Which detectors are worth running over a piece: one look for all of them, that may say too much and never too little.

Nearly all of what machines print has nothing in it, so this look decides how fast the whole is. It runs one automaton
for the patterns of all detectors, in which repetitions have no upper end, and a low lower one (COUNT_SOME). Of a match
of more than HEAD bytes it knows the beginning only; of one that begins with any letters, only what comes after them
(`core`). That leaves out most of its states, and what is left still tells a secret from ordinary text. The states are
built as texts need them, so that the first megabytes are slower than what follows, and random letters (base 64) are
slower than words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bastion.masking.engine import TOO_LARGE, which
from bastion.masking.pattern import BadPattern, Pattern
from bastion.masking.tree import Node, Row, core, head, longest, loosened, shortest, written

SEGMENT = 4096
"""Bytes that are looked at together: a detector that is run is run over so many."""
HEAD = 256
"""Bytes of a match by which it is found: the less, the fewer are looked at twice, at the ends of segments."""
FEW = 2
"""Detectors that are run over a whole piece; with more of them, all are looked for in its segments first."""
LEAST = 4
"""Bytes that a beginning must have to stand for the whole."""
COUNT_SOME, COUNT_DIGITS = 3, 13
"""What a repetition has as its lower end at most, and one of digits (a card). A repetition of a repetition keeps more,
for patterns whose beginning is in many words."""
_TRIAL = b"\x00is-the-look-at-work\x00"


Range = tuple[int, int]


class Finder:
    """Made once a plan."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        heads = [_head(pattern) for pattern in patterns]
        texts = [written(loosened(_told_by(node), COUNT_SOME, COUNT_DIGITS)) for node in heads]
        self._reach = max((longest(node) for node in heads), default=0) + 1
        """Bytes from where a match begins to the last that tells of it."""
        self._set = which([*texts, _TRIAL.decode()])
        self._count = len(texts)
        # RE2 says nothing when it has too little memory: then it finds nothing, and that would be shown as it is.
        if self._count not in (self._set.Match(_TRIAL) or ()):
            raise BadPattern(TOO_LARGE)

    def candidates(self, text: bytes, at: int = 0, dense: bool = True) -> Mapping[int, Sequence[Range]]:
        """All detectors that can match somewhere in the text from `at` on, by index in their order, each with the
        ranges in which such a match begins. Where not much is expected (not `dense`), one look at the whole, in which
        no byte is looked at twice, comes before that at each segment. Where it finds few detectors, those are faster
        run over it than all of them over each segment: then their ranges are wider, and hold the same matches."""
        if not dense:
            found = self._matching(text[max(at - 1, 0) :])
            if len(found) <= FEW:
                return {index: [(at, len(text))] for index in found}
        ranges: dict[int, list[Range]] = {}
        for begin in range(at, len(text), SEGMENT):
            end = min(begin + SEGMENT, len(text))
            for index in self._matching(text[max(begin - 1, 0) : end + self._reach]):
                known = ranges.setdefault(index, [])
                joins = known and known[-1][1] == begin
                known[-1:] = [(known[-1][0], end)] if joins else [*known[-1:], (begin, end)]
        return dict(sorted(ranges.items()))

    def _matching(self, text: bytes) -> Sequence[int]:
        found = self._set.Match(text)
        return [index for index in found if index < self._count] if found else ()


def _head(pattern: Pattern) -> Node:
    """The beginning of a long match, or all of it; all of it too where too little would be left."""
    node = Row((pattern.before, pattern.secret, pattern.after))
    begins = head(node, HEAD)
    return begins if shortest(begins) >= min(shortest(node), LEAST) else node


def _told_by(begins: Node) -> Node:
    """What tells of a match, inside its head: that, or its core where it has one."""
    inner = core(begins)
    return inner if shortest(inner) >= min(shortest(begins), LEAST) else begins
