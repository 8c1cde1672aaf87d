"""Prompts come from the target: what is shown of them takes the cells that were counted, and obeys nothing odd."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bastion.session.gated.prompt import MAX_PROMPT, Prompt
from tests.services.gated.terminal import Terminal


@pytest.mark.parametrize(
    ("prompt", "drawn", "cells"),
    [
        (b"$ ", "$ ", 2),
        (b"\x01\x1b[1;32m\x02me\x01\x1b[0m\x02$ ", "\x1b[1;32mme\x1b[0m$ \x1b[m", 4),
        (b"\x1b]0;me@host\x07$ ", "\x1b]0;me@host\x07$ ", 2),
        (b"\x1b]133;A\x1b\\$ ", "\x1b]133;A\x1b\\$ ", 2),
        (b"\x1b]52;c;aGk=\x07$ ", "$ ", 2),
        (b"\x1b]10;?\x07$ ", "$ ", 2),
        (b"\x1b]0;a\x1b[21tb\x07$ ", "0;ab$ ", 6),
        (b"\x1b[2J\x1b[H\x1b[6n\x1b[21t$ ", "$ ", 2),
        (b"\x1bP$qm\x1b\\\x1bc\x1b(0$ ", "$ ", 2),
        (b"\a\b\x05\x0e\r$ ", "$ ", 2),
        ("\ue0b0 漢 \u202e$ ".encode(), "\ue0b0 漢 $ ", 7),
        (b"\xff\xc3$ ", "\ufffd\ufffd$ ", 4),
        (b"a\tb$ ", "a       b$ ", 11),
    ],
)
def test_what_passes_of_a_prompt(prompt: bytes, drawn: str, cells: int) -> None:
    assert Prompt(prompt).last(80) == (drawn, cells)


def test_lines_above_the_last() -> None:
    assert Prompt(b"one\r\ntwo\n$ ").above(80) == ("one\r\ntwo\r\n", 2)
    assert Prompt(b"x" * 20 + b"\n\n$ ").above(20) == ("x" * 20 + "\r\n\r\n", 2)


def test_a_prompt_at_the_margin_ends_on_the_next_row() -> None:
    assert Prompt(b"x" * 20).last(20) == ("x" * 20 + " \r", 20)


def test_of_a_prompt_too_long_the_end_is_shown() -> None:
    drawn, cells = Prompt(b"x" * MAX_PROMPT + b"end$ ").last(80)
    assert drawn.endswith("end$ ")
    assert cells == MAX_PROMPT


@given(
    st.text(st.sampled_from("ab \n\t\x1b[]0;7m漢\u0301\x07\\\ue0b0?1h\r\u200b\x9b"), max_size=40), st.integers(10, 40)
)
@example("\x1b]\x1b]0;\x1b", 10)
def test_the_cells_are_those_that_a_terminal_takes(text: str, columns: int) -> None:
    """The terminal fails on every sequence that is not expected."""
    prompt, terminal = Prompt(text.encode()), Terminal(columns)
    (above, rows), (last, cells) = prompt.above(columns), prompt.last(columns)
    terminal.write((above + last).encode())
    assert (terminal.y, terminal.x) == (rows + cells // columns, cells % columns)
