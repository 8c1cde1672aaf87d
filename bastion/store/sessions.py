"""Sessions, live and past, of every process on this store; and the wish that one ends, which reaches the process that
has it as a change of kind `session-end`."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.ports import Cursor
from bastion.errors import NoSuchRequest
from bastion.kept import Session
from bastion.store import changes
from bastion.store.changes import Changes
from bastion.store.database import Database, Work
from bastion.store.rows import all_of, newest, row
from bastion.store.schema import INSTANCES, SESSIONS

LOST = "the bastion that had it is gone"
"""Why a session is over that was marked as lost; `taken_for_lost` knows its rows by it, so rewording needs a migration.
"""


class Sessions:
    """`begin` before anything runs, `end` once; the rest at will. Every call may raise StoreDown."""

    def __init__(self, database: Database, changed: Changes) -> None:
        self._database = database
        self._changes = changed

    async def begin(self, session: Session) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(SESSIONS).values(row(session)))
            await changes.note(connection, session.tenant, changes.SESSION, session.id, session.started)

        await self._write(work)

    async def end(self, tenant: str, id: str, at: float, status: int | None, reason: str, recording: str = "") -> None:
        """It is over, and has this recording, if any. What was over stays so, but for its recording. Raises
        NoSuchRequest."""

        async def work(connection: AsyncConnection) -> None:
            done = await connection.execute(update(SESSIONS).where(_here(tenant, id)).values(recording=recording))
            _found(done.rowcount)
            over = update(SESSIONS).where(_here(tenant, id), SESSIONS.c.ended.is_(None))
            await connection.execute(over.values(ended=at, status=status, reason=reason))
            await changes.note(connection, tenant, changes.SESSION, id, at)

        await self._write(work)

    async def request_end(self, tenant: str, id: str, at: float, reason: str) -> bool:
        """Somebody wants it to end: whether it is live. The first reason stays. Raises NoSuchRequest."""

        async def work(connection: AsyncConnection) -> bool:
            query = select(SESSIONS.c.ended, SESSIONS.c.end_requested).where(_here(tenant, id)).with_for_update()
            found = (await connection.execute(query)).one_or_none()
            if found is None:
                raise NoSuchRequest("no such session")
            if found.ended is not None:
                return False
            if found.end_requested is None:
                wanted = update(SESSIONS).where(_here(tenant, id)).values(end_requested=at, end_reason=reason)
                await connection.execute(wanted)
            await changes.note(connection, tenant, changes.SESSION_END, id, at)
            return True

        live = await self._database.write(work)
        self._changes.wake()
        return live

    async def to_end(self, instance: str) -> list[Session]:
        """Live ones of this process that somebody wants to end."""
        wanted = select(SESSIONS).where(
            SESSIONS.c.instance == instance, SESSIONS.c.ended.is_(None), SESSIONS.c.end_requested.is_not(None)
        )
        return await self._database.read(lambda connection: all_of(connection, Session, wanted))

    async def lost(self, at: float, since: float, gone: Iterable[str]) -> int:
        """Mark as over what processes had that were not seen `since`, or are one of `gone`: how many it was."""
        alive = select(INSTANCES.c.name).where(INSTANCES.c.seen >= since)
        theirs = or_(SESSIONS.c.instance.not_in(alive), SESSIONS.c.instance.in_(list(gone)))

        async def work(connection: AsyncConnection) -> int:
            over = update(SESSIONS).where(SESSIONS.c.ended.is_(None), theirs).values(ended=at, reason=LOST)
            found = (await connection.execute(over.returning(SESSIONS.c.tenant, SESSIONS.c.id))).all()
            for tenant, id in found:
                await changes.note(connection, tenant, changes.SESSION, id, at)
            return len(found)

        count = await self._database.write(work)
        self._changes.wake()
        return count

    async def taken_for_lost(self, instance: str, since: float) -> list[Session]:
        """What this process had and another one marked as lost, at `since` or later."""
        marked = (SESSIONS.c.ended >= since, SESSIONS.c.reason == LOST)
        query = select(SESSIONS).where(SESSIONS.c.instance == instance, *marked)
        return await self._database.read(lambda connection: all_of(connection, Session, query))

    async def find(self, tenant: str, id: str) -> Session | None:
        query = select(SESSIONS).where(_here(tenant, id))
        found = await self._database.read(lambda connection: all_of(connection, Session, query))
        return found[0] if found else None

    async def page(self, tenant: str, live: bool | None, before: Cursor | None, limit: int) -> list[Session]:
        """Live ones, past ones, or all."""
        query = newest(SESSIONS, tenant, "started", "id", before, limit)
        if live is not None:
            query = query.where(SESSIONS.c.ended.is_(None) if live else SESSIONS.c.ended.is_not(None))
        return await self._database.read(lambda connection: all_of(connection, Session, query))

    async def _write(self, work: Work[None]) -> None:
        await self._database.write(work)
        self._changes.wake()


def _here(tenant: str, id: str) -> ColumnElement[bool]:
    return and_(SESSIONS.c.tenant == tenant, SESSIONS.c.id == id)


def _found(count: int) -> None:
    if not count:
        raise NoSuchRequest("no such session")
