"""How approvals are told: to the audit trail, to the one who waits, and to people in words. Nothing here decides."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TypedDict

from bastion.approvals.grant import Grant
from bastion.approvals.request import OPEN, Person, Request, State
from bastion.audit.events import (
    ApprovalRequested,
    ApprovalSettled,
    ApprovalVoted,
    Event,
    GrantMade,
    GrantRevoked,
    GrantUsed,
)
from bastion.characters import shown

_MAX_COMMENT = 500
"""Characters of a comment that the one who was refused reads; the trail has all of it."""


class _OfRequest(TypedDict):
    tenant: str
    approval: str
    identity: str
    issuer: str
    subject: str
    serial: int
    target: str
    account: str
    session: str
    rule: str
    policy: str


class _OfGrant(TypedDict):
    tenant: str
    grant: str
    identity: str
    issuer: str
    subject: str
    rule: str
    policy: str
    approval: str
    by: tuple[str, ...]
    ends: float


# -- the trail


def requested(request: Request) -> ApprovalRequested:
    return ApprovalRequested(
        **_of_request(request),
        request=request.bound.kind,
        text=request.written,
        runs=request.bound.text or None,
        directory=request.bound.directory or None,
        sha256=request.bound.digest(),
        reason=request.reason,
        by=tuple(needed(request)),
        owners=request.owners,
        source=request.source,
        mode=request.mode,
        ends=request.ends,
        categories=request.categories,
        techniques=request.techniques,
        takes_commands=request.takes_commands or None,
    )


def changed(before: Request, after: Request, grant: Grant | None) -> Iterator[Event]:
    """What one step did: its votes, then what they settled, then what that gave."""
    for vote in after.votes[len(before.votes) :]:
        yield ApprovalVoted(
            **_of_request(after),
            person=vote.person.name,
            person_issuer=vote.person.issuer,
            person_subject=vote.person.subject,
            approves=vote.approves,
            grants=vote.grant,
            comment=vote.comment.encode("utf-8", "surrogatepass"),
            missing=after.missing,
        )
    if after.state is not before.state:
        yield ApprovalSettled(
            **_of_request(after),
            state=after.state.value,
            why=after.why.encode("utf-8", "surrogatepass"),
            people=tuple(vote.person.name for vote in after.votes),
        )
    if grant is not None:
        yield GrantMade(**_of_grant(grant))


def used(grant: Grant, request: Request) -> GrantUsed:
    """`request` is what would have been asked."""
    bound = request.bound
    return GrantUsed(
        **_of_grant(grant),
        serial=bound.serial,
        source=request.source,
        target=bound.target,
        account=bound.account,
        session=bound.session,
        request=bound.kind,
        text=request.written,
        runs=bound.text or None,
    )


def revoked(grant: Grant, person: Person | None) -> GrantRevoked:
    if person is None:
        return GrantRevoked(**_of_grant(grant), why=grant.why)
    return GrantRevoked(
        **_of_grant(grant),
        why=grant.why,
        person=person.name,
        person_issuer=person.issuer,
        person_subject=person.subject,
    )


def _of_request(request: Request) -> _OfRequest:
    bound = request.bound
    return {
        "tenant": bound.tenant,
        "approval": request.id,
        "identity": bound.identity,
        "issuer": bound.issuer,
        "subject": bound.subject,
        "serial": bound.serial,
        "target": bound.target,
        "account": bound.account,
        "session": bound.session,
        "rule": bound.rule,
        "policy": bound.policy,
    }


def _of_grant(grant: Grant) -> _OfGrant:
    holder = grant.holder
    return {
        "tenant": holder.tenant,
        "grant": grant.id,
        "identity": grant.identity,
        "issuer": holder.issuer,
        "subject": holder.subject,
        "rule": holder.rule,
        "policy": holder.policy,
        "approval": grant.request,
        "by": grant.by,
        "ends": grant.ends,
    }


# -- people

TAKES_COMMANDS = "it takes commands itself: what is typed or sent into it nobody judges"


def needed(request: Request) -> list[str]:
    """Whom it takes: `1 of sre, leads` for each clause."""
    return [f"{clause.count} of {', '.join(clause.by)}" for clause in request.clauses]


def clock(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%H:%M:%S UTC")


def held(request: Request, link: str) -> Iterator[str]:
    """What the one who waits reads: at most three lines."""
    yield shown(f"held for approval {request.id} by {request.bound.rule}: {request.reason}")
    yield shown(f"it takes {' and '.join(needed(request))}{f': {link}' if link else ''}")
    minutes, seconds = divmod(round(request.ends - request.asked), 60)
    span = f"{minutes}m{seconds:02d}s" if seconds else f"{minutes}m"
    yield f"waiting until {clock(request.ends)} ({span}); end it by Ctrl-C"


def reminded(request: Request) -> str:
    return f"approval {request.id} is still waited for, until {clock(request.ends)}"


def returned(request: Request, link: str) -> str:
    """The one line for who is sent away."""
    where = f", {link}" if link else ""
    takes = " and ".join(needed(request))
    return shown(f"waits for approval {request.id} ({takes}{where}): ask again before {clock(request.ends)}", 500)


def outcome(request: Request) -> str:
    """Why what was asked does not run."""
    match request.state:
        case State.DENIED:
            comment = shown(request.why.replace("\n", " "), _MAX_COMMENT)
            who = shown(request.votes[-1].person.name) if request.votes else "somebody"
            return f"denied by {who}{f': {comment}' if comment else ''}"
        case State.EXPIRED:
            return f"not approved in time: approval {request.id} ended at {clock(request.ends)}"
        case State.USED:
            return f"approval {request.id} was used already"
        case state if state in OPEN:
            return f"approval {request.id} is not settled"
        case _:
            return f"not approved: {shown(request.why)}"
