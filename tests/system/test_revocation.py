"""A revocation is in force at once: for new logins, and for what lives on a word given earlier."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.asciicast.reader import read
from tests.system.harness.bastion import ISSUER, TENANT, Bastion, Target
from tests.system.harness.client import AGENT, GOOD, Client, Maker
from tests.system.harness.raw import key_fingerprint
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.harness.waiting import until

Revoke = Callable[..., None]
NUMBERS = iter(range(1000, 2000))


@pytest.fixture
def number() -> int:
    return next(NUMBERS)


@pytest.fixture
def person(client: Maker, number: int) -> Client:
    """A client whose identity and serial (`number`) nobody else here has."""
    name = f"agent-{number}"
    identity = replace(AGENT, subject=f"subject-{number}", principals=(name,))
    return client(paper=replace(GOOD, identity=identity, serial=number))


@pytest.fixture
def revoke(bastion: Bastion) -> Revoke:
    """`bastion ca revoke`, as an operator runs it."""

    def run(*words: str) -> None:
        file = bastion.folder / "state" / "revocations" / "revocations.jsonl"
        command = [sys.executable, "-m", "bastion", "ca", "revoke", "--file", str(file), "--tenant", TENANT]
        subprocess.run([*command, "--reason", "laptop lost", *words], check=True, capture_output=True)

    return run


@pytest.fixture
def control() -> Iterator[Path]:
    """A folder with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cm") as folder:
        yield Path(folder)


def words(person: Client, number: int, how: str) -> tuple[tuple[str, ...], str]:
    """What to tell `ca revoke`, and how the audit trail names it."""
    key = key_fingerprint(person)
    return {
        "serial": (("--serial", str(number)), f"serial {number}"),
        "key": (("--key", key), f"key {key}"),
        "principal": (("--identity", f"agent-{number}"), f"identity agent-{number}"),
        "subject": (
            ("--identity", f"subject-{number}", "--issuer", ISSUER),
            f"identity subject-{number} of {ISSUER}",
        ),
    }[how]


@contextlib.contextmanager
def running(person: Client) -> Iterator[subprocess.Popen[bytes]]:
    """A session that runs: it has answered."""
    with person.popen("web-1", "cat") as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"begun\n")
            assert process.stdout.readline() == b"begun\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", ["serial", "key", "principal", "subject"])
def test_a_live_session_is_ended_and_no_other_begins(
    bastion: Bastion, person: Client, number: int, client: Maker, target: Sshd, revoke: Revoke, how: str
) -> None:
    """Within a second: a notice, exit 255, the recording closed, and an event that says what, why and how many."""
    asked, entry = words(person, number, how)
    with running(client()) as bystander, running(person) as process:
        revoke(*asked)
        began = time.monotonic()
        assert process.wait(20) == 255
        took = time.monotonic() - began
        _, stderr = process.communicate()
        assert bystander.poll() is None
    assert b"bastion: session ended: laptop lost" in stderr
    assert took < 1.0
    event = bastion.wait_audit(lambda event: event["kind"] == "revoked" and event["entry"] == entry)
    assert (event["sessions"], event["tenant"], event["reason"]) == (1, TENANT, "laptop lost")
    ended = bastion.wait_audit(lambda one: one["kind"] == "session-ended" and one["reason"].endswith("laptop lost"))
    header, lines = read((bastion.recordings_folder / ended["recording"]).read_bytes().splitlines(keepends=True))
    assert header
    assert any("session ended: laptop lost" in line.data for line in lines)

    opened = target.accepted
    done = person.run("web-1", "true")
    assert (done.returncode, target.accepted) == (255, opened)
    assert b"bastion: the certificate is revoked: laptop lost" in done.stderr


def test_a_kept_connection_is_ended_too(
    bastion: Bastion, person: Client, number: int, revoke: Revoke, control: Path
) -> None:
    """ControlMaster keeps a connection without a session: it goes, and gives nobody a session any more."""
    options = ("-o", f"ControlPath={control}/s", "-o", "ControlMaster=auto", "-o", "ControlPersist=600")
    done = person.run(*options, "web-1", "echo one")
    assert done.stdout == b"one\n", done.stderr
    assert person.run(*options, "-O", "check", "web-1").returncode == 0
    asked, entry = words(person, number, "serial")
    revoke(*asked)
    until(lambda: person.run(*options, "-O", "check", "web-1").returncode != 0, seconds=2)
    event = bastion.wait_audit(lambda event: event["kind"] == "revoked" and event["entry"] == entry)
    assert event["sessions"] == 0
    done = person.run(*options, "web-1", "echo two")
    assert (done.returncode, done.stdout) == (255, b"")


def test_two_sessions_of_one_identity_are_counted(
    bastion: Bastion, person: Client, number: int, revoke: Revoke
) -> None:
    asked, entry = words(person, number, "principal")
    with running(person) as one, running(person) as two:
        revoke(*asked)
        assert (one.wait(20), two.wait(20)) == (255, 255)
    event = bastion.wait_audit(lambda event: event["kind"] == "revoked" and event["entry"] == entry)
    assert event["sessions"] == 2


def test_the_connection_to_the_target_goes_as_well(
    bastion: Bastion, person: Client, number: int, target: Sshd, revoke: Revoke
) -> None:
    """What the bastion keeps open for the next session of someone revoked is closed, not kept."""
    assert person.run("web-1", "true").returncode == 0
    connection = [line for line in target.log.splitlines() if "Connection from" in line][-1]
    port = connection.split(" port ")[1].split()[0]
    asked, entry = words(person, number, "key")
    revoke(*asked)
    bastion.wait_audit(lambda event: event["kind"] == "revoked" and event["entry"] == entry)
    ends = [f"Connection closed by 127.0.0.1 port {port}", f"Connection reset by 127.0.0.1 port {port}"]
    ends += [f"Disconnected from user {ACCOUNT} 127.0.0.1 port {port}"]
    until(lambda: any(end in target.log for end in ends), told=lambda: target.log)


def test_a_broken_file_keeps_what_was_in_force(
    bastion: Bastion, person: Client, number: int, client: Maker, revoke: Revoke
) -> None:
    asked, _ = words(person, number, "serial")
    revoke(*asked)
    until(lambda: person.run("web-1", "true").returncode == 255)
    file = bastion.folder / "state" / "revocations" / "revocations.jsonl"
    good = file.read_bytes()
    try:
        file.write_bytes(b"{not json\n")
        until(lambda: "revocations.jsonl:1:1: not a revocation" in bastion.log, told=lambda: bastion.log)
        assert person.run("web-1", "true").returncode == 255
        assert client().run("web-1", "true").returncode == 0
        file.unlink()
        until(lambda: "can not be read" in bastion.log, told=lambda: bastion.log)
        assert person.run("web-1", "true").returncode == 255
    finally:
        file.write_bytes(good)


def test_with_a_broken_file_it_does_not_start(tmp_path: Path, target: Sshd) -> None:
    """Nobody knows who was revoked: nobody is let in."""
    bastion = Bastion(tmp_path / "b", [Target.of("web-1", target)])
    file = tmp_path / "b" / "state" / "revocations" / "revocations.jsonl"
    file.parent.mkdir()
    file.write_text('{"tenant": "acme", "serial": "seven"}\n')
    with pytest.raises(AssertionError, match="ended instead of being ready"):
        bastion.start()
    assert bastion.stop() == 1
    assert "revocations.jsonl:1:1: not a revocation: missing key 'reason'" in bastion.log


def test_without_the_file_it_had_it_does_not_start(tmp_path: Path, target: Sshd) -> None:
    """The first start makes it, closed to others; a later one without it, or with a link to nowhere, lets nobody in."""
    bastion = Bastion(tmp_path / "b", [Target.of("web-1", target)])
    file = tmp_path / "b" / "state" / "revocations" / "revocations.jsonl"
    bastion.start()
    assert bastion.stop() == 0
    assert file.read_bytes() == b""
    assert file.stat().st_mode & 0o007 == 0
    file.unlink()
    with pytest.raises(AssertionError, match="the file of revocations is gone"):
        bastion.start()
    bastion.stop()
    file.symlink_to(tmp_path / "not-mounted")
    with pytest.raises(AssertionError, match="can not be read"):
        bastion.start()
    bastion.stop()


def test_a_torn_line_makes_no_later_one_void(bastion: Bastion, person: Client, number: int, client: Maker) -> None:
    """`ca revoke` says that a line is broken, and what it revoked is in force all the same."""
    file = bastion.folder / "state" / "revocations" / "revocations.jsonl"
    good = file.read_bytes()
    try:
        file.write_bytes(good + b'{"tenant":"acme","ser')
        command = [sys.executable, "-m", "bastion", "ca", "revoke", "--file", str(file), "--tenant", TENANT]
        command += ["--reason", "laptop lost", "--serial", str(number)]
        done = subprocess.run(command, check=False, capture_output=True)
        assert done.returncode == 1
        assert b"comes into force, but other lines can not be read" in done.stderr
        until(lambda: person.run("web-1", "true").returncode == 255)
        assert client().run("web-1", "true").returncode == 0
        bastion.wait_audit(lambda event: event["kind"] == "revocations-rejected")
    finally:
        file.write_bytes(good)
