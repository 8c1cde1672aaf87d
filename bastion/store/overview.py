"""What a process must know of all tenants to keep up: what is over, whose process is gone, what can be forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.ports import Named
from bastion.approvals.request import OPEN, RETURN, State
from bastion.store.database import Database
from bastion.store.schema import CERTIFICATES, CHANGES, GRANTS, INSTANCES, REQUESTS, SESSIONS

CHANGES_KEPT = 3600
"""Seconds. Who has not read a change by then was not running."""
_AT_ONCE = 500
_OPEN = REQUESTS.c.state.in_(sorted(state.value for state in OPEN))


class Overview:
    """The port `Overview` of approvals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seen(self, instance: str, now: float) -> None:
        async def work(connection: AsyncConnection) -> None:
            known: CursorResult[object] = await connection.execute(
                update(INSTANCES).where(INSTANCES.c.name == instance).values(seen=now)
            )
            if not known.rowcount:
                await connection.execute(insert(INSTANCES).values(name=instance, seen=now))

        await self._database.write(work)

    async def due(self, now: float) -> list[Named]:
        return await self._named(REQUESTS.c.ends <= now)

    async def orphans(self, since: float, gone: Iterable[str]) -> list[Named]:
        alive = select(INSTANCES.c.name).where(INSTANCES.c.seen >= since)
        lost = or_(REQUESTS.c.instance.not_in(alive), REQUESTS.c.instance.in_(list(gone)))
        return await self._named(and_(REQUESTS.c.mode != RETURN, lost))

    async def outdated(self, tenant: str, policy: str, now: float) -> tuple[list[Named], list[Named]]:
        async def grants(connection: AsyncConnection) -> list[Named]:
            other = select(GRANTS.c.tenant, GRANTS.c.id).where(
                GRANTS.c.tenant == tenant, GRANTS.c.policy != policy, GRANTS.c.ended.is_(None), GRANTS.c.ends > now
            )
            return [Named(row.tenant, row.id) for row in await connection.execute(other)]

        requests = await self._named(and_(REQUESTS.c.tenant == tenant, REQUESTS.c.policy != policy))
        return requests, await self._database.read(grants)

    async def remind(self, instance: str, now: float) -> list[Named]:
        half = (REQUESTS.c.asked + REQUESTS.c.ends) / 2
        waiting = and_(REQUESTS.c.state == State.PENDING.value, REQUESTS.c.reminded.is_(None))
        ours = or_(REQUESTS.c.instance == instance, REQUESTS.c.mode == RETURN)
        wanted = and_(waiting, ours, half <= now, REQUESTS.c.ends > now)

        async def any_there(connection: AsyncConnection) -> bool:
            return (await connection.execute(select(REQUESTS.c.id).where(wanted).limit(1))).first() is not None

        async def work(connection: AsyncConnection) -> list[Named]:
            first = update(REQUESTS).where(wanted).values(reminded=now).returning(REQUESTS.c.tenant, REQUESTS.c.id)
            return [Named(row.tenant, row.id) for row in await connection.execute(first)]

        return await self._database.write(work) if await self._database.read(any_there) else []

    async def pending(self, tenants: Iterable[str]) -> int:
        """How many requests of these tenants wait for people."""
        waiting = and_(REQUESTS.c.state == State.PENDING.value, REQUESTS.c.tenant.in_(list(tenants)))

        async def work(connection: AsyncConnection) -> int:
            query = select(func.count()).select_from(REQUESTS).where(waiting)
            return int((await connection.execute(query)).scalar_one())

        return await self._database.read(work)

    async def prune(self, before: float) -> int:
        async def work(connection: AsyncConnection) -> int:
            latest = (await connection.execute(select(func.max(CHANGES.c.at)))).scalar()
            if latest is not None:
                await connection.execute(delete(CHANGES).where(CHANGES.c.at < latest - CHANGES_KEPT))
            await connection.execute(delete(GRANTS).where(GRANTS.c.ends < before))
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.ended < before))
            await connection.execute(delete(CERTIFICATES).where(CERTIFICATES.c.valid_before < before))
            await connection.execute(delete(INSTANCES).where(INSTANCES.c.seen < before))
            return (await connection.execute(delete(REQUESTS).where(REQUESTS.c.settled < before))).rowcount

        return await self._database.write(work)

    async def _named(self, which: ColumnElement[bool]) -> list[Named]:
        async def work(connection: AsyncConnection) -> list[Named]:
            query = select(REQUESTS.c.tenant, REQUESTS.c.id).where(_OPEN, which).order_by(REQUESTS.c.ends)
            return [Named(row.tenant, row.id) for row in await connection.execute(query.limit(_AT_ONCE))]

        return await self._database.read(work)
