"""The budget of strangers: a burst, then a trickle, each source and all together, in memory that does not grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.audit.budget import ALL_BURST, ALL_RATE, BURST, MAX_NAMED, MAX_SOURCES, PATIENCE, RATE, TOLD, Budget


def kept(budget: Budget, source: str, now: float, events: int) -> int:
    return sum(budget.spend(source, now) for _ in range(events))


def test_a_source_may_cause_a_burst_and_then_a_trickle() -> None:
    budget = Budget()
    assert kept(budget, "192.0.2.1", 5.0, 1000) == BURST
    assert kept(budget, "192.0.2.1", 5.5, 10) == 0
    assert kept(budget, "192.0.2.1", 15.0, 1000) == 10 * RATE
    assert kept(budget, "192.0.2.1", 1000.0, 1000) == BURST


def test_one_source_does_not_use_up_anothers() -> None:
    budget = Budget()
    kept(budget, "192.0.2.1", 0.0, 1000)
    assert kept(budget, "192.0.2.2", 0.0, 1000) == BURST


def test_all_sources_share_one_budget() -> None:
    budget = Budget()
    assert sum(kept(budget, f"192.0.2.{number}", 0.0, 5) for number in range(250)) == ALL_BURST
    assert kept(budget, "198.51.100.1", 2.0, 1000) == 2 * ALL_RATE


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("nonsense", "nonsense", True),
    ],
)
def test_what_counts_as_one_source(one: str, other: str, same: bool) -> None:
    budget = Budget()
    kept(budget, one, 0.0, 1000)
    assert kept(budget, other, 0.0, 1) == (0 if same else 1)


def test_what_is_over_is_told_once_and_in_time() -> None:
    budget = Budget()
    assert (budget.due(0.0), budget.summary()) == (None, None)
    for number in range(TOLD + 9):
        kept(budget, f"192.0.2.{number}", 1.0, BURST + number)
    assert budget.due(1.0) == PATIENCE
    assert budget.due(1.0 + PATIENCE) == 0
    told = budget.summary()
    assert told is not None
    assert len(told.sources) == TOLD
    assert list(told.sources) == sorted(told.sources, key=lambda source: -source[1])
    assert told.count == sum(BURST + number for number in range(TOLD + 9)) - ALL_BURST
    assert (budget.due(99.0), budget.summary()) == (None, None)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    budget = Budget()
    kept(budget, "192.0.2.1", 100.0, BURST)
    assert kept(budget, "192.0.2.1", 50.0, 10) == 0


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 40), st.sampled_from([0.0, 0.01, 1.0, 40.0]))))
def test_no_order_of_events_is_kept_beyond_the_bound(events: list[tuple[int, int, float]]) -> None:
    """What is kept fits burst and rate, what is not is counted, and memory stays bounded."""
    budget, now, total, told, spent = Budget(), 0.0, 0, 0, 0
    for source, many, later in events:
        now += later
        total += kept(budget, f"10.0.{source // 256}.{source % 256}", now, many)
        spent += many
        if budget.due(now) == 0:
            summary = budget.summary()
            assert summary is not None
            told += summary.count
    last = budget.summary()
    assert total + told + (last.count if last else 0) == spent
    assert total <= ALL_BURST + ALL_RATE * now
    assert len(budget) <= MAX_SOURCES


def test_very_many_sources_take_bounded_memory() -> None:
    budget = Budget()
    for number in range(200_000):
        budget.spend(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number / 1000)
        assert len(budget) <= max(MAX_SOURCES, MAX_NAMED)
