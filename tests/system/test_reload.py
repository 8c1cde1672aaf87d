"""What changes in the files is in force from the next command of live connections; what is broken changes nothing."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until

POLICY = """\
version: 1
rules:
  - id: {id}
    effect: allow
    who: {{groups: [agents]}}
    commands: [{commands}]
"""
BROKEN = """\
version: 1
rules:
  - id: typo
    effect: allowed
    commands: [true]
"""


def policy(rule: str, *commands: str) -> str:
    return POLICY.format(id=rule, commands=", ".join(f'"{command}"' for command in commands))


@pytest.fixture
def bastion(tmp_path: Path, target: Sshd) -> Iterator[Bastion]:
    with Bastion(tmp_path / "b", [Target.of("web-1", target)], policy=policy("first", "echo **")) as served:
        yield served


@pytest.fixture
def kept(tmp_path: Path, bastion: Bastion) -> Iterator[Client]:
    """A client whose one connection lives through it all."""
    with tempfile.TemporaryDirectory(prefix="cm") as folder:
        options = ("ControlMaster auto", "ControlPersist 600", f"ControlPath {folder}/%C")
        client = Client(tmp_path / "kept", bastion, ("web-1", "web-2"), options=options)
        try:
            assert client.run("web-1", "echo hello").stdout == b"hello\n"
            yield client
        finally:
            client.run("-O", "exit", "web-1")


def rejected(bastion: Bastion, what: str, number: int) -> dict[str, Any]:
    """The `number`th event that tells of it, waiting for it."""
    kind = f"{what}-rejected"
    until(lambda: len(bastion.audit(kind)) >= number, told=lambda: bastion.log)
    return bastion.audit(kind)[number - 1]


def test_a_policy_is_in_force_from_the_next_command(bastion: Bastion, kept: Client) -> None:
    """On a connection that lives: what was allowed is denied, by the new rule's name, and the other way round."""
    assert kept.run("web-1", "true").returncode == 126
    bastion.write_policy(policy("second", "true"))
    event = bastion.reloaded("policy", 1)
    assert kept.run("web-1", "true").returncode == 0
    assert kept.run("web-1", "echo hello").returncode == 126
    judged = bastion.audit("command-judged")
    assert [one["rule"] for one in judged] == ["first", "default", "second", "default"]
    assert {one["connection"] for one in judged} == {judged[0]["connection"]}
    assert judged[-1]["policy"] == event["policy"] != judged[0]["policy"]


def test_a_broken_policy_keeps_the_last_good_one(bastion: Bastion, kept: Client) -> None:
    """It is told once, with file, line and column; and the next good one is in force."""
    bastion.write_policy(BROKEN)
    event = rejected(bastion, "policy", 1)
    assert any("tests.yaml:4:13: " in problem for problem in event["problems"]), event
    assert event["policy"] == bastion.audit("command-judged")[0]["policy"]
    assert "tests.yaml:4:13: " in bastion.log
    assert kept.run("web-1", "echo hello").returncode == 0
    bastion.send_signal(signal.SIGHUP)
    bastion.write_policy("{", file="more.yaml")
    event = rejected(bastion, "policy", 2)
    assert any("more.yaml:" in problem for problem in event["problems"]), event
    bastion.write_policy(policy("third", "true"), file="more.yaml")
    bastion.write_policy(policy("second", "echo hello"))
    bastion.reloaded("policy", 1)
    until(lambda: kept.run("web-1", "true").returncode == 0)
    assert len(bastion.audit("policy-rejected")) <= 3


def test_a_file_comes_and_goes(bastion: Bastion, kept: Client) -> None:
    path = bastion.write_policy(policy("more", "true"), file="more.yaml")
    bastion.reloaded("policy", 1)
    assert kept.run("web-1", "true").returncode == 0
    assert kept.run("web-1", "echo hello").returncode == 0
    path.unlink()
    bastion.reloaded("policy", 2)
    assert kept.run("web-1", "true").returncode == 126


def test_a_folder_without_any_policy_is_a_mistake_and_not_a_policy(bastion: Bastion, kept: Client) -> None:
    (bastion.folder / "policies" / TENANT / "tests.yaml").unlink()
    assert any("no policy here" in problem for problem in rejected(bastion, "policy", 1)["problems"])
    assert kept.run("web-1", "echo hello").returncode == 0


def test_a_hangup_reads_again(bastion: Bastion, kept: Client, tmp_path: Path) -> None:
    """Where the watch can not see: a change behind a link."""
    behind = tmp_path / "elsewhere.yaml"
    behind.write_text(policy("linked", "true"))
    (bastion.folder / "policies" / TENANT / "linked.yaml").symlink_to(behind)
    bastion.reloaded("policy", 1)
    behind.write_text(policy("changed", "true"))
    bastion.send_signal(signal.SIGHUP)
    bastion.reloaded("policy", 2)
    assert kept.run("web-1", "true").returncode == 0
    assert bastion.audit("command-judged")[-1]["rule"] == "changed"


def test_an_inventory_brings_a_target_and_takes_another(
    bastion: Bastion, kept: Client, target: Sshd, tmp_path: Path
) -> None:
    """Added: can be reached. Removed: looks as if it had never been; broken: all stays."""
    assert kept.run("web-2", "echo two").returncode == 255
    bastion.write_inventory([Target.of("web-1", target), Target.of("web-2", target)])
    assert bastion.reloaded("inventory", 1)["targets"] == 2
    assert kept.run("web-2", "echo two").stdout == b"two\n"
    bastion.write_inventory([Target.of("web-2", target)])
    bastion.reloaded("inventory", 2)
    gone = Client(tmp_path / "new", bastion).run("web-1", "echo one")
    assert (gone.returncode, gone.stdout) == (255, b"")
    assert b"no such target or account, or not permitted" in gone.stderr
    path = bastion.folder / "inventory" / f"{TENANT}.yaml"
    path.write_text('{"version": 1, "targets": [{"name": "web-3"}]}')
    assert any(f"{TENANT}.yaml:1:" in problem for problem in rejected(bastion, "inventory", 1)["problems"])
    assert kept.run("web-2", "echo two").stdout == b"two\n"


def test_a_target_that_is_taken_away_runs_nothing_more(bastion: Bastion, kept: Client) -> None:
    """The inner connection to it lives on, and a command on it is refused all the same."""
    bastion.write_inventory([])
    bastion.reloaded("inventory", 1)
    done = kept.run("web-1", "echo hello")
    assert (done.returncode, done.stdout) == (126, b"")
    assert bastion.audit("command-judged")[-1]["effect"] == "deny"


def test_a_volume_of_kubernetes_is_swapped(tmp_path: Path, target: Sshd) -> None:
    """Each file is a link through `..data`, which is a link to a dated folder and is replaced by renaming."""
    bastion = Bastion(tmp_path / "b", [Target.of("web-1", target)], policy=policy("first", "true"))
    policies, inventories = bastion.folder / "policies" / TENANT, bastion.folder / "inventory"
    inventory = (inventories / f"{TENANT}.yaml").read_text()
    for folder, name, text in (
        (policies, "tests.yaml", policy("first", "true")),
        (inventories, f"{TENANT}.yaml", inventory),
    ):
        (folder / name).unlink()
        publish(folder, "..2026_01", {name: text})
        (folder / name).symlink_to(f"..data/{name}")
    with bastion:
        client = Client(tmp_path / "c", bastion, ("web-1", "web-9"))
        assert client.run("web-1", "true").returncode == 0
        publish(policies, "..2026_02", {"tests.yaml": policy("second", "echo **")})
        bastion.reloaded("policy", 1)
        assert client.run("web-1", "echo hello").stdout == b"hello\n"
        publish(inventories, "..2026_02", {f"{TENANT}.yaml": inventory.replace("web-1", "web-9")})
        bastion.reloaded("inventory", 1)
        assert client.run("web-9", "echo hello").stdout == b"hello\n"


def publish(folder: Path, dated: str, files: dict[str, str]) -> None:
    """As the kubelet does: a new folder, a new link, and the link renamed over the old one."""
    (folder / dated).mkdir()
    for name, text in files.items():
        (folder / dated / name).write_text(text)
    (folder / "..data_tmp").symlink_to(dated)
    (folder / "..data_tmp").rename(folder / "..data")
