"""A real OpenSSH server on loopback: the target that the bastion opens, or the jump host it is measured against."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from bastion.identity.authority import generate
from tests.system.harness.waiting import until

ACCOUNT = getpass.getuser()
"""The account that can be logged in to. An sshd that root did not start knows only its own user."""

_ATTEMPTS = 20


def write_key(path: Path) -> str:
    """A fresh ed25519 key without passphrase in `path` (and `path`.pub); its public line."""
    private, public = generate()
    path.touch(mode=0o600)
    path.write_bytes(private)
    path.with_name(path.name + ".pub").write_text(public + "\n")
    return public


class Sshd:
    """One server and its files: `start`, use, `stop`; or as a context manager.

    `host_key` is its public key, `key` the private key that ACCOUNT can be logged in to with (and, when `user_ca` is
    given, any certificate of that authority with the principal ACCOUNT). `options` are further lines of sshd_config.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, user_ca: str | None = None, options: Sequence[str] = ()) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.host_key = write_key(folder / "host_key")
        self.key = folder / "held_key"
        public = write_key(self.key)
        (folder / "authorized_keys").write_text(public + "\n")
        self.port = 0
        self._log = folder / "sshd.log"
        self._user_ca = user_ca
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def accepted(self) -> int:
        """How many connections it has seen so far."""
        return self.log.count("Connection from ")

    @property
    def log(self) -> str:
        """What the server has said so far, at LogLevel VERBOSE."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def connections(self) -> int:
        """How many connections have come in: none, when nothing was opened upstream."""
        return self.log.count("Connection from ")

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def authorize(self, public: str) -> None:
        """Let one more key log in to ACCOUNT."""
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(public + "\n")

    def start(self) -> Self:
        """Start on a free port. sshd can not pick one itself, so one that is taken meanwhile is tried anew."""
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        assert program is not None, "no sshd: make test installs it (Debian: openssh-server)"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for _ in range(_ATTEMPTS):
            self.port = _free_port()
            self._write_config()
            with self._log.open("ab") as log:
                offset = log.tell()
                self._process = subprocess.Popen(
                    [program, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            if until(partial(self._outcome, offset), told=lambda: self.log) == "listening":
                return self
            assert "Address already in use" in self.log[offset:], self.log
        raise AssertionError(f"no free port in {_ATTEMPTS} attempts\n{self.log}")

    def stop(self) -> None:
        """End the server and the sessions it serves (each is a process of its own)."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(10)
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _outcome(self, offset: int) -> str | None:
        if f"Server listening on {self.host} port {self.port}" in self.log[offset:]:
            return "listening"
        return "ended" if self._process is not None and self._process.poll() is not None else None

    def _write_config(self) -> None:
        lines = [
            *self._options,  # first, since the first value of an option is the one that holds
            f"ListenAddress {self.host}:{self.port}",
            f"HostKey {self.folder}/host_key",
            f"PidFile {self.folder}/sshd.pid",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PrintMotd no",
            f"SetEnv HOME={self.folder}",  # so that no start-up file of the account's real home has a say
            "PrintLastLog no",
            "LogLevel VERBOSE",
            "MaxStartups 1000",
            "MaxSessions 1000",
            "AcceptEnv LANG LC_* BASTION_TEST_*",
            "Subsystem sftp internal-sftp",
            *([f"TrustedUserCAKeys {self.folder}/user_ca.pub"] if self._user_ca else []),
        ]
        if self._user_ca:
            (self.folder / "user_ca.pub").write_text(self._user_ca + "\n")
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
