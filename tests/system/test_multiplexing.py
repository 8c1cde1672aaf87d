"""Several channels on one connection: ControlMaster with stock OpenSSH, targets that allow few, and our own limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tests.system.asyncssh_client import jumped
from tests.system.control_master import mastered
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.oracle import Programs

CHANNELS = 24
"""The bastion's limit here, of channels on one connection."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module", params=[10, 2], ids="MaxSessions-{}".format)
def target(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Sshd]:
    """OpenSSH's own default, and one that the bastion's idea of it is wrong about."""
    with Sshd(tmp_path_factory.mktemp("target"), options=[f"MaxSessions {request.param}"]) as sshd:
        yield sshd


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    made = Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)], policy=programs.policy)
    made.settings["ssh"]["limits"] = {"channels": CHANNELS}
    with made as served:
        yield served


@pytest.fixture
def agent(tmp_path: Path, bastion: Bastion) -> Iterator[Client]:
    """A client with a ControlMaster that is up."""
    with mastered(tmp_path, bastion) as client:
        yield client


def test_twenty_at_once(agent: Client, bastion: Bastion, target: Sshd) -> None:
    """Each gets its own input, output and status; one login; more than the target allows on one connection."""
    logins = len(bastion.audit("login-accepted"))
    sent = [os.urandom(20_000) for _ in range(20)]
    running = [agent.popen("web-1", "cat") for _ in sent]
    until(lambda: target.log.count("Starting session") >= 20, seconds=60, told=lambda: target.log)
    for process, data in zip(running, sent, strict=True):
        assert process.stdin is not None
        process.stdin.write(data)
    done = [process.communicate(timeout=60) for process in running]
    assert [out for out, _ in done] == sent
    assert [err for _, err in done] == [b""] * 20
    assert [process.returncode for process in running] == [0] * 20
    assert len(bastion.audit("login-accepted")) == logins


def test_statuses_do_not_get_mixed_up(agent: Client, programs: Programs) -> None:
    running = {status: agent.popen("web-1", programs / "exit", str(status)) for status in range(30, 42)}
    for process in running.values():
        process.communicate(timeout=60)
    assert {status: process.returncode for status, process in running.items()} == {status: status for status in running}


def test_one_that_is_killed_leaves_the_others(agent: Client, bastion: Bastion, programs: Programs) -> None:
    """It is told as lost; the channel beside it goes on. Its command is one that the end of its input does not end."""
    ended = len(bastion.audit("session-ended"))
    stays, goes = agent.popen("web-1", "cat"), agent.popen("web-1", programs / "sleeps")
    assert goes.stdout is not None
    assert goes.stdout.readline() == b"asleep\n"
    goes.kill()
    out, _ = stays.communicate(b"still here", timeout=30)  # it also wakes the master, which may sleep on a lost client
    assert (out, stays.returncode) == (b"still here", 0)
    goes.communicate()
    until(lambda: len(bastion.audit("session-ended")) == ended + 2)
    reasons = [event["reason"] for event in bastion.audit("session-ended")[ended:]]
    assert sorted(reasons) == ["exit", "the client closed the channel"]


def test_channels_one_after_the_other_count_only_while_they_are_open(agent: Client) -> None:
    """Closed channels do not add up to the limit."""
    assert [agent.run("web-1", "true").returncode for _ in range(CHANNELS + 4)] == [0] * (CHANNELS + 4)


async def test_more_than_the_limit_is_refused_and_the_rest_is_unharmed(client: Maker) -> None:
    """The channel past the limit is refused with the reason (RFC 4254, section 5.1); with one closed there is room."""
    async with jumped(client()) as connection:
        running = [await connection.create_process("cat") for _ in range(CHANNELS)]
        with pytest.raises(
            asyncssh.ChannelOpenError, match=f"more than {CHANNELS} sessions on one connection"
        ) as refused:
            await connection.create_process("cat")
        assert refused.value.code == asyncssh.OPEN_RESOURCE_SHORTAGE
        running[0].stdin.write_eof()
        await running[0].wait()
        running[1].stdin.write("the close has arrived\n")
        assert await running[1].stdout.readline() == "the close has arrived\n"
        assert (await connection.run("echo room")).stdout == "room\n"
        for number, process in enumerate(running[1:]):
            process.stdin.write(f"{number}\n")
            process.stdin.write_eof()
        assert [(await process.wait()).stdout for process in running[1:]] == [f"{n}\n" for n in range(CHANNELS - 1)]


def test_the_next_session_opens_without_a_handshake(client: Maker, target: Sshd) -> None:
    """A second ssh of the same identity to the same account uses the connection that is open still."""
    made = client()
    assert made.run("web-1", "true").returncode == 0
    seen = target.connections
    assert made.run("web-1", "true").returncode == 0
    assert target.connections == seen
