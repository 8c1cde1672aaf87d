"""The events of approvals and grants, a part of the catalogue (bastion.audit.events).

`approval` and `grant` are ids; `identity`, `issuer`, `subject` and `serial` are of the one who asked, never of those
who decide: these are `person`, `person_issuer` and `person_subject`. `by` are people's names, or how many of which
groups it takes. Times are seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastion.audit.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfRequest(Event):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(_OfRequest):
    """`request` is `exec`, `shell` or `line`; `text` what the client wrote, `runs` what will run (None for a shell), in
    `directory` where that is known; `sha256` the digest of all that it is bound to. `mode`: `hold` or `return`.
    `takes_commands`: it would take commands by itself, which nobody judges."""

    kind = "approval-requested"
    request: str
    text: bytes
    runs: bytes | None
    sha256: str
    reason: str
    by: tuple[str, ...]
    owners: tuple[str, ...]
    source: str
    mode: str
    ends: float
    directory: bytes | None = None
    categories: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    takes_commands: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalVoted(_OfRequest):
    """`grants`: this person would give the rule for a while. `missing` is how many more must approve."""

    kind = "approval-voted"
    person: str
    person_issuer: str
    person_subject: str
    approves: bool
    grants: bool
    comment: bytes
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettled(_OfRequest):
    """`people` are those who approved, and who denied. A request that is `approved` is settled once more: as `used`, or
    as over."""

    kind = "approval-settled"
    state: str
    why: bytes
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfGrant(Event):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantMade(_OfGrant):
    kind = "grant-made"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUsed(_OfGrant):
    """`request`, `text` and `runs` as in approval-requested."""

    kind = "grant-used"
    serial: int
    source: str
    target: str
    account: str
    session: str
    request: str
    text: bytes
    runs: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRevoked(_OfGrant):
    """`person` is None where no person did it; `why` says what did."""

    kind = "grant-revoked"
    why: str
    person: str | None = None
    person_issuer: str | None = None
    person_subject: str | None = None
