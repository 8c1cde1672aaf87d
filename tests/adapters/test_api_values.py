"""The API's values: roles by groups and by policy, what strangers wrote as text, parameters read strictly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bastion.api import params, shapes
from bastion.api.limits import RateLimit
from bastion.api.params import Param
from bastion.api.problems import BadRequest
from bastion.api.roles import IMPLIES, Role, Roles
from bastion.approvals.request import Person, Vote, with_vote
from bastion.policy import loader
from bastion.policy.decision import Approval
from tests.adapters.api_ports import NOW, person, request


def test_roles_come_by_groups_and_by_the_policy_in_force(tmp_path: Path) -> None:
    def policy(by: str) -> Any:
        text = f"version: 1\napproval: {{by: [{by}], count: 1, within: 10m}}\ndefault: approve\nrules: []\n"
        (tmp_path / "a.yaml").write_text(text)
        return loader.load(tmp_path)

    in_force = {"acme": policy("leads")}
    roles = Roles({"acme": {"viewer": ("staff",), "operator": ("platform",)}, "other": {}}, in_force.get)
    assert roles.of(person("acme", "staff")) == {Role.VIEWER}
    assert roles.of(person("acme", "platform")) == set(Role)
    assert roles.of(person("acme", "leads")) == {Role.APPROVER, Role.VIEWER}
    assert roles.of(person("other", "leads")) == roles.of(person("nil", "staff")) == set()
    in_force["acme"] = policy("others")
    assert roles.of(person("acme", "leads")) == set()
    assert roles.of(person("acme", "others")) == {Role.APPROVER, Role.VIEWER}


def test_an_auditor_does_not_approve_and_an_approver_does_not_audit() -> None:
    assert Role.APPROVER not in IMPLIES[Role.AUDITOR]
    assert Role.AUDITOR not in IMPLIES[Role.APPROVER]
    assert all(Role.VIEWER in implied for implied in IMPLIES.values())
    assert [role for role, implied in IMPLIES.items() if Role.OPERATOR in implied] == [Role.OPERATOR]


@pytest.mark.parametrize(
    ("written", "shown", "escaped"),
    [
        (b"plain", "plain", False),
        ("grün \N{SNOWMAN}".encode(), "grün \N{SNOWMAN}", False),
        (b"\xff", "\\xff", True),
        (b"a\tb", "a\\x09b", True),
        (b"\\x1b", "\\x1b", False),
        (b"\x1b", "\\x1b", True),
        ("\u202e".encode(), "\\u{202e}", True),
        (b"", "", False),
    ],
)
def test_what_strangers_wrote_is_shown_as_text_and_says_when_it_was_escaped(
    written: bytes, shown: str, escaped: bool
) -> None:
    assert shapes.printed(written) == (shown, escaped)


def test_who_asked_for_it_can_not_vote_and_nobody_can_when_its_time_is_over() -> None:
    asker = Person("acme", "https://i.example.com", "agent-1", ("agent-1",), frozenset({"sre"}))
    told = shapes.approval(request("acme", "pending"), asker, NOW)
    assert (told["may_vote"], told["why_not"]) == (False, "nobody decides on what they asked for themselves")
    assert told["may_deny"] is False
    assert shapes.approval(request("acme", "pending"), asker, NOW + 600)["why_not"] == "the time for it is over"


def test_who_adds_nothing_to_a_yes_may_still_say_no() -> None:
    """Two clauses, one person of the first has approved: another one of the same group can only deny."""
    clauses = (Approval(("sre",), 1, 600), Approval(("dba",), 1, 600))
    people = [Person("acme", "https://i.example.com", name, (name,), frozenset({"sre"})) for name in ("rev", "bea")]
    asked = with_vote(replace(request("acme", "pending"), clauses=clauses), Vote(people[0], True, "", NOW))
    told = [shapes.approval(asked, person, NOW) for person in people]
    assert [(one["may_vote"], one["may_deny"]) for one in told] == [(False, False), (False, True)]


@pytest.mark.parametrize(
    ("param", "good", "wrong"),
    [
        (Param("n", "integer", "", 1, 9), {"1": 1, "9": 9}, ["0", "10", "01", "+1", " 1", "1 ", "", "1e0", "٣"]),
        (Param("n", "boolean", ""), {"true": True, "false": False}, ["True", "1", "", "yes"]),
        (Param("n", "choice", "", choices=("a", "b")), {"a": "a"}, ["c", "", "A"]),
        (Param("n", "text", "", 1, 3), {"a": "a", "äöü": "äöü"}, ["", "abcd", "a\0", "\ud800"]),
    ],
)
def test_a_parameter_is_read_strictly(param: Param, good: dict[str, Any], wrong: list[str]) -> None:
    for text, value in good.items():
        assert param.read(text) == value
    for text in wrong:
        with pytest.raises(BadRequest, match="'n' must be"):
            param.read(text)


def test_a_member_of_a_body_is_of_its_own_type() -> None:
    wanted = (Param("a", "text", "", 1, 5, required=True), Param("b", "boolean", ""), Param("c", "integer", "", 0, 9))
    assert params.members(wanted, {"a": "x", "b": True, "c": 3}) == {"a": "x", "b": True, "c": 3}
    wrong: list[Any] = [
        None,
        [],
        {},
        {"b": True},
        {"a": 1},
        {"a": "x", "b": 1},
        {"a": "x", "c": True},
        {"a": "x", "d": 1},
    ]
    for body in wrong:
        with pytest.raises(BadRequest):
            params.members(wanted, body)


def test_purposes_have_rates_of_their_own() -> None:
    limit = RateLimit(1, 1.0, lambda: 0.0, {"read": (3, 1.0)})
    assert [limit.take("192.0.2.1", "read") > 0 for _ in range(4)] == [False, False, False, True]
    assert [limit.take("192.0.2.1", "other") > 0 for _ in range(2)] == [False, True]
