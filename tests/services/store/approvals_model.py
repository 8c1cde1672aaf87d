"""What approvals must do, said a second time and simply: no store, no waiting, people by who they are and not by names.
The state machine tests hold the service to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations

from bastion.approvals.request import Person
from bastion.policy.decision import Approval
from tests.core.approvals_made import NOW, OTHER_ISSUER, person

PEOPLE: dict[str, tuple[str, Person]] = {
    "rev": ("rev", person("rev", "sre")),
    "rev elsewhere": ("rev", person("r", "sre", "dba", issuer=OTHER_ISSUER, principals=("x", "rev@acme"))),
    "dan": ("dan", person("dan", "dba")),
    "bo": ("bo", person("bo", "sre", "dba")),
    "kim": ("kim", person("kim", "sre")),
    "agent": ("agent", person("a", "sre", principals=("repo:acme/web",))),
    "agent's token": ("agent", person("z", "sre", "dba", subject="sub-agent-7")),
    "owner": ("owner", person("owner", "sre")),
    "outsider": ("outsider", person("out", "agents")),
}
"""Each with who they are: two entries may be one human."""
CLAUSES: dict[str, tuple[Approval, ...]] = {
    "one": (Approval(("sre",), 1, 60),),
    "two": (Approval(("sre",), 2, 90),),
    "both": (Approval(("sre",), 1, 60), Approval(("dba",), 1, 120)),
    "granting": (Approval(("sre", "dba"), 1, 60, 40),),
    "away": (Approval(("sre",), 1, 60, mode="return"),),
    "away granting": (Approval(("sre",), 1, 60, 40, "return"),),
}


@dataclass
class Ask:
    id: str
    session: str
    text: bytes
    policy: str
    clauses: tuple[Approval, ...]
    process: str
    """Empty in mode return."""
    ends: float
    state: str = "pending"
    votes: list[tuple[str, Person, bool, bool]] = field(default_factory=list)
    runs: int = 0

    @property
    def open(self) -> bool:
        return self.state in ("pending", "approved")

    @property
    def may_grant(self) -> int:
        return min(clause.grants for clause in self.clauses)

    def people(self) -> list[Person]:
        return [who for _, who, approves, _ in self.votes if approves]

    def fill(self, people: list[Person]) -> int:
        """The most places that these people fill, by trying every order."""
        seats = [clause for clause in self.clauses for _ in range(clause.count)]
        chairs: list[Person | None] = [*people, *([None] * len(seats))]
        return max(
            sum(who is not None and not who.groups.isdisjoint(seat.by) for seat, who in zip(seats, order, strict=True))
            for order in set(permutations(chairs, len(seats)))
        )

    @property
    def met(self) -> bool:
        return self.fill(self.people()) == sum(clause.count for clause in self.clauses)


@dataclass
class Given:
    """A grant, made by `ask`."""

    ask: Ask
    policy: str
    ends: float
    over: bool = False


class Model:
    """Each method is what happens, and answers what must come of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.policy = "v1"
        self.asks: dict[str, Ask] = {}
        self.grants: list[Given] = []
        self.seen: dict[str, float] = {}
        self.back: dict[str, float] = {}
        self.synced: dict[str, str] = {}
        self.under: dict[str, set[tuple[str, str]]] = {}
        """Of a grant's policy: process and session of what runs under it."""

    def live(self) -> Given | None:
        found = [g for g in self.grants if not g.over and self.now < g.ends and g.policy == self.policy]
        assert len(found) <= 1
        return found[0] if found else None

    def standing(self, text: bytes) -> Ask | None:
        """What asking again in mode return finds."""
        same = [
            ask
            for ask in self.asks.values()
            if not ask.process and ask.text == text and ask.policy == self.policy and self.now < ask.ends
        ]
        for state in ("approved", "denied", "pending"):
            for ask in same:
                if ask.state == state:
                    return ask
        return None

    def decidable(self) -> list[tuple[Ask, str]]:
        """Each request with each who may approve it."""
        waiting = [ask for ask in self.asks.values() if ask.state == "pending"]
        return [(ask, name) for ask in waiting for name in PEOPLE if self.may_vote(ask, name, True, False)]

    def may_vote(self, ask: Ask, name: str, approves: bool, grant: bool) -> bool:
        human, who = PEOPLE[name]
        return (
            ask.state == "pending"
            and self.now < ask.ends
            and ask.policy == self.policy
            and human not in ("agent", "owner", *(voter for voter, *_ in ask.votes))
            and any(not who.groups.isdisjoint(clause.by) for clause in ask.clauses)
            and not (grant and not (approves and ask.may_grant))
            and (not approves or ask.fill([*ask.people(), who]) > ask.fill(ask.people()))
        )

    def vote(self, ask: Ask, name: str, approves: bool, grant: bool, waits: bool) -> None:
        """`waits`: somebody waits for it, who uses it at once."""
        human, who = PEOPLE[name]
        ask.votes.append((human, who, approves, grant))
        if not approves:
            ask.state = "denied"
        elif ask.met:
            ask.state = "approved"
            if ask.may_grant and all(vote[3] for vote in ask.votes) and self.live() is None:
                self.grants.append(Given(ask, self.policy, self.now + ask.may_grant))
            if waits:
                self.use(ask, ask.process, ask.session)

    def use(self, ask: Ask, process: str, session: str) -> None:
        assert ask.state == "approved"
        assert ask.met
        assert self.now < ask.ends
        assert ask.policy == self.policy
        ask.state = "used"
        ask.runs += 1
        if ask.may_grant and all(vote[3] for vote in ask.votes):
            self.under.setdefault(ask.policy, set()).add((process, session))

    def tick(self, process: str) -> None:
        alone = False
        if (gap := self.now - self.seen[process]) >= 5:
            self.seen[process] = self.now
            if gap >= 7.5:
                self.back[process] = self.now
            alone = self.now - self.back[process] >= 15
        self._over(lambda ask: ask.ends <= self.now, "expired")
        if self.synced.get(process) != self.policy:
            self._over(lambda ask: ask.policy != self.policy, "ended")
            for given in self.grants:
                given.over = given.over or given.policy != self.policy
            self.synced[process] = self.policy
        if alone:
            unseen = {name for name, at in self.seen.items() if at < self.now - 15}
            self._over(lambda ask: ask.process in unseen, "withdrawn")

    def start(self, process: str) -> None:
        self.seen[process] = self.back[process] = self.now
        self.synced.pop(process, None)
        self._over(lambda ask: ask.process == process, "withdrawn")

    def die(self, process: str) -> None:
        for pairs in self.under.values():
            pairs -= {pair for pair in pairs if pair[0] == process}

    def revoke(self, given: Given) -> set[tuple[str, str]]:
        """Which sessions of which processes end."""
        given.over = True
        if given.ask.open:
            given.ask.state = "ended"
        return self.under.pop(given.policy, set())

    def _over(self, which: object, state: str) -> None:
        assert callable(which)
        for ask in self.asks.values():
            if ask.open and which(ask):
                ask.state = state
