"""Law 3, end to end: without a recording, an audit trail or a target nothing runs and nothing more is shown.

Disks are filled by a limit on the size of files (RLIMIT_FSIZE, set on the running process), which needs no root.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.asciicast.reader import read
from bastion.audit.chain import verify
from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.client import GOOD, Client, Maker
from tests.system.harness.raw import log_in
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until


@pytest.fixture
def bastion(tmp_path: Path, target: Sshd) -> Iterator[Bastion]:
    """One for each test: they break it."""
    served = Bastion(tmp_path / "b", [Target.of("web-1", target)])
    served.start()
    yield served
    served.kill()


def trail(bastion: Bastion) -> Path:
    return bastion.folder / "state" / "audit.jsonl"


@contextlib.contextmanager
def full_at(bastion: Bastion, size: int) -> Iterator[None]:
    """No file of the bastion's grows beyond `size` bytes."""
    before = resource.prlimit(bastion.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(bastion.pid, resource.RLIMIT_FSIZE, before)


def refused(user: Client) -> subprocess.CompletedProcess[bytes] | None:
    done = user.run("web-1", "true")
    return done if done.returncode else None


def test_what_can_not_be_recorded_does_not_run(bastion: Bastion, client: Maker, target: Sshd, tmp_path: Path) -> None:
    """254, one line that says why, and the target was not even asked."""
    touched, opened = tmp_path / "touched", target.accepted
    (bastion.recordings_folder / TENANT).write_text("a file where the folder should be")
    done = client().run("web-1", "sh", "-c", f"touch {touched}")
    assert (done.returncode, done.stdout) == (254, b"")
    assert b"bastion: the session can not be recorded, so it is ended [" in done.stderr
    assert not touched.exists()
    assert target.accepted == opened
    (bastion.recordings_folder / TENANT).unlink()
    assert client().run("web-1", "echo again").stdout == b"again\n"


def test_output_that_can_not_be_recorded_is_not_shown(bastion: Bastion, client: Maker, tmp_path: Path) -> None:
    """The disk fills in the middle of a command's output: what is shown is what is on disk, and then 254."""
    big = tmp_path / "big"
    big.write_bytes(b"0123456789abcde\n" * (1 << 19))
    limit = max(path.stat().st_size for path in trail(bastion).parent.iterdir()) + (1 << 20)  # the store's are larger
    with full_at(bastion, limit):
        done = client().run("web-1", "cat", str(big))
        assert done.returncode == 254
        assert len(done.stdout) < limit
        [recording] = bastion.recordings()
        _, lines = read(recording.read_bytes()[: recording.read_bytes().rindex(b"\n") + 1].splitlines(keepends=True))
        recorded = "".join(line.data for line in lines if line.code == "o").encode()
        assert recorded.replace(b"\r\n", b"\n").startswith(done.stdout)
    assert client().run("web-1", "echo again").stdout == b"again\n"
    ended = bastion.wait_audit(lambda event: event["kind"] == "session-ended" and event.get("status") == 254)
    assert "recording" in ended["reason"]


def test_what_the_store_can_not_be_told_of_does_not_run(bastion: Bastion, client: Maker, tmp_path: Path) -> None:
    """254 and a reason; and all is well when it can be written again."""
    touched = tmp_path / "touched"
    assert client().run("web-1", "echo once").returncode == 0
    with full_at(bastion, trail(bastion).stat().st_size + 65536):
        done = client().run("web-1", "sh", "-c", f"touch {touched}")
        assert (done.returncode, done.stdout) == (254, b"")
        assert b"the store can not be used" in done.stderr
    assert not touched.exists()
    assert client().run("web-1", "echo again").stdout == b"again\n"


async def test_without_an_audit_trail_nobody_is_let_in_and_nothing_runs(
    bastion: Bastion, client: Maker, target: Sshd
) -> None:
    """It is told why; those who are in can do nothing either; and after a restart all is well and the chain whole."""
    user = client()
    inside = await log_in(bastion, user, "root%web-1")
    with user.popen("web-1", "cat") as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(b"begun\n")
        assert session.stdout.readline() == b"begun\n"
        opened = target.accepted
        with full_at(bastion, trail(bastion).stat().st_size):
            done = user.run("web-1", "echo x")
            assert (done.returncode, done.stdout) == (255, b"")
            assert b"can not write its audit trail" in done.stderr
            answer = await inside.run("echo x", check=False)
            assert (answer.exit_status, answer.stdout) == (254, "")
            session.stdin.close()
            assert session.wait(10) == 254  # its end could not be told
    assert target.accepted == opened
    inside.abort()
    done = user.run("web-1", "echo x")
    assert done.returncode == 255, "a trail that has failed once stays closed until the cause is looked at"
    assert "audit" in bastion.log
    assert bastion.stop() == 1
    bastion.start()
    assert Client(user.folder.parent / "new", bastion).run("web-1", "echo again").stdout == b"again\n"
    verify(trail(bastion).read_bytes().splitlines(keepends=True))


@pytest.mark.parametrize("change", ["cut", "replaced", "removed"])
def test_a_trail_that_someone_changes_lets_nobody_in(bastion: Bastion, client: Maker, change: str) -> None:
    assert client().run("web-1", "true").returncode == 0
    path = trail(bastion)
    match change:
        case "cut":
            with path.open("rb+") as file:
                file.truncate(10)
        case "replaced":
            path.rename(path.with_suffix(".old"))
            path.touch(0o600)
        case _:
            path.unlink()
    done = client().run("web-1", "true")
    assert done.returncode == 255
    assert b"can not write its audit trail" in done.stderr


def test_killed_in_mid_session_it_starts_again_whole(bastion: Bastion, client: Maker) -> None:
    """Law 6: the recording is mended and has what was seen, and each command that was seen to run was told of."""
    user = client()
    done = user.run("web-1", "echo before")
    assert done.stdout == b"before\n"
    sessions = [user.popen("web-1", "cat") for _ in range(3)]
    for number, session in enumerate(sessions):
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(b"seen %d\n" % number)
        assert session.stdout.readline() == b"seen %d\n" % number
    assert bastion.kill() == -9
    for session in sessions:
        assert session.wait(20) == 255
        session.communicate()
    bastion.start()
    judged = bastion.audit("command-judged")
    assert [event["text"] for event in judged] == ["echo before", "cat", "cat", "cat"]
    mended = {event["session"]: event for event in bastion.audit("recording-mended")}
    assert set(mended) == {event["session"] for event in judged[1:]}
    shown = set()
    for event in mended.values():
        _, lines = read((bastion.recordings_folder / event["recording"]).read_bytes().splitlines(keepends=True))
        shown |= {line.data for line in lines if line.code == "o"}
    assert {f"seen {number}\r\n" for number in range(3)} <= shown or {
        f"seen {number}\n" for number in range(3)
    } <= shown
    verify(trail(bastion).read_bytes().splitlines(keepends=True))


def test_a_certificate_that_runs_out_opens_nothing_more(bastion: Bastion, client: Maker) -> None:
    """While its connection lives: the next command is refused with the reason; what runs, runs on."""
    control = Path("/tmp") / f"cm-{bastion.pid}"  # noqa: S108 - the path of a socket has to be short
    options = (f"ControlPath {control}-%C", "ControlMaster auto", "ControlPersist 60")
    user = client(paper=replace(GOOD, before=4), options=options)
    with user.popen("web-1", "cat") as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(b"begun\n")
        assert session.stdout.readline() == b"begun\n"
        done = until(lambda: refused(user))
        assert done.returncode == 126
        assert b"bastion: denied by certificate: the certificate has expired since this connection began" in done.stderr
        session.stdin.write(b"still here\n")
        assert session.stdout.readline() == b"still here\n"
        session.stdin.close()
        assert session.wait(10) == 0
    event = bastion.audit("command-judged")[-1]
    assert (event["effect"], event["rule"]) == ("deny", "certificate")
    for host in ("web-1", "bastion"):
        user.run("-O", "exit", host)


def test_a_target_that_holds_has_not_been_opened(bastion: Bastion, client: Maker, tmp_path: Path) -> None:
    """A target that is down, or is not the one that it should be: 255, the reason, and an event."""
    impostor = Sshd(tmp_path / "impostor")
    with impostor:
        there = Target.of("web-1", impostor)
        bastion.write_inventory(
            [replace(there, name="down", port=1), replace(there, name="other", host_key=bastion.host_ca)]
        )
        bastion.reloaded("inventory")
        user = client(("down", "other"))
        for name, words in (("down", "can not be opened"), ("other", "its host key is not the pinned one")):
            done = user.run(name, "echo x")
            assert (done.returncode, done.stdout) == (255, b"")
            assert words in done.stderr.decode()
            bastion.wait_audit(lambda event, words=words: event["kind"] == "session-ended" and words in event["reason"])  # type: ignore[misc]  # the default binds it
        assert "Accepted publickey" not in impostor.log
