"""Attacks on who counts as another person: an owner's second agent is its owner's hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastion.approvals.request import Person, State, with_vote
from bastion.errors import MayNotVote
from bastion.identity.principal import Identity
from tests.core.approvals_made import ISSUER, NOW, request, yes


def agent(name: str) -> Person:
    """An agent of `owner@acme`, in group sre."""
    identity = Identity("acme", ISSUER, f"sub-{name}", (name,), frozenset({"sre"}), {}, owners=("owner@acme",))
    return Person.of(identity)


def test_an_owner_does_not_decide_by_another_agent_of_theirs() -> None:
    with pytest.raises(MayNotVote):
        with_vote(request(owners=("owner@acme",)), yes(agent("agent-8")))


def test_an_agent_does_not_decide_on_what_its_owner_asks_for() -> None:
    asked = request(owners=(), principals=("owner@acme",), identity="owner@acme", subject="sub-owner")
    with pytest.raises(MayNotVote):
        with_vote(asked, yes(agent("agent-8")))


def test_two_agents_of_one_owner_are_not_two_people() -> None:
    asked = request(owners=("somebody@acme",))
    asked = replace(asked, clauses=(replace(asked.clauses[0], count=2),))
    once = with_vote(asked, yes(agent("agent-8")))
    assert once.state is State.PENDING
    with pytest.raises(MayNotVote):
        with_vote(once, yes(agent("agent-9"), at=NOW + 2))
