"""What changed, also by another process: a table that every change adds a line to, in its own transaction.

Lines are numbered in the order in which they are committed, so that whoever has read up to a number has missed none:
on SQLite because writers take turns, on PostgreSQL by a lock that is held from the line to the commit, which is all
that is left to do then.

`Changes` reads what is new when it is woken by a write of this process, by PostgreSQL's NOTIFY, or by a glance at
SQLite's journal, whose size or time another process's write changes (GLANCE); and otherwise every INTERVAL. One reader
serves all who subscribe, however many they are. When it can not read, it says so to all, each time that it has tried:
they can not know what was decided. It tries again for ever, whatever went wrong, after longer and longer times
(background.Trouble), or at once when this process has written; and says so when it can read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.ports import Change
from bastion.background import Trouble, forever
from bastion.store.database import CHANNEL, Database
from bastion.store.schema import CHANGES

log = logging.getLogger(__name__)

REQUEST, GRANT, SESSION, SESSION_END, CERTIFICATE, RECORDING = (
    *("request", "grant", "session"),
    *("session-end", "certificate", "recording"),
)
INTERVAL = 0.5
"""Seconds between two reads where nothing wakes it."""
GLANCE = 0.05
"""Seconds between two looks at when SQLite's journal was written."""
_AT_ONCE = 500
_LOCK = 0x6261_7375

Subscriber = tuple[Callable[[Sequence[Change]], None], Callable[[Exception], None], Callable[[], None]]


async def note(connection: AsyncConnection, tenant: str, kind: str, subject: str, at: float) -> None:
    """Add a line: the last thing that a transaction does."""
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    await connection.execute(insert(CHANGES).values(tenant=tenant, kind=kind, subject=subject, at=at))
    if postgresql:
        await connection.execute(select(func.pg_notify(CHANNEL, "")))


class Changes:
    """Life: `open`; `subscribe` at will; `run` once, which ends when it is cancelled."""

    def __init__(self, database: Database, last: int) -> None:
        self._database = database
        self._last = last
        self._subscribers: dict[int, Subscriber] = {}
        self._woken = asyncio.Event()
        self._count = 0
        self._written: tuple[int, int] | None = None
        self._listener: asyncpg.Connection[Any] | None = None
        self.trouble = Trouble("hearing what others change", INTERVAL)

    @classmethod
    async def open(cls, database: Database) -> Changes:
        """From now on. Raises StoreDown."""

        async def last(connection: AsyncConnection) -> int:
            return int((await connection.execute(select(func.coalesce(func.max(CHANGES.c.number), 0)))).scalar_one())

        return cls(database, await database.read(last))

    def subscribe(
        self,
        changed: Callable[[Sequence[Change]], None],
        failed: Callable[[Exception], None],
        restored: Callable[[], None] = lambda: None,
    ) -> Callable[[], None]:
        """As the port says; `restored` is called once when what others change is known again."""
        self._count += 1
        number = self._count
        self._subscribers[number] = (changed, failed, restored)

        def unsubscribe() -> None:
            self._subscribers.pop(number, None)

        return unsubscribe

    def wake(self) -> None:
        """This process has changed something."""
        self._woken.set()

    async def run(self) -> None:
        """Read for ever. What fails is told to all who subscribe, and tried again."""
        try:
            await forever(self._round, self.trouble, self._next)
        finally:
            if self._listener is not None:
                self._listener.terminate()

    async def _round(self) -> None:
        try:
            if not self._database.is_sqlite and (self._listener is None or self._listener.is_closed()):
                self._listener = await self._database.listen(self.wake)
            self._written = self._database.written()
            await self.read()
        except Exception as error:
            for _, failed, _ in list(self._subscribers.values()):
                _told(failed, error)
            raise
        if self.trouble.error is not None:
            for _, _, restored in list(self._subscribers.values()):
                _told(restored)

    async def read(self) -> None:
        """Tell everyone what is new. Raises StoreDown."""
        while found := await self._database.read(self._new):
            self._last = found[-1].number
            for changed, _, _ in list(self._subscribers.values()):
                _told(changed, found)

    async def _new(self, connection: AsyncConnection) -> list[Change]:
        newer = select(CHANGES).where(CHANGES.c.number > self._last).order_by(CHANGES.c.number).limit(_AT_ONCE)
        rows = await connection.execute(newer)
        return [Change(row.number, row.tenant, row.kind, row.subject) for row in rows]

    async def _next(self, seconds: float) -> None:
        """Wait until there may be something new, or it is time to see."""
        written = None if self.trouble.error is not None else self._written
        glances = 1 if written is None else round(seconds / GLANCE)
        for _ in range(glances):
            if self._woken.is_set() or (written is not None and self._database.written() != written):
                break
            try:
                async with asyncio.timeout(seconds / glances):
                    await self._woken.wait()
            except TimeoutError:
                continue
        self._woken.clear()


def _told(subscriber: Callable[..., None], *what: object) -> None:
    """One who fails keeps it from no other."""
    try:
        subscriber(*what)
    except Exception:
        log.exception("a subscriber to changes failed")
