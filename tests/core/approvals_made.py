"""Requests, people and votes as the tests of approvals need them: each maker takes what a test is about, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bastion.approvals.request import Bound, Person, Request, Vote
from bastion.policy.decision import Approval

NOW = 1_800_000_000.0
ISSUER = "https://issuer.example.com"
OTHER_ISSUER = "https://other.example.com"
SRE = Approval(("sre",), 1, 600)
DBA = Approval(("dba",), 1, 600)


def bound(**given: Any) -> Bound:
    """An agent's `systemctl restart web` on web-1, in tenant acme."""
    whole = Bound(
        tenant="acme",
        identity="agent-7",
        issuer=ISSUER,
        subject="sub-agent-7",
        serial=4711,
        target="web-1",
        account="deploy",
        session="s1",
        kind="exec",
        text=b"'systemctl' 'restart' 'web'",
        policy="v1",
        rule="restarts",
    )
    return replace(whole, **given)


def request(**given: Any) -> Request:
    """A pending request of that agent, asked NOW and good for ten minutes. What is a field of its bound goes there."""
    of_bound = {name: given.pop(name) for name in list(given) if name in Bound.__dataclass_fields__}
    whole = Request(
        id="abcdefghjk",
        bound=bound(**of_bound),
        written=b"systemctl restart web",
        reason="a restart drops live requests",
        categories=("stops-service",),
        techniques=("T1489",),
        clauses=(SRE,),
        owners=("owner@acme",),
        principals=("agent-7", "repo:acme/web"),
        groups=("agents",),
        source="192.0.2.7",
        asked=NOW,
        ends=NOW + 600,
        instance="one",
    )
    return replace(whole, **given)


def person(name: str = "rev", *groups: str, **given: Any) -> Person:
    """`rev@acme` of group sre, unless told otherwise."""
    whole = Person("acme", ISSUER, f"sub-{name}", (f"{name}@acme",), frozenset(groups or {"sre"}))
    return replace(whole, **given)


def yes(who: Person, at: float = NOW + 1, grant: bool = False, comment: str = "") -> Vote:
    return Vote(who, True, comment, at, grant)


def no(who: Person, at: float = NOW + 1, comment: str = "") -> Vote:
    return Vote(who, False, comment, at)
