"""Cells: what takes one, two or none, and what is drawn as its escape."""

from __future__ import annotations

import pytest

from bastion.characters import hidden
from bastion.session.gated.cells import ESCAPED, MAX_COST, MAX_MARKS, cost, joins, lay, run, width


def test_every_character_takes_what_the_tables_say() -> None:
    """The first two planes of Unicode: what is laid fast is no exception, and nothing hidden is drawn as it is."""
    for code in range(0x20000):
        character = chr(code)
        cells, (_, fast) = width(character), run(character, 0)
        assert fast in (0, cells), hex(code)
        assert (cells == ESCAPED) >= hidden(character), hex(code)
        if character != "\n" and not "\ud800" <= character <= "\udfff":
            _, ends = lay(character, 0, 0, 80)
            assert ends[0] <= cost(character, 80) <= MAX_COST, hex(code)


@pytest.mark.parametrize(
    ("text", "columns", "drawn", "ends"),
    [
        ("ab", 10, "ab", [1, 2]),
        ("漢字", 10, "漢字", [2, 4]),
        ("x" * 9 + "漢a", 10, "x" * 9 + "漢a", [*range(1, 10), 12, 13]),
        ("漢" * 6, 11, "漢" * 6, [2, 4, 6, 8, 10, 13]),
        ("e\u0301x", 10, "e\u0301x", [1, 1, 2]),
        ("\u0301x", 10, "\\u{0301}x", [8, 9]),
        ("a\tb", 10, "a       b", [1, 8, 9]),
        ("x" * 9 + "\tb", 10, "x" * 9 + " b", [*range(1, 10), 10, 11]),
        ("a\nb", 10, "a \r\nb", [1, 10, 11]),
        ("x" * 10 + "\nb", 10, "x" * 10 + " \r\nb", [*range(1, 11), 20, 21]),
        ("a\u200bb", 20, "a\\u{200b}b", [1, 9, 10]),
    ],
)
def test_laid(text: str, columns: int, drawn: str, ends: list[int]) -> None:
    assert lay(text, 0, 0, columns) == (drawn, ends)


def test_marks_join_what_has_a_cell_of_its_own() -> None:
    assert joins("e\u0301", 1)
    assert joins("漢\u0301", 1)
    for text in ("\u0301", "\u200b\u0301", "\n\u0301", "\t\u0301", "ab"):
        assert not joins(text, len(text) - 1)
    many = "e" + "\u0301" * (MAX_MARKS + 3)
    assert [joins(many, index) for index in range(len(many))] == [False] + [True] * MAX_MARKS + [False] * 3
