"""A recording followed while it grows: all of it in order, nothing that is not in the file, and never at the cost of
the session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.asciicast.reader import read
from bastion.recording import follow, reading
from bastion.recording.follow import Follower, Tap
from bastion.recording.reading import NoRecording
from bastion.recording.recorder import Recorder, Recordings
from tests.adapters.api_ports import head


@pytest.fixture
async def recordings(tmp_path: Path) -> AsyncIterator[Recordings]:
    made = Recordings(tmp_path / "recordings", flush_seconds=60)
    yield made
    made.stop()


def follower_of(recordings: Recordings, woken: list[int] | None = None) -> Follower:
    found = recordings.follow("acme", "s1", lambda: woken.append(1) if woken is not None else None)
    assert found is not None
    return found


def text(recorder: Recorder, recordings: Recordings) -> bytes:
    return (recordings.directory / recorder.name).read_bytes()


async def test_what_is_followed_is_what_is_in_the_file(recordings: Recordings) -> None:
    recorder = recordings.open(head("acme", "s1"))
    recorder.output(0, b"before\n")
    follower = follower_of(recordings)
    recorder.output(0, b"between\n")
    header, past = follower.past()
    recorder.marker("uptime")
    seen = header + past.lines + follower.take().lines
    recorder.output(1, "half \N{SNOWMAN}".encode()[:-1])
    recorder.output(1, "half \N{SNOWMAN}".encode()[-1:])
    recorder.resize(100, 30)
    await asyncio.to_thread(recorder.finish)
    recorder.close()
    last = follower.take()
    assert seen + last.lines == text(recorder, recordings)
    assert (past.lost, last.lost) == (0, 0)
    assert follower.over
    read((seen + last.lines).splitlines(keepends=True))


async def test_a_follower_is_woken_once_until_it_takes(recordings: Recordings) -> None:
    recorder = recordings.open(head("acme", "s1"))
    woken: list[int] = []
    follower = follower_of(recordings, woken)
    for number in range(3):
        for _ in range(10):
            await asyncio.to_thread(recorder.output, 0, b"x")  # from any thread
        await asyncio.sleep(0)
        assert len(woken) == number + 1
        follower.take()
    follower.close()
    recorder.output(0, b"x")
    await asyncio.sleep(0)
    assert len(woken) == 3
    recorder.abandon()


async def test_a_slow_follower_is_told_what_it_missed_and_slows_nobody(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MAX_QUEUE", 1000)
    recorder = recordings.open(head("acme", "s1"))
    follower, quick = follower_of(recordings), follower_of(recordings)
    begun = len(text(recorder, recordings))
    seen = b""
    for number in range(200):
        recorder.output(0, b"line %d" % number)
        seen += quick.take().lines
        assert follower._queued <= 1000
    taken = follower.take()
    whole = text(recorder, recordings)[begun:]
    assert seen == whole
    assert whole == whole[: taken.lost] + taken.lines
    assert taken.lines.startswith(b"[")
    recorder.abandon()


async def test_a_piece_that_is_larger_than_the_queue_is_told_as_missed(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MAX_QUEUE", 100)
    recorder = recordings.open(head("acme", "s1"))
    follower = follower_of(recordings)
    begun = len(text(recorder, recordings))
    recorder.output(0, b"x" * 1000)
    taken = follower.take()
    assert (taken.lines, taken.lost) == (b"", len(text(recorder, recordings)) - begun)
    recorder.abandon()


async def test_of_a_long_past_only_the_end_is_shown_in_whole_lines(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MAX_PAST", 500)
    recorder = recordings.open(head("acme", "s1"))
    for number in range(100):
        recorder.output(0, b"line %d" % number)
    header, past = follower_of(recordings).past()
    whole = text(recorder, recordings)
    assert whole == header + whole[len(header) : len(header) + past.lost] + past.lines
    assert 0 < len(past.lines) <= 500
    assert past.lines.startswith(b"[")
    recorder.abandon()


@pytest.mark.parametrize(("tenant", "session"), [("other", "s1"), ("acm", "s1"), ("acme", "1"), ("acme", "s2")])
async def test_another_tenants_session_is_not_there(recordings: Recordings, tenant: str, session: str) -> None:
    recorder = recordings.open(head("acme", "s1"))
    assert recordings.follow(tenant, session, lambda: None) is None
    recorder.abandon()
    assert recordings.follow("acme", "s1", lambda: None) is None


async def test_what_was_not_kept_is_not_shown(recordings: Recordings) -> None:
    """Law 4: the disk is full, say."""
    recorder = recordings.open(head("acme", "s1"))
    follower = follower_of(recordings)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, recorder._fd)
    os.close(full)
    with pytest.raises(Exception, match="can not be written"):
        recorder.output(0, b"secret")
    assert follower.take().lines == b""
    recorder.abandon()


async def test_a_recording_that_is_over_can_not_be_followed(tmp_path: Path) -> None:
    tap = Tap()
    tap.end()
    assert tap.follow(tmp_path, lambda: None) is None


# -- closed ones


async def test_a_closed_recording_is_opened_by_its_tenant_and_session(recordings: Recordings) -> None:
    recorder = recordings.open(head("acme", "s1"))
    recorder.marker("uptime (allowed by look)")
    recorder.output(0, b'[1.0, "m", "not a marker"]\n')
    closed = recorder.close()
    descriptor = reading.opened(recordings.directory, "acme", "s1", closed.name)
    assert reading.digest(descriptor) == (closed.sha256, closed.size)
    found, whole = reading.commands(descriptor, 60.0)
    assert ([command.label for command in found], whole) == (["uptime (allowed by look)"], True)
    os.close(descriptor)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "other/2027/01/15/s1.cast",
        "acme/2027/01/15/s2.cast",
        "acme/2027/01/15/../15/s1.cast",
        "acme/../acme/2027/01/s1.cast",
        "/acme/2027/01/15/s1.cast",
        "acme/2027/01/15/s1.cast\n",
        "acme/2027/01/15/s1.cast/",
    ],
)
async def test_a_path_that_is_not_of_this_recording_is_refused(recordings: Recordings, path: str) -> None:
    with pytest.raises(NoRecording):
        reading.opened(recordings.directory, "acme", "s1", path)


async def test_no_link_leads_to_another_tenant(recordings: Recordings) -> None:
    theirs = recordings.open(head("other", "s1"))
    name = theirs.close().name
    folder = recordings.directory / "acme"
    folder.symlink_to(recordings.directory / "other")
    with pytest.raises(NoRecording):
        reading.opened(recordings.directory, "acme", "s1", name.replace("other", "acme"))
    folder.unlink()
    place = recordings.directory / name.replace("other", "acme")
    place.parent.mkdir(parents=True)
    place.symlink_to(recordings.directory / name)
    with pytest.raises(NoRecording):
        reading.opened(recordings.directory, "acme", "s1", name.replace("other", "acme"))


async def test_a_recording_with_very_many_commands_is_cut(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_COMMANDS", 3)
    recorder = recordings.open(head("acme", "s1"))
    for number in range(5):
        recorder.marker(str(number))
    descriptor = reading.opened(recordings.directory, "acme", "s1", recorder.close().name)
    found, whole = reading.commands(descriptor, 60.0)
    assert ([command.label for command in found], whole) == (["0", "1", "2"], False)
    os.close(descriptor)
