"""What is not seen, what looks like something else, and how either is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.characters import briefly, hidden, mixed, shown


@given(st.text(max_size=100))
def test_nothing_hidden_is_left_and_one_line_stays_one(text: str) -> None:
    told = shown(text)
    assert not hidden(told)
    assert "\n" not in told
    assert shown(told) == told


@given(st.text(max_size=100) | st.binary(max_size=100))
def test_a_word_in_a_reason_is_short_and_hides_nothing(word: str | bytes) -> None:
    assert len(briefly(word)) <= 60
    assert not hidden(briefly(word))


@given(st.characters())
def test_what_is_hidden_is_what_no_one_sees(character: str) -> None:
    category = unicodedata.category(character)
    if category[0] == "C" or category in ("Zl", "Zp") or (category == "Zs" and character != " "):
        assert hidden(character)
    if category in ("Lu", "Ll", "Nd", "Sc", "Pd"):
        assert not hidden(character)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("größe ✓", "größe ✓"),
        ("\x1b[2J\r\nroot", r"\x1b[2J\x0d\x0aroot"),
        ("a\u202eb\u2800", r"a\u{202e}b\u{2800}"),
        ("x" * 400, "x" * 300 + "…"),
        (b"a\xff\x1b", r"a\xff\x1b"),
        (7, "7"),
        (True, "True"),
        (None, "(NoneType)"),
        (["\x1b"], "(list)"),
        ({"\x1b": 1}, "(dict)"),
    ],
)
def test_what_others_wrote_is_shown_so(value: object, told: str) -> None:
    assert shown(value) == told


@given(st.text(st.characters(codec="ascii")))
def test_plain_latin_is_never_mixed(text: str) -> None:
    assert not mixed(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("\u0430", True), ("a\u0301", False), ("\u0430\u0301gent", True), ("иван@demo", False), ("иванdemo", True)],
)
def test_a_word_counts_by_itself(text: str, answer: bool) -> None:
    assert mixed(text) is answer
