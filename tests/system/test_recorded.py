"""Recordings of real sessions: a file a channel, its header, markers, sizes and output; and asciinema plays them."""

from __future__ import annotations

import asyncio
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.asciicast.reader import Event, Header, read
from tests.system.asyncssh_client import jumped
from tests.system.harness.bastion import ISSUER, Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.oracle import Programs
from tests.system.terminal import Terminal


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=programs.policy) as served:
        yield served


def recording(path: Path) -> tuple[Header, list[Event]]:
    with path.open("rb") as lines:
        header, events = read(lines)
        return header, list(events)


def newest(bastion: Bastion) -> Path:
    """The recording that the last session's end names in the trail."""
    return bastion.recordings_folder / str(bastion.audit("session-ended")[-1]["recording"])


def shown(events: list[Event]) -> str:
    return "".join(event.data for event in events if event.code == "o")


def played(path: Path) -> bytes:
    """What `asciinema play` writes to a terminal (which is raw, so that it comes out as it is)."""
    command = f"stty raw -echo; exec asciinema play -i 0.01 {shlex.quote(str(path))}"
    with Terminal(["sh", "-c", command], environment={"LC_ALL": "C.UTF-8"}) as terminal:
        assert terminal.finish() == 0, terminal.seen
    return terminal.seen


def test_a_command(client: Maker, bastion: Bastion) -> None:
    """The header tells who, where and what; a marker has the verdict; the output is there; the file is closed."""
    assert client().run("web-1", "echo  'recorded  words'").returncode == 0
    path = newest(bastion)
    header, events = recording(path)
    ended, login = bastion.audit("session-ended")[-1], bastion.audit("login-accepted")[-1]
    assert dict(header.bastion) == {
        "session": ended["session"],
        "connection": login["connection"],
        "tenant": "acme",
        "identity": "agent-1",
        "issuer": ISSUER,
        "subject": "agent-1",
        "target": "web-1",
        "account": ACCOUNT,
        "kind": "exec",
        "command": "echo  'recorded  words'",
        "source": login["source"],
        "principals": '["agent-1"]',
        "groups": '["agents"]',
        "claims": "{}",
        "labels": '{"env":"test"}',
    }
    assert (header.width, header.height) == (80, 24)
    assert path.name == f"{ended['session']}.cast"
    assert [event.data for event in events if event.code == "m"] == ["echo  'recorded  words' (allowed by tests)"]
    assert shown(events) == "recorded  words\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert path.stat().st_size == ended["size"]


def test_a_terminal(client: Maker, bastion: Bastion, programs: Programs) -> None:
    """Size and TERM are in the header, each window change is an event, all in the order in which it was shown."""
    command = client().command("-tt", "-q", "web-1", programs / "sizes")
    with Terminal(command, columns=100, rows=40, environment={"TERM": "vt100"}) as terminal:
        terminal.wait_for(b"size 100x40\r\n")
        terminal.resize(120, 50)
        terminal.wait_for(b"size 120x50\r\n")
        terminal.type(b"\r")
        assert terminal.finish() == 0
    header, events = recording(newest(bastion))
    assert (header.width, header.height, header.env["TERM"]) == (100, 40, "vt100")
    seen = [(event.code, event.data) for event in events if event.data and event.code != "m"]
    assert seen[:3] == [("o", "size 100x40\r\n"), ("r", "120x50"), ("o", "size 120x50\r\n")]
    assert shown(events).encode() == terminal.seen


def test_a_refusal(client: Maker, bastion: Bastion) -> None:
    """What was refused is recorded as well, as the client saw it."""
    done = client().run("web-1", "uname -a $x; source y")
    assert done.returncode == 126
    header, events = recording(newest(bastion))
    assert header.bastion["command"] == "uname -a $x; source y"
    assert [event.data for event in events if event.code == "m"] == ["denied by undecidable"]
    assert shown(events).encode() == done.stderr.replace(b"\n", b"\r\n")


def test_both_streams(client: Maker, bastion: Bastion) -> None:
    """stderr is recorded as stdout is; bytes that are no text do not break the file."""
    done = client().run("web-1", "cat /etc/hostname /nowhere")
    assert done.returncode == 1
    _, events = recording(newest(bastion))
    assert sorted(shown(events).encode().splitlines()) == sorted((done.stdout + done.stderr).splitlines())


def test_what_is_typed_is_not_recorded(client: Maker, bastion: Bastion) -> None:
    """Input may hold passwords: a recording has none of it."""
    assert client().run("web-1", "sha256sum", stdin=b"a typed secret").returncode == 0
    assert b"typed secret" not in newest(bastion).read_bytes()
    assert "typed secret" not in str(bastion.audit())


async def test_two_channels_are_two_recordings(client: Maker, bastion: Bastion) -> None:
    """Each has its own output and nothing of the other's."""
    before = set(bastion.recordings())
    async with jumped(client()) as connection:
        await asyncio.gather(connection.run("echo first"), connection.run("echo second"))
    made = set(bastion.recordings()) - before
    assert sorted(shown(recording(path)[1]) for path in made) == ["first\r\n", "second\r\n"]
    assert len({recording(path)[0].bastion["connection"] for path in made}) == 1


def test_asciinema_plays_a_real_session(client: Maker, bastion: Bastion, tmp_path: Path) -> None:
    """`asciinema play` shows what the terminal showed, colours and wide characters with it."""
    text = "\x1b[31mred\x1b[0m Grüße 🎉\n"
    (tmp_path / "colours").write_text(text)
    with Terminal(client().command("-tt", "-q", "web-1", "cat", str(tmp_path / "colours"))) as terminal:
        assert terminal.finish() == 0
    assert terminal.seen == text.replace("\n", "\r\n").encode()
    assert terminal.seen in played(newest(bastion))


def test_no_recording_no_session(tmp_path: Path, target: Sshd, programs: Programs) -> None:
    """Where no recording can be made, 254 and one line; the target is not asked."""
    made = Bastion(tmp_path / "bastion", [Target.of("web-1", target)], policy=programs.policy)
    (made.recordings_folder / "acme").write_text("in the way")
    seen = target.connections
    with made as bastion:
        done = Client(tmp_path / "client", bastion).run("web-1", "true")
    assert (done.returncode, done.stdout) == (254, b"")
    assert done.stderr.startswith(b"bastion: the session can not be recorded, so it is ended [")
    assert done.stderr.count(b"\n") == 1
    assert target.connections == seen
