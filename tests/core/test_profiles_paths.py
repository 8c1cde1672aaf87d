"""Patterns of paths: the bounded expressions match exactly what the plain reading of a pattern does, and quickly."""

from __future__ import annotations

import re
from importlib import resources

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis.profile.paths import KINDS, _expression, of_path

HOME = r"(?:~[^/]*|/root|/var/root|/home/[^/]+|/Users/[^/]+|\$HOME|\$\{HOME\})"
SHIPPED = yaml.safe_load((resources.files("bastion.analysis") / "profile" / "paths.yaml").read_text())["paths"]
PATTERNS = sorted({pattern for item in SHIPPED for pattern in item["patterns"]})
PIECES = sorted({piece for pattern in PATTERNS for piece in re.split(r"(/)|\*+", pattern) if piece})


def plainly(pattern: str) -> str:
    """`*` is anything but `/`, `**` anything, `~` a home: with all the freedom that backtracking gives."""
    start, text = "", pattern
    if text.startswith("~"):
        start, text = HOME, text[1:]
    elif text.startswith("**/"):
        start, text = r"(?:.*/)?", text[3:]
    parts = re.split(r"(\*\*|\*)", text)
    return start + "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts) + r"\Z"


@given(
    st.sampled_from([*PATTERNS, "**/a*b/**/c*d*e", "*a*a*", "**/ab*a", "a**b*c**d", "~/**/a", "**"]),
    st.lists(st.sampled_from([*PIECES, "/", "/", "a", "b", "ab", "key", ".pem", "/home/u", "~", "\n"]), max_size=9),
)
@settings(max_examples=1500, deadline=None)
@example("**/*key*.pem", ["key", "/", "key", "a", ".pem"])
@example("**/.mozilla/**/logins.json", [".mozilla", "/", "a", ".mozilla", "/", "b", "/", "logins.json"])
def test_a_bounded_expression_matches_what_the_pattern_says(pattern: str, pieces: list[str]) -> None:
    path = "".join(pieces)
    for text in (path, pattern.replace("**", path).replace("*", "a")):
        expected = re.match(plainly(pattern), text, re.DOTALL) is not None
        assert (re.match(_expression(pattern), text, re.DOTALL) is not None) == expected


def test_a_path_that_no_system_has_means_nothing() -> None:
    """Longer than PATH_MAX, or with a name longer than NAME_MAX: it can not be opened, and would only cost time."""
    assert of_path("reads", b"a/" * 2000 + b".ssh/id_rsa")[0] == {"credential-access"}
    assert of_path("reads", b"a/" * 2100 + b".ssh/id_rsa")[0] == frozenset()
    assert of_path("reads", b"a" * 256 + b"/../.ssh/id_rsa")[0] == frozenset()
    assert all(of_path(kind, b"x")[0] == frozenset() for kind in KINDS)
