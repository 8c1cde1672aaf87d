"""What is measured: one target, reached directly, through a stock jump host, and through the bastion.

    direct         ssh to the target's sshd
    jump           ssh -J through another stock sshd
    bastion        through -J, the connection to the target kept open from the session before
    bastion-first  the same with `keep: 0s`, so that each session opens the target anew

The bastion judges by policy, records and audits in all of them; both sshds are OpenSSH's as Debian ships it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import ACCOUNT, Sshd

POLICY = """\
version: 1
mode: enforce
default: deny
undecidable: deny
rules:
  - id: benchmark
    effect: allow
    who: {groups: [agents]}
    commands: ["true", "cat", "cat **", "dd of=/dev/null bs=1M"]
"""

CIPHERS = {"default": (), "aes128-gcm": ("Ciphers aes128-gcm@openssh.com",)}


@dataclass(frozen=True)
class Way:
    """One way to the target: `command` and the words of a remote command make a whole call of ssh."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Servers:
    target: Sshd
    jump: Sshd
    bastion: Bastion
    first: Bastion

    def ways(self, folder: Path, cipher: str) -> list[Way]:
        """All ways, with the client's cipher as told; in the order in which a round takes them."""
        options = CIPHERS[cipher]
        stock = folder / f"stock-{cipher}"
        stock.write_text(self._stock(options))
        return [
            Way("direct", ("ssh", "-F", str(stock), "direct")),
            Way("jump", ("ssh", "-F", str(stock), "jumped")),
            Way("bastion", self._through(self.bastion, folder / f"kept-{cipher}", options)),
            Way("bastion-first", self._through(self.first, folder / f"first-{cipher}", options)),
        ]

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[tuple[Bastion, Way]]:
        """A bastion that has done nothing yet, whose memory is not what earlier runs left, and the way through it."""
        bastion = _bastion(folder / "fresh", self.target)
        with bastion:
            yield bastion, Way("fresh", self._through(bastion, folder / "fresh-client", ()))

    def _through(self, bastion: Bastion, folder: Path, options: tuple[str, ...]) -> tuple[str, ...]:
        client = Client(folder, bastion, ("web-1",), options=options)
        return tuple(client.command("web-1"))

    def _stock(self, options: tuple[str, ...]) -> str:
        known = self.target.folder / "known_hosts"
        pinned = [f"[127.0.0.1]:{server.port} {server.host_key}\n" for server in (self.target, self.jump)]
        known.write_text("".join(pinned))
        lines = [
            "Host direct jumped",
            f"  Port {self.target.port}",
            f"  IdentityFile {self.target.key}",
            "Host hop",
            f"  Port {self.jump.port}",
            f"  IdentityFile {self.jump.key}",
            "Host jumped",
            "  ProxyJump hop",
            "Host *",
            "  HostName 127.0.0.1",
            f"  User {ACCOUNT}",
            *(f"  {option}" for option in options),
            "  IdentitiesOnly yes",
            "  IdentityAgent none",
            f"  UserKnownHostsFile {known}",
            "  GlobalKnownHostsFile /dev/null",
            "  StrictHostKeyChecking yes",
            "  BatchMode yes",
        ]
        return "\n".join(lines) + "\n"


def _bastion(folder: Path, target: Sshd) -> Bastion:
    bastion = Bastion(folder, [Target.of("web-1", target)], policy=POLICY)
    bastion.settings["ssh"]["limits"] = {"per-source": 128}  # all clients are one address here
    return bastion


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """All of them, running."""
    with Sshd(folder / "target") as target, Sshd(folder / "jump") as jump:
        kept, first = _bastion(folder / "kept", target), _bastion(folder / "first", target)
        first.settings["ssh"]["upstream"] = {"keep": "0s"}
        with kept, first:
            yield Servers(target, jump, kept, first)
