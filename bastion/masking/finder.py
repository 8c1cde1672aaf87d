"""Which detectors are worth running over a text: a quick look that may say too much, and never too little."""

from __future__ import annotations

from collections.abc import Sequence

from bastion.masking.detector import Detector
from bastion.masking.engine import which


class Finder:
    """Made once a plan."""

    def __init__(self, patterns: Sequence[str], chosen: Sequence[Detector]) -> None:
        self._set = which(patterns) if patterns else None
        del chosen

    def candidates(self, text: bytes) -> Sequence[int]:
        """The indices of all detectors that can match somewhere in the text, in their order."""
        return sorted(self._set.Match(text) or ()) if self._set is not None else ()
