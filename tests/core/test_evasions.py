"""Evasions by class, each with what must come of it: analysis and decision, end to end.

The vectors name a policy of evasion_policies.yaml (`strict` where they name none: echo, ls and cat and nothing else),
or bring the patterns of the one rule that there is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from bastion.analysis.shell import analyse
from bastion.policy.decision import Decision, Effect
from tests.core.evasions.judge import VECTORS, allowing, judged, named
from tests.core.oracle.sandbox import Sandbox
from tests.core.oracle.sandbox import named as names

Row = dict[str, object]


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


EVASIONS, BENIGN = rows("evasions.jsonl"), rows("benign.jsonl")
THEIRS = {
    "basename trust": "basename-trust",
    "global options": "options-git",
    "write options of readers": "options-sort",
    "environment builtins": "environment-builtins",
    "caps that fail open": "caps",
    "more than N sub-commands": "more-than-n-sub-commands",
    "input redirection": "input-redirection",
    "[[ =~ ]]": "test-tricks",
    "invisible Unicode padding": "unicode-padding",
    "bare assignments": "assignments",
    "wrappers not unwrapped": "wrappers",
    "a regex over the raw string: quote removal": "quote-removal",
    "a regex over the raw string: $IFS": "ifs-and-blanks",
    "a regex over the raw string: computed names": "computed-names",
    "a regex over the raw string: base64 to sh": "encodings",
    "a regex over the raw string: alternative programs": "alternative-programs",
    "a regex over the raw string": "raw-string",
    "allow rules that shadow deny rules": "deny-shadowed",
    "misreadings of the parser": "misreadings",
    "not decidable besides": "undecidable-besides",
    "the printer": "printer",
}
"""How other tools were walked round, by the class of vectors that says the same of this one."""


def text_of(row: Row) -> bytes:
    times = row.get("times", 1)
    assert isinstance(times, int)
    return str(row["text"]).encode() * times


def decision_of(row: Row) -> tuple[list[list[str | None]], bytes | None, Decision]:
    patterns, does = row.get("allow"), row.get("does", [])
    assert isinstance(does, list)
    policy = named(str(row.get("policy", "strict")))
    if patterns is not None:
        assert isinstance(patterns, list)
        policy = allowing(tuple(patterns), tuple(does))
    analysis, decision = judged(policy, text_of(row), str(row.get("shell", "bash")))
    argv = [[None if word is None else word.decode() for word in command.argv] for command in analysis.commands]
    return [words for words in argv if words], analysis.runs, decision


@pytest.mark.parametrize("row", EVASIONS, ids=lambda row: str(row["id"]))
def test_an_evasion_is_not_allowed(row: Row) -> None:
    """It is refused, by what the vector says refuses it (a rule, or the default), or for being undecidable."""
    _, _, decision = decision_of(row)
    assert decision.effect is not Effect.ALLOW
    assert decision.rule in (row["by"], "undecidable")
    assert str(row.get("reason", "")) in decision.reason


@pytest.mark.parametrize("row", BENIGN, ids=lambda row: str(row["id"]))
def test_what_only_looks_like_one_is_allowed_as_written(row: Row) -> None:
    """Strictness that refuses everything would prove nothing: these run, with exactly these words."""
    argv, runs, decision = decision_of(row)
    assert decision.effect is Effect.ALLOW, decision.reason
    assert runs is not None
    times = row.get("times", 1)
    assert isinstance(row["argv"], list)
    assert isinstance(times, int)
    assert argv == row["argv"] * times


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def heads(row: Row) -> set[str]:
    assert isinstance(row["argv"], list)
    return {argv[0] for argv in row["argv"]}


PLAIN = [
    row
    for row in BENIGN
    if "times" not in row
    and row.get("shell", "bash") == "bash"
    and heads(row) <= {"echo", "ls", "cat"}
    and not any(word in str(row["text"]) for word in ("while", "until", "/sandbox/", "coproc"))
]
"""Those of programs that run no others, and that end where every command does nothing."""


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: str(row["id"]))
def test_bash_agrees_with_the_vectors(row: Row, box: Sandbox) -> None:
    """The words that a vector says are those that bash itself makes of the text."""
    assert isinstance(row["argv"], list)
    said = [tuple(None if word is None else word.encode() for word in argv) for argv in row["argv"]]
    assert [call for call in box.calls(text_of(row)) if not any(names(call, argv) for argv in said)] == []


@pytest.mark.parametrize("row", rows("evasions_tricky.jsonl"), ids=lambda row: str(row["class"]))
def test_no_program_of_a_tricky_text_is_missed(row: Row) -> None:
    """Either every program that bash would run is named, and no other, or the text is undecidable: never silence."""
    analysis = analyse(text_of(row))
    decided = analysis.runs is not None and not analysis.undecidable
    assert decided == row.get("decided", True)
    if decided:
        assert isinstance(row["programs"], list)
        named_here = {command.argv[0] for command in analysis.commands if command.argv}
        assert named_here == {str(name).encode() for name in row["programs"]}


def test_every_class_has_its_vectors() -> None:
    """At least 600 in all, evasive and benign, and each way round the others' judgement is among them."""
    of_class = Counter(str(row["class"]) for row in EVASIONS)
    assert [name for name in THEIRS.values() if of_class[name] < 8] == []
    assert len(EVASIONS) >= 1400
    assert len(BENIGN) >= 250
    ids = [str(row["id"]) for row in (*EVASIONS, *BENIGN)]
    assert len(ids) == len(set(ids))
