"""Which detectors are worth running over a piece: one look for all of them, that may say too much and never too little.

Nearly all of what machines print has nothing in it, so this look decides how fast the whole is. It runs one automaton
for the patterns of all detectors, in which repetitions have no upper end, and no lower one above 5, or 13 of digits
(a card). That leaves out most of its states, and what is left still tells a secret from ordinary text. The states are
built as texts need them, so that the first megabytes are slower than what follows, and random letters (base 64) are
slower than words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bastion.masking.engine import which
from bastion.masking.pattern import BadPattern, Pattern
from bastion.masking.tree import COUNT_DIGITS, COUNT_SOME, Row, longest, loosened, written

SEGMENT = 4096
"""Bytes that are looked at together: a detector that is run is run over so many."""
_TRIAL = b"\x00is-the-look-at-work\x00"


Range = tuple[int, int]


class Finder:
    """Made once a plan."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        whole = [Row((pattern.before, pattern.secret, pattern.after)) for pattern in patterns]
        texts = [written(loosened(node, COUNT_SOME, COUNT_DIGITS)) for node in whole]
        self.reach = max((longest(node) for node in whole), default=0) + 1
        """Bytes from where a match begins to the last that it looks at."""
        self._set = which([*texts, _TRIAL.decode()])
        self._count = len(texts)
        # RE2 says nothing when it has too little memory: then it finds nothing, and that would be shown as it is.
        if self._set.Match(_TRIAL) != [self._count]:
            raise BadPattern("the patterns are too large together: use fewer of them, or shorter ones")

    def candidates(self, text: bytes) -> Mapping[int, Sequence[Range]]:
        """All detectors that can match somewhere in the text, by index in their order, each with the ranges in which
        such a match begins."""
        ranges: dict[int, list[Range]] = {}
        for begin in range(0, len(text), SEGMENT):
            end = min(begin + SEGMENT, len(text))
            for index in self._matching(text[max(begin - 1, 0) : end + self.reach]):
                known = ranges.setdefault(index, [])
                joins = known and known[-1][1] == begin
                known[-1:] = [(known[-1][0], end)] if joins else [*known[-1:], (begin, end)]
        return dict(sorted(ranges.items()))

    def _matching(self, text: bytes) -> Sequence[int]:
        found = self._set.Match(text)
        return [index for index in found if index < self._count] if found else ()
