"""Escape sequences taken out of a text and put back: programs print them around and within what has to be found.

Those that leave the characters where they are go as if nothing stood there: SGR (colours), EL (erase to the end of the
line, which grep prints after each colour), and the choice of a character set, which `tput sgr0` prints. ECMA-48,
sections 8.3.117 and 8.3.41.

Of the others that are whole (a cleared screen, a moved cursor, a mode) the ESC stays in the text and what follows it is
taken out: so a word ends there and another begins, and the last letter of the sequence is none of the word's.

Limits: a secret that is put together by moving the cursor is not found, nor one with an OSC or a line wrap inside. The
text of an OSC (a window's title) is text like any other.
"""

from __future__ import annotations

import re

MAX_ESCAPE = 40
"""Bytes of the longest sequence that is looked through."""

_WHOLE = re.compile(
    rb"\x1b(?:(?P<through>\[[0-9;:]{0,32}[mK]|\([0-9A-Z])"
    rb"|(?P<apart>\[[0-?]{0,32}[ -/]{0,4}[@-~]|[)*+][0-9A-Z]|#[3-8]|%[@G]| [FG]|[78=>cDEHM]))"
)
_BEGUN = re.compile(rb"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}|[()*+#% ])?\Z")


def begun(data: bytes) -> int:
    """How many bytes at the end are a sequence that has begun and is not whole."""
    at = data.rfind(b"\x1b", max(0, len(data) - MAX_ESCAPE))
    return len(data) - at if at >= 0 and _BEGUN.match(data, at) else 0


def without(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The text without its sequences, and each of these, or what of it was taken out, with the offset in that text at
    which it stood."""
    if b"\x1b" not in data:
        return data, []
    pieces: list[bytes] = []
    found: list[tuple[int, bytes]] = []
    at = length = 0
    for match in _WHOLE.finditer(data):
        begin, end = match.span(match.lastgroup or 0)
        if match.lastgroup == "through":
            begin -= 1
        pieces.append(data[at:begin])
        length += begin - at
        found.append((length, data[begin:end]))
        at = end
    pieces.append(data[at:])
    return b"".join(pieces), found
