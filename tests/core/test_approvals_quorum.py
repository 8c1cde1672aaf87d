"""Who counts for what: clauses are met by distinct people, whichever way they must be dealt out."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from bastion.approvals.quorum import adds, filled, met, places
from bastion.policy.decision import Approval

GROUPS = ("a", "b", "c")
clauses = st.lists(
    st.builds(
        Approval, st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2).map(tuple), st.integers(1, 2), st.just(60)
    ),
    min_size=1,
    max_size=3,
)
people = st.lists(st.frozensets(st.sampled_from(GROUPS)), max_size=5)


def by_trying(wanted: list[Approval], there: list[frozenset[str]]) -> bool:
    """The oracle: some order of the people fills every place."""
    seats = [clause for clause in wanted for _ in range(clause.count)]
    return any(
        all(not there[number].isdisjoint(seat.by) for seat, number in zip(seats, order, strict=True))
        for order in permutations(range(len(there)), len(seats))
    )


@given(clauses, people)
def test_clauses_are_met_just_when_people_can_be_dealt_out_to_them(
    wanted: list[Approval], there: list[frozenset[str]]
) -> None:
    """The same answer as trying every order."""
    assert met(wanted, there) is by_trying(wanted, there)


@given(clauses, people, st.frozensets(st.sampled_from(GROUPS)), people)
def test_who_adds_nothing_now_never_will(
    wanted: list[Approval], there: list[frozenset[str]], one: frozenset[str], later: list[frozenset[str]]
) -> None:
    """So a vote that adds nothing can be refused for good, and the votes kept are bounded."""
    if not adds(wanted, there, one):
        assert not adds(wanted, [*there, *later], one)


@given(clauses, people)
def test_no_clause_is_filled_past_its_count(wanted: list[Approval], there: list[frozenset[str]]) -> None:
    counts = filled(wanted, there)
    assert all(0 <= count <= clause.count for count, clause in zip(counts, wanted, strict=True))
    assert sum(counts) <= min(places(wanted), len(there))


def test_one_person_of_two_groups_is_not_two_people() -> None:
    """Counted clause by clause, this one would be enough for both."""
    both = [Approval(("sre",), 1, 60), Approval(("dba",), 1, 60)]
    assert not met(both, [frozenset({"sre", "dba"})])
    assert met(both, [frozenset({"sre", "dba"}), frozenset({"sre"})])


def test_nothing_is_met_where_nobody_may_approve() -> None:
    assert not met([], [])
    assert not met([], [frozenset({"sre"})])
