"""The database: how it is opened, and how every piece of work on it is one transaction.

    sqlite:////var/lib/bastion/store.db     a file of this machine, mode 0600: journal WAL, foreign keys, every commit
                                            on the disk before it is told (synchronous=FULL)
    postgresql://…                          as libpq reads it (also host=/run/…, sslmode, sslrootcert)

`open` runs the migrations that are missing, one process at a time: others wait. `read` and `write` take a piece of
work; it is run to its end or rolled back whole, also when the one who waits for it is cancelled, so that nobody has
to ask what became of half of it. Writers of one SQLite file take turns: here by a lock, with other processes by
SQLite's own (BEGIN IMMEDIATE, and ten seconds of patience).

Whatever goes wrong with the database is StoreDown. Its message has the error's kind and never a statement, a value or
the URL, which may hold a password.

Limits: SQLite's WAL needs a local disk. A read sees what is committed; what it says may have changed by the time that
it is acted on, so whatever must hold is checked again in the `write` that acts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bastion.errors import OperatorError, StoreDown

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a statement, a lock or a connection may take before the store counts as down."""
READERS = 2
"""Connections of SQLite for reading; each has a thread."""
POOL = 8
"""Connections of PostgreSQL, whoever waits for them."""
_MIGRATION_LOCK = 0x6261_7374
"""The key of PostgreSQL's advisory lock that processes take turns by."""
_FAILURES = (SQLAlchemyError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]


class Database:
    """Life: `open`; `read` and `write` at will, in one event loop; `close` once."""

    def __init__(self, url: URL, engine: AsyncEngine, writer: AsyncEngine) -> None:
        self._url = url
        self._engine = engine
        self._writer = writer
        self._turn = asyncio.Lock() if self.is_sqlite else nullcontext()

    @classmethod
    async def open(cls, url: str) -> Database:
        """Raises OperatorError: no URL of the two kinds, a file that is not ours, a schema of a newer bastion.
        StoreDown: it can not be reached."""
        parsed = _parsed(url)
        if parsed.get_backend_name() == "sqlite":
            await asyncio.to_thread(_file, Path(parsed.database or ""))
            opened = cls(parsed, _sqlite(parsed, READERS), _sqlite(parsed, 1))
        else:
            engine = _postgresql(parsed)
            opened = cls(parsed, engine, engine)
        try:
            await opened.write(_migrate)
        except CommandError as error:
            await opened.close()
            raise OperatorError("the store was made by a newer bastion: this one can not read its schema") from error
        except BaseException:
            await opened.close()
            raise
        return opened

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction that changes nothing. Raises StoreDown, and what `work` raises."""
        return await to_its_end(self._run(self._engine, work, nullcontext()))

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction, durable when this returns. Raises StoreDown, and what `work` raises; then
        nothing of it was done."""
        return await to_its_end(self._run(self._writer, work, self._turn))

    async def _run(self, engine: AsyncEngine, work: Work[T], turn: asyncio.Lock | nullcontext[None]) -> T:
        try:
            async with turn, engine.begin() as connection:
                return await work(connection)
        except _FAILURES as error:
            raise _down(error) from error

    async def listen(self, told: Callable[[], None]) -> asyncpg.Connection[Any]:
        """A connection of its own on which PostgreSQL tells of changes; the caller closes it. Raises StoreDown."""
        try:
            connection = await asyncpg.connect(_libpq(self._url), timeout=PATIENCE, command_timeout=PATIENCE)
            try:
                await connection.add_listener(CHANNEL, lambda *_: told())
            except BaseException:
                connection.terminate()
                raise
        except _FAILURES as error:
            raise _down(error) from error
        return connection

    def written(self) -> tuple[int, int] | None:
        """Something that another process's write changes, and that is cheap to look at; None where nothing is."""
        if not self.is_sqlite:
            return None
        try:
            journal = Path(f"{self._url.database}-wal").stat()
        except OSError:
            return (0, 0)
        return (journal.st_mtime_ns, journal.st_size)

    async def close(self) -> None:
        await self._engine.dispose()
        await self._writer.dispose()


CHANNEL = "bastion_changes"
"""The channel of NOTIFY; what changed is in the table."""


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait until `work` has ended, also when the caller is cancelled meanwhile; the cancellation goes on after it."""
    task = asyncio.get_running_loop().create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled() and (failed := task.exception()) is not None:
        log.warning("what a cancelled caller had begun in the store failed: %s", type(failed).__name__)
    raise cancelled


def _down(error: BaseException) -> StoreDown:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    kind = type(cause).__name__
    # SQLite's own words are constant; PostgreSQL's may quote a value.
    return StoreDown(f"the store can not be used: {cause if isinstance(cause, sqlite3.OperationalError) else kind}")


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise OperatorError("the store's url is no URL: sqlite:////PATH or postgresql://…") from None
    if parsed.drivername not in ("sqlite", "postgresql", "postgres"):
        raise OperatorError("the store's url begins with sqlite:////PATH or postgresql://…")
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_absolute():
        raise OperatorError("the store's url names its file by an absolute path: sqlite:////PATH")
    return parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql")


def _private(path: Path) -> None:
    """Make the file, for us alone; the journal's files take their mode from it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OperatorError(f"the store {path} is not a plain file")
            os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
    except OSError as error:
        raise OperatorError(f"the store {path} can not be opened: {error.strerror}") from error


def _file(path: Path) -> None:
    """Make the file where there is none, and its journal WAL, which stays so. Processes that do so at once are told
    that it is locked, at once and whatever their patience is (SQLite's busy handler is not asked then)."""
    _private(path)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
                connection.execute("PRAGMA journal_mode=WAL").fetchall()
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise _down(error) from error
        except sqlite3.Error as error:
            raise _down(error) from error
        time.sleep(0.02)


def _sqlite(url: URL, connections: int) -> AsyncEngine:
    writes = connections == 1
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=3 * PATIENCE,
        hide_parameters=True,
        # Transactions are begun below, and not by the driver where it thinks best.
        connect_args={"isolation_level": None, "timeout": PATIENCE},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> AsyncEngine:
    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(
            _libpq(url),
            timeout=PATIENCE,
            command_timeout=PATIENCE,
            server_settings={
                "application_name": "bastion",
                "lock_timeout": f"{PATIENCE:.0f}s",
                "idle_in_transaction_session_timeout": f"{3 * PATIENCE:.0f}s",
                # A decision is durable before it takes effect, whatever the server's default is.
                "synchronous_commit": "on",
            },
        )

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=POOL,
        max_overflow=0,
        pool_timeout=3 * PATIENCE,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _libpq(url: URL) -> str:
    return url.render_as_string(hide_password=False)


async def _migrate(connection: AsyncConnection) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
