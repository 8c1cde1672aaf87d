"""How much of a piece is masked at once, so that no session keeps the others waiting.

Most output is masked in a small part of a SLICE, and then whole pieces are. What a target prints may also be made to be
slow (a header of a table in every line, a secret in every word): then a piece is cut, to what takes a SLICE by the time
that the last one took, of this thread and no other's.
"""

from __future__ import annotations

SLICE = 0.005
"""Seconds of masking after which others have their turn."""
WHOLE = 256 << 10
"""Bytes that are masked at once where nothing is slow, more than any piece has; and no more than these ever wait."""
LEAST = 512
"""Bytes that are masked at once, however slow it is; a rest of fewer is not cut off, for on a terminal a few bytes are
taken for what somebody typed."""
TURNS = 8
"""Slices of what waits, from which on the target has to wait too."""


class Pace:
    """Life: `cut` what comes, tell what it `took`."""

    def __init__(self) -> None:
        self._most = WHOLE

    @property
    def room(self) -> int:
        """Bytes that may wait."""
        return min(WHOLE, self._most * TURNS)

    def fits(self, data: bytes) -> bool:
        """Whether all of it is masked at once."""
        return len(data) < self._most + LEAST

    def cut(self, data: bytes) -> tuple[bytes, bytes]:
        """What is masked now, and what is not yet."""
        return (data, b"") if self.fits(data) else (data[: self._most], data[self._most :])

    def took(self, size: int, seconds: float) -> None:
        """So many bytes were masked in so much time of this thread."""
        if seconds > SLICE:
            self._most = min(WHOLE, max(LEAST, int(size * SLICE / seconds)))
        elif seconds < SLICE / 2 and size >= self._most:
            self._most = min(WHOLE, 2 * self._most)
