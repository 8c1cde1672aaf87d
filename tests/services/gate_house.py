"""A gate with one tenant, and everything outside it in memory: what the tests of the gate share."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bastion.approvals.asking import Approved, Asking
from bastion.asked import Asked
from bastion.audit.events import Event
from bastion.context import Context, Knock
from bastion.errors import NotRecorded
from bastion.gate import Gate
from bastion.identity.authority import Authority, generate
from bastion.identity.principal import Credential, Identity
from bastion.identity.revocation import Revocation, Revocations
from bastion.policy import loader
from bastion.targets.inventory import Inventory
from bastion.targets.target import Account, Target
from bastion.verdicts import Tenant

NOW = 1_800_000_000
KNOCK = Knock("c0ffee", "192.0.2.7")
POLICY = """\
version: 1
rules:
  - id: look
    effect: allow
    who: {groups: [agents]}
    where: {targets: [web-1], accounts: [deploy]}
    commands: ["uptime", "echo **"]
"""


class Trail:
    """An audit trail in memory. `failing` makes it one that can not be written."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failing = False
        self.before_return: Any = lambda: None

    async def write(self, event: Event) -> None:
        await asyncio.sleep(0)
        if self.failing:
            raise NotRecorded("the disk is full")
        self.events.append(event)
        self.before_return()

    def write_soon(self, event: Event) -> None:
        if not self.failing:
            self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


class Shells:
    """Login shells that are asked for: `answer` is what they answer, or the failure; `asked` how often they were."""

    def __init__(self) -> None:
        self.answer: str | Exception = "bash"
        self.kept: str | None = None
        self.asked = 0
        self.meanwhile: Any = lambda: None

    def known(self, _: Context) -> str | None:
        return self.kept

    async def of(self, _: Context) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class People:
    """Those who approve: `answer` is how they do, or what is raised; `asked` what they were asked."""

    def __init__(self) -> None:
        self.answer: tuple[str, ...] | Exception = ("rev",)
        self.asked: list[Asking] = []
        self.meanwhile: Any = lambda: None

    async def wait(self, asking: Asking, say: Callable[[str], None]) -> Approved:
        self.asked.append(asking)
        say("held")
        await asyncio.sleep(0)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return Approved(asking.bound, self.answer, request="r2345abcde")


class Client:
    """The one who asks, and what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def hold(self, line: str) -> None:
        self.told.append(line)


def target(name: str, tenant: str = "acme") -> Target:
    accounts = {account: Account(account, None, None, True, "bash") for account in ("deploy", "root")}
    return Target(tenant, name, "192.0.2.1", 22, {}, ("ssh-ed25519 AAAA",), (), accounts)


class House:
    """A gate with one tenant, and everything that it is made of."""

    def __init__(self, folder: Path) -> None:
        (folder / "policy.yaml").write_text(POLICY)
        self.authority = Authority.load(generate()[0], None, "acme-user-ca")
        self.trail = Trail()
        self.now = float(NOW)
        self.revocations = Revocations(None)
        self.tenant = Tenant(
            "acme", (self.authority.public_blob,), loader.load(folder), Inventory([target("web-1"), target("db-1")])
        )
        self.shells = Shells()
        self.people = People()
        self.gate = Gate(
            {"acme": self.tenant},
            self.trail,
            lambda one: self.revocations.revoked(one),
            lambda: self.now,
            self.shells,
            self.people,
        )

    def blob(self, identity: Identity) -> bytes:
        line = self.authority.issue_user(
            generate()[1], identity, serial=7, valid_after=NOW - 10, valid_before=NOW + 600
        )
        return base64.b64decode(line.split()[1])

    def credential(self, *, groups: frozenset[str] = frozenset({"agents"})) -> Credential:
        identity = Identity("acme", "https://i.example.com", "agent-1", ("agent-1",), groups, {})
        return self.gate.check(KNOCK, self.blob(identity))

    async def context(self) -> Context:
        return await self.gate.admit(KNOCK, self.credential(), "web-1", "deploy")

    def revoke(self) -> None:
        self.revocations = Revocations(None, [Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7)])


def asked(text: bytes = b"uptime", kind: str = "exec", **more: Any) -> Asked:
    return Asked("5e551011", kind, text, more.pop("environment", {}), **more)
