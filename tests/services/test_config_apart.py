"""Law 7, for keys: what two tenants, or a tenant and the bastion, would share is found however its place is spelled."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from bastion.app import App
from bastion.config import apart, load
from bastion.errors import BadFile, OperatorError
from bastion.identity.authority import generate

PINNED = generate()[1]


class World:
    """Two tenants' files on disk, all well; each test spoils one thing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.keys.mkdir()
        for name in ("host-key", "host-ca", "one-user-ca", "one-target-ca", "two-user-ca", "held-one", "held-two"):
            self.write_key(name)
        self.settings: dict[str, Any] = {
            "version": 1,
            "state": "state",
            "ssh": {
                "listen": ["127.0.0.1:0"],
                "names": ["bastion"],
                "host-key": self.secret("host-key"),
                "host-ca": self.secret("host-ca"),
            },
            "tenants": {name: self.tenant(name) for name in ("one", "two")},
        }
        self.settings["tenants"]["one"]["target-ca"] = self.secret("one-target-ca")

    def tenant(self, name: str) -> dict[str, Any]:
        policies = self.folder / "policies" / name
        policies.mkdir(parents=True)
        (policies / "p.yaml").write_text("version: 1\nrules: []\n")
        self.write_inventory(name, self.secret(f"held-{name}"))
        issuer = {"issuer": "https://issuer.example.com", "audience": [name], "principals": ["{sub}"]}
        places = {"policies": f"policies/{name}", "inventory": f"{name}.yaml"}
        return {**places, "user-ca": self.secret(f"{name}-user-ca"), "issuers": [issuer]}

    def write_inventory(self, tenant: str, key: object, passphrase: object = None) -> None:
        account = {"key": key} if passphrase is None else {"key": key, "passphrase": passphrase}
        target = {"name": "web-1", "address": "192.0.2.1", "host-keys": [PINNED], "accounts": {"deploy": account}}
        (self.folder / f"{tenant}.yaml").write_text(json.dumps({"version": 1, "targets": [target]}))

    def write_key(self, name: str) -> None:
        path = self.keys / name
        path.touch(mode=0o600)
        path.write_bytes(generate()[0])

    def secret(self, name: str) -> dict[str, str]:
        return {"file": f"{self.keys}/{name}"}

    def app(self) -> App:
        path = self.folder / "bastion.yaml"
        path.write_text(json.dumps(self.settings))
        return App(load(path))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return World(tmp_path)


WAYS = ("ssh/host-ca", "ssh/host-key", "tenants/one/user-ca", "tenants/one/target-ca", "tenants/two/user-ca")


@pytest.mark.parametrize(("one", "other"), list(combinations(WAYS, 2)))
def test_no_two_of_the_bastions_keys_are_one_key(world: World, one: str, other: str) -> None:
    """By key and not by place: a copy of the file is the same key."""
    secrets = []
    for way in (one, other):
        inner = world.settings
        for step in way.split("/"):
            inner = inner[step]
        secrets.append(Path(inner["file"]))
    secrets[0].write_bytes(secrets[1].read_bytes())
    with pytest.raises(OperatorError, match="is the same key as"):
        world.app()


def _link(world: World, name: str) -> dict[str, str]:
    (world.keys / "link").symlink_to(name)
    return world.secret("link")


def _hard_link(world: World, name: str) -> dict[str, str]:
    (world.keys / "second-name").hardlink_to(world.keys / name)
    return world.secret("second-name")


@pytest.mark.parametrize(
    "spell", [World.secret, _link, _hard_link, lambda world, name: world.secret(f"../keys/{name}")]
)
@pytest.mark.parametrize("name", ["held-one", "host-key", "host-ca", "one-user-ca", "one-target-ca", "two-user-ca"])
def test_a_tenants_inventory_names_no_key_of_another_or_of_the_bastion(world: World, name: str, spell: Any) -> None:
    world.write_inventory("two", spell(world, name))
    with pytest.raises(BadFile, match="give this account a key of its own") as caught:
        world.app()
    assert str(caught.value).startswith(f"{world.folder}/two.yaml:1:1: target 'web-1', account 'deploy': file")


def test_nor_as_a_passphrase(world: World) -> None:
    world.write_inventory("two", world.secret("held-two"), world.secret("held-one"))
    with pytest.raises(BadFile, match="is a secret of tenant 'one' already"):
        world.app()


@pytest.mark.parametrize("directory", [True, False])
def test_a_credential_is_known_by_its_name_and_by_its_file(world: World, directory: bool) -> None:
    held = apart.Secrets(_loaded(world), world.keys if directory else None)
    world.write_inventory("one", {"credential": "held-one"})
    world.write_inventory("two", {"credential": "held-one"})
    held.load(world.folder / "one.yaml", "one")
    with pytest.raises(BadFile, match="credential 'held-one' is a secret of tenant 'one'"):
        held.load(world.folder / "two.yaml", "two")
    if directory:
        world.write_inventory("two", world.secret("held-one"))
        with pytest.raises(BadFile):
            held.load(world.folder / "two.yaml", "two")


def test_a_secret_that_is_not_there_yet_is_known_by_its_path(world: World) -> None:
    held = apart.Secrets(_loaded(world), None)
    for tenant, name in (("one", "later"), ("two", "x/../later")):
        world.write_inventory(tenant, world.secret(name))
    held.load(world.folder / "one.yaml", "one")
    with pytest.raises(BadFile):
        held.load(world.folder / "two.yaml", "two")


def test_a_name_that_no_file_can_have_is_no_fault(world: World) -> None:
    held = apart.Secrets(_loaded(world), None)
    world.write_inventory("one", {"file": "/a\0b"})
    held.load(world.folder / "one.yaml", "one")


def test_a_refused_inventory_changes_nothing_and_a_given_up_secret_is_free(world: World) -> None:
    """As a reload meets them: one tenant gives a key up, then another may have it."""
    held = apart.Secrets(_loaded(world), None)
    one, two = world.folder / "one.yaml", world.folder / "two.yaml"
    for path in (one, two, one):
        held.load(path, path.stem)
    world.write_inventory("two", world.secret("held-one"))
    with pytest.raises(BadFile):
        held.load(two, "two")
    world.write_inventory("one", world.secret("held-two"))
    with pytest.raises(BadFile):
        held.load(one, "one")
    world.write_key("fresh")
    world.write_inventory("one", world.secret("fresh"))
    held.load(one, "one")
    held.load(two, "two")


def _loaded(world: World) -> Any:
    path = world.folder / "bastion.yaml"
    path.write_text(json.dumps(world.settings))
    return load(path)
