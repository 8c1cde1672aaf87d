"""Two policies asked the same: what counts as a difference, and what is assumed where groups are not known."""

from __future__ import annotations

import dataclasses

import pytest

from bastion.policy.asker import Asker
from bastion.policy.compare import MAX_ASSUMED, Comparison
from bastion.policy.loader import load_texts
from bastion.policy.model import Policy


def policy(*rules: str, mode: str = "enforce") -> Policy:
    lines = "".join(f"  - {rule}\n" for rule in rules)
    return load_texts({"a.yaml": f"version: 1\nmode: {mode}\nrules:\n{lines or '  []'}".encode()})


ALLOW = "{id: %s, effect: allow, commands: [uptime]}"
OF = "{id: %s, effect: allow, who: {groups: [%s]}, commands: [uptime]}"
NIGHT = "{id: night, effect: allow, commands: [uptime], when: {hours: '00:00-06:00'}}"


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (policy(ALLOW % "a"), policy(), 2),
        (policy(), policy(ALLOW % "a"), -2),
        (policy(ALLOW % "a"), policy(ALLOW % "b"), None),
        (policy(), policy(mode="observe"), -2),
    ],
    ids=["stricter", "looser", "another rule", "observed"],
)
def test_another_effect_is_a_difference(old: Policy, new: Policy, change: int | None) -> None:
    found = list(Comparison(old, new).differences(b"uptime", Asker()))
    assert [one.change for one in found] == ([] if change is None else [change])


def test_another_rule_is_one_only_when_asked_for() -> None:
    (found,) = Comparison(policy(ALLOW % "a"), policy(ALLOW % "b"), rules=True).differences(b"uptime", Asker())
    assert (found.change, found.old.rule, found.new.rule) == (0, "a", "b")


def test_unknown_groups_are_assumed_one_by_one_and_told_once() -> None:
    """What differs without any group, too, is not told again for each."""
    comparison = Comparison(policy(OF % ("a", "agents"), OF % ("b", "sre")), policy(OF % ("b", "sre")))
    assert [one.assumed for one in comparison.differences(b"uptime", Asker(), groups_known=False)] == ["agents"]
    assert list(comparison.differences(b"uptime", Asker(), groups_known=True)) == []
    everyone = Comparison(policy(ALLOW % "a", OF % ("b", "sre")), policy())
    assert [one.assumed for one in everyone.differences(b"uptime", Asker(), groups_known=False)] == [""]


def test_only_so_many_groups_are_assumed() -> None:
    rules = [OF % (f"r{number}", f"g{number:03}") for number in range(MAX_ASSUMED + 1)]
    found = list(Comparison(policy(*rules), policy()).differences(b"uptime", Asker(), groups_known=False))
    assert len(found) == MAX_ASSUMED


def test_the_time_counts_where_a_rule_asks_for_it_and_nowhere_else() -> None:
    night, day = (dataclasses.replace(Asker(), at=float(hour * 3600)) for hour in (1, 12))
    comparison = Comparison(policy(ALLOW % "a"), policy(NIGHT))
    assert [len(list(comparison.differences(b"uptime", asker))) for asker in (night, day)] == [0, 1]
    same = Comparison(policy(ALLOW % "a"), policy())
    first, second = (list(same.differences(b"uptime", asker)) for asker in (night, day))
    assert first == second, "so that rows of a report can be counted"


def test_standard_input_is_a_part_of_the_question() -> None:
    old, new = policy("{id: a, effect: allow, commands: ['bash -s', id]}", ALLOW % "b"), policy(ALLOW % "b")
    comparison = Comparison(old, new)
    for script, told in ((b"rm x\n", 0), (b"id\n", 1)):
        assert len(list(comparison.differences(b"bash -s", Asker(), stdin=script))) == told
