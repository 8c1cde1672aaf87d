"""Colour codes taken out of a text and put back: programs print them in the middle of what has to be found.

Only those that leave the characters where they are: SGR (colours), EL (erase to the end of the line, which grep prints
after each colour), and the choice of a character set, which `tput sgr0` prints. ECMA-48, sections 8.3.117 and 8.3.41.

Limits: a secret that is put together by moving the cursor is not found, nor one with an OSC or a line wrap inside.
"""

from __future__ import annotations

import re

MAX_ESCAPE = 40
"""Bytes of the longest sequence that is looked through."""

_WHOLE = re.compile(rb"\x1b(?:\[[0-9;:]{0,32}[mK]|\([0-9A-Z])")
_BEGUN = re.compile(rb"\x1b(?:\[[0-9;:]{0,32}|\()?\Z")


def begun(data: bytes) -> int:
    """How many bytes at the end are a sequence that has begun and is not whole."""
    at = data.rfind(b"\x1b", max(0, len(data) - MAX_ESCAPE))
    return len(data) - at if at >= 0 and _BEGUN.match(data, at) else 0


def without(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The text without its sequences, and each of these with the offset in that text at which it stood."""
    if b"\x1b" not in data:
        return data, []
    pieces: list[bytes] = []
    found: list[tuple[int, bytes]] = []
    at = length = 0
    for match in _WHOLE.finditer(data):
        begin, end = match.span()
        pieces.append(data[at:begin])
        length += begin - at
        found.append((length, data[begin:end]))
        at = end
    pieces.append(data[at:])
    return b"".join(pieces), found
