"""Word of what changed: none missed, in order, whoever changed it; and of not knowing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.ports import Change
from bastion.errors import StoreDown
from bastion.store import changes
from bastion.store.store import Store


class Heard:
    """All that a subscriber was told; `until` waits for it."""

    def __init__(self, store: Store) -> None:
        self.subjects: list[str] = []
        self.kinds: set[str] = set()
        self.failures: list[Exception] = []
        self._more = asyncio.Event()
        self.end = store.changes.subscribe(self._changed, self._failed)

    def _changed(self, found: Sequence[Change]) -> None:
        self.subjects += [change.subject for change in found]
        self.kinds |= {change.kind for change in found}
        self._more.set()

    def _failed(self, error: Exception) -> None:
        self.failures.append(error)
        self._more.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(*stores: Store) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(store.changes.run()) for store in stores]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def change(
    store: Store, subject: str, noted: asyncio.Event | None = None, gate: asyncio.Event | None = None
) -> None:
    async def work(connection: AsyncConnection) -> None:
        await changes.note(connection, "acme", changes.REQUEST, subject, 1.0)
        if noted is not None and gate is not None:
            noted.set()
            await gate.wait()

    await store._database.write(work)


async def test_what_another_process_changes_is_heard(store: Store, url: str) -> None:
    """Also by one who subscribes late, and by nobody twice."""
    other = await Store.open(url)
    heard = Heard(store)
    async with running(store, other):
        await change(other, "a")
        await heard.until(lambda: heard.subjects == ["a"])
        late = Heard(store)
        await change(other, "b")
        await late.until(lambda: late.subjects == ["b"])
        heard.end()
        await change(store, "c")
        await late.until(lambda: late.subjects == ["b", "c"])
    assert heard.subjects == ["a", "b"]
    await other.close()


async def test_many_writers_and_none_is_missed(store: Store, url: str) -> None:
    """Numbers follow the order of the commits, so that reading up to one skips none that comes later."""
    others = [await Store.open(url) for _ in range(3)]
    heard = Heard(store)
    wanted = [f"{number}-{count}" for number in range(3) for count in range(15)]
    async with running(store):
        writers = (change(others[int(name[0])], name) for name in wanted)
        await asyncio.gather(*writers)
        await heard.until(lambda: len(heard.subjects) >= len(wanted))
    assert sorted(heard.subjects) == sorted(wanted)
    for other in others:
        await other.close()


async def test_what_is_not_committed_yet_is_not_passed_over(postgresql: Any) -> None:
    """A change that takes its number first and is committed last would be lost to who reads in between."""
    url = await postgresql.create("uncommitted")
    store, slow = await Store.open(url), await Store.open(url)
    heard, noted, gate = Heard(store), asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(change(slow, "first", noted, gate))
    await noted.wait()
    second = asyncio.create_task(change(store, "second"))
    while not await waits_for_lock(store):
        pass
    await store.changes.read()
    assert heard.subjects == []
    gate.set()
    await asyncio.gather(first, second)
    await store.changes.read()
    assert heard.subjects == ["first", "second"]
    await store.close()
    await slow.close()


async def waits_for_lock(store: Store) -> bool:
    async def work(connection: AsyncConnection) -> bool:
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool((await connection.exec_driver_sql(held)).scalar())

    return await store._database.read(work)


async def test_a_subscriber_that_fails_keeps_it_from_no_other(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def failing(_: object) -> None:
        raise ZeroDivisionError

    store.changes.subscribe(failing, failing)
    heard = Heard(store)
    await change(store, "a")
    with caplog.at_level(logging.CRITICAL, logger="bastion.store.changes"):
        await store.changes.read()
    assert heard.subjects == ["a"]


async def test_who_can_not_hear_is_told_so_and_misses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store is back, all that changed meanwhile is heard."""
    heard = Heard(store)
    read = store._database.read

    async def down(_: object) -> Any:
        raise StoreDown("the store can not be used")

    async with running(store):
        monkeypatch.setattr(store._database, "read", down)
        await change(store, "a")
        store.changes.wake()
        await heard.until(lambda: heard.failures)
        monkeypatch.setattr(store._database, "read", read)
        await heard.until(lambda: heard.subjects == ["a"])


async def test_what_is_not_foreseen_ends_no_hearing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as not knowing; and once it is over, that it is known again."""
    heard, restored = Heard(store), asyncio.Event()
    store.changes.subscribe(lambda _: None, lambda _: None, restored.set)
    read = store._database.read

    async def odd(_: object) -> Any:
        raise ValueError("odd")

    async with running(store):
        monkeypatch.setattr(store._database, "read", odd)
        store.changes.wake()
        await heard.until(lambda: heard.failures)
        assert isinstance(store.changes.trouble.error, ValueError)
        assert not restored.is_set()
        monkeypatch.setattr(store._database, "read", read)
        await change(store, "a")
        await heard.until(lambda: heard.subjects == ["a"])
        await restored.wait()


async def test_no_connection_is_left_over_where_nothing_can_be_heard_on_it(
    postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(await postgresql.create("left_over"))
    made: list[asyncpg.Connection[Any]] = []

    async def fails(connection: asyncpg.Connection[Any], *_: object) -> None:
        made.append(connection)
        raise asyncpg.InterfaceError("no")

    monkeypatch.setattr(asyncpg.Connection, "add_listener", fails)
    with pytest.raises(StoreDown):
        await store._database.listen(lambda: None)
    assert [connection.is_closed() for connection in made] == [True]
    await store.close()


async def test_a_lost_connection_for_notices_is_made_again(postgresql: Any) -> None:
    """Whatever ended it; and what changed meanwhile is heard."""
    store = await Store.open(await postgresql.create("notices"))
    heard = Heard(store)

    async def end_listeners(connection: AsyncConnection) -> int:
        which = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        return len((await connection.exec_driver_sql(which)).all())

    async with running(store):
        await change(store, "a")
        await heard.until(lambda: heard.subjects == ["a"])
        assert await store._database.write(end_listeners) == 1
        await change(store, "b")
        await heard.until(lambda: heard.subjects == ["a", "b"])
        while not await store._database.write(end_listeners):
            await change(store, "c")
    await store.close()
