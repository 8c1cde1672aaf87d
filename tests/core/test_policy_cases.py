"""Cases: what their files may say, what fails, and which rules nobody exercised."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion.errors import BadFile, Problem
from bastion.policy import cases, loader
from bastion.policy.decision import Effect

SHIPPED = Path(__file__).parents[2] / "policies"
POLICY = loader.load_texts(
    {
        "a.yaml": b"""version: 1
mode: observe
rules:
  - {id: look, effect: allow, who: {groups: [agents]}, commands: ["ls **", "cat **"]}
  - {id: look-too, effect: allow, who: {groups: [agents]}, commands: ["ls **"]}
  - {id: never, effect: deny, commands: [rm]}
  - {id: no-privilege, effect: deny, categories: [privilege]}
  - {id: shell, effect: allow, shell: raw}
"""
    }
)
HEAD = "version: 1\nas: {groups: [agents]}\ncases:\n"


def read(text: str) -> tuple[cases.Case, ...]:
    problems: list[Problem] = []
    found = cases.read(text.encode(), "a.cases.yaml", problems)
    if problems:
        raise BadFile(problems)
    return found


def test_a_case_has_its_place_its_asker_and_its_verdict() -> None:
    one, two, three = read(
        HEAD + "  - {command: ls, effect: allow, rule: look}\n"
        "  - commands: [rm x,\n      id]\n    effect: deny\n    about: no\n    as: {identity: [a, b], target: web-1}\n"
    )
    assert (str(one.place), one.command, one.effect, one.rule) == ("a.cases.yaml:4:15", "ls", Effect.ALLOW, "look")
    assert one.asker.groups == {"agents"}
    assert (str(two.place), str(three.place)) == ("a.cases.yaml:5:16", "a.cases.yaml:6:7")
    assert (two.about, two.asker.identity, two.asker.target) == ("no", ("a", "b"), "web-1")
    assert two.asker.groups == {"agents"}, "a case's `as` replaces only the keys that it has"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1:1: empty"]),
        ("cases: [{command: ls, effect: allow}]\n", ["1:1: missing key 'version'"]),
        ("version: 2\ncases: [{command: ls, effect: allow}]\n", ["1:10: this bastion reads cases of version 1"]),
        ("version: 1\n", ["1:1: missing key 'cases'"]),
        ("version: 1\ncases: []\n", ["2:8: an empty list tests nothing"]),
        (
            "version: 1\ncase: []\ncases: ls\n",
            ["2:1: unknown key 'case'; did you mean 'cases'?", "3:8: expected a list"],
        ),
        (HEAD + "  - {command: ls}\n", ["4:5: missing key 'effect'"]),
        (HEAD + "  - {effect: allow}\n", ["4:5: a case has either `command` or `commands`"]),
        (HEAD + "  - {command: a, commands: [b], effect: allow}\n", ["4:5: a case has either"]),
        (HEAD + "  - {commands: [], effect: allow}\n", ["4:16: an empty list tests nothing"]),
        (HEAD + "  - {command: 7, effect: allow}\n", ["4:15: expected text, found integer"]),
        (HEAD + "  - {command: ls, effect: permit}\n", ["4:27: 'permit' is not one of allow, approve, deny"]),
        (HEAD + "  - {command: ls, effect: allow, rules: x}\n", ["4:34: unknown key 'rules'; did you mean 'rule'?"]),
        (
            HEAD + "  - {command: ls, effect: deny, as: {group: x}}\n",
            ["4:38: unknown key 'group'; did you mean 'groups'?"],
        ),
        (HEAD + "  - {command: ls, effect: deny, as: {groups: x}}\n", ["4:46: 'groups' must be a list"]),
        (HEAD + "  - {command: ls, effect: deny, as: {claims: {a: 7}}}\n", ["4:46: 'claims.a' must be text"]),
        (HEAD + "  - {command: ls, effect: deny, as: {at: noon}}\n", ["4:42: 'at' must be a date and time"]),
        (HEAD + "  - {command: ls, effect: deny, as: []}\n", ["4:37: expected a mapping"]),
        (HEAD + "  - ls\n", ["4:5: expected a mapping, found text"]),
    ],
)
def test_every_mistake_is_told_at_its_place(text: str, problems: list[str]) -> None:
    with pytest.raises(BadFile) as caught:
        read(text)
    told = [str(problem).removeprefix("a.cases.yaml:") for problem in caught.value.problems]
    assert [one[: len(start)] for one, start in zip(told, problems, strict=True)] == problems


@pytest.mark.parametrize(
    ("case", "good"),
    [
        ("{command: ls, effect: allow}", True),
        ("{command: ls, effect: allow, rule: look}", True),
        ("{command: ls, effect: allow, rule: never}", False),
        ("{command: ls, effect: deny}", False),
        ("{command: ls, effect: deny, rule: default, as: {groups: []}}", True),
        ("{command: rm x, effect: deny, rule: never}", True),
        ("{command: bash -s, stdin: rm x, effect: deny, rule: never}", True),
        ("{command: bash -s, stdin: ls, effect: deny, rule: never}", False),
        ("{command: ls $((, effect: deny, rule: undecidable}", True),
        ("{command: ls, effect: approve}", False),
        ("{command: ls, effect: allow, rule: nonsense}", False),
    ],
)
def test_a_case_holds_or_fails_as_if_the_policy_enforced(case: str, good: bool) -> None:
    (result,) = cases.run(POLICY, read(HEAD + f"  - {case}\n"))
    assert result.good is good


def test_a_failure_says_what_was_expected_and_why_not() -> None:
    text = HEAD + "  - {command: rm x, effect: allow, rule: nonsense}\n  - {command: ls, effect: deny}\n"
    one, two = cases.run(POLICY, read(text))
    assert one.expected == "allow by nonsense, a rule that this policy does not have"
    assert one.decided == "deny by never (a.yaml:6:5): this rule forbids rm with these arguments"
    assert two.expected == "deny"
    assert two.decided == "allow by look (a.yaml:4:5): allowed by this rule"


def test_the_rules_that_decided_nothing_are_known() -> None:
    """Of a rule whose place another takes, too; a rule for shells is none that a case could be about."""
    results = cases.run(POLICY, read(HEAD + "  - {commands: [ls, ls | rm x], effect: allow}\n"))
    assert [rule.id for rule in cases.never_exercised(POLICY, results)] == ["look-too", "no-privilege"]
    assert len(cases.testable(POLICY)) == 4
    more = cases.run(POLICY, read(HEAD + "  - {command: sudo ls, effect: deny, rule: no-privilege}\n"))
    assert [rule.id for rule in cases.never_exercised(POLICY, (*results, *more))] == ["look-too"]


def test_the_cases_of_a_folder_are_those_of_all_its_files(tmp_path: Path) -> None:
    for name in ("b.cases.yaml", "a.cases.yaml", ".c.cases.yaml", "d.yaml"):
        (tmp_path / name).write_text(HEAD + f"  - {{command: {name}, effect: deny}}\n")
    assert [case.command for case in cases.load(tmp_path)] == ["a.cases.yaml", "b.cases.yaml"]
    (tmp_path / "a.cases.yaml").write_text("version: 2\n")
    (tmp_path / "b.cases.yaml").write_text("x: 1\n")
    with pytest.raises(BadFile) as caught:
        cases.load(tmp_path)
    assert len({problem.place.file for problem in caught.value.problems}) == 2


@pytest.mark.parametrize("tenant", sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()))
def test_the_shipped_policies_do_what_their_cases_say(tenant: str) -> None:
    """And no rule of theirs is without a case."""
    policy = loader.load(SHIPPED / tenant)
    results = cases.run(policy, cases.load(SHIPPED / tenant))
    assert [(str(result.case.place), result.expected, result.decided) for result in results if not result.good] == []
    assert results
    assert [rule.id for rule in cases.never_exercised(policy, results)] == []
