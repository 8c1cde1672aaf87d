"""`bastion demo`: a development issuer, a target and a bastion in one process, everything under one folder.

    DIR/ssh_config              ssh -F DIR/ssh_config demo -- uptime
    DIR/policies/demo/*.yaml    the policy of tenant `demo`: edit, add or remove a file and see the reload
    DIR/recordings/             what was shown, for asciinema play
    DIR/audit.jsonl             what happened
    DIR/client/                 what the agent holds: its client secret, its key and its certificate
    DIR/people/                 what the demo's people prove who they are with, for `--dir DIR --as rev@demo`
    DIR/bastion/, DIR/target/   what the agent never sees: authorities, host keys, the held key

The agent is `agent@demo` in group `agents`. People choose at the issuer's page who they are: `rev@demo`, in group `sre`
(approver and auditor), or `ops@demo`, in group `operators`. Not for production: whoever can read DIR/client is the
agent, whoever can read DIR/people is these people, and whoever reaches the issuer is whom they choose.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import yaml

from bastion import config
from bastion.app import App, Bound
from bastion.demo import folder as places
from bastion.demo import private
from bastion.demo.folder import Credentials
from bastion.demo.issuer import DevelopmentIssuer
from bastion.demo.people import CONSOLE
from bastion.demo.target import Target
from bastion.errors import OperatorError
from bastion.identity import authority

TENANT = "demo"
CLIENT = "agent"
IDENTITY = "agent@demo"
PEOPLE = {"rev@demo": {"groups": ["sre"]}, "ops@demo": {"groups": ["operators"]}}


class Demo:
    """Life: `start`, `stop`. `folder` is made if it is missing; one that an earlier demo left is used again, if nobody
    but this user can have changed it (see private)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.client = self.folder / "client"
        self.agent = CLIENT
        self.issuer = ""
        self.target = Target(self.folder / "target")
        self._secret = secrets.token_urlsafe(24)
        clients = {CLIENT: (self._secret, {"sub": IDENTITY, "groups": ["agents"], "owner": "ops@demo"})}
        self._people = {name: secrets.token_urlsafe(24) for name in PEOPLE}
        people = {name: (secret, {"sub": name, **PEOPLE[name]}) for name, secret in self._people.items()}
        self._issuer = DevelopmentIssuer({**clients, **people}, people=PEOPLE)
        self._app: App | None = None

    async def start(self) -> Bound:
        """Everything runs when this returns, and the files are there."""
        self._folders()
        self.target.prepare()
        target_port = await self.target.start()
        self.issuer = await self._issuer.start()
        self._write_bastion(target_port)
        self._app = App(config.load(self.folder / "bastion" / "bastion.yaml"))
        bound = await self._app.start()
        private.replace(self.client / "secret", f"{self._secret}\n".encode())
        known = {name: Credentials(self.issuer, name, secret) for name, secret in self._people.items()}
        places.keep(self.folder, known)
        return bound

    async def stop(self) -> None:
        if self._app is not None:
            await self._app.stop("the demo was ended")
        await self._issuer.stop()
        await self.target.stop()

    def _folders(self) -> None:
        private.own(self.folder)
        policies = self.folder / "policies" / TENANT
        fresh = not policies.exists()
        try:
            for name in (
                "bastion",
                "bastion/state",
                "client",
                "policies",
                f"policies/{TENANT}",
                "recordings",
                "target",
            ):
                (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            for shipped in sorted(_shipped_policies().glob("*.yaml")) if fresh else ():
                private.replace(policies / shipped.name, shipped.read_bytes())
        except OSError as error:
            raise OperatorError(f"the demo's folder {self.folder} can not be used: {error}") from error

    def _write_bastion(self, target_port: int) -> None:
        keys = self.folder / "bastion"
        for name in ("host-key", "host-ca", "user-ca", "target-ca"):
            private.hold(keys / name, lambda: authority.generate()[0])
        _dump(keys / "inventory.yaml", self._inventory(target_port))
        _dump(keys / "bastion.yaml", self._settings(keys))

    def _inventory(self, target_port: int) -> object:
        target = {
            "name": "demo",
            "address": f"127.0.0.1:{target_port}",
            "labels": {"env": "demo"},
            "host-keys": [self.target.host_key],
            "accounts": {self.target.user: {"key": {"file": str(self.target.held_key)}, "shell": "sh"}},
        }
        return {"version": 1, "targets": [target]}

    def _settings(self, keys: Path) -> object:
        issuer = {
            "issuer": self.issuer,
            "audience": ["bastion"],
            "algorithms": ["ES256"],
            "principals": ["{sub}"],
            "groups": ["{groups}"],
            "owner": "{owner?}",
        }
        tenant = {
            "policies": str(self.folder / "policies" / TENANT),
            "inventory": "inventory.yaml",
            "user-ca": {"file": str(keys / "user-ca")},
            "target-ca": {"file": str(keys / "target-ca")},
            "issuers": [issuer],
            "console": {"issuer": self.issuer, "client-id": CONSOLE},
            "roles": {"auditor": ["sre"], "approver": ["sre"], "operator": ["operators"]},
        }
        return {
            "version": 1,
            "state": "state",
            "ssh": {
                "listen": ["127.0.0.1:0"],
                "names": ["bastion", "localhost", "127.0.0.1"],
                "host-key": {"file": str(keys / "host-key")},
                "host-ca": {"file": str(keys / "host-ca")},
            },
            "api": {"listen": "127.0.0.1:0"},
            "recordings": {"directory": str(self.folder / "recordings")},
            "audit": {"file": str(self.folder / "audit.jsonl")},
            "drain": "5s",
            "tenants": {TENANT: tenant},
        }


def _dump(path: Path, content: object) -> None:
    private.replace(path, yaml.safe_dump(content, sort_keys=False).encode())


def _shipped_policies() -> Path:
    """policies/demo, beside the package in a checkout, under share/ in an installation."""
    for root in (Path(__file__).parents[2], Path(sys.prefix) / "share" / "bastion"):
        folder = root / "policies" / TENANT
        if folder.is_dir():
            return folder
    raise OperatorError("policies/demo is missing: install the project whole, or run from its checkout")
