"""The database: private, durable, of one schema however it came to be, and down in a way that tells no secret."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.errors import OperatorError, StoreDown
from bastion.store.database import Database, to_its_end
from bastion.store.schema import INSTANCES, METADATA
from bastion.store.store import Store

PASSWORD = "hunter2-of-the-store"


async def names(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(select(INSTANCES.c.name).order_by(INSTANCES.c.name))).scalars())


def adding(name: str, gate: asyncio.Event | None = None) -> Any:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(INSTANCES).values(name=name, seen=1.0))
        if gate is not None:
            await gate.wait()

    return work


async def test_the_migrations_lead_to_the_schema(store: Store) -> None:
    """Table by table, column by column, index by index."""

    def differences(connection: Connection) -> Any:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    assert await store._database.read(lambda connection: connection.run_sync(differences)) == []


async def test_many_may_open_a_new_store_at_once(url: str) -> None:
    """One makes the schema, and the others find it."""
    opened = await asyncio.gather(*(Store.open(url) for _ in range(4)))
    await opened[0].overview.seen("one", 1.0)
    for store in opened:
        assert await store._database.read(names) == ["one"]
        await store.close()


async def test_what_was_kept_is_there_when_it_is_opened_again(url: str) -> None:
    first = await Store.open(url)
    await first.overview.seen("one", 1.0)
    await first.close()
    second = await Store.open(url)
    assert await second._database.read(names) == ["one"]
    await second.close()


async def test_a_schema_of_a_newer_bastion_is_left_alone(url: str) -> None:
    """Opening says so, and changes nothing."""
    store = await Store.open(url)

    async def newer(connection: AsyncConnection) -> None:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await store._database.write(newer)
    await store.close()
    with pytest.raises(OperatorError, match="newer bastion"):
        await Store.open(url)


async def test_work_that_fails_is_undone(store: Store) -> None:
    async def failing(connection: AsyncConnection) -> None:
        await adding("one")(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store._database.write(failing)
    assert await store._database.read(names) == []


async def test_work_goes_to_its_end_when_its_caller_is_cancelled(store: Store) -> None:
    """And the cancellation goes on after it, however often it came."""
    gate = asyncio.Event()
    task = asyncio.create_task(store._database.write(adding("one", gate)))
    await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store._database.read(names) == ["one"]


async def test_what_fails_after_its_caller_was_cancelled_is_told(caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()

    async def failing() -> None:
        await gate.wait()
        raise StoreDown("lost")

    task = asyncio.create_task(to_its_end(failing()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "StoreDown" in caplog.text


async def test_a_failure_of_the_database_is_told_without_its_values(store: Store) -> None:
    """Neither the statement nor what was to be stored is in the message."""
    await store._database.write(adding(PASSWORD))
    with pytest.raises(StoreDown, match=r"the store can not be used: \w+$") as caught:
        await store._database.write(adding(PASSWORD))
    assert PASSWORD not in str(caught.value)


# -- SQLite


async def test_the_file_is_ours_alone(tmp_path: Path) -> None:
    """So are its journals, and the folder that is made for it; a file that was open to others is closed."""
    path = tmp_path / "state" / "store.db"
    store = await Store.open(f"sqlite:///{path}")
    await store.overview.seen("one", 1.0)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["store.db", "store.db-shm", "store.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await store.close()
    path.chmod(0o644)
    await (await Store.open(f"sqlite:///{path}")).close()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_every_commit_is_on_the_disk_before_it_is_told(tmp_path: Path) -> None:
    """WAL with synchronous=FULL, foreign keys and patience, on the connections that read and the one that writes."""
    database = await Database.open(f"sqlite:///{tmp_path}/store.db")

    async def pragmas(connection: AsyncConnection) -> list[Any]:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in asked]

    assert await database.read(pragmas) == ["wal", 2, 1, 10_000]
    assert await database.write(pragmas) == ["wal", 2, 1, 10_000]
    await database.close()


@pytest.mark.parametrize("kind", ["symlink", "folder", "under a file"])
async def test_what_is_no_plain_file_is_no_store(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.db"
    (tmp_path / "file").touch()
    if kind == "symlink":
        path.symlink_to(tmp_path / "file")
    elif kind == "folder":
        path.mkdir()
    else:
        path = tmp_path / "file" / "store.db"
    with pytest.raises(OperatorError, match=r"can not be opened|not a plain file"):
        await Store.open(f"sqlite:///{path}")


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreDown):
        await Store.open(f"sqlite:///{tmp_path}/store.db")


# -- URLs


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "store.db",
        "sqlite://",
        "sqlite:///store.db",
        f"mysql://bastion:{PASSWORD}@db/x",
        f"postgresql+psycopg://bastion:{PASSWORD}@db/x",
        f"postgresql://bastion:{PASSWORD}@db:port/x",
    ],
)
async def test_an_url_of_another_kind_is_the_operators_fault(wrong: str) -> None:
    with pytest.raises(OperatorError, match="the store's url") as caught:
        await Store.open(wrong)
    assert PASSWORD not in str(caught.value)


async def test_a_server_that_is_not_there_is_down_and_the_password_told_to_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for scheme in ("postgresql", "postgres"):
        with pytest.raises(StoreDown) as caught:
            await Store.open(f"{scheme}://bastion:{PASSWORD}@/store?host={tmp_path}")
        assert PASSWORD not in str(caught.value)
        assert PASSWORD not in caplog.text
