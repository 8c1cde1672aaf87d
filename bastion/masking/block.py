"""What is masked from a header to its footer, however long it is: private keys.

A block ends with its footer. Where none comes (`grep BEGIN`, a torn file, a header in source code), it ends after
POOR_LINES lines in a row that are none of a key's body: those lines are lost to the reader, and no key is. A line of a
body ends with base64: WIDE characters, or less that could be its last line, with letters of both cases and digits in
it. Before it may stand what programs put there (a number, a quote, the sign of a diff), behind it quotes and commas,
and nowhere the brackets of code. Of a line longer than MAX_LINE it is enough that there is so much base64 anywhere. A
line that never ends stays masked for ever.

Limits: a body whose lines are shorter than RICH characters, or have text behind them, is taken for none.
"""

from __future__ import annotations

import re

from bastion.masking.engine import Search

POOR_LINES = 5
"""More than what armour has of such lines: a version, a comment, an empty one."""
RICH = 16
"""Characters of base64 in the shortest line of a body, which are a multiple of four."""
WIDE = 40
"""Of so many it may be any number: bodies are folded at 64, 70 and 76, and at what somebody has chosen."""
MAX_LINE = 1024
MAX_FOOTER = 96
"""Bytes of the longest footer."""

_BODY = re.compile(rb"[^(){}]*?(?<![A-Za-z0-9+/])\+?([A-Za-z0-9+/]{%d,}={0,2})(?:\\[nr])*[\s\"'+\\,;$]*\Z" % RICH)
_KINDS = tuple(re.compile(kind) for kind in (rb"[0-9]", rb"[A-Z]", rb"[a-z]"))
_ANYWHERE = re.compile(rb"[A-Za-z0-9+/=]{%d}" % WIDE)


def _rich(line: bytes) -> bool:
    """Whether a line could be one of a key's body."""
    if (found := _BODY.match(line)) is None:
        return False
    body = found.group(1)
    return len(body) >= WIDE or (len(body) % 4 == 0 and all(kind.search(body) for kind in _KINDS))


class Block:
    """One block, from the end of its header. `end` is called with the text each time there is more of it."""

    def __init__(self, until: Search) -> None:
        self._until = until
        self._begin: int | None = None
        self._poor = 0
        self._line = b""
        self._long = False
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
            self._poor = 0 if self._rich or (not self._long and _rich(self._line)) else self._poor + 1
            self._line, self._rich, self._long = b"", False, False
            if self._poor == POOR_LINES:
                return at

    def _read(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) > MAX_LINE or self._long:
            self._long = True
            self._rich = self._rich or _ANYWHERE.search(self._line) is not None
            self._line = self._line[1 - WIDE :]
