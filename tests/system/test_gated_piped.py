"""A gated shell without a terminal: `ssh web-1 < script` runs as plain ssh runs it, one judged command after the other,
with real shells behind a real sshd."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.client import AGENT, Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.piped_scripts import (
    IN_BASH,
    POLICY,
    REFUSED,
    RUNS_IN_A_PLAIN_SHELL,
    SCRIPTS,
    SHELLS,
    Served,
    Talk,
    serving,
)
from tests.system.test_other_clients import DIRECT, paramiko_login


@pytest.fixture(scope="module", params=SHELLS, ids=list(SHELLS))
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def told(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_a_script_runs_as_it_does_through_plain_ssh(served: Served, tmp_path: Path, script: bytes) -> None:
    """Byte for byte on both streams, and with the same end."""
    script = script.replace(b"{folder}", str(tmp_path).encode())
    assert told(served.client.run("-T", "web-1", stdin=script)) == told(served.direct.run("-T", stdin=script))


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("bash"), "bash") as made:
        yield made


@pytest.mark.parametrize("script", IN_BASH.values(), ids=list(IN_BASH))
def test_in_bash_also_what_the_shell_itself_says(bash: Served, script: bytes) -> None:
    assert told(bash.client.run("-T", "web-1", stdin=script)) == told(bash.direct.run("-T", stdin=script))


# -- a client that waits for answers


def test_the_answer_to_one_command_comes_before_the_next_is_written(served: Served) -> None:
    """One shell: its directory, its variables and its status go on."""
    talk = Talk(served.client)
    for text, answer in ((b"cd /usr; pwd\n", b"/usr\n"), (b"x=5\npwd\n", b"/usr\n"), (b"echo $x\n", b"5\n")):
        talk.say(text)
        assert talk.hear() == answer
    talk.say(b"if true\n")
    talk.say(b"then echo whole\n")
    talk.say(b"fi\n")
    assert talk.hear() == b"whole\n"
    talk.say(b"cat <<E\none\n")
    talk.say(b"E\necho two")
    assert talk.hear() == b"one\n"
    talk.say(b"\nexit 7\n")
    assert talk.end() == (7, b"two\n", b"")


def test_a_command_is_whole_however_its_bytes_come(served: Served) -> None:
    talk = Talk(served.client)
    for byte in "echo 'ä☃'; greet() {\necho in\n}\ngreet\n".encode():
        talk.say(bytes([byte]))
    assert (talk.hear(), talk.hear()) == ("ä☃\n".encode(), b"in\n")
    assert talk.end() == (0, b"", b"")


def test_paramiko_talks_to_a_shell(served: Served) -> None:
    """`invoke_shell` on a channel without a terminal, and the status at the end."""
    place = ("127.0.0.1", served.bastion.ssh_port)
    with paramiko_login(served.client, served.bastion, place, DIRECT) as transport, transport.open_session() as channel:
        channel.settimeout(30)
        channel.invoke_shell()
        lines = channel.makefile("rb")
        for number in range(3):
            channel.sendall(b"echo answer %d\n" % number)
            assert lines.readline() == b"answer %d\n" % number
        channel.sendall(b"echo err >&2\nfalse\n")
        channel.shutdown_write()
        assert (lines.read(), channel.makefile_stderr("rb").read()) == (b"", b"err\n")
        assert channel.recv_exit_status() == 1


def test_two_shells_at_once_are_two_shells(served: Served) -> None:
    one, other = Talk(served.client), Talk(served.client)
    one.say(b"x=one; cd /usr\necho $x\n")
    other.say(b"x=other; cd /\necho $x\n")
    assert (one.hear(), other.hear()) == (b"one\n", b"other\n")
    for talk, answer in ((one, b"one /usr\n"), (other, b"other /\n")):
        talk.say(b'echo "$x $PWD"\n')
        assert talk.hear() == answer
        assert talk.end() == (0, b"", b"")


# -- what is refused


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_that_is_refused_runs(served: Served, tmp_path: Path, name: str) -> None:
    """The shell ends with 126 and why, and the canary is not there; through plain ssh it is."""
    canary = tmp_path / "canary"
    (tmp_path / "script").write_text(f"touch {canary}\n")
    script = REFUSED[name].replace(b"{canary}", str(canary).encode()).replace(b"{folder}", str(tmp_path).encode())
    done = served.client.run("-T", "web-1", stdin=script)
    assert not canary.exists()
    assert done.returncode == 126
    assert b"bastion: denied by " in done.stderr
    if name in RUNS_IN_A_PLAIN_SHELL and served.shell == "bash":
        served.direct.run("-T", stdin=script)
        assert canary.exists()


def test_a_refusal_in_the_middle_ends_the_shell(served: Served, tmp_path: Path) -> None:
    """What came before has run, nothing behind it does; traps on EXIT run, one line says why and one what to do."""
    script = f"trap 'echo bye' EXIT\necho before\ntouch {tmp_path}/canary\necho behind\nexit 3\n".encode()
    done = served.client.run("-T", "web-1", stdin=script)
    assert (done.returncode, done.stdout) == (126, b"before\nbye\n")
    first, second = done.stderr.decode().splitlines()
    assert first.startswith("bastion: denied by never: it is kept [")
    assert second.startswith("bastion: ")
    assert not (tmp_path / "canary").exists()
    ended = served.bastion.audit("session-ended")[-1]
    assert (ended["reason"], ended["status"]) == ("denied", 126)


def test_a_client_that_waits_is_told_at_once(served: Served) -> None:
    talk = Talk(served.client)
    talk.say(b"echo on\n")
    assert talk.hear() == b"on\n"
    talk.say(b"touch x\n")
    assert talk.process.wait(30) == 126
    _, out, err = talk.end()
    assert (out, err.startswith(b"bastion: denied by never")) == (b"", True)


def test_no_command_eats_the_next_ones(served: Served) -> None:
    """The one difference to plain ssh: there `cat` would swallow the rest of the script, here it finds the end."""
    done = served.client.run("-T", "web-1", stdin=b'cat\nread -r line\necho "<$line>"\n')
    assert told(done) == (0, b"<>\n", b"")


def test_a_file_for_the_shell_to_read_ends_with_its_line(served: Served, tmp_path: Path) -> None:
    """In a plain shell its lines would be the next commands."""
    (tmp_path / "script").write_text("echo from the file\n")
    done = served.client.run("-T", "web-1", stdin=f"exec < {tmp_path}/script\necho on\n".encode())
    assert told(done) == (0, b"on\n", b"")


def test_a_flood_waits_with_the_client(served: Served) -> None:
    """What can not be run yet is not read: the bastion keeps no more than some of it."""
    before = served.bastion.resident_bytes()
    process = served.client.popen("-T", "web-1")
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    sent = 0
    while sent < 64 << 20 and select.select([], [process.stdin], [], 2)[1]:
        sent += process.stdin.write(b"sleep 60\n" * 8192) or 0
    assert sent < 16 << 20
    assert served.bastion.resident_bytes() - before < 32 << 20
    process.kill()
    process.communicate()


# -- what is told of it


def test_the_trail_and_the_recording_have_each_command(served: Served) -> None:
    """Its number, its directory and its end; a marker a command."""
    served.client.run("-T", "web-1", stdin=b"cd /usr\n\n# nothing\nfalse\ntouch x\n")
    judged = served.bastion.audit("command-judged")[-3:]
    assert [(e["request"], e["number"], e["text"], e["effect"]) for e in judged] == [
        ("line", 1, "cd /usr", "allow"),
        ("line", 2, "false", "allow"),
        ("line", 3, "touch x", "deny"),
    ]
    assert [e["directory"] for e in judged[1:]] == ["/usr", "/usr"]
    ended = [e for e in served.bastion.audit("line-ended") if e["session"] == judged[0]["session"]]
    assert [(e["number"], e["status"], e["directory"]) for e in ended] == [(1, 0, "/usr"), (2, 1, "/usr")]
    (recording,) = served.bastion.recordings_folder.rglob(f"{judged[0]['session']}.cast")
    text = recording.read_text()
    assert [text.count(f"{command} (") for command in ("cd /usr", "false", "touch x")] == [1, 1, 1]
    assert "7777" not in text


def test_what_reads_the_shells_own_input_gets_no_command_to_run(served: Served, tmp_path: Path) -> None:
    """A unit of which a part was lost runs nothing; the one after it is refused as ever."""
    canary = tmp_path / "canary"
    talk = Talk(served.client)
    talk.say(f"(read -r x <&10; echo $x) &\necho '; touch {canary}; '\ntouch {canary}\n".encode())
    assert until(lambda: "echo '; touch" in served.bastion.audit("command-judged")[-1]["text"] or talk.process.poll())
    with contextlib.suppress(BrokenPipeError):  # where the shell has no such descriptor, it has ended by then
        talk.say(f"touch {canary}\n".encode())
    talk.process.kill()
    talk.end()
    assert not canary.exists()


# -- with sshd as it comes


@pytest.fixture
def plain(tmp_path: Path, target: Sshd) -> Iterator[tuple[Bastion, Client]]:
    policy = POLICY.replace("{folder}", str(tmp_path))
    made = Target("web-1", target.host, target.port, target.host_key, target.key, shell="bash")
    bastion = Bastion(tmp_path / "bastion", [made], policy=policy)
    bastion.settings["drain"] = "1s"
    with bastion:
        yield bastion, Client(tmp_path / "client", bastion)


def test_nothing_is_left_of_a_client_that_was_killed(plain: tuple[Bastion, Client]) -> None:
    """Its shell ends as soon as what it ran has, and nothing of what waited is run."""
    bastion, client = plain
    talk = Talk(client)
    talk.say(b"echo $$\nsleep 2\nsleep 61\n")
    pid = int(talk.hear())
    assert until(lambda: bastion.audit("command-judged")[-1]["text"] == "sleep 2")
    talk.process.kill()
    talk.end()
    assert until(lambda: not Path(f"/proc/{pid}").exists())
    assert bastion.audit("session-ended")[-1]["reason"] == "the client closed the channel"
    assert bastion.audit("command-judged")[-1]["text"] == "sleep 2"


def test_a_revoked_session_is_told_why(plain: tuple[Bastion, Client]) -> None:
    """In the middle of a command."""
    bastion, client = plain
    talk = Talk(client)
    talk.say(b"sleep 2\n")
    assert until(lambda: "sleep 2" in [e["text"] for e in bastion.audit("command-judged")])
    file = bastion.folder / "state" / "revocations" / "revocations.jsonl"
    command = [sys.executable, "-m", "bastion", "ca", "revoke", "--file", str(file), "--tenant", TENANT]
    words = ["--reason", "laptop lost", "--identity", AGENT.name]
    subprocess.run([*command, *words], check=True, capture_output=True)
    status, out, err = talk.end()
    assert (status, out) == (255, b"")
    assert err.startswith(b"bastion: session ended: laptop lost [")


def test_a_bastion_that_stops_says_so(plain: tuple[Bastion, Client]) -> None:
    bastion, client = plain
    talk = Talk(client)
    talk.say(b"echo on\n")
    assert talk.hear() == b"on\n"
    bastion.send_signal(signal.SIGTERM)
    assert talk.process.wait(30) == 255
    _, out, err = talk.end()
    notice, last = err.splitlines()[:2]
    assert (out, notice) == (b"", b"bastion: the bastion is stopping; this session ends in 1 s")
    assert last.startswith(b"bastion: session ended: ")
