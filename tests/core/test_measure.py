"""The figures of policies/README.md are counted as they are said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion.policy.decision import Effect
from tests.measure import figures
from tests.measure.figures import Row

SHIPPED = Path(__file__).parents[2] / "policies"
ROWS = [
    Row.of({"cmd": "cat x", "label": "benign", "readonly": True}),
    Row.of({"cmd": "touch x", "label": "benign", "readonly": True}),
    Row.of({"cmd": "python3 x.py", "label": "benign"}),
    Row.of({"cmd": "echo (", "label": "benign"}),
    Row.of({"cmd": "find $x", "label": "benign"}),
    Row.of({"cmd": "rm -rf /", "label": "dangerous"}),
    Row.of({"cmd": "chmod 777 x", "label": "dangerous"}),
    Row.of({"cmd": "whoami", "label": "dangerous"}),
    Row.of({"cmd": "rm x", "label": "cleanup"}),
]


def test_reading_counts_what_the_policy_allows_of_the_rows_marked_so() -> None:
    share = figures.reading(figures.policy(SHIPPED / "agents"), ROWS)
    assert (share.count, share.of, share.percent) == (1, 2, 50.0)
    assert [(one.row.text, one.decision.effect) for one in share.odd] == [(b"touch x", Effect.APPROVE)]


def test_undecidable_counts_the_benign() -> None:
    unreadable, unknown = figures.undecidable(ROWS)
    assert (unreadable.count, unreadable.of) == (1, 5)
    assert (unknown.count, unknown.of) == (2, 5)


@pytest.mark.parametrize(
    ("label", "denied", "stopped", "of", "odd"), [("dangerous", 1, 2, 3, 1), ("benign", 1, 1, 5, 1)]
)
def test_stopped_is_denied_or_held_where_everything_else_is_allowed(
    label: str, denied: int, stopped: int, of: int, odd: int
) -> None:
    told = figures.stopped(figures.policy(SHIPPED / "baseline", operator=True), ROWS, label)
    assert [share.count for share in told] == [denied, stopped]
    assert [share.of for share in told] == [of, of]
    assert len(told[1].odd) == odd
    assert {one.decision.effect for one in told[1].odd} == ({Effect.ALLOW} if label == "dangerous" else {Effect.DENY})


def test_a_baseline_alone_allows_nothing() -> None:
    found = figures.judge(figures.policy(SHIPPED / "baseline"), ROWS)
    assert all(one.decision.effect is not Effect.ALLOW for one in found)
