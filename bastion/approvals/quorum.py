"""Who counts for what: a clause of an approval asks for so many people of some groups, and one person counts once.

A request of several clauses is approved when its approvers can be dealt out to the clauses so that each clause has its
count and nobody stands in two. Whether they can is a matching of people to places (Kuhn's algorithm), not a count of
each clause by itself: one person who is in the groups of two clauses would be counted for both.

Who adds nothing to such a matching now adds nothing to any later one (the sets of people that fit are those of a
transversal matroid), so they need not be kept, and the people kept are never more than there are places.
"""

from __future__ import annotations

from collections.abc import Sequence

from bastion.policy.decision import Approval

Groups = frozenset[str]


def places(clauses: Sequence[Approval]) -> int:
    """How many people it takes."""
    return sum(clause.count for clause in clauses)


def filled(clauses: Sequence[Approval], people: Sequence[Groups]) -> list[int]:
    """How many places of each clause can be filled at once, as many in all as can be. `people` are the groups of
    each."""
    of_place = [number for number, clause in enumerate(clauses) for _ in range(clause.count)]
    holder: list[int | None] = [None] * len(of_place)

    def seat(person: int, seen: set[int]) -> bool:
        for place, number in enumerate(of_place):
            if place in seen or people[person].isdisjoint(clauses[number].by):
                continue
            seen.add(place)
            sitting = holder[place]
            if sitting is None or seat(sitting, seen):
                holder[place] = person
                return True
        return False

    for person in range(len(people)):
        seat(person, set())
    counts = [0] * len(clauses)
    for place, number in enumerate(of_place):
        counts[number] += holder[place] is not None
    return counts


def met(clauses: Sequence[Approval], people: Sequence[Groups]) -> bool:
    """Whether all clauses are met by distinct people. Without a clause nobody may approve, so nothing is."""
    return bool(clauses) and sum(filled(clauses, people)) == places(clauses)


def adds(clauses: Sequence[Approval], people: Sequence[Groups], another: Groups) -> bool:
    """Whether one more person fills a place that is still free, perhaps after others have changed theirs."""
    return sum(filled(clauses, [*people, another])) > sum(filled(clauses, people))
