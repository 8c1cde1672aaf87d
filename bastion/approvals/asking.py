"""What is asked of approvals and what they answer, as values, and what a process is set to."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bastion.approvals.ports import Limits
from bastion.approvals.request import RETURN, Bound, Person, Request, mode_of, within_of
from bastion.errors import NoSuchRequest
from bastion.policy.decision import Approval

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_ID = 10


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, and by whom; the fields are those of Request."""

    bound: Bound
    written: bytes
    reason: str
    clauses: tuple[Approval, ...]
    principals: tuple[str, ...]
    groups: tuple[str, ...]
    source: str
    owners: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    takes_commands: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    """`bound` may run, now and once: by `request`, which is used up by this, or by `grant`. `by` are people's names."""

    bound: Bound
    by: tuple[str, ...]
    request: str = ""
    grant: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a process is set to. `link` is the address of a request (tenant, id) for people, empty where there is none;
    `instance` the name of this process, which no other has; `revoked` says why a person is no longer trusted, or None.
    """

    instance: str
    clock: Callable[[], float]
    revoked: Callable[[Person], str | None]
    link: Callable[[str, str], str] = lambda _tenant, _id: ""
    limits: Limits = field(default_factory=Limits)


def new_id() -> str:
    """Ten characters without look-alikes."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID))


def checked(id: str) -> str:
    """An id of ours, or NoSuchRequest: what somebody wrote into an address goes into no query."""
    if len(id) != _ID or not set(id) <= set(_LETTERS):
        raise NoSuchRequest
    return id


def request_of(asking: Asking, setting: Setting) -> Request:
    """The request that this makes now: its end is fixed here."""
    now, mode = setting.clock(), mode_of(asking.clauses)
    return Request(
        id=new_id(),
        bound=asking.bound,
        written=asking.written,
        reason=asking.reason,
        categories=asking.categories,
        techniques=asking.techniques,
        clauses=asking.clauses,
        owners=asking.owners,
        principals=asking.principals,
        groups=asking.groups,
        source=asking.source,
        asked=now,
        ends=now + within_of(asking.clauses),
        mode=mode,
        instance="" if mode == RETURN else setting.instance,
        takes_commands=asking.takes_commands,
    )


def same(asked: Request, found: Request) -> bool:
    """Whether an approval of `found` is one of what was `asked`."""
    if asked.mode == RETURN:
        return asked.bound.digest_anywhere() == found.bound.digest_anywhere()
    return asked.bound.digest() == found.bound.digest()
