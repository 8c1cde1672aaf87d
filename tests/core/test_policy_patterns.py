"""Patterns: names, words and commands, and that no word makes matching slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.policy.patterns import NamePattern, base_name, command_pattern
from bastion.policy.words import BadPattern, normal


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("agents", "agents", True),
        ("agents", "Agents", False),
        ("agents", "agents2", False),
        ("repo:acme/*", "repo:acme/web:ref:refs/heads/main", True),
        ("repo:acme/*", "repo:acme", False),
        ("repo:acme/*", "repo:acme-evil/x", False),
        ("*", "", True),
        ("web-*-db", "web-1-db", True),
        ("web-*-db", "web-db", False),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("[a]", "[a]", True),
        ("a*", "a\nb", True),
        ("a", "a\n", False),
    ],
)
def test_names(pattern: str, name: str, matches: bool) -> None:
    """Only `*` is special, it stands for anything, and the whole name counts."""
    assert NamePattern.of(pattern).matches(name) is matches


@pytest.mark.parametrize(
    ("pattern", "argv"),
    [
        ("echo 'a b'", [b"echo", b"a b"]),
        ('echo "a b"', [b"echo", b"a b"]),
        ("echo a\\ b", [b"echo", b"a b"]),
        ("echo '*'", [b"echo", b"*"]),
        ("echo \\*", [b"echo", b"*"]),
        ("echo ''", [b"echo", b""]),
        ("echo é", [b"echo", "é".encode()]),
        ("  echo   a ", [b"echo", b"a"]),
    ],
)
def test_quotes_make_characters_literal(pattern: str, argv: list[bytes]) -> None:
    """A pattern can name a word with blanks, stars or nothing in it, and matches that word alone."""
    assert command_pattern(pattern).grants(argv)
    assert not command_pattern(pattern).grants([argv[0], b"other"])


@pytest.mark.parametrize("pattern", ["", "  ", "''", "a ** b", "a **/b", "a***", "a 'b", 'a "b', "a\\"])
def test_what_is_no_pattern(pattern: str) -> None:
    """An empty name, a rest that is not last, an open quote: refused, never read as something else."""
    with pytest.raises(BadPattern):
        command_pattern(pattern)


PIECES = st.lists(st.sampled_from(["a", "b", "/", ".", "*", "x"]), min_size=1, max_size=8).map("".join)
WORDS = st.text(alphabet="ab/.x", max_size=10)


@given(PIECES.filter(lambda text: "**" not in text and text != "*"), st.booleans(), WORDS)
@settings(max_examples=1500)
@example("*a*ab", False, "aaab")
@example("*a/b*", True, "xa/bx")
def test_matching_is_what_a_plain_regex_says(text: str, rest: bool, word: str) -> None:
    """The regex that never backtracks over two stars matches the same words as the obvious one."""
    pattern = command_pattern(f"p {text}{'**' if rest and not text.endswith('*') else ''}")
    rest = rest and not text.endswith("*")
    plain = "[^/]*".join(map(re.escape, text.split("*"))) + (".*" if rest else "")
    wide = ".*".join(map(re.escape, text.split("*"))) + (".*" if rest else "")
    dots = ".." in word.split("/") and ("*" in text or rest)
    argv = [b"p", word.encode()]
    assert pattern.grants(argv) == (re.fullmatch(plain, word) is not None and not dots)
    spellings = {word, normal(word.encode()).decode()} if "/" in word else {word}
    assert pattern.restrains(argv) == any(re.fullmatch(wide, spelling) for spelling in spellings)


def test_no_word_makes_a_pattern_slow() -> None:
    """Twelve stars against 8 KiB that almost match: a backtracking matcher would not end within the test's time."""
    pattern = command_pattern("p " + "*a" * 12 + "*c")
    name = NamePattern.of("*a" * 12 + "*c")
    assert not pattern.grants([b"p", b"a" * 8192])
    assert not pattern.restrains([b"p", b"a" * 8192])
    assert not name.matches("a" * 8192)


@pytest.mark.parametrize(
    ("name", "base"), [(b"rm", b"rm"), (b"/bin/rm", b"rm"), (b"/bin/rm/", b"rm"), (b"./x/rm", b"rm"), (b"/", b"")]
)
def test_the_last_part_of_a_name(name: bytes, base: bytes) -> None:
    """A slash at the end hides nothing."""
    assert base_name(name) == base
