"""The bastion as users run it: `python -m bastion serve`, with a configuration, keys, policies and an inventory."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bastion.identity.authority import Authority
from tests.system.harness.sshd import ACCOUNT, Sshd, write_key
from tests.system.harness.waiting import until

TENANT = "acme"
NAMES = ("bastion", "localhost", "127.0.0.1")
ISSUER = "https://issuer.example.com"
START_SECONDS = 30.0

ALLOW_LITERALS = """\
version: 1
mode: enforce
default: deny
undecidable: deny
rules:
  - id: tests
    effect: allow
    who: {groups: [agents]}
    commands: ["true", "false", "echo **", "cat **", "id **", "uptime", "sleep *", "printf **"]
"""


@dataclass(frozen=True)
class Target:
    """One entry of an inventory. `key` None means `certificate: true`; no `shell`, that the account is asked for it."""

    name: str
    host: str
    port: int
    host_key: str
    key: Path | None
    account: str = ACCOUNT
    labels: Mapping[str, str] = field(default_factory=lambda: {"env": "test"})
    shell: str = "bash"

    @classmethod
    def of(cls, name: str, sshd: Sshd, *, certificate: bool = False) -> Self:
        return cls(name, sshd.host, sshd.port, sshd.host_key, None if certificate else sshd.key)

    def as_data(self) -> dict[str, Any]:
        login: dict[str, Any] = {"certificate": True} if self.key is None else {"key": {"file": str(self.key)}}
        return {
            "name": self.name,
            "address": f"{self.host}:{self.port}",
            "labels": dict(self.labels),
            "host-keys": [self.host_key],
            "accounts": {self.account: {**login, **({"shell": self.shell} if self.shell else {})}},
        }


class Bastion:
    """A configuration under `folder`, and the process that serves it: `start`, use, `stop` or `kill`.

    Tenants share nothing but the process; TENANT is the first. JSON is YAML, so files are written as JSON. `settings`
    is the whole bastion.yaml as data: change it before `start`.
    """

    def __init__(
        self,
        folder: Path,
        targets: Sequence[Target] = (),
        *,
        policy: str = ALLOW_LITERALS,
        tenants: Sequence[str] = (TENANT,),
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.recordings_folder = folder / "state" / "recordings"
        for name in (folder / "keys", folder / "state", self.recordings_folder):
            name.mkdir(mode=0o700, exist_ok=True)
        self.host_ca = self._key("host-ca")
        self._key("host-key")
        self.settings: dict[str, Any] = {
            "version": 1,
            "state": "state",
            "ssh": {
                "listen": ["127.0.0.1:0"],
                "names": list(NAMES),
                "host-key": self._secret("host-key"),
                "host-ca": self._secret("host-ca"),
            },
            "api": {"listen": "127.0.0.1:0"},
            "drain": "2s",
            "tenants": {},
        }
        for tenant in tenants:
            self._add_tenant(tenant)
            self.write_policy(policy, tenant=tenant)
            self.write_inventory(targets if tenant == TENANT else (), tenant=tenant)
        self.verbose = True
        """Whether it logs more than what is wrong; `reloaded` needs that."""
        self.ssh_port = 0
        self.api_port = 0
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    # -- files

    def authority(self, name: str = f"{TENANT}-user-ca") -> Authority:
        """One of the bastion's authorities (`host-ca`, `TENANT-user-ca`, `TENANT-target-ca`), to sign with."""
        return Authority.load((self.folder / "keys" / name).read_bytes(), None, name)

    def write_policy(self, text: str, *, tenant: str = TENANT, file: str = "tests.yaml") -> Path:
        path = self.folder / "policies" / tenant / file
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
        return path

    def write_inventory(self, targets: Sequence[Target], *, tenant: str = TENANT) -> Path:
        path = self.folder / "inventory" / f"{tenant}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps({"version": 1, "targets": [target.as_data() for target in targets]}, indent=2))
        return path

    def _add_tenant(self, name: str) -> None:
        for authority in (f"{name}-user-ca", f"{name}-target-ca"):
            self._key(authority)
        self.settings["tenants"][name] = {
            "policies": f"policies/{name}",
            "inventory": f"inventory/{name}.yaml",
            "user-ca": self._secret(f"{name}-user-ca"),
            "target-ca": self._secret(f"{name}-target-ca"),
            "issuers": [
                {
                    "issuer": ISSUER,
                    "audience": ["bastion" if name == TENANT else f"bastion-{name}"],
                    "principals": ["{sub}"],
                    "groups": ["agents"],
                },
            ],
        }

    def _key(self, name: str) -> str:
        return write_key(self.folder / "keys" / name)

    def _secret(self, name: str) -> dict[str, str]:
        return {"file": str(self.folder / "keys" / name)}

    # -- the process

    @property
    def config(self) -> Path:
        return self.folder / "bastion.yaml"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def log(self) -> str:
        """What the process has written to stderr so far."""
        path = self.folder / "stderr.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, environment: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> Self:
        """Write bastion.yaml, start, and return once `ready` was printed; ssh_port and api_port are known then."""
        self.config.write_text(json.dumps(self.settings, indent=2))
        more = ("--verbose",) if self.verbose else ()
        with (self.folder / "stderr.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bastion", "serve", *more, "--config", str(self.config), *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "default", **(environment or {})},
            )
        self._lines = queue.Queue()
        threading.Thread(target=self._pump, args=(self._process,), daemon=True).start()
        while (line := self._line()) != "ready":
            kind, _, where = line.partition(" ")
            port = where.rpartition(":")[2]
            if kind == "ssh" and port.isdigit():
                self.ssh_port = int(port)
            elif kind == "api" and port.isdigit():
                self.api_port = int(port)
        return self

    def stop(self) -> int:
        """SIGTERM, as systemd does; the exit status. Does nothing when it is not running."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL: nothing is flushed, nothing said goodbye to."""
        return self._end(signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def resident_bytes(self) -> int:
        """The process's resident memory now (VmRSS)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise AssertionError(f"did not end within 30 seconds of {number.name}\n{self.log}") from None
        assert process.stdout is not None
        process.stdout.close()
        return status

    def _pump(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                self._lines.put(line.rstrip("\n"))
        except ValueError:
            pass  # closed by _end, which is the end of the lines as well
        self._lines.put(None)

    def _line(self) -> str:
        try:
            line = self._lines.get(timeout=START_SECONDS)
        except queue.Empty:
            raise AssertionError(f"not ready within {START_SECONDS} seconds\n{self.log}") from None
        assert line is not None, f"ended instead of being ready\n{self.log}"
        return line

    # -- what it leaves behind

    def audit(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The audit events so far (those of one `kind`), in order. A torn last line is left out."""
        path = self.folder / "state" / "audit.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        events = [json.loads(line) for line in lines if line]
        return [event for event in events if kind is None or event["kind"] == kind]

    def wait_audit(self, wanted: Callable[[dict[str, Any]], bool], *, seconds: float = 15.0) -> dict[str, Any]:
        """The first audit event that is `wanted`, waiting for it up to `seconds`."""
        return until(
            lambda: next(filter(wanted, self.audit()), None),
            seconds=seconds,
            told=lambda: "\n".join(map(json.dumps, self.audit())) + "\n" + self.log,
        )

    def reloaded(self, what: str, times: int = 1, *, tenant: str = TENANT) -> dict[str, Any]:
        """Wait until a policy or an inventory (`what`) has come into force that often. The event of the last time.

        The event is in the trail before; a command that is sent at once could still be judged by what was."""
        until(lambda: self.log.count(f"{what} of {tenant}: in force: ") >= times, told=lambda: self.log)
        events = [event for event in self.audit(f"{what}-reloaded") if event["tenant"] == tenant]
        return events[times - 1]

    def recordings(self) -> list[Path]:
        """Every .cast file there is, oldest first."""
        return sorted(self.recordings_folder.rglob("*.cast"), key=lambda path: path.stat().st_mtime_ns)


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, as an editor does, so that a reload never sees half of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)
