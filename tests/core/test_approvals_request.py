"""A request: who may decide on it, what it is good for, and that each fault others have is impossible here."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.approvals.request import (
    MAX_COMMENT,
    MOVES,
    Bound,
    Request,
    State,
    expired,
    mode_of,
    moved,
    refuses,
    usable,
    with_vote,
    within_of,
)
from bastion.errors import MayNotVote, NoSuchRequest
from bastion.identity.principal import Identity
from bastion.policy.decision import Approval
from tests.core.approvals_made import DBA, ISSUER, NOW, OTHER_ISSUER, SRE, bound, no, person, request, yes

TWO = Approval(("sre",), 2, 600)


def refused(asked: Request, who: Any, at: float = NOW + 1) -> str:
    """Why this person may not vote, which `refuses` and `with_vote` say alike."""
    reason = refuses(asked, who, at)
    assert reason is not None
    with pytest.raises(MayNotVote) as caught:
        with_vote(asked, yes(who, at))
    assert str(caught.value) == reason
    return reason


# -- who may decide


@pytest.mark.parametrize(
    "requester",
    [
        {"issuer": ISSUER, "subject": "sub-agent-7", "principals": ("another-name",)},
        {"issuer": OTHER_ISSUER, "subject": "x", "principals": ("agent-7",)},
        {"issuer": OTHER_ISSUER, "subject": "x", "principals": ("else", "repo:acme/web")},
        {"issuer": OTHER_ISSUER, "subject": "x", "principals": ("Agent-7",)},
    ],
    ids=["subject", "name", "any principal", "capitals"],
)
def test_nobody_approves_what_they_asked_for(requester: dict[str, Any]) -> None:
    """Self-approval: neither as the same subject of the same issuer, nor by any shared principal; nor a denial."""
    asked, who = request(), person("x", **requester)
    assert "asked for themselves" in refused(asked, who)
    with pytest.raises(MayNotVote, match="asked for themselves"):
        with_vote(asked, no(who))


def test_the_owner_of_an_agent_is_no_approver_of_it() -> None:
    """By any of the owner's principals, in whatever capitals."""
    assert "an agent of their own" in refused(request(), person("owner"))
    assert "an agent of their own" in refused(request(), person("x", principals=("x", "OWNER@acme")))


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"issuer": OTHER_ISSUER, "subject": "other"},
        {"principals": ("renamed@acme",)},
        {"issuer": OTHER_ISSUER, "subject": "other", "principals": ("y", "rev@acme")},
        {"groups": frozenset({"sre", "dba"})},
    ],
    ids=["same", "another issuer", "another name", "another issuer and first name", "more groups"],
)
@pytest.mark.parametrize("clauses", [(TWO,), (SRE, DBA)], ids=["one clause", "two clauses"])
def test_one_person_counts_once(again: dict[str, Any], clauses: tuple[Approval, ...]) -> None:
    """Whatever changed about them between two votes, and in however many clauses they could stand."""
    once = with_vote(request(clauses=clauses), yes(person("rev", "sre")))
    assert once.state is State.PENDING
    assert refused(once, person("rev", **{"groups": frozenset({"sre"}), **again})) == "you have voted already"


def test_a_person_of_two_clauses_fills_one() -> None:
    """The second clause needs another person, whichever of them comes first."""
    asked = request(clauses=(SRE, DBA))
    once = with_vote(asked, yes(person("both", "sre", "dba")))
    assert (once.state, once.missing) == (State.PENDING, 1)
    assert with_vote(once, yes(person("s", "sre"))).state is State.APPROVED
    assert with_vote(once, yes(person("d", "dba"))).state is State.APPROVED


def test_a_vote_that_adds_nothing_is_refused_and_says_who_is_missing() -> None:
    """So nobody can fill a request with votes; they can still deny it."""
    once = with_vote(request(clauses=(SRE, DBA)), yes(person("s", "sre")))
    assert "others are missing" in refused(once, person("t", "sre"))
    assert with_vote(once, no(person("t", "sre"))).state is State.DENIED


def test_who_is_in_no_group_of_a_clause_may_not_decide() -> None:
    assert refused(request(clauses=(SRE, DBA)), person("x", "agents")) == "it takes someone of: dba, sre"


def test_to_another_tenant_there_is_no_such_request() -> None:
    """The same answer as for an id that never was, whoever they are and whatever they vote."""
    asked = request()
    for vote in (yes(person(tenant="rival")), no(person(tenant="rival")), yes(person("x", tenant="rival"))):
        with pytest.raises(NoSuchRequest, match=r"^no such request$"):
            with_vote(asked, vote)
    assert refuses(asked, person(tenant="rival"), NOW) == "no such request"


def test_nothing_is_approved_where_policy_names_nobody() -> None:
    """No clause is not the same as no need."""
    assert refuses(request(clauses=()), person(), NOW) is not None
    with pytest.raises(ValueError, match="by votes alone"):
        moved(request(clauses=()), State.APPROVED, NOW, "")


# -- votes


def test_it_is_approved_by_the_vote_that_meets_the_last_clause() -> None:
    one = with_vote(request(clauses=(TWO,)), yes(person("a"), NOW + 1))
    two = with_vote(one, yes(person("b"), NOW + 2))
    assert [one.state, two.state] == [State.PENDING, State.APPROVED]
    assert (two.settled, two.missing) == (NOW + 2, 0)
    assert [vote.person.name for vote in two.votes] == ["a@acme", "b@acme"]


def test_a_deny_ends_it_at_once_with_its_comment() -> None:
    """Also after others approved."""
    one = with_vote(request(clauses=(TWO,)), yes(person("a")))
    over = with_vote(one, no(person("b"), NOW + 2, comment="use the canary first"))
    assert (over.state, over.why, over.settled) == (State.DENIED, "use the canary first", NOW + 2)
    assert "denied already" in refused(over, person("c"))


def test_a_comment_is_bounded() -> None:
    with_vote(request(), yes(person(), comment="é" * (MAX_COMMENT // 2)))
    with pytest.raises(MayNotVote, match="longer than 2048 bytes"):
        with_vote(request(), yes(person(), comment="é" * (MAX_COMMENT // 2) + "x"))
    for odd in ("a\0b", "\udcff"):
        with pytest.raises(MayNotVote, match="no text may have"):
            with_vote(request(), no(person(), comment=odd))


def test_a_grant_is_offered_by_every_clause_and_given_by_every_approver() -> None:
    """Otherwise the approval is for once."""
    half = (Approval(("sre",), 1, 600, 1800), Approval(("dba",), 1, 600, 900))
    assert (request(clauses=half).may_grant, request(clauses=(half[0], DBA)).may_grant) == (900, 0)
    with pytest.raises(MayNotVote, match="for once"):
        with_vote(request(clauses=(half[0], DBA)), yes(person(), grant=True))
    for second in (True, False):
        one = with_vote(request(clauses=half), yes(person("s", "sre"), grant=True))
        assert with_vote(one, yes(person("d", "dba"), grant=second)).granted is second
        assert not one.granted


# -- time


def test_a_window_is_absolute() -> None:
    """No vote, and no time that went by, moves the end; the end itself is too late."""
    asked = request(clauses=(TWO,))
    one = with_vote(asked, yes(person("a"), asked.ends - 1))
    assert one.ends == asked.ends
    assert "time for it is over" in refused(one, person("b"), asked.ends)
    assert (expired(one, asked.ends - 0.001), expired(one, asked.ends)) == (False, True)


def test_what_was_approved_is_used_before_its_end() -> None:
    """An approval does not wait for ever to be picked up."""
    good = with_vote(request(), yes(person()))
    assert (usable(good, good.ends - 0.001), usable(good, good.ends)) == (True, False)
    assert expired(good, good.ends)
    with pytest.raises(ValueError, match="before its end"):
        moved(good, State.USED, good.ends, "")


# -- states


@pytest.mark.parametrize("state", set(State) - set(MOVES), ids=str)
def test_what_is_settled_stays_settled(state: State) -> None:
    """No vote and no move changes it: not even to itself."""
    over = replace(request(), state=state)
    for to in State:
        with pytest.raises(ValueError, match="can not become"):
            moved(over, to, NOW, "")
    assert f"is {state.value} already" in refused(over, person())
    assert not expired(over, over.ends + 1)
    assert not usable(over, NOW)


def test_an_approval_is_used_once() -> None:
    used = moved(with_vote(request(), yes(person())), State.USED, NOW + 2, "")
    with pytest.raises(ValueError, match="used can not become used"):
        moved(used, State.USED, NOW + 3, "")


def test_nothing_is_used_or_approved_without_its_votes() -> None:
    """Also where a state was written by something else than votes."""
    with pytest.raises(ValueError, match="can not become used"):
        moved(request(), State.USED, NOW, "")
    with pytest.raises(ValueError, match="by votes alone"):
        moved(request(), State.APPROVED, NOW, "")
    assert not usable(replace(request(), state=State.APPROVED), NOW)


# -- what it is bound to


@pytest.mark.parametrize("name", [field.name for field in fields(Bound)])
def test_another_text_or_place_or_person_has_another_digest(name: str) -> None:
    """Each field counts; the session alone is left out where the command may come again elsewhere."""
    value = getattr(bound(), name)
    other = bound(**{name: value + (b"x" if isinstance(value, bytes) else 1 if isinstance(value, int) else "x")})
    assert other.digest() != bound().digest()
    assert (other.digest_anywhere() == bound().digest_anywhere()) is (name == "session")


@given(st.binary(max_size=4), st.binary(max_size=4), st.binary(max_size=4), st.binary(max_size=4))
def test_no_two_bounds_are_spelt_alike(a: bytes, b: bytes, c: bytes, d: bytes) -> None:
    """What ends one field can not be taken for what begins the next."""
    assert (bound(text=a, directory=b).digest() == bound(text=c, directory=d).digest()) is ((a, b) == (c, d))


def test_the_strictest_clause_says_how_and_how_long() -> None:
    away = Approval(("dba",), 1, 60, mode="return")
    assert (mode_of((SRE,)), mode_of((SRE, away)), mode_of(())) == ("hold", "return", "hold")
    assert (within_of((SRE, away)), within_of(())) == (60, 0)


def test_a_person_is_as_their_identity_says() -> None:
    identity = Identity("acme", ISSUER, "sub-rev", ("rev@acme",), frozenset({"sre"}), {"owner": "x"})
    assert type(person()).of(identity) == person()
