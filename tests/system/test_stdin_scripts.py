"""Scripts on standard input: `ssh web-1 bash -s < script` is judged whole, and runs as plain ssh would run it, or not
at all. The target's shell is bash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from tests.system.asyncssh_client import jumped
from tests.system.control_master import mastered
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.oracle import Direct
from tests.system.test_login_shell import asking
from tests.system.test_other_clients import DIRECT, paramiko_login

POLICY = """\
version: 1
rules:
  - id: tests
    effect: allow
    who: {groups: [agents]}
    dynamic: true
    commands: ["bash", "bash -s **", "sh", "sh -s **", "true", "false", "echo **", "cat **", "printf **", "read **",
               "exit *", "wc *", "sort", "sleep *", "greet **", "test **", "tr * *", "set *", "cd *", "[[ **"]
  - {id: never, effect: deny, commands: ["touch **", "rm **"]}
"""
SCRIPTS = {
    "commands": b"echo one\necho two; printf '%s\\n' three\n",
    "no last newline": b"echo one\necho two",
    "nothing": b"",
    "only a comment": b"#!/bin/bash\n# nothing to do\n",
    "first line says bash": b"#!/bin/bash\necho hello\n",
    "a status": b"echo before\nexit 7\n",
    "the status of the last": b"true\nfalse\n",
    "a status of 255": b"exit 255\n",
    "a here-document": b"cat <<EOF\nthree\none\ntwo\nEOF\necho done\n",
    "a quoted here-document": b"cat <<'EOF'\n$HOME `x` $(y) \\z\nEOF\n",
    "a here-document with a variable": b"name=you\ncat <<EOF\nhello $name\nEOF\n",
    "a function": b'greet() { echo "hello $1"; }\ngreet you; greet "all of you"\n',
    "read from a here-string": b'read -r first rest <<< "a b c"\necho "$rest/$first"\n',
    "read from a pipe": b'printf "%s\\n" x y | while read -r line; do echo "<$line>"; done\n',
    "loops and cases": b"for x in 1 2 3; do case $x in 2) echo two;; *) echo other;; esac; done\n",
    "lists": b"true && echo yes || echo no\nfalse && echo yes || echo no\n! false && echo not\n",
    "pipes": b"printf 'b\\na\\n' | sort | tr a-z A-Z\n",
    "stderr": b"echo out\necho err >&2\necho out again\n",
    "substitution": b'echo "it is $(echo so)"\n',
    "bytes": "echo 'naïve “quotes” ☃'\n".encode(),
    "continued": b"echo one \\\n  two\n",
    "quotes": b"echo 'a'\\''b' \"c'd\" $'e\\tf' \\\\\n",
    "nested": b"bash -s <<'E'\necho inner\nexit 3\nE\necho \"then $?\"\n",
    "an error in the middle": b"echo one\nset -e\nfalse\necho two\n",
}


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=POLICY) as served:
        yield served


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, bastion: Bastion) -> Iterator[Client]:
    with mastered(tmp_path_factory.mktemp("agent"), bastion) as client:
        yield client


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Direct:
    return Direct(tmp_path_factory.mktemp("direct"), target)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_an_allowed_script_runs_as_it_does_through_plain_ssh(agent: Client, direct: Direct, script: bytes) -> None:
    """Byte for byte on both streams, and with the same status."""
    done = agent.run("web-1", "bash", "-s", stdin=script)
    plain = direct.run("bash", "-s", stdin=script)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("command", ["bash", "bash -s -- one 'two words'", "bash -s one two", "sh", "sh -s -- one"])
def test_so_it_does_however_the_shell_is_called(agent: Client, direct: Direct, command: str) -> None:
    script = b'echo "$1|$2|$#"\nexit 4\n'
    done, plain = agent.run("web-1", command, stdin=script), direct.run(command, stdin=script)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert done.returncode == 4


def test_the_trail_has_the_script_and_what_ran_of_it(agent: Client, bastion: Bastion) -> None:
    """The client's text, its script, and one printed text that has both; the recording has its marker."""
    script = b"echo  one   two\n"
    agent.run("web-1", "bash -s", stdin=script)
    judged = bastion.audit("command-judged")[-1]
    assert (judged["text"], judged["script"].encode(), judged["effect"]) == (
        "bash -s",
        b"echo  one   two\\x0a",
        "allow",
    )
    assert "echo" in judged["runs"]
    assert "one   two" not in judged["runs"]
    (recording,) = bastion.recordings_folder.rglob(f"{judged['session']}.cast")
    assert "bash -s (allowed by tests)" in recording.read_text()


def test_no_line_of_a_script_is_the_input_of_a_program_in_it(agent: Client) -> None:
    """The one difference to plain ssh: there `cat` would swallow the rest of the script, here it finds the end."""
    done = agent.run("web-1", "bash -s", stdin=b'cat\nread -r line\necho "two<$line>"\n')
    assert (done.returncode, done.stdout) == (0, b"two<>\n")


def started(target: Sshd) -> int:
    return target.log.count("Starting session")


@pytest.mark.parametrize(
    "script",
    [
        "touch {canary}",
        "echo a\ntouch {canary}\n",
        "echo $(touch {canary})",
        "f() {{ touch {canary}; }}; f",
        "cat <<E\n$(touch {canary})\nE\n",
        "echo a > {canary}",
        "t=touch; $t {canary}",
        "$'\\x74ouch' {canary}",
        "bash -s <<'E'\ntouch {canary}\nE\n",
        "echo 'touch {canary}' | bash",
        "eval 'touch {canary}'",
        "echo a\n\\touch {canary}",
        "echo `echo a` `touch {canary}`",
        "trap 'touch {canary}' EXIT",
        "echo (\ntouch {canary}",
        "touch {canary}\n#" + "x" * 8192,
        "echo \x00\ntouch {canary}",
        "echo \u202e\ntouch {canary}",
    ],
)
def test_a_refused_script_runs_nothing(
    agent: Client, bastion: Bastion, target: Sshd, tmp_path: Path, script: str
) -> None:
    """126 and why on one line; no session was begun on the target, and the canary is not there."""
    before, canary = started(target), tmp_path / "canary"
    done = agent.run("web-1", "bash -s", stdin=script.format(canary=canary).encode())
    assert (done.returncode, done.stdout) == (126, b"")
    assert done.stderr.startswith(b"bastion: denied by ")
    assert bastion.audit("command-judged")[-1]["effect"] == "deny"
    assert (started(target), canary.exists()) == (before, False)


def test_a_script_of_8_kib_is_the_longest(agent: Client) -> None:
    head = b"echo hello\n#"
    longest = head + b"x" * (8192 - len(head))
    assert agent.run("web-1", "bash -s", stdin=longest).stdout == b"hello\n"
    done = agent.run("web-1", "bash -s", stdin=longest + b"x")
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"standard input is read whole here, as a script, and is longer than 8192 bytes" in done.stderr


def test_a_flood_is_refused_at_once(client: Maker, bastion: Bastion) -> None:
    """Nobody waits for its end, nor keeps it."""
    before = bastion.resident_bytes()
    process = client().popen("web-1", "bash -s")
    assert process.stdin is not None
    try:
        for _ in range(64):
            process.stdin.write(b"echo hello\n" * 100_000)
    except BrokenPipeError:
        pass  # the client is told, and ends, before all of it is written
    assert process.wait(30) == 126
    process.stdin, rest = None, process.communicate()
    assert b"longer than 8192 bytes" in rest[1]
    assert bastion.resident_bytes() - before < 32 << 20


@pytest.mark.parametrize("command", ["python3 -", "python3", "perl", "bash -s | bash", "cat | sh"])
def test_what_is_no_script_for_a_shell_is_refused_unread(agent: Client, target: Sshd, command: str) -> None:
    before = started(target)
    done = agent.run("web-1", command, stdin=b"echo hello\n")
    assert (done.returncode, done.stdout, started(target)) == (126, b"", before)


@pytest.mark.parametrize(("name", "program"), [("dash", "dash"), ("ash", "busybox")])
def test_where_the_login_shell_is_not_bash(tmp_path: Path, direct: Direct, name: str, program: str) -> None:
    """The login shell only hands the script on: bash reads it as bash, sh as POSIX says. It was asked for before."""
    with asking(tmp_path, name, program, policy=POLICY) as (bastion, client, _):
        for command, script in (
            ("bash -s one", b"x=(a b); [[ $1 == one ]] && echo \"${x[1]} it's\" 'q\"'\nexit 3\n"),
            ("sh -s one", b'cat <<E\nhello $1\nE\nf() { echo "in f"; }\nf\nexit 4\n'),
            ("cd / && bash -s", b"echo a | cat\n"),
        ):
            done, plain = client.run("web-1", command, stdin=script), direct.run(command, stdin=script)
            assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
        done = client.run("web-1", "sh -s", stdin=b"x=(a b)\n")
        assert (done.returncode, done.stdout) == (126, b"")
        assert len(bastion.audit("login-shell-asked")) == 1


# -- with rules that let commands be taken, and on terminals


@contextmanager
def streaming(folder: Path, target: Sshd) -> Iterator[Client]:
    policy = POLICY + '  - {id: stream, effect: allow, commands: ["bash -s"], interactive: true}\n'
    with Bastion(folder / "bastion", [Target.of("web-1", target)], policy=policy) as bastion:
        yield Client(folder / "client", bastion)


def test_a_rule_for_it_streams_as_it_did(target: Sshd, tmp_path: Path) -> None:
    """The answer to one line comes before the next is written."""
    with streaming(tmp_path, target) as client:
        process = client.popen("web-1", "bash -s")
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(b"echo $((%d+1))\n" % number)
            assert process.stdout.readline() == b"%d\n" % (number + 1)
        process.stdin.write(b"exit 5\n")
        assert process.wait(30) == 5
        process.communicate()


def test_on_a_terminal_a_shell_is_refused_as_ever(agent: Client) -> None:
    done = agent.run("-tt", "web-1", "bash -s", stdin=b"echo hello\n")
    assert done.returncode == 126
    assert b"hello" not in done.stdout


# -- other clients, and those that do not go on


def test_paramiko_sends_a_script(client: Maker, bastion: Bastion) -> None:
    """`exec_command`, writing in pieces, and `shutdown_write`."""
    place = ("127.0.0.1", bastion.ssh_port)
    with paramiko_login(client(), bastion, place, DIRECT) as transport, transport.open_session(timeout=30) as channel:
        channel.settimeout(30)
        channel.exec_command("bash -s -- you")
        channel.sendall(b'echo "hello $1"\n')
        channel.sendall(b"exit 6\n")
        channel.shutdown_write()
        out, err = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
        assert (out, err, channel.recv_exit_status()) == (b"hello you\n", b"", 6)


async def test_a_second_request_while_the_script_is_read_is_refused(client: Maker, bastion: Bastion) -> None:
    """Sizes and harmless signals change nothing; the first command goes on to its end."""
    async with jumped(client()) as connection:
        process = await connection.create_process("bash -s")
        process.stdin.write("echo one\n")
        assert not await process.channel._make_request(b"exec", asyncssh.packet.String("echo twice"))
        process.channel.change_terminal_size(100, 30)
        process.stdin.write("echo two\n")
        process.stdin.write_eof()
        done = await process.wait()
    assert (done.stdout, done.exit_status) == ("one\ntwo\n", 0)
    assert bastion.audit("command-judged")[-1]["script"] == "echo one\\x0aecho two\\x0a"


async def test_a_signal_while_it_is_read_ends_it(client: Maker, bastion: Bastion, target: Sshd) -> None:
    """As it would end the shell that reads; told with its command."""
    before, sessions = started(target), len(bastion.audit("session-ended"))
    async with jumped(client()) as connection:
        process = await connection.create_process("bash -s")
        process.stdin.write("echo one\n")
        process.send_signal("INT")
        done = await process.wait()
    assert done.exit_signal is not None
    assert done.exit_signal[0] == "INT"
    judged, ended = bastion.audit("command-judged")[-1], bastion.audit("session-ended")[sessions]
    assert (judged["text"], judged["effect"], judged["rule"]) == ("bash -s", "deny", "unjudged")
    assert (ended["signal"], started(target)) == ("INT", before)


def test_a_client_that_goes_while_it_is_read_ends_it(client: Maker, bastion: Bastion, target: Sshd) -> None:
    """Ctrl-C on the client's side: the connection is gone, nothing has run, and the trail has it."""
    before, sessions = started(target), len(bastion.audit("session-ended"))
    recordings = len(bastion.recordings())
    process = client().popen("web-1", "bash -s")
    assert process.stdin is not None
    process.stdin.write(b"echo one\n")
    assert until(lambda: len(bastion.recordings()) > recordings)
    process.terminate()
    process.wait(30)
    process.communicate()
    assert until(lambda: len(bastion.audit("session-ended")) > sessions)
    assert bastion.audit("session-ended")[sessions]["reason"] == "the client closed the channel"
    assert bastion.audit("command-judged")[-1]["rule"] == "unjudged"
    assert started(target) == before


async def test_many_that_never_end_hold_up_nobody(client: Maker) -> None:
    """Channels that wait for a script cost the others nothing."""
    made = client()
    async with jumped(made) as connection:
        waiting = [await connection.create_process("bash -s") for _ in range(5)]
        begun = time.monotonic()
        done = await asyncio.wait_for(connection.run("echo hello"), 10)
        assert (done.stdout, time.monotonic() - begun < 10) == ("hello\n", True)
        for process in waiting:
            process.stdin.write_eof()
        assert [(await process.wait()).exit_status for process in waiting] == [0] * 5
