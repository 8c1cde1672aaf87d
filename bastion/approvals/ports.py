"""What approvals need of the outside: a durable place for requests and grants, word of what changed, people to tell.

Each change is one step: the store reads what stands there, asks `step` (pure) what becomes of it, calls `told` with
both, and makes it durable when that has returned; all under a lock, so that of two steps one sees the other's outcome.
`told` writes the audit trail, so the trail knows of a change before it takes effect, and never of one that another
step was faster than. What `step` or `told` raises undoes the whole. Every call may raise StoreDown. None is left half
done by a cancellation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bastion.approvals.grant import Grant, Holder
from bastion.approvals.request import Request, State
from bastion.audit.events import Event

Cursor = tuple[float, str]
"""Where a page ended: the time and the id of its last member. Pages go from the newest to the oldest."""


@dataclass(frozen=True, slots=True)
class After:
    """What a step makes of a request; `grant` is made with it, unless a live one of that holder stands there."""

    request: Request
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests an identity may have open at once, and may make in an hour."""

    open: int = 32
    hourly: int = 240


@dataclass(frozen=True, slots=True)
class Named:
    """A request, grant or session by its tenant and id."""

    tenant: str
    id: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something of `kind` (`request`, `grant`, `session-end` and more: see the store) changed; `subject` is its id."""

    number: int
    tenant: str
    kind: str
    subject: str


class TooMany(Exception):
    """An identity has as many requests as it may. The message says which bound it is."""


class Requests(Protocol):
    async def make(self, request: Request, limits: Limits, told: Callable[[Request], Awaitable[None]]) -> Request:
        """Keep a new request. In mode return one of the same digest that stands there, open or denied and in its time,
        is answered instead, and `told` is not called. Raises TooMany."""
        ...

    async def change(
        self,
        tenant: str,
        id: str,
        step: Callable[[Request], After],
        told: Callable[[Request, Request, Grant | None], Awaitable[None]],
    ) -> Request:
        """One step. A `step` that answers the request as it was changes nothing. Raises NoSuchRequest."""
        ...

    async def find(self, tenant: str, id: str) -> Request | None: ...

    async def page(self, tenant: str, states: Iterable[State], before: Cursor | None, limit: int) -> list[Request]: ...


class Grants(Protocol):
    async def live(self, holder: Holder, now: float) -> Grant | None: ...

    async def change(
        self, tenant: str, id: str, step: Callable[[Grant], Grant], told: Callable[[Grant], Awaitable[None]]
    ) -> Grant:
        """One step. Raises NoSuchRequest."""
        ...

    async def find(self, tenant: str, id: str) -> Grant | None: ...

    async def page(self, tenant: str, now: float | None, before: Cursor | None, limit: int) -> list[Grant]:
        """Those that are live at `now`; all where it is None."""
        ...


class Overview(Protocol):
    """What a process asks of all tenants, to keep up; it learns names, and acts on each under its tenant."""

    async def seen(self, instance: str, now: float) -> None:
        """This process is alive."""
        ...

    async def due(self, now: float) -> list[Named]:
        """Open requests whose time is over."""
        ...

    async def orphans(self, since: float, gone: Iterable[str]) -> list[Named]:
        """Open requests that a process held which was not seen `since`, or is one of `gone`."""
        ...

    async def outdated(self, tenant: str, policy: str, now: float) -> tuple[list[Named], list[Named]]:
        """Some hundred open requests, and all live grants, of other versions of the tenant's policy."""
        ...

    async def remind(self, instance: str, now: float) -> list[Named]:
        """Pending requests half of whose time is over, each told once: to the process that holds it, which this one
        is by its name, or to any where none does."""
        ...

    async def prune(self, before: float) -> int:
        """Forget what was over before that; how many requests it was."""
        ...


class Changes(Protocol):
    def subscribe(
        self, changed: Callable[[Sequence[Change]], None], failed: Callable[[Exception], None]
    ) -> Callable[[], None]:
        """Be told what changed, here or in another process, at once or within the second; or that this can not be
        known. Calling the answer ends it."""
        ...


class Audit(Protocol):
    async def write(self, event: Event) -> None: ...


class Notices(Protocol):
    """People who are told of requests. Returns soon; a notice that can not be sent is this one's to log."""

    def requested(self, request: Request) -> None: ...
    def reminded(self, request: Request) -> None: ...
    def settled(self, request: Request) -> None: ...
