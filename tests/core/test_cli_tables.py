"""Tables for people: aligned by cells, cut to the terminal, inert, and times as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.characters import hidden
from bastion.cli import tables

NOW = 1_800_000_000.0


def test_columns_stand_under_each_other_whatever_is_in_them() -> None:
    told = tables.table(("A", "B"), [("漢字", "x"), ("e\u0301", "y"), ("\x1b[2J", "z"), (5, None)], None)
    assert told == ["A        B", "漢字     x", "e\u0301        y", "\\x1b[2J  z", "5        (NoneType)"]


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=8), st.integers(1, 60))
def test_no_line_is_wider_than_the_terminal_and_none_has_what_it_would_obey(
    rows: list[tuple[str, str]], room: int
) -> None:
    for one in tables.table(("FIRST", "SECOND"), rows, room):
        assert tables.cells(one) <= room
        assert not hidden(one)


@pytest.mark.parametrize(
    ("text", "room", "told"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("漢字漢", 5, "漢字…"),
        ("漢字漢", 4, "漢…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_what_is_cut_says_so(text: str, room: int, told: str) -> None:
    assert tables.cut(text, room) == told


def test_pairs_leave_out_what_is_not_there() -> None:
    assert tables.pairs([("one", 1), ("none", None), ("empty", ""), ("longer", "x\n")]) == [
        "one     1",
        "longer  x\\x0a",
    ]


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2027-01-15T08:00:00.000Z", "0s ago"),
        ("2027-01-15T07:59:15Z", "45s ago"),
        ("2027-01-15T07:48:00Z", "12m ago"),
        ("2027-01-15T05:00:00Z", "3h ago"),
        ("2027-01-13T08:00:00Z", "2d ago"),
        ("2027-01-15T08:08:30Z", "in 8m"),
        (None, "-"),
        ("soon", "-"),
    ],
)
def test_times_are_told_as_people_say_them(moment: str | None, told: str) -> None:
    assert tables.ago(moment, NOW) == told


def test_a_time_is_told_both_ways() -> None:
    assert tables.when("2027-01-15T07:48:00.000Z", NOW) == "2027-01-15 07:48:00 UTC (12m ago)"
    assert tables.when(None, NOW) == ""
