"""Words that only the target knows: what is known of them is enough to hold back, and never enough to let through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bastion.analysis.command import FindingKind
from bastion.analysis.profile.outlines import could_be
from bastion.analysis.profile.paths import of_outline, of_path, rules
from bastion.analysis.shell import analyse

VECTORS = Path(__file__).parents[1] / "vectors"
OUTLINES = yaml.safe_load((VECTORS / "profiles_outlines.yaml").read_text())
MANY = yaml.safe_load((VECTORS / "profiles_many.yaml").read_text())


@pytest.mark.parametrize("row", OUTLINES, ids=lambda row: row["run"])
def test_what_is_known_of_a_path_tells_what_it_may_be(row: dict[str, object]) -> None:
    analysis = analyse(str(row["run"]).encode())
    assert analysis.unreadable is None
    assert sorted(analysis.categories) == row["categories"]
    assert all(finding.technique for finding in analysis.findings)


@pytest.mark.parametrize("row", MANY, ids=lambda row: row["run"])
def test_a_word_that_may_be_several_or_an_option_is_never_taken_for_less(row: dict[str, object]) -> None:
    analysis = analyse(str(row["run"]).encode())
    unknown = any(finding.kind is FindingKind.UNKNOWN for finding in analysis.undecidable)
    assert unknown is row.get("unknown", False)
    if "reads_only" in row:
        acts = analysis.commands[-1].acts
        assert acts is not None
        assert acts.reads_only is row["reads_only"]


EXACT = sorted({rule.text for rule in rules() if "*" not in rule.text and rule.text.startswith("/")})


@given(st.sampled_from(EXACT), st.data())
def test_a_known_path_with_a_part_of_it_unknown_is_still_found(path: str, data: st.DataObject) -> None:
    """Whichever part of a name in a path that rules know is hidden, the rule still applies."""
    names = [found.span() for found in re.finditer(r"[^/]+", path)]
    start, end = data.draw(st.sampled_from(names))
    begin = data.draw(st.integers(start, end))
    stop = data.draw(st.integers(begin, end))
    outline = path[:begin] + "\0" + path[stop:]
    assert could_be(outline, path)
    for kind in ("reads", "writes", "deletes"):
        found, _ = of_path(kind, path.encode())
        told, _ = of_outline(kind, outline.encode())
        assert found <= told


@given(st.text(alphabet="/.\0*ab~", max_size=20), st.sampled_from([rule.text for rule in rules()]))
def test_no_outline_raises(outline: str, pattern: str) -> None:
    assert could_be(outline, pattern) in (True, False)


@pytest.mark.parametrize("text", ["cat " + "/e*/s* " * 200, 'cd "$x"; cat ' + "a " * 300, "cat " + '"$x"/' * 300 + "y"])
def test_the_work_on_what_is_partly_known_is_bounded(text: str) -> None:
    """Past the bound the text is undecidable, rather than judged without some of it."""
    analysis = analyse(text.encode())
    assert analysis.unreadable is not None
    assert "known in part" in analysis.unreadable.reason
