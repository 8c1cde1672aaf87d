"""What is not offered is refused with the reason, told to the trail, and harms nothing else; targets that fail, too."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Maker
from tests.system.harness.sshd import ACCOUNT, Sshd, write_key
from tests.system.harness.waiting import until
from tests.system.oracle import Programs
from tests.system.terminal import Terminal

SHELLS = """\
version: 1
rules:
  - id: unfiltered
    effect: allow
    who: {groups: [agents]}
    where: {targets: [raw-1]}
    shell: raw
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    web, keys = Target.of("web-1", target), tmp_path_factory.mktemp("keys")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        targets = [
            web,
            replace(web, name="raw-1"),
            replace(web, name="down-1", port=unused.getsockname()[1]),
            replace(web, name="other-key-1", host_key=write_key(keys / "stranger")),
            replace(web, name="no-login-1", key=keys / "not-authorized"),
            replace(web, name="no-key-1", key=keys / "not-there"),
        ]
        write_key(keys / "not-authorized")
        made = Bastion(folder, targets, policy=programs.policy)
        made.write_policy(SHELLS, file="shells.yaml")
        with made as served:
            yield served


ALL = ("web-1", "raw-1", "down-1", "other-key-1", "no-login-1", "no-key-1")


# -- shells


def test_a_shell_without_a_rule(client: Maker, bastion: Bastion, target: Sshd) -> None:
    """126 and the reason in one line, with a terminal and without; nothing is opened."""
    seen = target.log.count("Starting session")
    done = client().run("-T", "web-1", stdin=b"id\n")
    assert (done.returncode, done.stdout) == (126, b"")
    assert done.stderr.splitlines()[0].startswith(b"bastion: denied by default: no rule allows a shell here")
    with Terminal(client().command("-q", "-t", "web-1")) as terminal:
        assert terminal.finish() == 126
    assert terminal.seen.startswith(b"bastion: denied by default: no rule allows a shell here")
    judged = bastion.audit("command-judged")[-2:]
    assert [(event["request"], event["effect"]) for event in judged] == [("shell", "deny")] * 2
    assert target.log.count("Starting session") == seen


def test_a_raw_shell_with_a_rule_and_without_a_terminal(client: Maker, bastion: Bastion) -> None:
    """`shell: raw` lets the shell have its input as it comes; the trail says by which rule."""
    done = client(targets=ALL).run("-T", "raw-1", stdin=b"echo one; echo two >&2; exit 7\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"one\n", b"two\n")
    judged = bastion.audit("command-judged")[-1]
    assert (judged["request"], judged["effect"], judged["rule"]) == ("shell", "allow", "unfiltered")


def test_a_raw_shell_with_a_rule_and_a_terminal(client: Maker) -> None:
    with Terminal(client(targets=ALL).command("-q", "-t", "raw-1"), environment={"TERM": "dumb"}) as terminal:
        terminal.type(b"echo $((6*7)); exit 3\r")
        terminal.wait_for(b"\n42\r\n")
        assert terminal.finish() == 3


# -- beside a command


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-A"], "agent forwarding"),
        (["-Y"], "X11 forwarding"),
    ],
)
def test_what_rides_on_a_channel(
    client: Maker, bastion: Bastion, tmp_path: Path, options: list[str], what: str
) -> None:
    """Agent and X11 forwarding: the command runs, one line on stderr says what does not, and the trail has it."""
    agent = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL) as running:
        while not agent.exists():
            assert running.poll() is None
        script = f'SSH_AUTH_SOCK={agent} DISPLAY=:7 exec "$@"'
        made = client()
        config = made.config.read_text().replace("IdentityAgent none", f"IdentityAgent {agent}")
        made.config.write_text(config + f"  XAuthLocation {tmp_path}/none\n")
        before = len(bastion.audit("request-refused"))
        done = subprocess.run(
            ["sh", "-c", script, "sh", *made.command(*options, "web-1", "echo still here")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        running.terminate()
    assert (done.returncode, done.stdout) == (0, b"still here\n")
    assert f"bastion: {what} is not permitted\n".encode() in done.stderr
    refused = until(lambda: bastion.audit("request-refused")[before:])
    assert [event["request"] for event in refused] == [what]
    session = bastion.audit("command-judged")[-1]["session"]
    assert [(event["target"], event["account"], event["session"]) for event in refused] == [("web-1", ACCOUNT, session)]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["-R", "0:localhost:9"], "remote forwarding from localhost port 0"),
        (["-R", "/nowhere/a.sock:localhost:9"], "remote forwarding from the socket /nowhere/a.sock"),
    ],
)
def test_remote_forwarding(client: Maker, bastion: Bastion, arguments: list[str], what: str) -> None:
    """-R: refused, told; the command beside it runs."""
    before = len(bastion.audit("request-refused"))
    done = client().run(*arguments, "web-1", "echo still here")
    assert (done.returncode, done.stdout) == (0, b"still here\n")
    assert b"remote port forwarding failed" in done.stderr or b"remote forward" in done.stderr.lower()
    refused = until(lambda: bastion.audit("request-refused")[before:])
    assert [event["request"] for event in refused] == [what]


def test_local_and_dynamic_forwarding(client: Maker, bastion: Bastion) -> None:
    """-L and -D: what is sent into them gets nowhere, with the reason told; the command beside them goes on."""
    before = len(bastion.audit("request-refused"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = client().popen("-L", f"127.0.0.1:{port}:127.0.0.1:9", "web-1", "cat")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"up\n")
    assert process.stdout.readline() == b"up\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        assert wire.recv(1) == b""
    process.stdin.write(b"still here\n")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b"still here\n")
    assert b"port forwarding to 127.0.0.1 port 9 is not permitted" in err
    refused = until(lambda: bastion.audit("request-refused")[before:])
    assert [event["request"] for event in refused] == ["port forwarding to 127.0.0.1 port 9"]
    assert (refused[0]["target"], refused[0]["account"], "session" in refused[0]) == ("web-1", ACCOUNT, False)


def test_a_jump_behind_the_target(client: Maker, bastion: Bastion) -> None:
    """-W through the target is a forwarding as well."""
    before = len(bastion.audit("request-refused"))
    done = client().run("-W", "127.0.0.1:22", "web-1")
    assert done.returncode == 255
    assert b"port forwarding to 127.0.0.1 port 22 is not permitted" in done.stderr
    until(lambda: len(bastion.audit("request-refused")) == before + 1)


# -- file transfer


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("sftp", ["-b", "/dev/null", "web-1"]),
        ("scp", ["web-1:/etc/hostname", "{folder}/copy"]),
        ("scp", ["-O", "web-1:/etc/hostname", "{folder}/copy"]),
    ],
)
def test_file_transfer(
    client: Maker, bastion: Bastion, target: Sshd, tmp_path: Path, program: str, arguments: list[str]
) -> None:
    """sftp, and scp in both protocols: refused by policy with the reason, judged in the trail, nothing copied."""
    seen = target.log.count("Starting session") + target.log.count("subsystem request")
    done = client().run(*(word.format(folder=tmp_path) for word in arguments), program=program)
    assert done.returncode != 0
    assert b"bastion: denied by default: " in done.stderr or b"bastion: denied by undecidable: " in done.stderr
    assert not (tmp_path / "copy").exists()
    assert bastion.audit("command-judged")[-1]["effect"] == "deny"
    assert target.log.count("Starting session") + target.log.count("subsystem request") == seen


# -- targets that fail


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("down-1", "target down-1 can not be opened: Connection refused"),
        ("other-key-1", "target other-key-1 can not be opened: its host key is not the pinned one"),
        ("no-login-1", "target no-login-1 can not be opened: it refused the held key"),
        ("no-key-1", "target no-key-1: its key can not be used; ask the bastion's operator"),
    ],
)
def test_a_target_that_can_not_be_opened(client: Maker, bastion: Bastion, name: str, reason: str) -> None:
    """255, one clear line on stderr and nothing else; the trail has the reason; no key or path is shown."""
    done = client(targets=ALL).run(name, "true")
    assert (done.returncode, done.stdout) == (255, b"")
    assert re.fullmatch(f"bastion: {re.escape(reason)} \\[[0-9a-f]{{16}}\\]\n", done.stderr.decode())
    ended = bastion.audit("session-ended")[-1]
    assert (ended["target"], ended["status"], ended["reason"]) == (name, 255, reason)


def test_a_target_that_goes_away(client: Maker, bastion: Bastion, tmp_path: Path, target: Sshd) -> None:
    """The connection to the target breaks while a command runs: 255 and one line, not the status of a success."""
    with Sshd(tmp_path / "going") as going:
        known = [Target.of("web-1", target), Target.of("going-1", going)]
        before = len(bastion.audit("inventory-reloaded"))
        bastion.write_inventory(known)
        bastion.reloaded("inventory", before + 1)
        process = client(targets=("going-1",)).popen("going-1", "cat")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"up\n")
        assert process.stdout.readline() == b"up\n"
        children = Path(f"/proc/{going.pid}/task/{going.pid}/children").read_text().split()
        assert len(children) == 1
        subprocess.run(["kill", "-9", *children], check=True)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (255, b"")
    assert err.startswith(b"bastion: ")
    assert err.count(b"\n") == 1
    assert "lost" in bastion.audit("session-ended")[-1]["reason"]
