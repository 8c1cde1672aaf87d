"""A gated shell with stock ssh, a real sshd and real shells: what is judged runs, and nothing else that is typed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.terminal import Terminal
from tests.system.test_login_shell import with_shell

FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # looked into, not written to
SHELLS = {"bash": "bash", "dash": "dash", "ash": "busybox"}
POLICY = """\
version: 1
rules:
  - {id: shell, effect: allow, who: {groups: [agents]}, shell: gated}
  - id: tests
    effect: allow
    who: {groups: [agents]}
    dynamic: true
    commands: ["echo **", "cd **", "pwd", "sleep *", "cat **", "true", "false", "jobs", "fg", "bg", "wait", "test **",
               "ls **", "stty **", "printf **", "read **", "sort **"]
  - {id: by-hand, effect: allow, commands: ["fg **", "bg **", "jobs **", "python3 -q"], interactive: true}
"""


class Shell(Terminal):
    """A person at the prompt. The prompt ends with `$ ` or `# `."""

    prompts = re.compile(rb"[$#] \x1b\[\?2004h")

    def ready(self) -> bytes:
        """What came until the next prompt, without what the editor shows."""
        start = getattr(self, "_matched", 0)
        until(lambda: self.look(0.05) and self.prompts.search(self.seen, start), seconds=20)
        found = self.prompts.search(self.seen, start)
        assert found is not None
        self._matched = found.end()
        return self.seen[start : found.start()]

    def interrupted(self) -> None:
        """Ctrl-C, again as a person would, until the prompt is back: a key can come before the program is in front."""
        start = getattr(self, "_matched", 0)
        for _ in range(20):
            self.type(b"\x03")
            self.look(0.4)
            if self.prompts.search(self.seen, start):
                break
        self.ready()
        self.look(0.3)
        found = list(self.prompts.finditer(self.seen))
        self._matched = found[-1].end()

    def run(self, line: str) -> bytes:
        """Type a line; what came until the next prompt."""
        self.type(line.encode() + b"\r")
        return self.ready()


@pytest.fixture(scope="module", params=SHELLS, ids=list(SHELLS))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Bastion, Client, Sshd]]:
    """A bastion before a target whose account has this login shell."""
    folder = tmp_path_factory.mktemp(request.param)
    with serving(folder, request.param) as made:
        yield made


@contextmanager
def serving(folder: Path, name: str) -> Iterator[tuple[Bastion, Client, Sshd]]:
    with with_shell(folder / "target", name, SHELLS[name]) as sshd:
        target = Target("web-1", sshd.host, sshd.port, sshd.host_key, sshd.key, shell=name)
        with Bastion(folder / "bastion", [target], policy=POLICY) as bastion:
            yield bastion, Client(folder / "client", bastion), sshd


@pytest.fixture
def shell(served: tuple[Bastion, Client, Sshd]) -> Iterator[Shell]:
    _, client, _ = served
    with Shell(client.command("-tt", "-q", "web-1")) as made:
        made.ready()
        yield made


def test_lines_run_in_one_shell(shell: Shell) -> None:
    """Directory, variables, functions and the status of the last command are those of one shell."""
    assert b"hello\r\n" in shell.run("echo hello")
    shell.run("cd /usr/share")
    assert b"/usr/share\r\n" in shell.run("pwd")
    shell.run("x=5; f() { echo in $x $1; }")
    assert b"in 5 there\r\n" in shell.run("f there") or b"denied" in shell.seen
    shell.run("false")
    assert b"status 1\r\n" in shell.run("echo status $?")


def test_what_is_refused_runs_nothing_and_says_why(shell: Shell, tmp_path: Path) -> None:
    """One line with the rule, then one with what is allowed; `$?` is 126."""
    said = shell.run(f"touch {tmp_path}/canary")
    assert b"bastion: denied by default: no rule allows touch" in said
    assert b"status 126\r\n" in shell.run("echo status $?")
    assert not (tmp_path / "canary").exists()


def test_what_is_typed_while_a_program_runs_is_no_command(shell: Shell, tmp_path: Path) -> None:
    """It is the program's, or the next one's, input."""
    shell.type(b"sleep 1\r")
    shell.look(0.4)
    shell.type(f"touch {tmp_path}/canary\n".encode())
    shell.ready()
    assert b"got touch" in shell.run("read line; echo got $line")
    assert not (tmp_path / "canary").exists()


def test_ctrl_c_ends_a_program_and_a_loop(shell: Shell) -> None:
    """The shell stays."""
    for line in ("sleep 60", "while true; do sleep 1; done"):
        shell.type(line.encode() + b"\r")
        shell.look(0.5)
        shell.interrupted()
    assert b"still here\r\n" in shell.run("echo still here")


def test_jobs(shell: Shell) -> None:
    """Ctrl-Z stops a program, `fg` goes on with it."""
    shell.type(b"sleep 60\r")
    shell.look(0.5)
    shell.type(b"\x1a")
    shell.ready()
    assert b"sleep" in shell.run("jobs")
    shell.type(b"fg\r")
    shell.look(0.5)
    shell.interrupted()
    assert b"still here\r\n" in shell.run("echo still here")


def test_an_error_of_the_shell_itself_comes_back_to_the_prompt(shell: Shell) -> None:
    """A failed builtin, a division by zero, an unknown program: some shells throw away what they have read then."""
    for line in ("cd /nowhere/at/all", "echo $((1/0))", "cat < /nowhere", "read -r x"):
        shell.type(line.encode() + b"\r")
        shell.look(0.3)
        shell.type(b"\x03" if line.startswith("read") else b"")
        shell.ready()
    assert b"still here\r\n" in shell.run("echo still here")


def test_the_status_of_the_shell_is_the_sessions(served: tuple[Bastion, Client, Sshd]) -> None:
    """`exit 3`, and Ctrl-D after a command that failed."""
    _, client, _ = served
    for keys, status in ((b"exit 3\r", 3), (b"false\r\x04", 1), (b"\x04", 0)):
        with Shell(client.command("-tt", "-q", "web-1")) as shell:
            shell.ready()
            shell.type(keys)
            assert shell.finish() == status, shell.seen


def test_each_line_is_told(served: tuple[Bastion, Client, Sshd]) -> None:
    """In the audit trail with verdict, number, directory and status; in the recording as a marker."""
    bastion, client, _ = served
    with Shell(client.command("-tt", "-q", "web-1")) as shell:
        shell.ready()
        shell.run("cd /usr")
        shell.run("false")
        shell.run("reboot")
        shell.type(b"exit\r")
        shell.finish()
    opened = bastion.audit("command-judged")
    session = [event for event in opened if event["request"] == "shell"][-1]["session"]
    lines = [event for event in opened if event["session"] == session and event["request"] == "line"]
    assert [(line["number"], line["text"], line["effect"]) for line in lines] == [
        (2, "cd /usr", "allow"),
        (3, "false", "allow"),
        (4, "reboot", "deny"),
        (5, "exit", "allow"),
    ]
    ended = [event for event in bastion.audit("line-ended") if event["session"] == session]
    assert [(event["number"], event.get("status"), event["directory"]) for event in ended] == [
        (2, 0, "/usr"),
        (3, 1, "/usr"),
        (5, None, "/usr"),
    ]
    (recording,) = bastion.folder.rglob(f"{session}.cast")
    marks = [json.loads(line)[2] for line in recording.read_text().splitlines()[1:] if '"m"' in line]
    assert [mark.split(" (")[0] for mark in marks][-4:] == ["cd /usr", "false", "reboot", "exit"]


def test_nothing_is_left_behind(served: tuple[Bastion, Client, Sshd]) -> None:
    """Not the FIFO, not its folder, and no process, also when the connection is cut."""
    _, client, _ = served
    before = left()
    with Shell(client.command("-tt", "-q", "web-1")) as shell:
        shell.ready()
        shell.type(b"sleep 987\r")
        shell.look(0.5)
        assert running("sleep 987")
        shell.process.kill()
    assert until(lambda: not running("sleep 987") and not running("__bastion"))
    assert not left() - before


def left() -> set[Path]:
    """Folders of FIFOs, wherever one may be."""
    return {found for folder in FOLDERS for found in Path(folder).glob(".bastion-*")}


def running(text: str) -> bool:
    """Whether a process has this text among its arguments."""
    wanted = text.encode().replace(b" ", b"\0")
    for found in Path("/proc").iterdir():
        try:
            if found.name.isdigit() and wanted in (found / "cmdline").read_bytes():
                return True
        except OSError:
            continue  # it ended meanwhile
    return False
