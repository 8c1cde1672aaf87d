"""What completion found, in columns as `ls` has them: fit for a terminal, whatever the target has for names."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from bastion.characters import shown
from bastion.session.gated.cells import lay

MAX_LISTED = 200
"""Candidates; how many more there are is told."""
_GAP = 2
_ONE_ROW = 1 << 30


def listed(candidates: Sequence[str], columns: int) -> str:
    """Rows of at most `columns` cells, each with CR LF behind it; sorted downwards. Hidden characters are escaped."""
    names = [_drawn(shown(name, columns), columns - 1) for name in islice(candidates, MAX_LISTED)]
    if not names:
        return ""
    broad = max(cells for _, cells in names) + _GAP
    across = max(1, (columns - 1 + _GAP) // broad)
    down = -(-len(names) // across)
    rows = []
    for row in range(down):
        cells = names[row::down]
        rows.append("".join(name + " " * (broad - cells) for name, cells in cells[:-1]) + cells[-1][0])
    if len(candidates) > len(names):
        rows.append(f"... and {len(candidates) - len(names)} more"[: columns - 1])
    return "".join(row + "\r\n" for row in rows)


def _drawn(name: str, room: int) -> tuple[str, int]:
    """A name, or its begin, in no more than `room` cells; and the cells it takes."""
    drawn, ends = lay(name, 0, 0, _ONE_ROW)
    if not ends or ends[-1] <= room:
        return drawn, ends[-1] if ends else 0
    fits = bisect_right(ends, room - 1)
    drawn, ends = lay(name[:fits], 0, 0, _ONE_ROW)
    return drawn + "…", (ends[-1] if ends else 0) + 1
