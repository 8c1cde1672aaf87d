"""A pseudo-terminal through the jump is what it is through plain ssh: size, modes, TERM, keys, window changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Maker
from tests.system.harness.sshd import Sshd
from tests.system.oracle import Direct, Programs
from tests.system.terminal import Terminal


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=programs.policy) as served:
        yield served


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Direct:
    return Direct(tmp_path_factory.mktemp("direct"), target)


@pytest.mark.parametrize(
    "before",
    ["stty sane", "stty -echo -icanon -isig min 3 time 2", "stty intr ^X erase ^H -ixon -opost iutf8", "stty raw"],
)
@pytest.mark.parametrize("size", [(80, 24), (231, 7)])
def test_size_and_modes_are_those_of_the_local_terminal(
    client: Maker, direct: Direct, before: str, size: tuple[int, int]
) -> None:
    """`stty -a` there says the same through the bastion as through plain ssh, whatever the terminal's state."""

    def told(command: list[str]) -> bytes:
        script = f'{before}; "$@"; status=$?; stty sane; exit $status'
        with Terminal(["sh", "-c", script, "sh", *command], columns=size[0], rows=size[1]) as terminal:
            assert terminal.finish() == 0, terminal.seen
            return terminal.seen

    through = told(client().command("-tt", "-q", "web-1", "stty", "-a"))
    assert f"rows {size[1]}; columns {size[0]}".encode() in through
    assert through == told(direct.command("-tt", "-q", "stty", "-a"))


@pytest.mark.parametrize("term", ["vt100", "xterm-256color", "tmux-256color"])
def test_term(client: Maker, term: str) -> None:
    """TERM is the client's."""
    with Terminal(client().command("-tt", "-q", "web-1", "printenv", "TERM"), environment={"TERM": term}) as terminal:
        assert terminal.finish() == 0
    assert terminal.seen == term.encode() + b"\r\n"


def test_a_terminal_is_there_only_when_it_is_asked_for(client: Maker) -> None:
    """-t makes one, -T none; a command without one is told `not a tty`."""
    made = client()
    with Terminal(made.command("-t", "-q", "web-1", "tty")) as terminal:
        assert terminal.finish() == 0
    assert terminal.seen.startswith(b"/dev/pts/")
    done = made.run("-T", "web-1", "tty")
    assert (done.returncode, done.stdout) == (1, b"not a tty\n")


def test_window_changes(client: Maker, programs: Programs) -> None:
    """Each change of the local window arrives, in order (RFC 4254, section 6.7)."""
    with Terminal(client().command("-tt", "-q", "web-1", programs / "sizes"), columns=80, rows=24) as terminal:
        terminal.wait_for(b"size 80x24\r\n")
        for columns, rows in ((100, 40), (20, 5), (500, 200)):
            terminal.resize(columns, rows)
            terminal.wait_for(b"size %dx%d\r\n" % (columns, rows))
        terminal.type(b"\r")
        assert terminal.finish() == 0


def test_ctrl_c_ends_the_command_on_the_target(client: Maker, direct: Direct, programs: Programs) -> None:
    """The key goes through the target's terminal, and the end is told as plain ssh tells it."""

    def interrupted(command: list[str]) -> tuple[int, bytes]:
        with Terminal(command) as terminal:
            terminal.wait_for(b"ready\r\n")
            terminal.type(b"line\r")
            terminal.wait_for(b"line\r\nline\r\n")
            terminal.type(b"\x03")
            return terminal.finish(), terminal.seen

    through = interrupted(client().command("-tt", "-q", "web-1", programs / "ready", "cat"))
    assert through == interrupted(direct.command("-tt", "-q", programs / "ready", "cat"))
    assert through[1] == b"ready\r\nline\r\nline\r\n^C"


def test_ctrl_c_ends_a_sleep(client: Maker, bastion: Bastion, programs: Programs) -> None:
    """A program that handles the interrupt exits with its own 130, and ssh with it; the trail has it too."""
    before = len(bastion.audit("session-ended"))
    with Terminal(client().command("-tt", "-q", "web-1", programs / "sleeps")) as terminal:
        terminal.wait_for(b"asleep\r\n")
        terminal.type(b"\x03")
        assert terminal.finish() == 130
    assert bastion.audit("session-ended")[before]["status"] == 130


def test_end_of_file_key(client: Maker, programs: Programs) -> None:
    """Ctrl-D at the begin of a line ends the input of the program, not the session."""
    with Terminal(client().command("-tt", "-q", "web-1", programs / "ready", "wc", "-l")) as terminal:
        terminal.wait_for(b"ready\r\n")
        terminal.type(b"one\rtwo\r")
        terminal.wait_for(b"two\r\n")
        terminal.type(b"\x04")
        assert terminal.finish() == 0
    assert terminal.seen.endswith(b"2\r\n")


def test_a_refusal_in_a_terminal(client: Maker) -> None:
    """126 and whole lines, each at the terminal's left edge."""
    with Terminal(client().command("-tt", "-q", "web-1", "uname; $SHELL")) as terminal:
        assert terminal.finish() == 126
    assert terminal.seen.startswith(b"bastion: denied by undecidable: ")
    assert terminal.seen.count(b"\n") == terminal.seen.count(b"\r\n") == 2


def test_eight_bits_pass_a_raw_terminal(client: Maker, programs: Programs) -> None:
    """Every byte typed in a raw terminal comes back as it was, but for ssh's own escape character."""
    sent = bytes(value for value in range(256) if value != ord("~"))
    script = 'stty raw -echo; "$@"'
    command = client().command("-tt", "-q", "web-1", programs / "ready", "head", "-c", str(len(sent)))
    with Terminal(["sh", "-c", script, "sh", *command]) as terminal:
        terminal.wait_for(b"ready\n")
        terminal.type(sent)
        assert terminal.finish() == 0
    assert terminal.seen == b"ready\n" + sent
