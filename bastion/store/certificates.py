"""Certificates that were issued, and which of them were revoked. The file of revocations decides who gets in; this is
what people see and search."""

from __future__ import annotations

from sqlalchemy import and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.ports import Cursor
from bastion.errors import NoSuchRequest
from bastion.kept import Certificate
from bastion.store import changes
from bastion.store.changes import Changes
from bastion.store.database import Database
from bastion.store.rows import all_of, newest, row
from bastion.store.schema import CERTIFICATES


class Certificates:
    """Every call may raise StoreDown."""

    def __init__(self, database: Database, changed: Changes) -> None:
        self._database = database
        self._changes = changed

    async def issued(self, certificate: Certificate) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(CERTIFICATES).values(row(certificate)))
            tenant, serial = certificate.tenant, str(certificate.serial)
            await changes.note(connection, tenant, changes.CERTIFICATE, serial, certificate.valid_after)

        await self._database.write(work)
        self._changes.wake()

    async def revoked(self, tenant: str, serial: int, at: float, why: str) -> Certificate:
        """It is no longer good; the first reason stays. Raises NoSuchRequest."""
        here = and_(CERTIFICATES.c.tenant == tenant, CERTIFICATES.c.serial == str(serial))

        async def work(connection: AsyncConnection) -> Certificate:
            first = update(CERTIFICATES).where(here, CERTIFICATES.c.revoked.is_(None))
            if (await connection.execute(first.values(revoked=at, why=why))).rowcount:
                await changes.note(connection, tenant, changes.CERTIFICATE, str(serial), at)
            found = await all_of(connection, Certificate, select(CERTIFICATES).where(here))
            if not found:
                raise NoSuchRequest("no such certificate")
            return found[0]

        certificate = await self._database.write(work)
        self._changes.wake()
        return certificate

    async def find(self, tenant: str, serial: int) -> Certificate | None:
        query = select(CERTIFICATES).where(CERTIFICATES.c.tenant == tenant, CERTIFICATES.c.serial == str(serial))
        found = await self._database.read(lambda connection: all_of(connection, Certificate, query))
        return found[0] if found else None

    async def revoked_live(self, now: float) -> list[Certificate]:
        """Of all tenants: revoked, and not yet over by themselves."""
        query = select(CERTIFICATES).where(CERTIFICATES.c.revoked.is_not(None), CERTIFICATES.c.valid_before > now)
        return await self._database.read(lambda connection: all_of(connection, Certificate, query))

    async def page(self, tenant: str, before: Cursor | None, limit: int) -> list[Certificate]:
        query = newest(CERTIFICATES, tenant, "valid_after", "serial", before, limit)
        return await self._database.read(lambda connection: all_of(connection, Certificate, query))
