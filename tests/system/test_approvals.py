"""What policy holds, by stock ssh: it waits for people, runs once as they saw it, and tells what became of it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.people import People
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.terminal import Terminal

POLICY = """\
version: 1
rules:
  - {id: look, effect: allow, commands: ["echo **"]}
  - {id: makes, effect: approve, commands: ["touch **"], approval: {by: [sre], within: %s, grants: 5m}}
  - {id: both, effect: approve, commands: ["tee **"], approval: {by: [sre, dba], count: 2}}
  - {id: later, effect: approve, commands: ["mkdir *"], approval: {by: [sre], mode: return}}
  - {id: shells, effect: allow, shell: gated}
"""


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with People() as made:
        yield made


@pytest.fixture
def bastion(tmp_path: Path, target: Sshd, people: People) -> Iterator[Bastion]:
    made = Bastion(tmp_path / "bastion", [Target.of("web-1", target)], policy=POLICY % "10m")
    people.trust(made)
    with made as served:
        yield served


def held(client: Client, command: str) -> subprocess.Popen[bytes]:
    return client.popen("web-1", command)


def outcome(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_it_waits_runs_once_and_is_told(tmp_path: Path, bastion: Bastion, people: People) -> None:
    """The text that was shown runs; three lines tell who may approve; the trail has each step before the next."""
    canary = tmp_path / "made"
    waiting = held(Client(tmp_path / "c", bastion), rf"to\uch {canary}")
    (request,) = people.pending(bastion)
    assert request["text"] == f"'touch' '{canary}'"
    assert request["may_vote"]
    assert not canary.exists()
    assert people.vote(bastion, "rev", request["id"], "approve", comment="go").status_code == 200
    status, _, told = outcome(waiting)
    assert (status, canary.exists()) == (0, True)
    assert request["id"].encode() in told
    assert b"sre" in told
    kinds = [event["kind"] for event in bastion.audit() if event.get("session") == request["session"]]
    order = ["command-judged", "approval-requested", "approval-voted", "approval-settled", "approval-settled"]
    assert kinds == [*order, "command-judged", "session-ended"]
    assert [event.get("effect") for event in bastion.audit("command-judged")] == ["approve", "allow"]
    assert people.vote(bastion, "rev", request["id"], "approve").status_code in (403, 409)


def test_a_no_ends_it_with_the_comment(tmp_path: Path, bastion: Bastion, people: People) -> None:
    canary = tmp_path / "made"
    waiting = held(Client(tmp_path / "c", bastion), f"touch {canary}")
    (request,) = people.pending(bastion)
    assert people.vote(bastion, "rev", request["id"], "deny", comment="not on a Friday").status_code == 200
    status, out, told = outcome(waiting)
    assert (status, out, canary.exists()) == (125, b"", False)
    assert b"not on a Friday" in told


@pytest.mark.parametrize(("who", "status"), [("agent-1", 403), ("nobody", 403)])
def test_who_may_not_vote(who: str, status: int, tmp_path: Path, bastion: Bastion, people: People) -> None:
    """Not the one who asked, though of the group; nor one of no group that counts."""
    canary = tmp_path / "made"
    waiting = held(Client(tmp_path / "c", bastion), f"touch {canary}")
    (request,) = people.pending(bastion)
    assert people.vote(bastion, who, request["id"], "approve").status_code == status
    assert not canary.exists()
    waiting.send_signal(signal.SIGTERM)
    outcome(waiting)
    settled = bastion.wait_audit(lambda event: event["kind"] == "approval-settled")
    assert settled["state"] == "withdrawn"


def test_two_people_of_two_groups(tmp_path: Path, bastion: Bastion, people: People) -> None:
    canary = tmp_path / "made"
    waiting = held(Client(tmp_path / "c", bastion), f"echo x | tee {canary}")
    (request,) = people.pending(bastion)
    assert people.vote(bastion, "rev", request["id"], "approve").json()["state"] == "pending"
    assert people.vote(bastion, "rev", request["id"], "approve").status_code == 403
    assert not canary.exists()
    assert people.vote(bastion, "dora", request["id"], "approve").json()["state"] == "approved"
    assert outcome(waiting)[0] == 0
    assert canary.read_text() == "x\n"


def test_time_and_policy_end_it(tmp_path: Path, bastion: Bastion, people: People) -> None:
    """`within` is absolute; and what was asked under another policy is over when that changes."""
    canary = tmp_path / "made"
    client = Client(tmp_path / "c", bastion)
    waiting = held(client, f"touch {canary}")
    people.pending(bastion)
    bastion.write_policy(POLICY % "2s")
    status, _, told = outcome(waiting)
    assert (status, canary.exists()) == (125, False)
    assert b"policy" in told
    began = time.monotonic()
    status, _, told = outcome(held(client, f"touch {canary}"))
    assert (status, canary.exists()) == (125, False)
    assert 1.5 < time.monotonic() - began < 12
    assert [event["state"] for event in bastion.audit("approval-settled")] == ["ended", "expired"]


def test_a_grant_lets_through_until_it_is_revoked(tmp_path: Path, bastion: Bastion, people: People) -> None:
    """And revoking it ends what runs under it: here a shell's line that was allowed by it."""
    client = Client(tmp_path / "c", bastion)
    waiting = held(client, f"touch {tmp_path / 'a'}")
    (request,) = people.pending(bastion)
    assert people.vote(bastion, "rev", request["id"], "approve", grant=True).status_code == 200
    assert outcome(waiting)[0] == 0
    assert client.run("web-1", f"touch {tmp_path / 'b'}").returncode == 0
    assert (tmp_path / "b").exists()
    (grant,) = people.ask(bastion, "rev", "/v1/grants").json()["items"]
    with Terminal(client.command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(f"touch {tmp_path / 'c'}; echo done\r".encode())
        person.wait_for(b"\ndone")
        revoked = people.operate(bastion, f"/v1/grants/{grant['id']}/revoke", {})
        assert revoked.status_code == 200, revoked.text
        assert person.finish() != 0
    assert b"revoked" in person.seen
    waiting = held(client, f"touch {tmp_path / 'd'}")
    people.pending(bastion)
    waiting.kill()
    waiting.communicate()
    assert not (tmp_path / "d").exists()


def test_an_agent_that_can_not_wait_comes_again(tmp_path: Path, bastion: Bastion, people: People) -> None:
    """mode return: 125 at once; the same command finds its approval, once; it lives through a restart."""
    client, made = Client(tmp_path / "c", bastion), tmp_path / "folder"
    first = client.run("web-1", f"mkdir {made}")
    assert first.returncode == 125
    (request,) = people.pending(bastion)
    assert request["id"].encode() in first.stderr
    assert client.run("web-1", f"mkdir {made}").returncode == 125
    assert len(people.pending(bastion)) == 1
    bastion.kill()
    bastion.start()
    client = Client(tmp_path / "c2", bastion)
    assert people.vote(bastion, "rev", request["id"], "approve").status_code == 200
    assert client.run("web-1", f"mkdir {made}x").returncode == 125
    assert client.run("web-1", f"mkdir {made}").returncode == 0
    assert made.is_dir()
    assert client.run("web-1", f"mkdir {made}").returncode == 125


def test_a_line_of_a_gated_shell_waits_and_can_be_withdrawn(tmp_path: Path, bastion: Bastion, people: People) -> None:
    client = Client(tmp_path / "c", bastion)
    with Terminal(client.command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(f"touch {tmp_path / 'no'}\r".encode())
        person.wait_for(b"held for approval")
        people.pending(bastion)
        person.type(b"\x03")
        person.wait_for(b"withdrawn")
        person.type(f"touch {tmp_path / 'yes'} && echo all done\r".encode())
        person.wait_for(b"held for approval")
        (request,) = people.pending(bastion)
        assert people.vote(bastion, "rev", request["id"], "approve").status_code == 200
        person.wait_for(b"\nall done\r\n")
        person.wait_for(b"# ")
        person.type(b"exit\r")
        assert person.finish() == 0
    assert (tmp_path / "yes").exists()
    assert not (tmp_path / "no").exists()


def test_ctrl_c_on_a_terminal_withdraws_it(tmp_path: Path, bastion: Bastion, people: People) -> None:
    with Terminal(Client(tmp_path / "c", bastion).command("-tt", "-q", "web-1", f"touch {tmp_path / 'no'}")) as person:
        person.wait_for(b"held for approval")
        people.pending(bastion)
        person.type(b"\x03")
        assert person.finish() != 0
    assert bastion.wait_audit(lambda event: event["kind"] == "approval-settled")["state"] == "withdrawn"


def test_two_bastions_on_one_store(tmp_path: Path, target: Sshd, people: People) -> None:
    """What one holds is approved through the other; a session on one is ended from the other; within a second each."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder, postgres.server(Path(folder) / "s") as server:
        secret = tmp_path / "store-url"
        secret.write_text(asyncio.run(server.create("both")))
        secret.chmod(0o600)
        pair = [
            Bastion(tmp_path / name, [Target.of("web-1", target)], policy=POLICY % "10m") for name in ("one", "two")
        ]
        for bastion in pair:
            people.trust(bastion)
            bastion.settings["store"] = {"postgresql": {"file": str(secret)}}
        for name in ("acme-user-ca", "acme-target-ca", "host-ca"):
            (pair[1].folder / "keys" / name).write_bytes((pair[0].folder / "keys" / name).read_bytes())
        with pair[0] as one, pair[1] as two:
            client = Client(tmp_path / "c", one)
            waiting = held(client, f"touch {tmp_path / 'made'}")
            (request,) = people.pending(two)
            began = time.monotonic()
            assert people.vote(two, "rev", request["id"], "approve").status_code == 200
            until(lambda: (tmp_path / "made").exists(), seconds=5)
            assert time.monotonic() - began < 2.0, "with the opening of a channel to the target"
            assert outcome(waiting)[0] == 0
            shell = client.popen("-tt", "web-1")
            live = until(lambda: people.ask(two, "rev", "/v1/sessions?live=true").json()["items"])
            began = time.monotonic()
            told = people.operate(two, f"/v1/sessions/{live[0]['id']}/terminate", {"reason": "enough"})
            one.wait_audit(lambda event: event["kind"] == "session-ended" and event["session"] == live[0]["id"])
            assert time.monotonic() - began < 2.0, told.text
            shell.kill()
            shell.communicate()
