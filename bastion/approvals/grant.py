"""A grant, pure: one identity has one rule until a fixed time, without asking again.

It is made when a request is approved by people who all said so, and only where every clause of its rule offers it. Its
end is fixed then: a live one is never made longer, and a second is not made beside it. It is of one policy's version:
what the rule says may change with the next one. Revoking it ends the sessions that run under it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bastion.approvals.request import Bound, Request

OVER = "its time was over"
POLICY_CHANGED = "the policy changed meanwhile: ask again"
APPROVER_REVOKED = "one who approved it was revoked: ask again"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a grant is for, and what: compared whole."""

    tenant: str
    issuer: str
    subject: str
    rule: str
    policy: str

    @classmethod
    def of(cls, bound: Bound) -> Holder:
        return cls(bound.tenant, bound.issuer, bound.subject, bound.rule, bound.policy)


@dataclass(frozen=True, slots=True)
class Grant:
    """`identity` is the holder's name for people, `request` the one whose approval made it, `by` the approvers' names.
    Times are seconds since 1970; `ended` is when it was revoked, or ended otherwise, before its time."""

    id: str
    holder: Holder
    identity: str
    request: str
    by: tuple[str, ...]
    made: float
    ends: float
    ended: float | None = None
    why: str = ""

    @property
    def revoked(self) -> bool:
        """Whether it was taken back, so that what runs under it may not go on."""
        return self.ended is not None and self.why not in (OVER, POLICY_CHANGED)


def grant_of(request: Request, id: str, now: float) -> Grant | None:
    """What an approved request gives beyond itself; None where not all approvers, or not all clauses, would."""
    if not request.granted:
        return None
    by = tuple(person.name for person in request.approvers)
    return Grant(id, Holder.of(request.bound), request.bound.identity, request.id, by, now, now + request.may_grant)


def live(grant: Grant, now: float) -> bool:
    return grant.ended is None and now < grant.ends


def ended(grant: Grant, now: float, why: str) -> Grant:
    """Revoked, or ended by a change. Raises ValueError for one that is over: what is settled stays settled."""
    if not live(grant, now):
        raise ValueError("a grant that is over can not be ended")
    return replace(grant, ended=now, why=why)
