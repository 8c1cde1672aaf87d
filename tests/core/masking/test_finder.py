"""The look that comes before the detectors: it may say too much, and never too little."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.masking.engine import compiled
from bastion.masking.finder import SEGMENT
from bastion.masking.pattern import read
from bastion.masking.plan import Custom, Plan
from bastion.masking.tree import Row, core, head, longest, shortest, written
from tests.core.masking.planted import PLANTED, everything, masked, plan_of
from tests.core.masking.planted import Row as Planted

PATTERNS = [
    "(?:ab|c{3,40}){1,6}x{0,30}y",
    "a{1,60}(?P<secret>[b-y]{2,90})z",
    "(?:(?:a{20}){1,3}|b?c{5})d{30}",
    "(?:.{40}){0,1}x",
]


@given(st.sampled_from(PATTERNS), st.integers(0, 200), st.data())
def test_a_head_is_what_each_match_begins_with(text: str, most: int, data: st.DataObject) -> None:
    pattern = read(text)
    node = Row((pattern.before, pattern.secret, pattern.after))
    begins = head(node, most)
    assert longest(begins) <= max(most, 0)
    assert shortest(begins) <= shortest(node)
    sample = data.draw(st.from_regex(re.compile(text.encode(), re.ASCII), fullmatch=True))
    if b"\n" not in sample:
        assert compiled(f"(?:{written(begins)})").match(sample)


CORES = {
    "[a-z0-9]{3}[0-9]Q~[a-z]{4}": "[a-z0-9][0-9]Q~[a-z]{4}",
    "\\b[a-z][a-z+.-]{0,9}://x{3,9}": "[a-z+.-]://x{3,9}",
    "(?:[a-z]|[A-Z][0-9a-z])(?:[a-z-]){0,4}@[a-z]{3}": "[0-9a-z-]@[a-z]{3}",
    "(?:[a-z]{5}){0,3}@home": "@home",
    "(?:^|[^a-z])[a-z]{3,9}-us[0-9]": "[a-z]-us[0-9]",
    "^[a-z0-9_]{0,9}(?:ab|cd)=x": "(?:ab|cd)=x",
    "[0-9]{3}-[0-9]{4}": "[0-9]{3}-[0-9]{4}",
    "(?:ab|cd)_[a-z]{9}": "(?:ab|cd)_[a-z]{9}",
    "[a-z]{3,40}": "[a-z]{3,40}",
}


@given(st.sampled_from(sorted(CORES)), st.data())
def test_a_core_stands_in_every_match_and_begins_with_what_is_known(text: str, data: st.DataObject) -> None:
    inner = core(read(text).secret)
    assert written(inner) == written(read(CORES[text]).secret)
    sample = data.draw(st.from_regex(re.compile(text.encode(), re.ASCII), fullmatch=True))
    if b"\n" not in sample:
        assert compiled(f"(?:{written(inner)})").search(sample)


@given(st.sampled_from(sorted(CORES)), st.integers(SEGMENT - 80, SEGMENT + 20), st.data())
def test_a_pattern_is_a_candidate_where_its_match_begins_and_not_where_its_core_does(
    text: str, at: int, data: st.DataObject
) -> None:
    plan = Plan.compile(patterns=[Custom("own", text)])
    sample = data.draw(st.from_regex(re.compile(text.encode(), re.ASCII), fullmatch=True))
    whole = b"\n" * at + sample
    match = plan.detectors[0].match.search(whole)
    if match is None:  # a line's end inside
        return
    begin = match.span()[0]
    for dense in (False, True):
        assert any(first <= begin < last for first, last in plan.finder.candidates(whole, 0, dense)[0])
        assert any(first <= begin < last for first, last in plan.finder.candidates(whole, begin, dense)[0])


@given(st.sampled_from(PLANTED), st.integers(0, 2 * SEGMENT), st.binary(max_size=20))
def test_wherever_a_secret_stands_its_detector_is_a_candidate_there(row: Planted, at: int, rest: bytes) -> None:
    plan = plan_of(row.detector)
    text = b"\n" * at + row.text + rest
    match = plan.detectors[0].match.search(text)
    if match is None:  # of what follows it, it is another's
        return
    begin = match.span()[0]
    for dense in (False, True):
        assert any(first <= begin < last for first, last in plan.finder.candidates(text, 0, dense)[0])
        assert any(first <= begin < last for first, last in plan.finder.candidates(text, begin, dense)[0])


@given(st.lists(st.sampled_from(PLANTED), min_size=1, max_size=3), st.integers(0, 9), st.integers(0, SEGMENT))
def test_a_quiet_stream_and_a_busy_one_are_masked_alike(rows: list[Planted], quiet: int, size: int) -> None:
    pieces = [b"so much text\n" * (size // 13) for _ in range(quiet)] + [row.text + b"\n" for row in rows]
    assert masked(everything(), pieces) == masked(everything(), [b"".join(pieces)])


@pytest.mark.parametrize("pattern", ["[a-z]{3,8}", "[a-z-]{4,20}", "(?:a{300}){1,2}", "(?:.{300})?x"])
def test_a_pattern_of_common_text_or_of_long_parts_is_no_reason_to_refuse_it(pattern: str) -> None:
    assert Plan.compile(patterns=[Custom("own", pattern)]).names == ("own",)
