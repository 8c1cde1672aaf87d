"""A PostgreSQL of our own: Debian's package, in a folder of its own, on a Unix socket and nowhere else."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian puts it, by version; its programs are not in PATH."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server that anybody on its socket may use as `postgres`."""

    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='')}"

    async def create(self, database: str) -> str:
        """A new database; its URL."""
        await self._execute("postgres", f'CREATE DATABASE "{database}"')
        return self.url(database)

    async def empty(self, database: str) -> str:
        """A database with nothing in it any more; much cheaper than a new one. Its URL."""
        await self._execute(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return self.url(database)

    async def _execute(self, database: str, statements: str) -> None:
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statements)
        finally:
            await connection.close()


@contextmanager
def server(folder: Path, *, durable: bool = False) -> Iterator[Server]:
    """Set up and start one in `folder`, which must not exist; ended and removed at the end. `durable`: with fsync, for
    measuring; tests do without. The folder's path must be short: it holds a socket."""
    user = _user()
    folder.mkdir(mode=0o700)
    folder.parent.chmod(folder.parent.stat().st_mode | 0o011)  # it goes through, and reads nothing
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    _run(
        user, "initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"
    )
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c max_connections=60"
    options += "" if durable else " -c fsync=off"
    try:
        _run(user, "pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield Server(folder)
    finally:
        _run(user, "pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _user() -> str | None:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("postgres").pw_name


def _run(user: str | None, program: str, *arguments: str) -> None:
    newest = max(INSTALLED.iterdir(), key=lambda path: float(path.name))
    path = newest / "bin" / program
    output = subprocess.run([str(path), *arguments], user=user, cwd="/", capture_output=True, text=True, check=False)
    assert output.returncode == 0, f"{program}: {output.stderr}{output.stdout}"
