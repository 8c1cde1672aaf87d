"""PostgreSQL and MariaDB from Debian's packages, each a server of its own in a folder of its own, on loopback.

Life: `start` (or as a context manager), `run` and `client` as often as wanted, `stop`. The servers refuse to be root:
where the tests are, they run as the accounts that Debian's packages make for them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.system.harness.waiting import until

_ATTEMPTS = 5
_SECONDS = 60.0
_PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class Database(ABC):
    """One server. `client` is the command of its stock client, to which arguments are added."""

    host = "127.0.0.1"
    account: str
    """Whom the server runs as, when the tests are root."""

    def __init__(self) -> None:
        self.port = 0
        # Not one of pytest's folders: these only the tests' own account may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="bastion-db-", dir="/tmp"))  # a socket's path must be short
        self._log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def client(self) -> list[str]:
        """The client's command, without a start-up file of the user's."""

    @abstractmethod
    def make(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def server(self) -> list[str]:
        """The server's command, for `port`."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the client needs besides, so that it prints UTF-8 and reads no file of the user's."""
        return {"LC_ALL": "C.UTF-8", "HOME": str(self.folder), "PAGER": "cat"}

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> Self:
        """Make the data and start on a free port; one that is taken meanwhile is tried anew."""
        if os.geteuid() == 0:
            who = pwd.getpwnam(self.account)
            os.chown(self.folder, who.pw_uid, who.pw_gid)
        self.make()
        for _ in range(_ATTEMPTS):
            self.port = _free_port()
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self.server(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as_account()
                )
            if until(self._outcome, seconds=_SECONDS, told=lambda: self.log) == "ready":
                return self
            assert "in use" in self.log, self.log
        raise AssertionError(f"no free port in {_ATTEMPTS} attempts\n{self.log}")

    def stop(self) -> None:
        """End the server and remove its data."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
        shutil.rmtree(self.folder)

    def run(self, arguments: Sequence[str], *, text: str | None = None) -> bytes:
        """What the client prints, without a terminal; it must succeed."""
        done = subprocess.run(
            [*self.client, *arguments],
            input=text.encode() if text is not None else b"",
            capture_output=True,
            env={**os.environ, **self.environment},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def prepare(self, command: Sequence[str]) -> None:
        """Run a program that makes the data, as the server's account."""
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False, **self._as_account()
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _outcome(self) -> str | None:
        if self._process is not None and self._process.poll() is not None:
            return "ended"
        return "ready" if self.ready() else None

    def _as_account(self) -> dict[str, Any]:
        options: dict[str, Any] = {"cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder)}}
        if os.geteuid() == 0:
            options |= {"user": self.account, "group": pwd.getpwnam(self.account).pw_gid, "extra_groups": []}
        return options

    def _answers(self, command: Sequence[str]) -> bool:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


class PostgreSQL(Database):
    """Superuser `tester` without a password; the database `postgres`."""

    account = "postgres"

    @property
    def client(self) -> list[str]:
        # Debian's `psql` is a wrapper that looks for clusters: the program itself asks for nothing but this server.
        return [_postgresql("psql"), "-X", "-h", self.host, "-p", str(self.port), "-U", "tester", "-d", "postgres"]

    def make(self) -> None:
        options = ["--username=tester", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self.prepare([_postgresql("initdb"), "-D", str(self.folder / "data"), *options])

    def server(self) -> list[str]:
        settings = {"listen_addresses": self.host, "unix_socket_directories": str(self.folder), "fsync": "off"}
        set_ = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_postgresql("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *set_]

    def ready(self) -> bool:
        return self._answers([_postgresql("pg_isready"), "-q", "-h", self.host, "-p", str(self.port)])


class MariaDB(Database):
    """The user `root` without a password; the database `people`."""

    account = "mysql"

    @property
    def client(self) -> list[str]:
        where = ["--no-defaults", f"--host={self.host}", f"--port={self.port}", "--user=root"]
        return [_found("mariadb"), *where, "--default-character-set=utf8mb4", "people"]

    def make(self) -> None:
        data = f"--datadir={self.folder / 'data'}"
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-log-bin"]
        self.prepare([_found("mariadb-install-db"), "--no-defaults", data, *options])

    def server(self) -> list[str]:
        files = [f"--{name}={self.folder / name}" for name in ("socket", "pid-file")]
        where = [f"--datadir={self.folder / 'data'}", f"--port={self.port}", f"--bind-address={self.host}", *files]
        begin = self.folder / "begin.sql"
        begin.write_text("CREATE DATABASE IF NOT EXISTS people CHARACTER SET utf8mb4;\n")
        begin.chmod(0o644)
        return [_found("mariadbd"), "--no-defaults", *where, f"--init-file={begin}", "--character-set-server=utf8mb4"]

    def ready(self) -> bool:
        return self._answers([*self.client, "-e", "SELECT 1"])


def _found(program: str) -> str:
    path = shutil.which(program, path=_PATHS)
    assert path is not None, f"no {program}: make test installs it (Debian: mariadb-server, mariadb-client)"
    return path


def _postgresql(program: str) -> str:
    """A program of the newest PostgreSQL there is: Debian keeps versions apart, out of PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: float(path.parts[-3]))
    path = str(places[-1]) if places else shutil.which(program, path=_PATHS)
    assert path is not None, f"no {program}: make test installs it (Debian: postgresql, postgresql-client)"
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
