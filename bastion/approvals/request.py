"""A request for approval, pure: what it is bound to, who may decide on it, and what it may become.

What this protects, each held by tests/core/test_approvals_request.py:

    bound        an approval is good for one text, identity, certificate, target, account, policy and session: `Bound`,
                 compared by a digest of all of it
    absolute     `ends` is fixed when it is asked, and no vote, restart or second asking moves it
    distinct     an approver is not the one who asked, not the owner of the agent, and counts once: also under two
                 issuers that share a principal, and in one clause only (see quorum)
    once         it is used once, before its end; what is settled stays settled (`moved`)
    its tenant   a person of another tenant is told that there is no such request

Limits: two accounts of one person that share no principal, issuer and subject look like two people: who maps tokens to
principals decides who is the same. Two people who collude are two people.

    PENDING --> APPROVED --> USED
       |           |
       +-----------+--> EXPIRED, WITHDRAWN, ENDED
       +--> DENIED
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from bastion.approvals import quorum
from bastion.characters import NO_TEXT
from bastion.errors import MayNotVote, NoSuchRequest
from bastion.identity.principal import Identity
from bastion.policy.decision import Approval

MAX_COMMENT = 2 << 10
"""Bytes of UTF-8 that a comment may have."""
HOLD, RETURN = "hold", "return"
"""Modes: the one who asks waits; or is sent away, and asks again."""


class State(StrEnum):
    """WITHDRAWN: the one who asked is gone. ENDED: the bastion or an operator ended it; `why` says what for."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    USED = "used"


_ENDS = frozenset({State.EXPIRED, State.WITHDRAWN, State.ENDED})
MOVES: dict[State, frozenset[State]] = {
    State.PENDING: _ENDS | {State.APPROVED, State.DENIED},
    State.APPROVED: _ENDS | {State.USED},
}
"""What each state may become; a state that is not here is settled for good."""
OPEN = frozenset(MOVES)


@dataclass(frozen=True, slots=True)
class Bound:
    """What an approval is good for. `kind` is `exec`, `shell` or `line`; `text` the printed text that will run, empty
    for a whole shell, and never the client's spelling; `directory` where a line will run, as the target's shell tells.
    """

    tenant: str
    identity: str
    issuer: str
    subject: str
    serial: int
    target: str
    account: str
    session: str
    kind: str
    text: bytes
    policy: str
    rule: str
    directory: bytes = b""

    def digest(self) -> str:
        """Of all of it: SHA-256, in hexadecimal."""
        return self._digest(frozenset())

    def digest_anywhere(self) -> str:
        """Of all but the session, for the mode in which the same command comes again in another one."""
        return self._digest(frozenset({"session"}))

    def _digest(self, without: frozenset[str]) -> str:
        """Every field with its name and length before it, so that no two bounds have one spelling."""
        whole = hashlib.sha256()
        for field in fields(self):
            if field.name in without:
                continue
            value = getattr(self, field.name)
            raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
            whole.update(b"%s %d:%s," % (field.name.encode(), len(raw), raw))
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may decide: as their token, or the Unix socket, says who they are."""

    tenant: str
    issuer: str
    subject: str
    principals: tuple[str, ...]
    groups: frozenset[str]
    owners: tuple[str, ...] = ()
    """Whose agent this is: what it does is done by them."""

    @classmethod
    def of(cls, identity: Identity) -> Person:
        return cls(
            identity.tenant, identity.issuer, identity.subject, identity.principals, identity.groups, identity.owners
        )

    @property
    def name(self) -> str:
        return self.principals[0] if self.principals else self.subject

    def is_same(self, issuer: str, subject: str, principals: Iterable[str]) -> bool:
        """Whether that is the same human or agent, or their owner: one token's subject, or any principal in both.
        Capitals make no other person."""
        return (self.issuer, self.subject) == (issuer, subject) or self.has_any(principals)

    def has_any(self, principals: Iterable[str]) -> bool:
        """Whether one of these is a principal of this person, or of their owner."""
        ours = {name.casefold() for name in (*self.principals, *self.owners)}
        return any(name.casefold() in ours for name in principals)


@dataclass(frozen=True, slots=True)
class Vote:
    """`grant`: this person would give the rule for a while, and not for once."""

    person: Person
    approves: bool
    comment: str
    at: float
    grant: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """`written` is what the client wrote, for people to compare; `reason` the rule's. `owners` are principals of
    whoever owns the agent. Times are seconds since 1970. `instance` is the process in which someone waits, empty in
    mode return. `why` says what settled it. `takes_commands`: what runs (a shell, an interpreter, an editor) takes
    commands by itself, or it is not known that it does not, and those nobody judges.
    """

    id: str
    bound: Bound
    written: bytes
    reason: str
    categories: tuple[str, ...]
    techniques: tuple[str, ...]
    clauses: tuple[Approval, ...]
    owners: tuple[str, ...]
    principals: tuple[str, ...]
    groups: tuple[str, ...]
    source: str
    asked: float
    ends: float
    mode: str = HOLD
    instance: str = ""
    state: State = State.PENDING
    votes: tuple[Vote, ...] = ()
    settled: float | None = None
    why: str = ""
    takes_commands: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def approvers(self) -> list[Person]:
        return [vote.person for vote in self.votes if vote.approves]

    @property
    def missing(self) -> int:
        """How many people must still approve."""
        groups = [person.groups for person in self.approvers]
        return quorum.places(self.clauses) - sum(quorum.filled(self.clauses, groups))

    @property
    def may_grant(self) -> int:
        """Seconds for which approvers may give the rule; 0 where a clause is for once."""
        return min((clause.grants for clause in self.clauses), default=0)

    @property
    def granted(self) -> bool:
        """Whether it was approved by people who all would give the rule for a while."""
        votes = [vote for vote in self.votes if vote.approves]
        return self.state is State.APPROVED and self.may_grant > 0 and all(vote.grant for vote in votes)


def mode_of(clauses: Iterable[Approval]) -> str:
    """The strictest: one clause that sends away does so for all."""
    return RETURN if any(clause.mode == RETURN for clause in clauses) else HOLD


def within_of(clauses: Iterable[Approval]) -> int:
    """Seconds; the shortest of all."""
    return min((clause.within for clause in clauses), default=0)


def expired(request: Request, now: float) -> bool:
    """Whether its time is over and nothing was settled in it. The end itself is over."""
    return request.is_open and now >= request.ends


def usable(request: Request, now: float) -> bool:
    """Whether it may be used up at this moment."""
    return request.state is State.APPROVED and now < request.ends and quorum.met(request.clauses, _groups(request))


def refuses(request: Request, person: Person, now: float) -> str | None:
    """Why this person may not approve it now; None when they may. Not for a person of another tenant, to whom nothing
    is told (`with_vote` raises NoSuchRequest)."""
    reason = _never(request, person, now)
    if reason is None and not quorum.adds(request.clauses, _groups(request), person.groups):
        return "enough people of your groups have approved already: others are missing"
    return reason


def may_deny(request: Request, person: Person, now: float) -> bool:
    """Whether this person may say no: also who adds nothing to the yes any more."""
    return _never(request, person, now) is None


def _never(request: Request, person: Person, now: float) -> str | None:
    """Why this person may neither approve nor deny it."""
    bound = request.bound
    if person.tenant != bound.tenant:
        return "no such request"
    if request.state is not State.PENDING:
        return f"the request is {request.state.value} already"
    if now >= request.ends:
        return "the time for it is over"
    if person.is_same(bound.issuer, bound.subject, (bound.identity, *request.principals)):
        return "nobody decides on what they asked for themselves"
    if person.has_any(request.owners):
        return "nobody decides on what an agent of their own asked for"
    voters = (vote.person for vote in request.votes)
    if any(person.is_same(voter.issuer, voter.subject, (*voter.principals, *voter.owners)) for voter in voters):
        return "you have voted already"
    if all(person.groups.isdisjoint(clause.by) for clause in request.clauses):
        return f"it takes someone of: {', '.join(sorted({group for clause in request.clauses for group in clause.by}))}"
    return None


def with_vote(request: Request, vote: Vote) -> Request:
    """The request with one more vote: denied by the first that denies, approved by the one that meets the last clause.
    Raises NoSuchRequest (another tenant's), MayNotVote."""
    person = vote.person
    if person.tenant != request.bound.tenant:
        raise NoSuchRequest
    reason = refuses(request, person, vote.at) if vote.approves else _never(request, person, vote.at)
    if reason is not None:
        raise MayNotVote(reason)
    if len(vote.comment.encode("utf-8", "surrogatepass")) > MAX_COMMENT:
        raise MayNotVote(f"the comment is longer than {MAX_COMMENT} bytes")
    if NO_TEXT.search(vote.comment):
        raise MayNotVote("the comment has characters that no text may have")
    if vote.grant and not (vote.approves and request.may_grant):
        raise MayNotVote("this rule is approved for once: its policy offers no grants")
    told = replace(request, votes=(*request.votes, vote))
    if not vote.approves:
        return moved(told, State.DENIED, vote.at, vote.comment)
    if quorum.met(told.clauses, _groups(told)):
        return moved(told, State.APPROVED, vote.at, "")
    return told


def moved(request: Request, state: State, now: float, why: str) -> Request:
    """The request in another state. Raises ValueError for a move that there is not: what is settled stays settled, and
    nothing is approved without its votes or used after its end."""
    if state not in MOVES.get(request.state, frozenset()):
        raise ValueError(f"a request that is {request.state.value} can not become {state.value}")
    if state is State.APPROVED and not quorum.met(request.clauses, _groups(request)):
        raise ValueError("a request is approved by votes alone")
    if state is State.USED and not usable(request, now):
        raise ValueError("an approval is used before its end")
    return replace(request, state=state, settled=now, why=why)


def _groups(request: Request) -> list[frozenset[str]]:
    return [person.groups for person in request.approvers]
