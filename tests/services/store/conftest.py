"""The two stores: every test that takes `url` or `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bastion.store.store import Store
from tests import postgres
from tests.services.store.house import Clock, Process, Trail


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    try:
        with postgres.server(folder / "s") as running:
            yield running
    finally:
        folder.rmdir()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: postgres.Server = request.getfixturevalue("postgresql")
    return await server.empty("postgres")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
async def process(url: str, clock: Clock, trail: Trail) -> AsyncIterator[Process]:
    running = await Process.start(url, clock, trail)
    yield running
    await running.stop()
