"""Text of strangers in the trail: nothing lost, nothing that a terminal would obey, a bound on its length."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.audit.text import escape, told, unescape


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_escaped_text_gives_back_the_bytes(raw: bytes) -> None:
    """Whatever the bytes were, they can be had back exactly."""
    text, escaped = escape(raw)
    assert (unescape(text) if escaped else text.encode()) == raw


@given(st.binary(max_size=200))
def test_nothing_unseen_is_left(raw: bytes) -> None:
    """No control, format, surrogate or line-breaking character is ever in the text."""
    text, _ = escape(raw)
    assert not {unicodedata.category(letter) for letter in text} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("raw", "text", "escaped"),
    [
        (b"uptime", "uptime", False),
        ("grep größe ✓".encode(), "grep größe ✓", False),
        (rb"a\b", r"a\b", False),
        (b"a\\b\n", r"a\\b\x0a", True),
        (b"\x1b[2J", r"\x1b[2J", True),
        (b"\xff\xfe", r"\xff\xfe", True),
        ("a\u202eb".encode(), r"a\xe2\x80\xaeb", True),
        ("a\u034f\u2800\ufe0fb".encode(), r"a\xcd\x8f\xe2\xa0\x80\xef\xb8\x8fb", True),
        ("a\u00a0b".encode(), r"a\xc2\xa0b", True),
        (b"", "", False),
    ],
)
def test_what_is_escaped(raw: bytes, text: str, escaped: bool) -> None:
    """Plain text stands as it is; a control, bidi or broken byte is `\\xNN`, and then each backslash is doubled."""
    assert escape(raw) == (text, escaped)


def test_a_lone_surrogate_is_told() -> None:
    """Text that is no text (a lone surrogate) is escaped, not refused."""
    assert told("name", "a\udcffb", 100) == {"name": r"a\xffb", "name_escaped": True}
    assert told("name", "a" + chr(0xD800), 100) == {"name": r"a\xed\xa0\x80", "name_escaped": True}


def test_long_text_tells_its_length_and_digest() -> None:
    """What is cut is told: bytes and SHA-256 of the whole, and no half character is left."""
    raw = ("ü" * 20).encode()
    entries = told("name", raw, 11)
    assert entries == {
        "name": "ü" * 5,
        "name_whole": {"bytes": 40, "sha256": hashlib.sha256(raw).hexdigest()},
    }


@given(st.binary(max_size=50), st.integers(4, 20))
def test_cut_text_is_a_beginning_within_the_bound(raw: bytes, bound: int) -> None:
    """What is kept is the beginning, never longer than its bound, and shorter by less than one character."""
    entries = told("name", raw, bound)
    text = entries["name"]
    assert isinstance(text, str)
    kept = unescape(text) if "name_escaped" in entries else text.encode()
    assert raw.startswith(kept)
    assert bound - 4 < len(kept) <= bound or kept == raw
