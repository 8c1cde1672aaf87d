"""How much is masked at once: all of it, or what takes a slice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bastion.session.pace import LEAST, SLICE, TURNS, WHOLE, Pace


def test_quick_masks_are_given_whole_pieces() -> None:
    pace = Pace()
    pace.took(32 << 10, SLICE)
    assert pace.cut(bytes(WHOLE)) == (bytes(WHOLE), b"")
    assert pace.room == WHOLE


def test_slow_masks_are_given_what_takes_a_slice() -> None:
    pace = Pace()
    pace.took(32 << 10, 32 * SLICE)
    now, later = pace.cut(bytes(32 << 10))
    assert (len(now), len(later)) == (1 << 10, 31 << 10)
    assert pace.room == TURNS << 10


def test_no_small_rest_is_cut_off() -> None:
    """On a terminal a few bytes are taken for what somebody typed."""
    pace = Pace()
    pace.took(1 << 10, SLICE * 1.5)
    now, later = pace.cut(bytes(682 + LEAST))
    assert (len(now), len(later)) == (682, LEAST)
    assert pace.cut(bytes(681 + LEAST))[1] == b""


def test_however_slow_it_is_it_goes_on() -> None:
    pace = Pace()
    pace.took(100, 1000.0)
    assert len(pace.cut(bytes(32 << 10))[0]) == LEAST


def test_once_it_is_quick_again_pieces_are_whole_again() -> None:
    pace = Pace()
    pace.took(32 << 10, 32 * SLICE)
    pieces = 0
    while not pace.fits(bytes(WHOLE)):
        pace.took(len(pace.cut(bytes(WHOLE))[0]), SLICE / 4)
        pieces += 1
    assert pieces == 8


def test_a_small_piece_that_was_quick_says_nothing_of_large_ones() -> None:
    pace = Pace()
    pace.took(32 << 10, 32 * SLICE)
    pace.took(1, 0.0)
    assert len(pace.cut(bytes(32 << 10))[0]) == 1 << 10


@given(st.lists(st.tuples(st.integers(1, WHOLE), st.floats(0, 10)), max_size=9), st.binary(max_size=4 * LEAST))
def test_what_is_cut_is_all_there_and_never_small(told: list[tuple[int, float]], data: bytes) -> None:
    pace = Pace()
    for size, seconds in told:
        pace.took(size, seconds)
    now, later = pace.cut(data)
    assert now + later == data
    assert not later or min(len(now), len(later)) >= LEAST
