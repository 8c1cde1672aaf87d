"""What the tests of this folder share: the vectors, plans that are compiled once, and ways of feeding a masker.

Each row of the vectors is a text in parts, which are put together here: a secret stands in two halves, as whole ones
would be taken for real by whoever looks through a repository for such. The second and third part are the secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from bastion.masking.masker import Masker
from bastion.masking.plan import Plan
from bastion.masking.style import Style

VECTORS = Path(__file__).parents[2] / "vectors" / "masking.jsonl"


@dataclass(frozen=True)
class Row:
    detector: str
    before: bytes
    secret: bytes
    after: bytes
    shown: bytes

    @property
    def text(self) -> bytes:
        return self.before + self.secret + self.after


def _row(line: str) -> Row:
    read = json.loads(line)
    parts = [part.encode() for part in read["text"]]
    before, secret, after = (parts[0], parts[1] + parts[2], parts[3]) if len(parts) == 4 else (parts[0], b"", b"")
    return Row(read["detector"], before, secret, after, read.get("shown", read["text"][0]).encode())


ROWS = [_row(line) for line in VECTORS.read_text().splitlines()]
PLANTED = [row for row in ROWS if row.secret]


@cache
def plan_of(*names: str, style: Style = Style.LABEL) -> Plan:
    return Plan.compile(detectors=names, style=style, key=b"a key of this tenant's own")


@cache
def everything(style: Style = Style.LABEL) -> Plan:
    """All families, as a policy would name them."""
    return Plan.compile(families=("secrets", "personal", "payment"), style=style, key=b"a key of this tenant's own")


def masked(plan: Plan, pieces: Iterable[bytes], *, terminal: bool = False) -> bytes:
    masker = Masker(plan, terminal)
    return b"".join([*[masker.feed(piece) for piece in pieces], masker.flush()])


def cut(text: bytes, at: Sequence[int]) -> list[bytes]:
    """The text in pieces, cut at these places (taken modulo its length)."""
    places = sorted({place % (len(text) + 1) for place in at} | {0, len(text)})
    return [text[begin:end] for begin, end in pairwise(places)]


def bytewise(text: bytes) -> list[bytes]:
    return [text[at : at + 1] for at in range(len(text))]
