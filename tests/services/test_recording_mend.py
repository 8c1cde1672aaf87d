"""At start-up: what a crash left open is mended and closed, and nothing else is touched."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from bastion.asciicast.mend import LABEL
from bastion.asciicast.reader import read
from bastion.errors import OperatorError
from bastion.recording.mend import MAX_TOLD, Mended, mend
from bastion.recording.recorder import Recordings
from tests.core.test_asciicast_encoder import HEAD

NOW = 1_800_000_000.0
DAY = "acme/2027/01/15"


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    made = Recordings(tmp_path, wall=lambda: NOW, monotonic=lambda: 5.0, flush_seconds=3600)
    made.stop()
    return made


def crashed(recordings: Recordings, session: str) -> Path:
    """A recording as a crash leaves it: open, nobody writing."""
    recorder = recordings.open(dataclasses.replace(HEAD, session=session))
    recorder.output(0, b"shown\n")
    recorder.abandon()
    return recordings.directory / recorder.name


def test_an_open_recording_is_mended_and_closed(recordings: Recordings) -> None:
    """The torn end is cut, the end is marked, the digest is the file's, and the file is closed for good."""
    path = crashed(recordings, "s1")
    with path.open("ab") as file:
        file.write(b'[0.4, "m", "a command"]\n[0.5, "o", "ne')
    mended = list(mend(recordings.directory))
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    (found,) = mended
    assert found == Mended("acme", "s1", f"{DAY}/s1.cast", 14, len(content), digest, found.began, found.duration, 1)
    assert found.began == read(content.splitlines(keepends=True))[0].timestamp
    assert found.duration == 0.4
    *_, shown, _, last = read(content.splitlines(keepends=True))[1]
    assert (shown.data, last.code, last.data) == ("shown\n", "m", LABEL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_one_that_was_not_told_of_is_told_again(recordings: Recordings) -> None:
    """The mode is the commit: a start that is killed before it has written the event leaves the file open."""
    path = crashed(recordings, "s1")
    torn = recordings.directory / DAY / "t1.cast"
    torn.write_bytes(b'{"vers')
    torn.chmod(0o600)
    killed = mend(recordings.directory)
    first = next(killed)
    killed.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again, other = mend(recordings.directory)
    assert (again, again.cut) == (dataclasses.replace(first, cut=0), 0)
    assert (other.recording, other.size) == (f"{DAY}/t1.cast.torn", 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert not torn.exists()
    assert [event.data for event in read(path.read_bytes().splitlines(keepends=True))[1]].count(LABEL) == 1


def test_mended_once_is_mended(recordings: Recordings) -> None:
    """A second start finds nothing to do."""
    crashed(recordings, "s1")
    assert len(list(mend(recordings.directory))) == 1
    assert list(mend(recordings.directory)) == []


def test_a_closed_recording_is_not_touched(recordings: Recordings) -> None:
    """Closed is closed: neither read nor changed."""
    recorder = recordings.open(HEAD)
    closed = recorder.close()
    path = recordings.directory / recorder.name
    assert list(mend(recordings.directory)) == []
    assert hashlib.sha256(path.read_bytes()).hexdigest() == closed.sha256


def test_one_that_is_being_written_is_left_alone(recordings: Recordings) -> None:
    """A recording whose writer lives (it holds the lock) is nobody else's to mend."""
    recorder = recordings.open(HEAD)
    assert list(mend(recordings.directory)) == []
    recorder.output(0, b"goes on\n")
    recorder.close()


@pytest.mark.parametrize("content", [b"", b'{"version": 2, "wid', b"\0\0\0"])
def test_one_without_a_header_is_put_aside(recordings: Recordings, content: bytes) -> None:
    """What has no header is no recording: it gets another name and is told, not deleted."""
    path = crashed(recordings, "s1")
    path.write_bytes(content)
    name = f"{DAY}/s1.cast.torn"
    assert list(mend(recordings.directory)) == [Mended("acme", "s1", name, len(content), 0, "")]
    assert (recordings.directory / name).read_bytes() == content
    assert list(mend(recordings.directory)) == []


def test_links_and_other_files_are_passed_over(recordings: Recordings, tmp_path: Path) -> None:
    """A link is not followed and a file of another name is not read."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "notes.txt").write_text("x")
    (tmp_path / "acme" / "link.cast").symlink_to(tmp_path / "acme" / "notes.txt")
    assert list(mend(recordings.directory)) == []


def test_several_are_mended_in_order(recordings: Recordings) -> None:
    """All that is open is mended, in the order of names."""
    for session in ("b", "a", "c"):
        crashed(recordings, session)
    assert [mended.session for mended in mend(recordings.directory)] == ["a", "b", "c"]


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    """Recordings that can not be listed stop the start."""
    with pytest.raises(OperatorError, match="can not be listed"):
        list(mend(tmp_path / "none"))


# -- what is not the bastion's, or can not be read ---------------------------------------------------------------------


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("foreign", "told"),
    [
        ("evidence.cast", "not where a recording is"),
        ("acme/copy.cast", "not where a recording is"),
        ("lost+found/", "no folder of recordings"),
        ("acme/notes/", "no folder of recordings"),
        (f"{DAY}/deeper/", "no folder of recordings"),
    ],
)
def test_what_is_not_the_bastions_is_passed_over_and_told(
    recordings: Recordings, caplog: pytest.LogCaptureFixture, foreign: str, told: str
) -> None:
    """It is left as it is, and what is the bastion's is mended all the same."""
    crashed(recordings, "s1")
    path = recordings.directory / foreign
    if foreign.endswith("/"):
        path.mkdir()
        (path / "inside.cast").write_text("x")
    else:
        path.write_text("x")
    assert [mended.session for mended in mend(recordings.directory)] == ["s1"]
    assert [told in warning and path.name in warning for warning in warnings(caplog)] == [True]
    assert path.is_dir() or path.read_text() == "x"


@pytest.mark.parametrize("call", ["scandir", "open", "fsync"])
def test_one_that_can_not_be_read_keeps_no_other_from_being_mended(
    recordings: Recordings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Neither a folder nor a file that the operating system refuses ends the start."""
    (recordings.directory / "beta").mkdir()
    crashed(recordings, "bad")
    crashed(recordings, "good")
    real, refused = getattr(os, call), []

    def refusing(what: object, *rest: object) -> object:
        name = Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else Path(str(what))
        if name.name in ("beta", "bad.cast"):
            refused.append(name.name)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(what, *rest)

    monkeypatch.setattr(os, call, refusing)
    assert [mended.session for mended in mend(recordings.directory)][-1] == "good"
    assert len(refused) == 1
    assert ["Permission denied" in warning for warning in warnings(caplog)] == [True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_anothers_file_is_not_mended(recordings: Recordings, caplog: pytest.LogCaptureFixture) -> None:
    path = crashed(recordings, "s1")
    before = path.read_bytes()
    os.chown(path, 65534, 65534)
    assert list(mend(recordings.directory)) == []
    assert path.read_bytes() == before
    assert "another user (number 65534)" in warnings(caplog)[0]


def test_the_log_is_not_flooded(recordings: Recordings, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(MAX_TOLD + 30):
        (recordings.directory / f"{number}.cast").touch()
    assert list(mend(recordings.directory)) == []
    assert len(warnings(caplog)) == MAX_TOLD + 1
    assert "30 more" in warnings(caplog)[-1]


@pytest.mark.parametrize(
    "line",
    [
        b'[1, "r", "' + b"1" * 5000 + b'x24"]',
        b'[1, "r", "80x' + b"9" * 5000 + b'"]',
        b"[" + b"9" * 400 + b', "o", ""]',
        b'[1e400, "o", ""]',
        b"[" * 200_000,
        b'[1, "o", "\\ud800"]',
    ],
    ids=["columns", "rows", "time", "exponent", "depth", "surrogate"],
)
def test_no_content_keeps_the_bastion_from_starting(recordings: Recordings, line: bytes) -> None:
    """However wrong a line is, it is cut off, and the rest is whole."""
    path = crashed(recordings, "s1")
    with path.open("ab") as file:
        file.write(line + b"\n")
    assert [mended.cut for mended in mend(recordings.directory)] == [len(line) + 1]
    assert [event.data for event in read(path.read_bytes().splitlines(keepends=True))[1]][1:] == ["shown\n", LABEL]
