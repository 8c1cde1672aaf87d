"""A grant: a fixed time, one identity, one rule, one policy; over when it is over."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bastion.approvals.grant import Holder, ended, grant_of, live
from bastion.approvals.request import State, moved, with_vote
from bastion.policy.decision import Approval
from tests.core.approvals_made import NOW, bound, no, person, request, yes

GRANTING = Approval(("sre",), 1, 600, 1800)
APPROVED = with_vote(request(clauses=(GRANTING,)), yes(person(), NOW + 5, grant=True))


def test_a_grant_lasts_a_fixed_time_from_when_it_was_made() -> None:
    grant = grant_of(APPROVED, "g1", NOW + 5)
    assert grant is not None
    assert (grant.made, grant.ends) == (NOW + 5, NOW + 1805)
    assert (grant.by, grant.request, grant.identity) == (("rev@acme",), APPROVED.id, "agent-7")
    assert (live(grant, NOW + 1804.9), live(grant, NOW + 1805)) == (True, False)


def test_only_an_approval_that_says_so_makes_one() -> None:
    """Not one for once, not a denial, not one that was used or ended before."""
    once = with_vote(request(clauses=(GRANTING,)), yes(person()))
    denied = with_vote(request(clauses=(GRANTING,)), no(person()))
    for other in (request(), once, denied, moved(APPROVED, State.ENDED, NOW + 6, "killed")):
        assert grant_of(other, "g1", NOW + 6) is None


def test_a_revoked_grant_is_over_and_stays_so() -> None:
    grant = grant_of(APPROVED, "g1", NOW)
    assert grant is not None
    over = ended(grant, NOW + 10, "revoked by rev@acme")
    assert not live(over, NOW + 10)
    for again in (over, replace(grant, ends=NOW + 1)):
        with pytest.raises(ValueError, match="over"):
            ended(again, NOW + 11, "")


@pytest.mark.parametrize("name", [field.name for field in fields(Holder)])
def test_a_grant_is_for_nothing_else(name: str) -> None:
    """Another tenant, identity, rule or policy is another holder; another text or place is the same."""
    assert Holder.of(bound(**{name: "x"})) != Holder.of(bound())
    assert Holder.of(bound(text=b"x", target="x", session="x")) == Holder.of(bound())
