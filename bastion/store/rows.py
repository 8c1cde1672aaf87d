"""Values of bastion.kept as rows and back: by their fields' names, but for lists and serials (see schema)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.kept import Certificate, Recording, Session
from bastion.store.schema import listed, members

Kept = TypeVar("Kept", Session, Certificate, Recording)


def row(value: Session | Certificate | Recording) -> dict[str, Any]:
    return {field.name: _to(field.name, getattr(value, field.name)) for field in fields(value)}


def value(kind: type[Kept], found: RowMapping | Mapping[str, Any]) -> Kept:
    return kind(**{field.name: _from(field.name, found[field.name]) for field in fields(kind)})


def newest(
    table: Table, tenant: str, time: str, id: str, before: tuple[float, str] | None, limit: int
) -> Select[tuple[Any, ...]]:
    """The query for one page of a tenant's, from the newest on, after the place where the last one ended."""
    order = tuple_(table.c[time], table.c[id])
    query = select(table).where(table.c.tenant == tenant)
    if before is not None:
        query = query.where(order < before)
    return query.order_by(table.c[time].desc(), table.c[id].desc()).limit(limit)


async def all_of(connection: AsyncConnection, kind: type[Kept], query: Select[tuple[Any, ...]]) -> list[Kept]:
    return [value(kind, found) for found in (await connection.execute(query)).mappings()]


def _to(name: str, entry: Any) -> Any:
    if name == "principals":
        return listed(entry)
    return str(entry) if name == "serial" else entry


def _from(name: str, entry: Any) -> Any:
    if name == "principals":
        return members(entry)
    return int(entry) if name == "serial" else entry
