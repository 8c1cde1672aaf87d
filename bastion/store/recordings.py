"""The catalogue of closed recordings: what people list and search. The files are the recordings, and the audit trail
says which are whole. What was mended after a crash is one of them.
"""

from __future__ import annotations

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.ports import Cursor
from bastion.errors import NoSuchRequest
from bastion.kept import Recording
from bastion.store import changes
from bastion.store.changes import Changes
from bastion.store.database import Database
from bastion.store.rows import all_of, newest, row
from bastion.store.schema import RECORDINGS


class Recordings:
    """Every call may raise StoreDown."""

    def __init__(self, database: Database, changed: Changes) -> None:
        self._database = database
        self._changes = changed

    async def closed(self, recording: Recording) -> None:
        """It is in the catalogue; one that was there under that session is replaced, so that this may be done again."""
        here = and_(RECORDINGS.c.tenant == recording.tenant, RECORDINGS.c.session == recording.session)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(RECORDINGS).where(here))
            await connection.execute(insert(RECORDINGS).values(row(recording)))
            at = recording.started + recording.duration
            await changes.note(connection, recording.tenant, changes.RECORDING, recording.session, at)

        await self._database.write(work)
        self._changes.wake()

    async def verified(self, tenant: str, session: str, at: float, whole: bool) -> None:
        """It was compared with the audit trail. Raises NoSuchRequest."""
        here = and_(RECORDINGS.c.tenant == tenant, RECORDINGS.c.session == session)

        async def work(connection: AsyncConnection) -> None:
            if not (await connection.execute(update(RECORDINGS).where(here).values(verified=at, whole=whole))).rowcount:
                raise NoSuchRequest("no such recording")
            await changes.note(connection, tenant, changes.RECORDING, session, at)

        await self._database.write(work)
        self._changes.wake()

    async def find(self, tenant: str, session: str) -> Recording | None:
        query = select(RECORDINGS).where(RECORDINGS.c.tenant == tenant, RECORDINGS.c.session == session)
        found = await self._database.read(lambda connection: all_of(connection, Recording, query))
        return found[0] if found else None

    async def page(self, tenant: str, before: Cursor | None, limit: int) -> list[Recording]:
        query = newest(RECORDINGS, tenant, "started", "session", before, limit)
        return await self._database.read(lambda connection: all_of(connection, Recording, query))
