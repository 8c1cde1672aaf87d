"""How fast output is masked with every detector on, in the process's own time; how long one typed key takes.

Clean text is what this machine prints (lists of packages and files, sources), without the lines that have a secret in
them, in pieces of 32 KiB, as the relay has them. With secrets there is one of the vectors' after every 100 lines of it,
each detector in turn. The first pass does not count: the automata are built while they are used. It is told apart.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from bastion.masking.masker import Masker, Match
from bastion.masking.plan import Plan
from tests.benchmarks import measure
from tests.core.masking.ordinary import texts
from tests.core.masking.planted import PLANTED

PIECE = 32 << 10
SIZE = 8 << 20
ROUNDS = 5
CLEAN, MIXED, KEY = 150.0, 60.0, 200e-6
"""The marks: MB/s of clean text and of text with secrets, seconds for 99 of 100 keys."""
EVERY = 100
KEYS = 20_000


def every_detector() -> Plan:
    return Plan.compile(families=("secrets", "personal", "payment"))


def clean(plan: Plan) -> bytes:
    """Lines in which nothing is found, about SIZE bytes of them."""
    wanted = ("dpkg -l", "ls -lR /usr", "python")
    text = b"".join(text for name, text in texts(SIZE // 2) if name in wanted)
    told: list[Match] = []
    masker = Masker(plan, False, told.append)
    for piece in pieces(text):
        masker.feed(piece)
    masker.flush()
    kept, at = [], 0
    for match in told:
        line = text.rfind(b"\n", 0, match.start) + 1
        kept.append(text[at:line])
        at = max(at, text.find(b"\n", match.end) + 1)
    return b"".join([*kept, text[at:]])[:SIZE]


def mixed(text: bytes) -> bytes:
    """The text with a secret after every 100 lines."""
    rows = itertools.cycle(row for row in PLANTED if len(row.secret) < 600)
    lines = text.splitlines(keepends=True)
    parts: list[bytes] = []
    for at in range(0, len(lines), EVERY):
        parts += [*lines[at : at + EVERY], next(rows).text, b"\n"]
    return b"".join(parts)


def pieces(text: bytes) -> list[bytes]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def rate(plan: Plan, text: bytes) -> float:
    """MB/s of one pass."""
    cut = pieces(text)
    masker = Masker(plan, False)
    begin = time.process_time()
    for piece in cut:
        masker.feed(piece)
    masker.flush()
    return len(text) / (time.process_time() - begin) / 1e6


def keys(plan: Plan, text: bytes) -> list[float]:
    """Seconds for each typed key, fed alone, and for what time releases of it."""
    masker = Masker(plan, True)
    found = []
    for at in range(KEYS):
        key = text[at : at + 1]
        begin = time.thread_time()
        masker.feed(key)
        if masker.holding:
            masker.release()
        found.append(time.thread_time() - begin)
    return found


def _typed() -> bytes:
    line = (
        b"ls -la /var/log && grep -rn 'password' ~/src | head -20; git commit -m 'fix 42'; curl https://example.com/x\r"
    )
    return line * (KEYS // len(line) + 1)


def table() -> str:
    """The section for the report, measured now."""
    plan = every_detector()
    text = clean(plan)
    planted = mixed(text)
    first = rate(every_detector(), text)
    rows: Sequence[tuple[str, float, float]] = (
        ("clean text", max(rate(plan, text) for _ in range(ROUNDS)), CLEAN),
        (f"a secret every {EVERY} lines", max(rate(plan, planted) for _ in range(ROUNDS)), MIXED),
    )
    lines = [f"| masking ({len(plan.names)} detectors, {len(text) / 1e6:.0f} MB) | measured | mark |", "|---|---|---|"]
    for name, figure, mark in rows:
        lines.append(f"| {name} | {figure:.0f} MB/s{'' if figure >= mark else ' (missed)'} | {mark:.0f} MB/s |")
    lines.append(f"| clean text, first pass of a plan | {first:.0f} MB/s | |")
    keys(plan, _typed())
    high = measure.quantile(keys(plan, _typed()), 0.99)
    missed = "" if high <= KEY else " (missed)"
    lines.append(f"| one typed key, p99 | {high * 1e6:.0f} us{missed} | {KEY * 1e6:.0f} us |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
