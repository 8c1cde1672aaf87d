"""Candidates of completion: names of the target's, in columns, and nothing in them is obeyed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bastion.session.gated.listing import MAX_LISTED, listed
from tests.services.gated.terminal import Terminal


def test_sorted_downwards() -> None:
    assert listed(["a", "b", "c", "d", "e"], 10) == "a  c  e\r\nb  d\r\n"


def test_how_many_more_is_told() -> None:
    rows = listed([f"name{number:04}" for number in range(MAX_LISTED + 7)], 80).split("\r\n")
    assert rows[-2] == "... and 7 more"


def test_a_long_name_is_cut() -> None:
    assert listed(["x" * 50], 20) == "x" * 18 + "…\r\n"
    assert listed(["漢" * 50], 20) == "漢" * 9 + "…\r\n"


def test_none() -> None:
    assert listed([], 80) == ""


@given(st.lists(st.text(max_size=30), min_size=1, max_size=12), st.integers(10, 80))
def test_every_row_fits_and_no_character_is_obeyed(names: list[str], columns: int) -> None:
    """The terminal fails on what is not drawn."""
    terminal = Terminal(columns)
    text = listed(names, columns)
    terminal.write(text.encode("utf-8", "surrogatepass"))
    assert not any(terminal.wraps)
    assert terminal.y == text.count("\r\n")
