"""A prompt made fit to be shown and measured.

It comes from the target (an expanded PS1), so what passes is chosen: text, colours (SGR: `ESC [ … m`), and those OSC
sequences that set a title or mark the prompt (0, 1, 2, 7, 133, 633). Other escape sequences and control characters, and
invisible ones, are left out; characters for private use stay, as many prompts are drawn with them. Colours end with the
prompt. The marks \\001 and \\002, which tell readline what takes no cells, are not needed and dropped.

Limits: a character for private use is taken as one cell wide, as most fonts have it.
"""

from __future__ import annotations

import re

from bastion.characters import hidden
from bastion.session.gated.cells import lay

MAX_PROMPT = 4096
"""Characters; of a longer one only the end is shown."""

_ESCAPES = re.compile(
    "(?P<kept>\x1b\\[[0-9;:]{0,64}m|\x1b\\](?:0|1|2|7|133|633);[^\x00-\x1f\x7f-\x9f]{0,1024}(?:\x07|\x1b\\\\))"
    "|\x1b\\[[\x20-\x3f]*[\x40-\x7e]"
    "|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\|$)"
    "|\x1b[\x20-\x2f]*[\x30-\x7e]?"
    "|(?P<private>[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd])"
)


class Prompt:
    """Several lines are allowed; editing happens behind the last."""

    def __init__(self, prompt: bytes) -> None:
        text = prompt.decode("utf-8", "replace").replace("\x01", "").replace("\x02", "").replace("\r\n", "\n")
        self._lines = [_Row(line) for line in text[-MAX_PROMPT:].split("\n")]

    def above(self, columns: int) -> tuple[str, int]:
        """What draws all lines but the last, from the first column on; and the rows they take."""
        drawn, rows = "", 0
        for line in self._lines[:-1]:
            text, cells = line.drawn(columns)
            drawn += text + "\r\n"
            rows += max(1, -(-cells // columns))
        return drawn, rows

    def last(self, columns: int) -> tuple[str, int]:
        """What draws the last line, from the first column on; and the cells it takes. The cursor does not wait at the
        margin then: it stands where the line begins."""
        text, cells = self._lines[-1].drawn(columns)
        return text + (" \r" if cells and cells % columns == 0 else ""), cells


class _Row:
    """One line of a prompt: pieces of text, and what is passed as it is, with its cells."""

    def __init__(self, line: str) -> None:
        self._pieces: list[tuple[str, int | None]] = []
        coloured, at = False, 0
        for found in _ESCAPES.finditer(line):
            self._text(line[at : found.start()])
            at = found.end()
            if found["kept"]:
                self._pieces.append((found["kept"], 0))
                coloured = coloured or found["kept"].endswith("m")
            elif found["private"]:
                self._pieces.append((found["private"], 1))
        self._text(line[at:])
        if coloured:
            self._pieces.append(("\x1b[m", 0))

    def _text(self, text: str) -> None:
        text = "".join(character for character in text if character == "\t" or not hidden(character))
        if text:
            self._pieces.append((text, None))

    def drawn(self, columns: int) -> tuple[str, int]:
        drawn, offset = "", 0
        for piece, cells in self._pieces:
            if cells is None:
                text, ends = lay(piece, 0, offset, columns)
                drawn, offset = drawn + text, ends[-1]
            else:
                drawn, offset = drawn + piece, offset + cells
        return drawn, offset
