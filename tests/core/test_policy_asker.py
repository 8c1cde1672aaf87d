"""Who asks, told in one way everywhere: what is read, what is refused, and what is left out."""

from __future__ import annotations

import pytest

from bastion.policy.asker import KEYS, SHELLS, Asker, BadAsker, moment
from bastion.policy.decision import Subject
from bastion.targets import login_shell

ALL = {
    "identity": ["agent@demo", "repo:acme/x"],
    "groups": ["agents", "sre"],
    "claims": {"environment": "prod", "empty": ""},
    "target": "Web-1",
    "labels": {"env": "prod"},
    "account": "deploy",
    "shell": "sh",
    "terminal": True,
    "source": "192.0.2.7",
    "at": "2026-01-31T09:30:00Z",
}


def test_every_key_ends_in_the_subject_or_in_how_the_text_is_read() -> None:
    asker = Asker().but(ALL)
    assert set(ALL) == set(KEYS)
    assert asker.subject == Subject(
        ("agent@demo", "repo:acme/x"),
        frozenset({"agents", "sre"}),
        (("empty", ""), ("environment", "prod")),
        "web-1",
        (("env", "prod"),),
        "deploy",
        "192.0.2.7",
        1769851800.0,
    )
    assert (asker.shell, asker.terminal) == ("sh", True)
    assert str(asker) == "agent@demo (agents, sre) as deploy on Web-1"


def test_what_is_left_out_stays_and_what_is_not_known_is_passed_over() -> None:
    asker = Asker(target="web-1").but({"identity": "agent", "command": "ls", "id": 7})
    assert asker == Asker(identity=("agent",), target="web-1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in KEYS for value in (None, 7, [7], {"a": 7})),
        *((key, "") for key in ("identity", "target", "account", "shell", "at")),
        ("identity", []),
        ("identity", "x" * 1025),
        ("groups", "agents"),
        ("groups", ["x"] * 257),
        ("claims", [["a", "b"]]),
        ("claims", {"a": None}),
        ("shell", "fish"),
        ("terminal", "yes"),
        ("at", "noon"),
        ("at", "9999-12-31T23:59:59Z"),
        ("at", "1969-12-31T23:59:59Z"),
    ],
)
def test_another_kind_is_refused_and_the_key_is_named(key: str, value: object) -> None:
    with pytest.raises(BadAsker, match=f"^'{key}") as caught:
        Asker().but({key: value})
    assert caught.value.key.partition(".")[0] == key


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1970-01-01T00:01:00Z", 60), ("1970-01-01 00:01", 60), ("1970-01-01T01:00:00+01:00", 0), ("1970-01-02", 86400)],
)
def test_times_are_utc_where_no_zone_is_told(text: str, seconds: int) -> None:
    assert moment(text) == seconds


def test_the_shells_are_those_that_a_target_may_have() -> None:
    assert set(SHELLS) == set(login_shell.SHELLS)
