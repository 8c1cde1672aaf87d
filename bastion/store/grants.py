"""Grants, in a table. At most one of a holder is not ended at a time: the table itself holds that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.grant import OVER, Grant, Holder
from bastion.approvals.ports import Cursor
from bastion.errors import NoSuchRequest
from bastion.store import changes
from bastion.store.changes import Changes
from bastion.store.database import Database
from bastion.store.schema import GRANTS, listed, members

_HOLDER = tuple(field.name for field in fields(Holder))
_AS_THEY_ARE = ("id", "identity", "request", "made", "ends", "ended", "why")


class Grants:
    """The port `Grants` of approvals."""

    def __init__(self, database: Database, changed: Changes) -> None:
        self._database = database
        self._changes = changed

    async def live(self, holder: Holder, now: float) -> Grant | None:
        async def work(connection: AsyncConnection) -> Grant | None:
            query = select(GRANTS).where(_of(holder), *_live(now))
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else _grant(row)

        return await self._database.read(work)

    async def change(
        self, tenant: str, id: str, step: Callable[[Grant], Grant], told: Callable[[Grant], Awaitable[None]]
    ) -> Grant:
        async def work(connection: AsyncConnection) -> Grant:
            here = and_(GRANTS.c.tenant == tenant, GRANTS.c.id == id)
            row = (await connection.execute(select(GRANTS).where(here).with_for_update())).mappings().one_or_none()
            if row is None:
                raise NoSuchRequest("no such grant")
            before = _grant(row)
            after = step(before)
            if after == before:
                return before
            await connection.execute(update(GRANTS).where(here).values(ended=after.ended, why=after.why))
            await told(after)
            await changes.note(connection, tenant, changes.GRANT, id, after.ended or after.made)
            return after

        changed = await self._database.write(work)
        self._changes.wake()
        return changed

    async def find(self, tenant: str, id: str) -> Grant | None:
        async def work(connection: AsyncConnection) -> Grant | None:
            query = select(GRANTS).where(GRANTS.c.tenant == tenant, GRANTS.c.id == id)
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else _grant(row)

        return await self._database.read(work)

    async def page(self, tenant: str, now: float | None, before: Cursor | None, limit: int) -> list[Grant]:
        async def work(connection: AsyncConnection) -> list[Grant]:
            query = select(GRANTS).where(GRANTS.c.tenant == tenant)
            if now is not None:
                query = query.where(*_live(now))
            if before is not None:
                query = query.where(tuple_(GRANTS.c.made, GRANTS.c.id) < before)
            query = query.order_by(GRANTS.c.made.desc(), GRANTS.c.id.desc()).limit(limit)
            return [_grant(row) for row in (await connection.execute(query)).mappings()]

        return await self._database.read(work)


async def add(connection: AsyncConnection, grant: Grant) -> bool:
    """Keep it, unless one of this holder is live already: whether it was kept."""
    theirs = (_of(grant.holder), GRANTS.c.ended.is_(None))
    over = update(GRANTS).where(*theirs, GRANTS.c.ends <= grant.made).values(ended=GRANTS.c.ends, why=OVER)
    await connection.execute(over)
    insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    done = await connection.execute(insert(GRANTS).values(_row(grant)).on_conflict_do_nothing())
    return done.rowcount == 1


def _of(holder: Holder) -> ColumnElement[bool]:
    return and_(*(GRANTS.c[name] == getattr(holder, name) for name in _HOLDER))


def _live(now: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return GRANTS.c.ended.is_(None), GRANTS.c.ends > now


def _row(grant: Grant) -> dict[str, Any]:
    row = {name: getattr(grant.holder, name) for name in _HOLDER}
    return {**row, **{name: getattr(grant, name) for name in _AS_THEY_ARE}, "by": listed(grant.by)}


def _grant(row: RowMapping) -> Grant:
    holder = Holder(**{name: row[name] for name in _HOLDER})
    return Grant(holder=holder, by=members(row["by"]), **{name: row[name] for name in _AS_THEY_ARE})
