"""Patterns: what may be written, what is refused and how that is told, and that RE2 agrees on what they match."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.masking.engine import compiled
from bastion.masking.pattern import BadPattern, Pattern, read
from bastion.masking.tree import Row, begun, longest, loosened, shortest, written

GOOD = [
    r"[A-Z]{3}-[0-9]{6}",
    r"(?i)acme-(?:key|token)-[a-f0-9]{8,32}",
    r"\bEMP(?P<secret>[0-9]{5,7})\b",
    r"(?:a|bc|){1,3}x?\d\D\w\W\S\.\x41[^a-z]",
    r"^id: (?P<secret>[^\s,]{3,20})(?:,|\z)",
    r"grün|a\-b[\]\-x-z^]",
    r"(?i:K)[k-m]{2}.{0,3}",
]
BAD = [
    ("", "an empty pattern"),
    ("x" * 1001, "at most 1000 are read"),
    ("a*", "* has no end"),
    ("a+", "+ has no end"),
    ("a{3,}", "{3,} has no end: write how often at most, such as {3,64}"),
    ("a{5,2}", "the lower number first"),
    ("a{2000}", "a repetition is of 0 to 1000"),
    ("(?:a{40}){40}", "its longest match has 1600 bytes; at most 1024"),
    ("a?", "also matches the empty text"),
    ("x$", "$ is not known here"),
    ("(a", "a ( without its )"),
    ("a)", "a ) without its ("),
    ("[a", "a [ without its ]"),
    ("[z-a]", "not a range"),
    ("[[:alpha:]]", "write a-zA-Z"),
    ("[ä]", "outside ASCII in a set"),
    ("(?=a)b", "only (?:…), (?i:…) and (?P<secret>…)"),
    (r"(a)\1", r"\1 is not known here"),
    (r"\pL", r"\p is not known here"),
    ("a{1,2}?", "a lazy one"),
    ("?a", "nothing before ?"),
    ("a{x}", "no repetition such as"),
    (r"\x4", "two hexadecimal digits"),
    ("(?:(?P<secret>a))", "it belongs at the top"),
    ("(?P<secret>a)|b", "one of several alternatives"),
    ("(?P<secret>a)(?P<secret>b)", "two parts named secret"),
    ("a{193}(?P<secret>b)", "up to 193 bytes before the secret"),
    ("(" * 13 + "a" + ")" * 13, "nested deeper than 12"),
    ("(?:(?:a{30}){30}){0,2}x", "its longest match has"),
]


def whole(pattern: Pattern) -> Row:
    return Row((pattern.before, pattern.secret, pattern.after))


@pytest.mark.parametrize("text", GOOD)
def test_what_is_written_of_a_tree_matches_what_its_pattern_does(text: str) -> None:
    ours = compiled(f"(?:{written(whole(read(text)))})\\z")
    theirs = re.compile(text.replace(r"\z", r"\Z").encode())
    for sample in SAMPLES:
        found, other = ours.match(sample), theirs.fullmatch(sample)
        assert (found is None) == (other is None), sample
    assert shortest(whole(read(text))) <= longest(whole(read(text)))


SAMPLES = [
    b"ABC-123456",
    b"acme-KEY-0123abcd",
    b"EMP12345",
    b"bcax5x_ A.A7",
    b"ax1xa. x.A0",
    b"id: hello,",
    b"id: hello",
    "grün".encode(),
    b"a-b]",
    b"a-b^",
    b"a-by",
    b"kkl",
    b"KlmXYZ",
    b"",
]


@pytest.mark.parametrize(("text", "reason"), BAD, ids=lambda value: value[:20])
def test_what_is_refused_says_why(text: str, reason: str) -> None:
    with pytest.raises(BadPattern) as raised:
        read(text)
    assert reason in str(raised.value)


@given(st.text("ab01{},?*+()[]|\\^$.-:Pi<secret>xdwz\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        pattern = read(text)
    except BadPattern:
        return
    compiled(written(whole(pattern)))


@given(st.sampled_from(GOOD), st.data())
def test_what_has_begun_is_every_beginning_that_can_go_on(text: str, data: st.DataObject) -> None:
    node = whole(read(text))
    sample = data.draw(st.from_regex(re.compile(text.replace(r"\z", r"\Z").encode()), fullmatch=True))
    cut = data.draw(st.integers(0, len(sample)))
    exact, loose = begun(node), begun(loosened(node))
    assert exact is not None
    assert loose is not None
    if 0 < cut < len(sample):
        assert compiled(f"(?:{written(exact)})\\z").match(sample[:cut])
        assert compiled(f"(?:{written(loose)})\\z").match(sample[:cut])
