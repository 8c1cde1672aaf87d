"""How long one decision takes: analysis of the text, and the engine on the demo's policy, in the process's own time.

Ordinary lines are those of tests/vectors/ordinary_lines.jsonl, hostile ones those of tests/core/oracle/hostile.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bastion.analysis.shell import analyse
from bastion.policy.decision import Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import load
from tests.benchmarks import measure
from tests.core.oracle.hostile import TEXTS

ROOT = Path(__file__).parents[2]
MEDIAN, HIGH, WORST = 300e-6, 2e-3, 50e-3
"""The marks, in seconds: of ordinary lines half and 99 of 100, and of any text."""
_POLICY = load(ROOT / "policies" / "demo")
_SUBJECT = Subject(("demo",), frozenset({"agents"}), (), "demo", (), "demo")


def ordinary_lines() -> list[bytes]:
    file = ROOT / "tests" / "vectors" / "ordinary_lines.jsonl"
    return [json.loads(line)["cmd"].encode() for line in file.read_text().splitlines()]


def decided(text: bytes) -> None:
    decide(_POLICY, _SUBJECT, Request("exec", analyse(text)))


def seconds(texts: Sequence[bytes], rounds: int = 5) -> list[float]:
    """Of each text the best of some rounds, after one that does not count: libraries are loaded when first used."""
    for text in texts:
        decided(text)
    return [min(_once(text) for _ in range(rounds)) for text in texts]


def _once(text: bytes) -> float:
    begin = time.process_time()
    decided(text)
    return time.process_time() - begin


def table(figures: Mapping[str, Sequence[float]] | None = None) -> str:
    """The section for the report. `figures`: of `ordinary` and of `hostile` texts, measured now when left out."""
    figures = figures or {"ordinary": seconds(ordinary_lines()), "hostile": seconds(list(TEXTS.values()))}
    ordinary, hostile = sorted(figures["ordinary"]), figures["hostile"]
    rows = [
        ("ordinary lines, median", measure.median(ordinary), MEDIAN),
        ("ordinary lines, p99", measure.quantile(ordinary, 0.99), HIGH),
        ("hostile texts, worst", max(hostile), WORST),
    ]
    lines = [f"| decisions ({len(ordinary)} ordinary, {len(hostile)} hostile) | measured | mark |", "|---|---|---|"]
    for name, figure, mark in rows:
        missed = "" if figure <= mark else " (missed)"
        lines.append(f"| {name} | {figure * 1e6:,.0f} us{missed} | {mark * 1e6:,.0f} us |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
