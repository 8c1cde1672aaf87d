"""exec through the jump is what it is through plain ssh: streams, bytes, statuses, signals, ends, environment."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from tests.system.asyncssh_client import jumped
from tests.system.asyncssh_target import Exits, SignalsTold, served
from tests.system.control_master import mastered
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd
from tests.system.oracle import Direct, Programs

ALL_BYTES = bytes(range(256))
RUNS_NOTHING = [
    pytest.param("echo 'a\necho b", id="an open quote"),
    pytest.param("echo a\x00b", id="NUL"),
    pytest.param("echo a; $HOME b", id="a program by variable"),
    pytest.param("echo $HOME", id="a variable"),
    pytest.param(" ", id="a blank"),
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Direct:
    return Direct(tmp_path_factory.mktemp("direct"), target)


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=programs.policy) as served:
        yield served


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, bastion: Bastion) -> Iterator[Client]:
    """A client whose ssh keeps one connection, so that each of many commands costs no handshake."""
    with mastered(tmp_path_factory.mktemp("agent"), bastion) as client:
        yield client


@asynccontextmanager
async def reached(
    bastion: Bastion, client: Client, target: Sshd, other: Target
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A jump to `other`, which is added to the inventory for it."""
    before = len(bastion.audit("inventory-reloaded"))
    bastion.write_inventory([Target.of("web-1", target), other])
    await asyncio.to_thread(bastion.reloaded, "inventory", before + 1)
    async with jumped(client, other.name) as connection:
        yield connection


def answer(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    return done.returncode, done.stdout, done.stderr


def test_stdout_and_stderr_stay_apart_and_carry_every_byte(client: Maker, direct: Direct, programs: Programs) -> None:
    """All 256 values come out on each stream, and no other byte beside them, exactly as through plain ssh."""
    done = client().run("web-1", programs / "bytes")
    assert answer(done) == (0, ALL_BYTES, ALL_BYTES[::-1])
    assert answer(done) == answer(direct.run(programs / "bytes"))


def test_stdin_carries_every_byte(agent: Client, direct: Direct) -> None:
    """What goes in is what comes out, every value, and the end of it."""
    sent = ALL_BYTES * 100 + os.urandom(100_000)
    done = agent.run("web-1", "cat", stdin=sent)
    assert answer(done) == (0, sent, b"")
    assert answer(done) == answer(direct.run("cat", stdin=sent))


@pytest.mark.parametrize("status", [0, 1, 126, 254, 255])
def test_an_exit_status_comes_through(client: Maker, bastion: Bastion, programs: Programs, status: int) -> None:
    """ssh exits with the command's own status, those that the bastion itself uses among them; the trail tells it."""
    before = len(bastion.audit("session-ended"))
    done = client().run("web-1", programs / "exit", str(status))
    assert answer(done) == (status, b"", b"")
    assert bastion.audit("session-ended")[before]["status"] == status


async def test_every_exit_status_comes_through(client: Maker, bastion: Bastion, target: Sshd, tmp_path: Path) -> None:
    """0 to 255, on channels of one connection. The target is asyncssh, which starts no process for each."""
    seen: dict[int, int | None] = {}
    async with (
        served(tmp_path, Exits, name="other-2") as other,
        reached(bastion, client(), target, other) as connection,
    ):
        for first in range(0, 256, 32):
            batch = range(first, first + 32)
            done = await asyncio.gather(*(connection.run(f"echo {status}") for status in batch))
            seen.update(zip(batch, (one.exit_status for one in done), strict=True))
    assert seen == {status: status for status in range(256)}


@pytest.mark.parametrize("number", [9, 15, 11, 10])
def test_a_command_that_a_signal_ends_ends_so_for_the_client(
    agent: Client, bastion: Bastion, direct: Direct, programs: Programs, number: int
) -> None:
    """OpenSSH exits with the same status as it does directly, and the audit trail names the signal."""
    before = len(bastion.audit("session-ended"))
    done = agent.run("web-1", programs / "die", str(number))
    assert answer(done) == answer(direct.run(programs / "die", str(number)))
    ended = bastion.audit("session-ended")[before]
    assert ended["signal"] == {9: "KILL", 15: "TERM", 11: "SEGV", 10: "USR1"}[number]
    assert "status" not in ended


async def test_the_exit_signal_is_told_in_the_protocol(client: Maker, programs: Programs) -> None:
    """Name and core flag arrive as the target sent them (RFC 4254, section 6.10)."""
    async with jumped(client()) as connection:
        done = await connection.run(f"{programs / 'die'} 9")
    assert done.exit_signal is not None
    assert done.exit_signal[:2] == ("KILL", False)


async def test_signals_and_breaks_of_the_client_reach_the_command(
    client: Maker, bastion: Bastion, target: Sshd, tmp_path: Path
) -> None:
    """`signal` and `break` requests are passed on in order, and the end by a signal comes back (RFC 4254, 6.9, 6.10).

    Its text does not: it would be output of the target past the recording.
    OpenSSH takes signals only for an account other than root, so the target is asyncssh here.
    """
    async with served(tmp_path, SignalsTold) as other, reached(bastion, client(), target, other) as connection:
        process = await connection.create_process("cat")
        assert await process.stdout.readline() == "exec cat\n"
        for name in ("USR1", "INT", "HUP"):
            process.send_signal(name)
            assert await process.stdout.readline() == f"signal {name}\n"
        process.channel.send_break(250)
        assert await process.stdout.readline() == "break 250\n"
        process.send_signal("TERM")
        done = await process.wait()
    assert done.exit_signal == ("TERM", True, "", "")


@pytest.mark.parametrize("command", ["sort", "wc -c", "sha256sum"])
def test_half_close(agent: Client, direct: Direct, command: str) -> None:
    """A command that answers only once its input has ended gets that end, and its answer gets back."""
    sent = b"".join(b"%d\n" % (number * 7919 % 10007) for number in range(20_000))
    done = agent.run("web-1", command, stdin=sent)
    assert answer(done) == answer(direct.run(command, stdin=sent))
    assert done.returncode == 0


def test_output_that_ends_before_the_input(agent: Client) -> None:
    """A command that does not read its input ends when it ends; what was sent to it is no matter."""
    done = agent.run("web-1", "head -c 3", stdin=b"abc" + bytes(3_000_000))
    assert (done.returncode, done.stdout) == (0, b"abc")


def test_input_that_stays_open_does_not_keep_a_command(client: Maker) -> None:
    """`ssh target true` ends though its stdin is an open pipe."""
    process = client().popen("web-1", "true")
    assert process.wait(30) == 0
    process.communicate()


def test_environment_goes_by_policy(client: Maker, bastion: Bastion) -> None:
    """Variables that the rule names pass with their values, others are dropped, and the trail names both, no value."""
    made = client(
        options=[
            'SetEnv BASTION_TEST_A=one "BASTION_TEST_B=two words" LD_PRELOAD=/tmp/evil.so OTHER=secret-value '
            "BASTION_TEST_=x GIT_SSH=y"
        ]
    )
    before = len(bastion.audit("command-judged"))
    done = made.run("web-1", "printenv")
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    assert {"BASTION_TEST_A=one", "BASTION_TEST_B=two words", "BASTION_TEST_=x"} <= set(lines)
    assert not [line for line in lines if line.startswith(("LD_PRELOAD", "OTHER", "GIT_SSH"))]
    (judged,) = bastion.audit("command-judged")[before:]
    assert judged["passed"] == ["BASTION_TEST_", "BASTION_TEST_A", "BASTION_TEST_B"]
    assert judged["dropped"] == ["GIT_SSH", "LD_PRELOAD", "OTHER"]
    assert "secret-value" not in str(bastion.audit())


@pytest.mark.parametrize("text", RUNS_NOTHING)
async def test_what_can_not_be_judged_runs_nothing(client: Maker, bastion: Bastion, target: Sshd, text: str) -> None:
    """126, one line that says why, and the target has seen no session for it."""
    made = client()
    started = target.log.count("Starting session")
    async with jumped(made) as connection:
        done = await connection.run(text)
    assert done.exit_status == 126
    assert done.stdout == ""
    assert str(done.stderr).startswith("bastion: denied by undecidable: ")
    judged = bastion.audit("command-judged")[-1]
    assert (judged["effect"], "runs" in judged) == ("deny", False)
    assert target.log.count("Starting session") == started


def test_a_command_that_is_not_utf8_runs_nothing(client: Maker, bastion: Bastion, target: Sshd) -> None:
    """Bytes that are no text are refused with 126; the trail has them, escaped."""
    started = target.log.count("Starting session")
    command = [*map(os.fsencode, client().command("web-1")), b"echo \xff\xfe"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (126, b"")
    assert done.stderr.startswith(b"bastion: denied by undecidable: ")
    assert "\\xff\\xfe" in bastion.audit("command-judged")[-1]["text"]
    assert target.log.count("Starting session") == started


def test_a_refused_command_is_told_in_one_line_and_the_remedy(agent: Client, tmp_path: Path) -> None:
    """126, rule, reason and session on one line of stderr, then what would be allowed; nothing ran."""
    touched = tmp_path / "touched"
    done = agent.run("web-1", "touch", str(touched))
    assert (done.returncode, done.stdout) == (126, b"")
    first, second = done.stderr.decode().splitlines()
    assert first.startswith("bastion: denied by default: no rule allows touch")
    assert first.endswith("]")
    assert second.startswith("bastion: allowed here: ")
    assert not touched.exists()


def test_what_runs_is_printed_not_what_was_written(agent: Client, bastion: Bastion, direct: Direct) -> None:
    """Quotes and blanks of the client's text are resolved once, and the words arrive as plain ssh delivers them."""
    text = """echo  'a  b' "c'd"   e\\ f $'\\x41'"""
    done = agent.run("web-1", text)
    assert answer(done) == answer(direct.run(text)) == (0, b"a  b c'd e f A\n", b"")
    judged = bastion.audit("command-judged")[-1]
    assert judged["text"] == text
    assert judged["runs"] == """'echo' 'a  b' 'c'"'"'d' 'e f' 'A'"""


async def test_a_channel_carries_one_command(client: Maker, bastion: Bastion) -> None:
    """A second exec on one channel is refused (RFC 4254, section 6.5), and the first goes on."""
    async with jumped(client()) as connection:
        process = await connection.create_process("cat")
        channel = process.channel
        second = await channel._make_request(b"exec", asyncssh.packet.String("echo twice"))  # no public call does this
        assert not second
        process.stdin.write("once\n")
        process.stdin.write_eof()
        done = await process.wait()
    assert (done.stdout, done.exit_status) == ("once\n", 0)
    assert bastion.audit("command-judged")[-1]["text"] == "cat"
