"""Processes of a bastion as the tests of approvals need them: a store, approvals and upkeep, with the outside in memory
and a clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from bastion.approvals.asking import Approved, Asking, Setting
from bastion.approvals.ports import Limits
from bastion.approvals.request import Bound, Person, Request
from bastion.approvals.service import Approvals
from bastion.approvals.upkeep import Upkeep
from bastion.audit.events import Event
from bastion.errors import NotRecorded
from bastion.store.store import Store
from tests.core.approvals_made import NOW, SRE, bound


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Trail:
    """An audit trail in memory, shared by processes; `failing` makes it one that can not be written."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failing = False

    async def write(self, event: Event) -> None:
        await asyncio.sleep(0)
        if self.failing:
            raise NotRecorded("the disk is full")
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def states(self) -> list[str]:
        return [str(event.record()["state"]) for event in self.events if event.kind == "approval-settled"]


class Notices:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def requested(self, request: Request) -> None:
        self.told.append(("requested", request.id))

    def reminded(self, request: Request) -> None:
        self.told.append(("reminded", request.id))

    def settled(self, request: Request) -> None:
        self.told.append((request.state.value, request.id))


class Asked:
    """Somebody who waits: `held` once they were told that they do, `id` of their request, `task` what comes of it."""

    def __init__(self, process: Process, asking: Asking) -> None:
        self.lines: list[str] = []
        self._held = asyncio.Event()
        self.task: asyncio.Task[Approved] = asyncio.create_task(process.approvals.wait(asking, self._say))

    def _say(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == 3:
            self._held.set()

    async def held(self) -> str:
        """The id of the request, once it is held."""
        waiting = asyncio.create_task(self._held.wait())
        await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._held.is_set():
            self.task.result()
        return self.lines[0].split()[3]


class Process:
    """One process on a store: `start`, then `stop` (in order) or `die` (all at once)."""

    def __init__(
        self, store: Store, clock: Callable[[], float], trail: Trail, name: str = "one", limits: Limits | None = None
    ) -> None:
        self.name = name
        self.store = store
        self.trail = trail
        self.notices = Notices()
        self.ended: list[tuple[str, str]] = []
        self.revoked: set[str] = set()
        setting = Setting(
            name, clock, self._revoked, lambda tenant, id: f"https://b.example/{tenant}/{id}", limits or Limits()
        )
        self.approvals = Approvals(
            *(store.requests, store.grants, store.changes, trail, self.notices, setting),
            lambda session, reason: self.ended.append((session, reason)),
        )
        self.upkeep = Upkeep(self.approvals, store.overview, setting)
        self._asked: list[Asked] = []

    def _revoked(self, person: Person) -> str | None:
        return "lost" if person.name in self.revoked else None

    @classmethod
    async def start(
        cls, url: str, clock: Callable[[], float], trail: Trail, name: str = "one", **given: Any
    ) -> Process:
        process = cls(await Store.open(url), clock, trail, name, **given)
        await process.upkeep.start()
        return process

    def ask(self, asking: Asking) -> Asked:
        asked = Asked(self, asking)
        self._asked.append(asked)
        return asked

    async def hear(self) -> None:
        """What other processes changed."""
        await self.store.changes.read()

    async def looked(self) -> None:
        """What it heard of has been looked at."""
        await self.approvals.waiting.looked()
        await self.approvals.running.looked()

    async def stop(self) -> None:
        for asked in self._asked:
            asked.task.cancel()
        await asyncio.gather(*(asked.task for asked in self._asked), return_exceptions=True)
        await self.approvals.close()
        await self.store.close()

    async def die(self) -> None:
        """As by kill -9: nobody withdraws anything."""
        dead: Any = self.approvals
        dead.withdraw = _nothing
        await self.stop()


async def _nothing(*_: object) -> None:
    pass


def asking(clauses: Sequence[Any] = (SRE,), **given: Any) -> Asking:
    """The agent's restart, of a session of its own choice."""
    of_bound = {name: given.pop(name) for name in list(given) if name in Bound.__dataclass_fields__}
    whole = {
        "written": b"systemctl restart web",
        "reason": "a restart drops live requests",
        "principals": ("agent-7", "repo:acme/web"),
        "groups": ("agents",),
        "source": "192.0.2.7",
        "owners": ("owner@acme",),
    }
    return Asking(bound=bound(**of_bound), clauses=tuple(clauses), **{**whole, **given})
