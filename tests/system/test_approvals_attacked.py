"""Attacks on approvals, by stock clients on a real bastion and sshd: each of these must not succeed."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.people import People
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.terminal import Terminal

POLICY = """\
version: 1
default: approve
undecidable: deny
approval: {by: [sre], within: 10m, grants: 5m}
rules:
  - {id: look, effect: allow, commands: ["echo **"]}
  - {id: makes, effect: approve, commands: ["touch **"], approval: {by: [sre], grants: 5m}}
  - {id: made-by-two, effect: approve, commands: ["touch %s/x/*"], approval: {by: [dba], count: 2}}
  - {id: later, effect: approve, commands: ["mkdir *"], dynamic: true, approval: {by: [sre], mode: return}}
  - {id: tees, effect: approve, commands: ["tee **"], approval: {by: [sre]}}
  - {id: shells, effect: allow, shell: gated}
"""


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with People() as made:
        yield made


@pytest.fixture
def bastion(tmp_path: Path, target: Sshd, people: People) -> Iterator[Bastion]:
    made = Bastion(tmp_path / "bastion", [Target.of("web-1", target)], policy=POLICY % tmp_path)
    people.trust(made)
    with made as served:
        yield served


def granted(client: Client, bastion: Bastion, people: People, command: str) -> None:
    """`rev` gives the rule that holds `command` for five minutes."""
    waiting = client.popen("web-1", command)
    (request,) = people.pending(bastion)
    assert people.vote(bastion, "rev", request["id"], "approve", grant=True).status_code == 200
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0


def outcome_within(client: Client, command: str, seconds: float) -> int | None:
    """The status of what ran by itself; None where it still waits for people."""
    process = client.popen("web-1", command)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return process.returncode


def test_a_grant_of_one_rule_is_no_pass_by_another(tmp_path: Path, bastion: Bastion, people: People) -> None:
    """What two people of `dba` must approve runs by no grant of one person of `sre`."""
    client = Client(tmp_path / "c", bastion)
    granted(client, bastion, people, f"touch {tmp_path / 'a'}")
    (tmp_path / "x").mkdir()
    assert outcome_within(client, f"touch {tmp_path / 'x' / 'precious'}", 5) is None
    assert not (tmp_path / "x" / "precious").exists()


def test_what_no_rule_covers_is_approved_for_once(tmp_path: Path, bastion: Bastion, people: People) -> None:
    """A grant would be one for all that no rule covers: it is not offered."""
    waiting = Client(tmp_path / "c", bastion).popen("web-1", "uptime")
    (request,) = people.pending(bastion)
    assert request["grants"] == 0
    assert people.vote(bastion, "rev", request["id"], "approve", grant=True).status_code == 403
    assert people.vote(bastion, "rev", request["id"], "approve").status_code == 200
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0


@pytest.mark.parametrize("size", [0, 200_000], ids=["nothing sent", "input sent"])
async def test_a_channel_that_its_client_closed_is_withdrawn(
    size: int, tmp_path: Path, bastion: Bastion, people: People
) -> None:
    """The connection stays, as with ControlMaster; what was sent before changes nothing."""
    client = Client(tmp_path / "c", bastion)
    made = tmp_path / "made"
    options = {
        "client_keys": [(str(client.key), str(client.certificate))],
        "known_hosts": str(client.folder / "known_hosts"),
        "host_key_alias": "bastion",
        "config": None,
        "agent_path": None,
    }
    async with asyncssh.connect("127.0.0.1", bastion.ssh_port, username=f"{ACCOUNT}%web-1", **options) as connection:
        process = await connection.create_process(f"tee {made}", encoding=None)
        (request,) = await asyncio.to_thread(people.pending, bastion)
        for _ in range(size // 1000):
            process.stdin.write(b"x" * 1000)
        process.channel.abort()
        settled = await asyncio.to_thread(bastion.wait_audit, lambda event: event["kind"] == "approval-settled")
        voted = await asyncio.to_thread(people.vote, bastion, "rev", request["id"], "approve")
        assert (settled["state"], voted.status_code, made.exists()) == ("withdrawn", 403, False)


def test_ctrl_c_ends_the_wait_also_after_other_keys(tmp_path: Path, bastion: Bastion, people: People) -> None:
    made = tmp_path / "made"
    with Terminal(Client(tmp_path / "c", bastion).command("-tt", "-q", "web-1", f"touch {made}")) as person:
        person.wait_for(b"held for approval")
        people.pending(bastion)
        person.type(b"hello\r")
        person.look(0.5)
        person.type(b"\x03")
        settled = bastion.wait_audit(lambda event: event["kind"] == "approval-settled", seconds=5)
        assert settled["state"] == "withdrawn"


def test_a_variable_that_means_something_else_by_then_asks_anew(
    tmp_path: Path, bastion: Bastion, people: People
) -> None:
    """mode return in a gated shell: `mkdir "$d"` was asked of one folder."""
    good, other = tmp_path / "good", tmp_path / "other"
    client = Client(tmp_path / "c", bastion)
    with Terminal(client.command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(f"d={good}\r".encode())
        person.look(0.7)
        person.type(b'mkdir "$d"\r')
        (request,) = people.pending(bastion)
        assert people.vote(bastion, "rev", request["id"], "approve").status_code == 200
        person.type(f"d={other}\r".encode())
        person.look(0.7)
        person.type(b'mkdir "$d"\r')
        person.look(2.0)
        print(person.seen)
        assert not other.exists()
