"""The tree as a person reads it: what the reader understood, one node a line, with nothing hidden in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bastion.analysis.outline import outline, typed
from bastion.characters import hidden

VECTORS = yaml.safe_load((Path(__file__).parents[1] / "vectors" / "outline.yaml").read_text())


@pytest.mark.parametrize("entry", VECTORS, ids=lambda entry: ascii(entry["text"])[:60])
def test_a_text_is_shown_as_its_tree(entry: dict[str, object]) -> None:
    told = [f"{'  ' * line.depth}{line.kind}  {line.text}".rstrip() for line in outline(str(entry["text"]).encode())]
    assert told == entry["lines"]


@given(st.binary(max_size=60) | st.text("ab '\"\\$(){}|&;<>*~=\n`#!", max_size=40).map(str.encode))
def test_any_text_has_lines_that_can_be_printed(text: bytes) -> None:
    """Never an exception, and never a character that a terminal would obey."""
    for line in outline(text):
        assert not hidden(line.kind + line.text)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        (b"a/b", "a/b"),
        (b"", "''"),
        (b"a b", "'a b'"),
        (b"\x1b[2J", "'\\x1b[2J'"),
        (b"\xff", "'\\xff'"),
        (b"-x", "-x"),
        (b"it's", '"it\'s"'),
        (b"it's $x", "'it'\\''s $x'"),
    ],
)
def test_a_word_is_shown_as_one_would_type_it(word: bytes, shown: str) -> None:
    assert typed(word) == shown
