"""The recorder: bytes are with the operating system before it returns, and its first failure is its last word."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.asciicast.reader import Event, read
from bastion.errors import NotRecorded, OperatorError
from bastion.recording.recorder import Closed, Head, Recorder, Recordings
from tests.core.test_asciicast_encoder import HEAD
from tests.core.test_audit_log import file_limit

NOW = 1_800_000_000.9
NAME = "acme/2027/01/15/s1.cast"


class Clock:
    """Seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recordings(tmp_path: Path, clock: Clock) -> Iterator[Recordings]:
    """Recordings whose flusher does nothing by itself within a test."""
    made = Recordings(tmp_path / "recordings", wall=lambda: NOW, monotonic=clock, flush_seconds=3600)
    yield made
    made.stop()


def content(recordings: Recordings) -> bytes:
    return (recordings.directory / NAME).read_bytes()


def events(recordings: Recordings) -> list[Event]:
    """What a strict player would play now, without the empty first event."""
    first, *rest = read(content(recordings).splitlines(keepends=True))[1]
    assert first == Event(0, "o", "")
    return rest


def test_a_recording_from_begin_to_end(recordings: Recordings, clock: Clock) -> None:
    """Output of both streams, sizes and markers are in the file, at their times; close tells the file's digest."""
    recorder = recordings.open(dataclasses.replace(HEAD, columns=100, rows=30))
    clock.now += 1.5
    recorder.marker("uptime: allowed by look-around")
    recorder.output(0, b"out\r\n")
    recorder.output(1, b"err\r\n")
    clock.now += 0.25
    recorder.resize(120, 40)
    recorder.output(0, b"\xe2\x82")
    closed = recorder.close()
    assert events(recordings) == [
        Event(1.5, "m", "uptime: allowed by look-around"),
        Event(1.5, "o", "out\r\n"),
        Event(1.5, "o", "err\r\n"),
        Event(1.75, "r", "120x40"),
        Event(1.75, "o", "\ufffd"),
    ]
    digest = hashlib.sha256(content(recordings)).hexdigest()
    assert closed == Closed(NAME, digest, len(content(recordings)), 6, 1.75, markers=1)


def test_it_is_playable_at_every_moment(recordings: Recordings) -> None:
    """What was given is in the file, in whole lines, when each call returns; a live recording plays."""
    recorder = recordings.open(HEAD)
    assert events(recordings) == []
    for number in range(5):
        recorder.output(0, b"%d\n" % number)
        assert [event.data for event in events(recordings)] == [f"{n}\n" for n in range(number + 1)]
    recorder.close()


def test_modes_are_private_and_tell_open_from_closed(recordings: Recordings) -> None:
    """0600 while open, 0400 when closed, 0700 for every folder."""
    recorder = recordings.open(HEAD)
    path = recordings.directory / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    recorder.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    for folder in path.parents[:5]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


@pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "A", "-a", "a-", "a\n", "ä", "a" * 64])
def test_no_tenant_leads_elsewhere(recordings: Recordings, tenant: str) -> None:
    """A tenant's name that is not letters, digits and dashes opens nothing."""
    with pytest.raises(NotRecorded):
        recordings.open(dataclasses.replace(HEAD, tenant=tenant))
    assert list(recordings.directory.iterdir()) == []


@pytest.mark.parametrize("session", ["", "../s", "a/b", ".s", "s\0", "s" * 200])
def test_no_session_leads_elsewhere(recordings: Recordings, session: str) -> None:
    """A session's name that is no plain name opens nothing."""
    with pytest.raises(NotRecorded):
        recordings.open(dataclasses.replace(HEAD, session=session))
    assert list(recordings.directory.iterdir()) == []


def test_a_recording_is_never_written_over(recordings: Recordings) -> None:
    """A second one of the same name is refused, and the first is whole."""
    recordings.open(HEAD).close()
    before = content(recordings)
    with pytest.raises(NotRecorded, match="File exists"):
        recordings.open(HEAD)
    assert content(recordings) == before


@pytest.mark.parametrize("link", ["acme", "acme/2027", "acme/2027/01/15", NAME])
def test_links_are_not_followed(recordings: Recordings, tmp_path: Path, link: str) -> None:
    """A link in the place of a folder or of the file is refused."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = recordings.directory / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere / "new" if link == NAME else elsewhere)
    with pytest.raises(NotRecorded):
        recordings.open(HEAD)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("level", range(4))
def test_links_to_a_folder_that_is_there_are_not_followed_at_any_level(recordings: Recordings, level: int) -> None:
    """One tenant's folder, or any below it, can not be led to another tenant's."""
    parts = Path(NAME).parts[:-1]
    (recordings.directory / "beta" / Path(*parts[1:])).mkdir(parents=True)
    place = recordings.directory.joinpath(*parts[: level + 1])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(recordings.directory.joinpath("beta", *parts[1 : level + 1]))
    with pytest.raises(NotRecorded):
        recordings.open(HEAD)
    assert list(recordings.directory.rglob("*.cast")) == []


def test_the_directory_itself_may_be_a_link(tmp_path: Path, recordings: Recordings) -> None:
    """Where recordings go is the operator's to say."""
    (tmp_path / "link").symlink_to(recordings.directory)
    made = Recordings(tmp_path / "link", wall=lambda: NOW, flush_seconds=3600)
    made.open(HEAD).close()
    made.stop()
    assert (recordings.directory / NAME).exists()


def test_short_writes_are_finished(recordings: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operating system that takes a few bytes at a time gets them all."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:5])))
    recorder = recordings.open(HEAD)
    recorder.output(0, b"hello\n" * 10)
    closed = recorder.close()
    assert closed.sha256 == hashlib.sha256(content(recordings)).hexdigest()
    assert events(recordings)[0].data == "hello\n" * 10


def _every_call(recorder: Recorder) -> None:
    for call in (
        lambda: recorder.output(0, b"x"),
        lambda: recorder.output(1, b""),
        lambda: recorder.marker("m"),
        lambda: recorder.resize(80, 24),
        recorder.close,
        recorder.close,
    ):
        with pytest.raises(NotRecorded):
            call()


def test_a_full_disk_is_told_at_once_and_for_ever(recordings: Recordings) -> None:
    """The output that does not fit raises NotRecorded, and so does every call after it, also when there is room."""
    recorder = recordings.open(HEAD)
    recorder.output(0, b"fits")
    with file_limit(len(content(recordings)) + 10), pytest.raises(NotRecorded, match="File too large"):
        recorder.output(0, b"does not fit")
    _every_call(recorder)


def test_no_room_for_the_header_opens_nothing(recordings: Recordings) -> None:
    """A session whose recording can not even begin does not begin."""
    with file_limit(10), pytest.raises(NotRecorded):
        recordings.open(HEAD)
    assert not (recordings.directory / NAME).exists()


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_disk_that_can_not_keep_is_told_by_close(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A recording that could not be made durable and closed is not called closed."""

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    recorder = recordings.open(HEAD)
    monkeypatch.setattr(os, call, broken)
    with pytest.raises(NotRecorded, match="Input/output error"):
        recorder.close()
    monkeypatch.undo()
    _every_call(recorder)


def test_a_failed_flush_is_told_by_the_next_call(recordings: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the flusher's thread meets reaches the session with its next output."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    recorder = recordings.open(HEAD)
    monkeypatch.setattr(os, "fsync", broken)
    recordings.flush()
    monkeypatch.undo()
    _every_call(recorder)


def test_the_flusher_makes_output_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Each file with something new is flushed by a thread of its own, and one with nothing new is not."""
    flushed: list[str] = []
    real = os.fsync

    def counted(fd: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        real(fd)

    made = Recordings(tmp_path, wall=lambda: NOW, monotonic=clock, flush_seconds=3600)
    recorder = made.open(HEAD)
    idle = made.open(dataclasses.replace(HEAD, session="idle"))
    monkeypatch.setattr(os, "fsync", counted)
    made.flush()
    assert sorted(flushed) == ["15", "15", "idle.cast", "s1.cast"]
    flushed.clear()
    made.flush()
    assert flushed == []
    recorder.output(0, b"x")
    made.stop()
    assert flushed == ["s1.cast"]
    recorder.close()
    idle.close()


def test_a_failed_recorder_lets_go_of_its_file(recordings: Recordings) -> None:
    """A session that fails without closing its recording holds a descriptor until the next flush, and no longer."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    recorder = recordings.open(HEAD)
    with file_limit(len(content(recordings))), pytest.raises(NotRecorded):
        recorder.output(0, b"x")
    recordings.flush()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_abandoned_is_left_open_for_mending(recordings: Recordings) -> None:
    """An abandoned recording keeps what it has and its mode, and every later call fails."""
    recorder = recordings.open(HEAD)
    recorder.output(0, b"x")
    recorder.abandon()
    recorder.abandon()
    assert stat.S_IMODE((recordings.directory / NAME).stat().st_mode) == 0o600
    _every_call(recorder)


def test_a_directory_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    """A file in the place of the directory is the operator's to mend."""
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="can not be made"):
        Recordings(tmp_path / "file" / "recordings")


def test_no_descriptor_is_left(recordings: Recordings) -> None:
    """Opening, closing, abandoning and failing leave no file open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(10):
        head: Head = dataclasses.replace(HEAD, session=f"n{number}")
        recorder = recordings.open(head)
        recorder.close() if number % 2 else recorder.abandon()
        with pytest.raises(NotRecorded):
            recordings.open(head)
    with file_limit(10), pytest.raises(NotRecorded):
        recordings.open(dataclasses.replace(HEAD, session="last"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_finished_recording_is_not_yet_a_closed_one(recordings: Recordings) -> None:
    """It is whole, but looks open until its digest is in the audit trail: after a crash `mend` would tell of it."""
    recorder = recordings.open(HEAD)
    recorder.output(0, b"shown")
    finished = recorder.finish()
    path = recordings.directory / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert hashlib.sha256(path.read_bytes()).hexdigest() == finished.sha256
    assert recorder.close() == finished
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    with pytest.raises(NotRecorded):
        recorder.output(0, b"late")
