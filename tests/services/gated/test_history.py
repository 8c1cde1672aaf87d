"""The history: bounded, without repetitions, and numbers that stay."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bastion.session.gated.history import MAX_BYTES, MAX_ENTRIES, History


def entries(history: History) -> list[str]:
    return [history.entry(number) or "" for number in range(history.first, history.end)]


def of(*commands: str) -> History:
    history = History()
    for command in commands:
        history.add(command)
    return history


def test_what_is_kept() -> None:
    assert entries(of("a", "a", " b", "\tc", "", "a", "d\ne", "a")) == ["a", "d\ne", "a"]


def test_the_oldest_go_first_and_numbers_stay() -> None:
    history = of(*(f"command {number}" for number in range(MAX_ENTRIES + 5)))
    assert (history.first, history.end) == (5, MAX_ENTRIES + 5)
    assert history.entry(4) is None
    assert history.entry(5) == "command 5"
    assert history.entry(history.end) is None


def test_its_bytes_are_bounded() -> None:
    history = of(*("é" * 4000 + str(number) for number in range(100)))
    assert sum(len(entry.encode()) for entry in entries(history)) <= MAX_BYTES
    assert history.end - history.first > 30
    history.add("x" * (MAX_BYTES + 1))
    assert history.entry(history.end - 1) != "x" * (MAX_BYTES + 1)
    history.add("y" * MAX_BYTES)
    assert entries(history) == ["y" * MAX_BYTES]


@given(st.lists(st.text(max_size=4), max_size=30))
def test_nothing_is_twice_in_a_row(commands: list[str]) -> None:
    kept = entries(of(*commands))
    assert all(one != other for one, other in pairwise(kept))
    assert set(kept) <= set(commands)
