"""The screen: what a terminal shows is what the editor believes, whatever is typed and however wide it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bastion.session.gated.editor import Editor
from bastion.session.gated.events import Show
from bastion.session.gated.history import History
from bastion.session.gated.screen import MIN_COLUMNS
from tests.services.gated.house import House, expected
from tests.services.gated.strategies import EDITING
from tests.services.gated.terminal import Terminal

ENTRIES = ("ls -l 漢字", "for \\\nx in 1 2 \\\ndone", "x" * 60, "e\u0301" * 30, "make\ttest")


def history() -> History:
    kept = History()
    for entry in ENTRIES:
        kept.add(entry)
    return kept


def check(house: House) -> None:
    rows, y, x = expected(house.terminal.columns, house.prompt, house.editor.text, house.editor.cursor)
    first = house.terminal.y - y
    assert first >= 0
    assert house.terminal.picture(first) == rows
    assert house.terminal.x == x


PROMPTS = st.sampled_from(
    ["$ ", "", "x" * 20, "\x1b[32mu\x1b[0m@h:~\x1b[m$ ", "two\nrows> ", "漢字" * 6 + "$ ", "\x1b]0;t\x07$ ", "\n\n% "]
)


@given(st.lists(EDITING, max_size=30), st.integers(MIN_COLUMNS, 120), PROMPTS)
def test_the_picture_is_what_the_editor_believes(keys: list[bytes], columns: int, prompt: str) -> None:
    house = House(columns, prompt=prompt, history=history())
    start = house.start
    for key in keys:
        house.type(key)
        if not house.events:
            check(house)
            y = expected(columns, prompt, house.editor.text, house.editor.cursor)[1]
            assert house.terminal.y - y == start, "nothing above is touched, and nothing is left above"
        house.events.clear()
        start = house.start


@given(st.lists(EDITING, max_size=12), st.lists(st.integers(20, 120), min_size=1, max_size=4), st.booleans(), PROMPTS)
def test_the_picture_is_right_after_a_resize(keys: list[bytes], sizes: list[int], reflow: bool, prompt: str) -> None:
    """Whether the terminal wraps its rows anew or cuts them; and what stood above is never erased."""
    house = House(80, prompt=prompt, history=history())
    house.terminal.write(house.editor.withdraw() + b"above\r\n" + house.editor.again())
    for columns in sizes:
        for key in keys:
            house.type(key)
        if house.events:
            return
        house.resize(columns, reflow=reflow)
        check(house)
        assert house.terminal.picture()[0] == "above"


@given(st.lists(EDITING, max_size=12), st.integers(20, 120), PROMPTS)
def test_withdrawn_and_shown_again(keys: list[bytes], columns: int, prompt: str) -> None:
    house = House(columns, prompt=prompt, history=history())
    for key in keys:
        house.type(key)
    begun = house.terminal.y - expected(columns, prompt, house.editor.text, house.editor.cursor)[1]
    above = house.terminal.picture()[:begun]
    house.terminal.write(house.editor.withdraw())
    assert house.terminal.picture() == above or house.terminal.picture(begun) == []
    assert (house.terminal.y, house.terminal.x) == (begun, 0)
    assert house.editor.withdraw() == b""
    house.terminal.write(b"news\r\n" + house.editor.again())
    check(house)
    assert house.editor.again() == b""


def test_what_is_typed_while_withdrawn_is_shown_later() -> None:
    house = House()
    house.type(b"ls")
    house.terminal.write(house.editor.withdraw())
    assert house.editor.feed(b" -l") == []
    house.terminal.write(house.editor.again())
    check(house)
    house.terminal.write(house.editor.withdraw())
    assert [type(event).__name__ for event in house.editor.feed(b"\r")] == ["Line"]


@given(st.lists(EDITING | st.just(b"x" * 90), max_size=30), st.integers(3, 6), st.integers(MIN_COLUMNS, 40))
def test_a_line_too_long_for_the_screen_is_shown_around_the_cursor(keys: list[bytes], rows: int, columns: int) -> None:
    """The terminal of the tests fails on every move off the screen. Dots only for a word that is not there whole."""
    house = House(columns, rows, history=history())
    for key in keys:
        house.type(key)
    text, cursor = house.editor.text, house.editor.cursor
    at, x = house.terminal.rows[house.terminal.y], house.terminal.x
    if cursor < len(text) and text[cursor].isascii() and text[cursor] not in "\t\n":
        assert at[x][0] == text[cursor] or (at[x][0] == "." and cut(house, cursor))
    if cursor > 0 and text[cursor - 1].isascii() and text[cursor - 1] not in "\t\n" and x:
        assert at[x - 1][0] == text[cursor - 1] or (at[x - 1][0] == "." and cut(house, cursor - 1))


def cut(house: House, index: int) -> bool:
    """Whether the word that has this character is not on the screen as a whole."""
    before, behind = re.split(r"\s", house.editor.text[:index]), re.split(r"\s", house.editor.text[index:])
    shown = "".join(cell for row in house.terminal.rows for cell in row)
    return before[-1] + behind[0] not in shown


def test_a_long_line_keeps_its_place_while_it_is_typed_on() -> None:
    house = House(20, 5)
    house.type(b"xx " * 70)
    sent = [house.editor.feed(b"y") for _ in range(30)]
    assert sum(event != [Show(b"y")] for event in sent) <= 1


def test_of_a_word_that_is_cut_nothing_is_shown() -> None:
    """It may be a secret, whose rear nobody would know for one."""
    house = House(20, 5)
    house.type(b"echo " + b"secret" * 40 + b" on")
    assert "".join(house.terminal.picture()).replace(".", "") == "$  on"
    house.type(b"\x01")
    assert "".join(house.terminal.picture()).replace(".", "") == "$ echo "


def test_the_search_stands_in_the_place_of_the_prompt() -> None:
    house = House(40, prompt="above\n$ ", history=history())
    house.type(b"new\x12make")
    assert house.terminal.picture() == ["above", "(reverse-i-search)`make': make  test"]
    assert house.terminal.x == len("(reverse-i-search)`make': ")
    house.type(b"\x12")
    assert house.terminal.picture()[1].startswith("(failed reverse-i-search)`make': make")
    house.type(b"\x07")
    assert house.terminal.picture() == ["above", "$ new"]
    house.type(b"\x12\x1b[F")
    check(house)


@given(st.text(st.sampled_from("mak e\u0301漢\u202e1x"), max_size=30), st.integers(MIN_COLUMNS, 60))
@example("\u0301", 13)
def test_a_search_leaves_the_picture_as_it_was(sought: str, columns: int) -> None:
    house = House(columns, history=history())
    house.type(b"typed " * 5 + b"\x02")
    house.type(b"\x12" + sought.encode())
    house.type(b"\x12\x12\x07")
    check(house)
    house.type(b"\x12" + sought.encode() + b"\x05")
    check(house)


def test_a_mark_that_goes_away_takes_its_picture_along() -> None:
    kept = History()
    for entry in ("ex", "e\u0301y"):
        kept.add(entry)
    house = House(20, history=kept)
    house.type(b"\x10")
    house.type(b"\x10")
    check(house)


def test_clear_shows_the_line_on_an_empty_screen() -> None:
    house = House(20, prompt="above\n$ ")
    house.type("\r\rls 漢字\x02\x0c".encode())
    assert house.terminal.picture() == ["above", "$ ls 漢字"]
    assert (house.terminal.y, house.terminal.x) == (1, 7)


@pytest.mark.parametrize("size", [(0, 0), (-1, 3), (1, 1), (10**9, 10**9), (3, 0)])
def test_no_size_raises(size: tuple[int, int]) -> None:
    editor = Editor(size[0], history(), size[1])
    editor.begin("漢 two\nrows$ ".encode())
    for keys in (b"x" * 300, "漢\t".encode() * 50, b"\x01", b"\x10\x10\x05", b"\x12a", b"\r"):
        editor.feed(keys)
        editor.resize(*size)


def test_a_key_costs_one_drawing_of_what_comes_behind_it() -> None:
    editor = Editor(80, History(), 1000)
    editor.begin(b"$ ")
    editor.feed(b"x" * 8000 + b"\x01")
    for storm in (b"ab\x7f" * 5000, b"\x0c" * 5000, b"\x14\x06" * 5000, b"\x1bf\x1bb" * 500):
        assert sum(len(event.data) for event in editor.feed(storm) if isinstance(event, Show)) < 10_000


def test_the_terminal_of_the_tests_is_strict() -> None:
    for data in (b"\x1b[1;1H", b"\x1b[5A", b"x" * 20 + b"\x1b[A", b"x" * 20 + b"\x1b[J", b"\b", b"\x1b[3B", b"\x00"):
        terminal = Terminal(20)
        with pytest.raises(AssertionError):
            terminal.write(data)
