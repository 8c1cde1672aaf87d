"""How long a browser's session lasts, and how many there are."""

from __future__ import annotations

import pytest

from bastion.api.logins import ABSOLUTE, IDLE, MAX_A_PERSON, MAX_LOGINS, Logins
from tests.adapters.api_ports import person


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_when_nobody_uses_it() -> None:
    clock = Clock()
    logins = Logins(clock)
    cookie = logins.begin(person("acme", "sre"))
    clock.now = IDLE - 1
    assert logins.find(cookie) is not None
    clock.now += IDLE - 1
    assert logins.left(cookie) == 1  # a look is no use
    clock.now += 1
    assert logins.find(cookie) is None
    assert len(logins) == 0


def test_a_session_ends_however_much_it_is_used() -> None:
    clock = Clock()
    logins = Logins(clock)
    cookie = logins.begin(person("acme", "sre"))
    while clock.now < ABSOLUTE - IDLE:
        clock.now += IDLE / 2
        assert logins.find(cookie) is not None
    clock.now = ABSOLUTE
    assert logins.find(cookie) is None


def test_a_person_has_so_many_sessions_and_the_oldest_goes() -> None:
    clock = Clock()
    logins = Logins(clock)
    other = logins.begin(person("other", "sre"))
    cookies = []
    for clock.now in range(MAX_A_PERSON + 1):
        cookies.append(logins.begin(person("acme", "sre")))
    assert logins.find(cookies[0]) is None
    assert all(logins.find(cookie) is not None for cookie in (*cookies[1:], other))


def test_all_people_together_have_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bastion.api.logins.MAX_LOGINS", 3)
    logins = Logins(Clock())
    for number in range(5):
        logins.begin(person("acme", f"g{number}"))
    assert len(logins) == 3 < MAX_LOGINS


def test_revoked_people_are_out_together() -> None:
    logins = Logins(Clock())
    cookies = {group: logins.begin(person("acme", group)) for group in ("a", "b")}
    logins.end_all(lambda identity: identity.name == "a@acme")
    assert logins.find(cookies["a"]) is None
    assert logins.find(cookies["b"]) is not None


def test_it_is_told_when_one_has_ended_and_not_when_none_has() -> None:
    clock, ends = Clock(), []
    logins = Logins(clock, lambda: ends.append(clock.now))
    cookies = [logins.begin(person("acme", "sre")) for _ in range(MAX_A_PERSON)]
    logins.end_all(lambda _: False)
    logins.end("nobody's")
    assert ends == []
    logins.begin(person("acme", "sre"))
    assert len(ends) == 1
    logins.end(cookies[-1])
    assert len(ends) == 2
    logins.end_all(lambda _: True)
    assert (len(ends), len(logins)) == (3, 0)
