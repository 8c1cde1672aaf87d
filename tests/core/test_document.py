"""YAML read strictly: places, kinds, what the dialect leaves out, and bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.document import MAX_BYTES, MAX_DEPTH, Node, Section, finish, parse
from bastion.errors import BadFile, Problem


def read(source: str | bytes) -> tuple[Section, list[Problem]]:
    problems: list[Problem] = []
    return parse(source if isinstance(source, bytes) else source.encode(), "f", problems), problems


def told(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in sorted(problems)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "f:1:1: empty: expected a mapping"),
        ("- a", "f:1:1: expected a mapping at the top of the file"),
        ("text", "f:1:1: expected a mapping at the top of the file"),
        ("a: &x 1", "f:1:4: anchors"),
        ("a: *x", "f:1:4: aliases"),
        ("a: !!python/object:os.system x", "f:1:4: tags"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document"),
        ("a: 1\na: 2", "f:2:1: duplicate key 'a', first at line 1"),
        ("[a]: 1", "f:1:1: a key must be text"),
        ("a: [", "f:2:1: not YAML"),
        ("a: b: c", "f:1:5: not YAML"),
        ("x: 1\na: é\x01", "f:2:5: a character that YAML forbids: U+0001"),
        (b"a: 1\nb: \xff", "f:2:1: not UTF-8"),
        ("a: " + "x" * MAX_BYTES, f"f:1:1: larger than {MAX_BYTES} bytes"),
        ("a: " + "[" * (MAX_DEPTH + 1), f"f:1:{MAX_DEPTH + 3}: nested deeper than {MAX_DEPTH}"),
    ],
)
def test_what_is_refused_and_where(source: str | bytes, message: str) -> None:
    """One problem, at its place."""
    _, problems = read(source)
    assert len(problems) == 1
    assert told(problems)[0].startswith(message)
    with pytest.raises(BadFile):
        finish(problems)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("true", "boolean"),
        ("false", "boolean"),
        ("yes", "text"),
        ("no", "text"),
        ("on", "text"),
        ("True", "text"),
        ("12", "integer"),
        ("-3", "integer"),
        ("1.5", "text"),
        ("0x1f", "text"),
        ("1_000", "text"),
        ("12:30", "text"),
        ("2026-01-01", "text"),
        ("null", "null"),
        ("~", "null"),
        ("", "null"),
        ("'true'", "text"),
        ('"12"', "text"),
        ("''", "text"),
        ("[]", "list"),
        ("{}", "mapping"),
        ("|\n  1", "text"),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, kind: str) -> None:
    """The JSON schema of YAML 1.2: `no` is text, and what is quoted is text."""
    section, problems = read(f"a: {text}")
    node = section.take("a")
    assert node is not None
    assert node.kind == kind
    assert problems == []


def test_readers_note_the_wrong_kind_and_go_on() -> None:
    """Each wrong value is one problem at its place, and the default stands in."""
    section, problems = read("t: 1\ni: x\nb: yes\nd: 10\nr: 11\nl: {}\nm: []\ne: ''\nc: beta")
    assert section.read("t", Node.text, "d") == "d"
    assert section.read("i", lambda node: node.integer(0, 5), 3) == 3
    assert section.read("b", Node.boolean, True) is True
    assert section.read("d", lambda node: node.duration(1, 60), 9) == 9
    assert section.read("r", lambda node: node.integer(0, 10), 4) == 4
    assert section.read("l", Node.texts, ["x"]) == []
    assert section.require("m", Node.section, section) is not section
    assert section.require("e", Node.text, "s") == "s"
    assert section.read("c", lambda node: node.choice("alpha", "gamma"), "") == ""
    assert section.require("z", Node.text, "s") == "s"
    section.close()
    assert [line.split(": ", 1)[1] for line in told(problems)] == [
        "missing key 'z'",
        "expected text, found integer",
        "expected a whole number, found text",
        "expected true or false, found text",
        "expected text, found integer",
        "11 is not between 0 and 10",
        "expected a list, found mapping",
        "expected a mapping, found list",
        "expected text, found an empty one",
        "'beta' is not one of alpha, gamma",
    ]


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("1h", 3600), ("7d", 604800)])
def test_durations(text: str, seconds: int) -> None:
    """A number and a unit."""
    section, problems = read(f"a: {text}")
    assert section.read("a", lambda node: node.duration(0, 10**6), -1) == seconds
    assert problems == []


@pytest.mark.parametrize("text", ["0s", "8d", "1w", "1.5h", "h", "1h30m", "-1h", "1 h"])
def test_durations_that_are_none(text: str) -> None:
    """Out of bounds, or not one number and one unit."""
    section, problems = read(f"a: {text}")
    assert section.read("a", lambda node: node.duration(1, 604800), -1) == -1
    assert len(problems) == 1


def test_unknown_keys_are_told_with_what_was_meant() -> None:
    """Every key that nobody asked for, at the key's place; one that was only looked at is not asked for."""
    section, problems = read("rules: 1\nrulse: 2\nxyz: 3")
    section.take("rules")
    section.key("xyz")
    section.close()
    assert told(problems) == ["f:2:1: unknown key 'rulse'; did you mean 'rules'?", "f:3:1: unknown key 'xyz'"]


def test_a_column_counts_characters() -> None:
    """Not bytes: an editor goes to the right place after an é."""
    section, problems = read("é: {ü: x, b: [1]}")
    inner = section.require("é", Node.section, section)
    inner.take("ü")
    inner.close()
    assert told(problems) == ["f:1:11: unknown key 'b'"]


@given(
    st.binary(max_size=200) | st.text(alphabet="ab: -[]{}\n'\"#&*!|>%@`,?\té\x00\u2028", max_size=80).map(str.encode)
)
@settings(max_examples=500)
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    """`parse` never raises: it gives a section, and a problem for what it could not read."""
    section, problems = read(source)
    for _, key, value in section.entries():
        assert key.place.line >= 1
        assert value.kind
    if not source.strip():
        assert problems
