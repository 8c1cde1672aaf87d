"""Law 7, end to end: two tenants of one bastion that have the same names for everything do not meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.identity import revocation
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import AGENT, GOOD, Client, Paper
from tests.system.harness.sshd import Sshd

ONE, TWO = "acme", "globex"

POLICY = """\
version: 1
rules:
  - id: {tenant}-only
    effect: allow
    who: {{groups: [agents]}}
    commands: ["printenv MACHINE", "echo {tenant}"]
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sshd]]:
    """One machine for each tenant, both known as `web-1`; each says which it is in its environment."""
    folder = tmp_path_factory.mktemp("machines")
    with (
        Sshd(folder / ONE, options=[f"SetEnv MACHINE={ONE}"]) as one,
        Sshd(folder / TWO, options=[f"SetEnv MACHINE={TWO}"]) as two,
    ):
        yield {ONE: one, TWO: two}


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, machines: dict[str, Sshd]) -> Iterator[Bastion]:
    served = Bastion(tmp_path_factory.mktemp("bastion"), tenants=(ONE, TWO))
    for tenant, machine in machines.items():
        served.write_inventory([Target.of("web-1", machine), Target.of(f"only-{tenant}", machine)], tenant=tenant)
        served.write_policy(POLICY.format(tenant=tenant), tenant=tenant)
    with served:
        yield served


def paper(tenant: str, signer: str | None = None) -> Paper:
    """The same identity, issuer and serial in either tenant."""
    return replace(GOOD, identity=replace(AGENT, tenant=tenant), signer=f"{signer or tenant}-user-ca")


@pytest.fixture
def clients(tmp_path: Path, bastion: Bastion) -> dict[str, Client]:
    names = ("web-1", f"only-{ONE}", f"only-{TWO}")
    return {tenant: Client(tmp_path / tenant, bastion, names, paper=paper(tenant)) for tenant in (ONE, TWO)}


def machine_of(client: Client, target: str = "web-1") -> str:
    done = client.run(target, "printenv MACHINE")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def test_each_reaches_its_own_machine_by_the_same_name(bastion: Bastion, clients: dict[str, Client]) -> None:
    """Also on connections that are kept for the next session of the same identity, target and account."""
    for _ in range(2):
        assert {tenant: machine_of(client) for tenant, client in clients.items()} == {ONE: ONE, TWO: TWO}
    judged = bastion.audit("command-judged")
    assert {(event["tenant"], event["rule"]) for event in judged} == {(ONE, f"{ONE}-only"), (TWO, f"{TWO}-only")}


def test_each_is_judged_by_its_own_policy(clients: dict[str, Client]) -> None:
    for tenant, other in ((ONE, TWO), (TWO, ONE)):
        assert clients[tenant].run("web-1", f"echo {tenant}").returncode == 0
        assert clients[tenant].run("web-1", f"echo {other}").returncode == 126


def test_anothers_target_looks_like_none(clients: dict[str, Client]) -> None:
    for tenant, other in ((ONE, TWO), (TWO, ONE)):
        assert clients[tenant].run(f"only-{tenant}", f"echo {tenant}").returncode == 0
        done = clients[tenant].run(f"only-{other}", f"echo {tenant}")
        assert done.returncode == 255
        assert b"no such target or account, or not permitted" in done.stderr


def test_each_has_its_recordings_apart(bastion: Bastion, clients: dict[str, Client]) -> None:
    for tenant, client in clients.items():
        machine_of(client)
        folder = bastion.recordings_folder / tenant
        headers = [json.loads(path.read_text().splitlines()[0])["bastion"] for path in folder.rglob("*.cast")]
        assert headers
        assert {header["tenant"] for header in headers} == {tenant}
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("tenant", "signer"), [(ONE, TWO), (TWO, ONE)])
def test_one_tenants_authority_signs_for_no_other(
    tmp_path: Path, bastion: Bastion, machines: dict[str, Sshd], tenant: str, signer: str
) -> None:
    opened = {name: machine.accepted for name, machine in machines.items()}
    done = Client(tmp_path / "forged", bastion, paper=paper(tenant, signer)).run("web-1", "printenv MACHINE")
    assert done.returncode == 255
    assert b"another tenant than the authority" in done.stderr
    assert {name: machine.accepted for name, machine in machines.items()} == opened


def test_who_jumps_as_one_tenant_does_not_log_in_as_the_other(
    tmp_path: Path, bastion: Bastion, clients: dict[str, Client]
) -> None:
    proxy = f"ProxyCommand ssh -F {clients[ONE].config} -W %h:%p bastion"
    inside = Client(tmp_path / "inside", bastion, (), paper=paper(TWO), options=(proxy,))
    done = inside.run("web-1", "printenv MACHINE")
    assert done.returncode == 255
    assert b"must present the same certificate" in done.stderr


def test_a_reloaded_inventory_takes_no_key_of_another_tenant(
    bastion: Bastion, clients: dict[str, Client], machines: dict[str, Sshd]
) -> None:
    """Who writes one tenant's inventory can not have another's held key used at an address of their choice."""
    stolen = replace(Target.of("web-1", machines[TWO]), key=machines[ONE].key)
    bastion.write_inventory([stolen], tenant=TWO)
    rejected = bastion.wait_audit(lambda event: event["kind"] == "inventory-rejected")
    assert rejected["tenant"] == TWO
    assert f"is a secret of tenant '{ONE}' already" in rejected["problems"][0]
    assert machine_of(clients[TWO]) == TWO


def test_a_revocation_is_its_tenants_alone(bastion: Bastion, clients: dict[str, Client]) -> None:
    """The same serial, the same name: only the one whose tenant the entry names."""
    file = bastion.folder / "state" / "revocations" / "revocations.jsonl"
    entry = revocation.Revocation(tenant=TWO, reason="left", time="2026-01-31T12:00:00Z", identity="agent-1")
    revocation.add(file, entry)
    bastion.wait_audit(lambda event: event["kind"] == "revoked")
    assert clients[TWO].run("web-1", "printenv MACHINE").returncode == 255
    assert machine_of(clients[ONE]) == ONE


def test_held_keys_are_tried_on_their_own_machine_only(machines: dict[str, Sshd]) -> None:
    """Neither machine ever saw a login that failed: no key went to the wrong one."""
    for machine in machines.values():
        assert "Failed publickey" not in machine.log
        assert machine.accepted <= machine.log.count("Accepted publickey")
