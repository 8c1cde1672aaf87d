"""What is masked from a header to its footer, however long it is: private keys.

A block ends with its footer. Where none comes (`grep BEGIN`, a torn file), it ends after POOR_LINES lines in a row
without RICH characters of base64 one after the other: those lines are lost to the reader, and no key is. A line that
never ends stays masked for ever.
"""

from __future__ import annotations

import re

from bastion.masking.engine import Search

POOR_LINES = 5
"""More than what armour has of such lines: a version, a comment, an empty one."""
RICH = 16
MAX_FOOTER = 96
"""Bytes of the longest footer."""

_RICH = re.compile(rb"[A-Za-z0-9+/=]{%d}" % RICH)
_LINE = 4 * RICH


class Block:
    """One block, from the end of its header. `end` is called with the text each time there is more of it."""

    def __init__(self, until: Search) -> None:
        self._until = until
        self._begin: int | None = None
        self._poor = 0
        self._line = b""
        self._rich = True  # the header's own line

    def end(self, text: bytes, at: int, base: int) -> int | None:
        """Where in `text` the block ends, which goes on at `at`; None when all of the rest is inside. `base` is the
        offset of the text in its stream: enough of what came before is still in it to find a footer that was cut."""
        if self._begin is None:
            self._begin = base + at
        found = self._until.search(text, max(self._begin - base, at - MAX_FOOTER))
        footer = None if found is None else found.span(1)[1]
        poor = self._end_by_lines(text, at, len(text) if footer is None else footer)
        return footer if poor is None else poor

    def _end_by_lines(self, text: bytes, at: int, stop: int) -> int | None:
        while True:
            line_end = text.find(b"\n", at, stop)
            self._read(text[at : stop if line_end < 0 else line_end])
            if line_end < 0:
                return None
            at = line_end + 1
            self._poor = 0 if self._rich or _RICH.search(self._line) else self._poor + 1
            self._line, self._rich = b"", False
            if self._poor == POOR_LINES:
                return at

    def _read(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) >= _LINE:
            self._rich = self._rich or _RICH.search(self._line) is not None
            self._line = self._line[1 - RICH :]
