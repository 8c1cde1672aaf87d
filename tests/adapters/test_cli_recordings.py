"""bastion recordings: played with its pauses, exported whole or not at all and over nothing, verified by the trail."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.asciicast.reader import Event
from bastion.characters import hidden
from bastion.cli import player
from bastion.cli.player import Pace
from tests.adapters.cli_house import Line, line
from tests.system.terminal import Terminal

SESSION = "past-acme"
EVENTS = [(0.5, "o", "one \x1b[31m"), (1.0, "m", "uptime"), (1.0, "r", "90x30"), (61.0, "o", "two\r\n")]
CAST = "".join(f"{json.dumps(one)}\n" for one in [{"version": 2, "width": 80, "height": 24}, *EVENTS]).encode()


@pytest.fixture
async def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Line]:
    async with line(tmp_path, capsys) as made:
        keep(made, CAST, hashlib.sha256(CAST).hexdigest())
        yield made


def keep(cli: Line, content: bytes, sha256: str) -> None:
    (cli.api.folder / "recordings/acme/2027/01/15/past-acme.cast").write_bytes(content)
    kept = cli.api.recordings
    kept.values = [
        dataclasses.replace(one, sha256=sha256, size=len(content)) if one.session == SESSION else one
        for one in kept.values
    ]


async def test_recordings_are_listed(cli: Line) -> None:
    told = await cli.run("recordings", "list")
    assert [row.split()[0] for row in told.out.splitlines()] == ["SESSION", SESSION]
    assert not any(hidden(one) for one in told.out.splitlines())
    assert [one["session"] for one in (await cli.run("recordings", "list", "--json")).json] == [SESSION]
    assert (await cli.run("recordings", "list", who="rev@demo")).status == 4
    assert (await cli.run("recordings", "list", who="audit@demo")).status == 0


async def test_play_writes_what_was_shown_as_it_was_and_leaves_nothing_on_the_disk(
    cli: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    told = await cli.run("recordings", "play", SESSION, "-s", "1000000")
    assert list(place.iterdir()) == []
    assert (told.status, told.out) == (0, "one \x1b[31mtwo\r\n")
    assert cli.api.audit.told[-1]["action"] == "replay"


async def test_what_takes_long_is_told_with_the_size_where_that_is_known(
    cli: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastion.cli.recordings._TELL_EVERY", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    told = await cli.run("recordings", "play", SESSION, "-s", "1000000")
    assert told.err == f"bastion: {len(CAST)} bytes\n"
    told = await cli.run("recordings", "export", SESSION, "-o", str(tmp_path / "out.cast"))
    assert told.err == f"bastion: {len(CAST)} of {len(CAST)} bytes\n"


async def test_on_a_terminal_asciinema_plays_and_the_terminal_is_put_right(cli: Line) -> None:
    where = ["--tenant", "acme", "--dir", str(cli.folder)]
    bastion = [sys.executable, "-m", "bastion", "recordings", "play", SESSION, "-s", "1000", "-i", "1", *where]
    script = 'before=$(stty -g); "$@"; echo "status $?"; [ "$before" = "$(stty -g)" ] && echo same'
    with await asyncio.to_thread(Terminal, ["sh", "-c", script, "sh", *bastion]) as terminal:
        for text in (b"one \x1b[31m", b"two", b"\x1b[?25h", b"status 0", b"same"):
            await asyncio.to_thread(terminal.wait_for, text)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((SESSION, "-s", "0"), 2, "--speed"),
        ((SESSION, "-s", "nan"), 2, "--speed"),
        ((SESSION, "-s", "inf"), 2, "--speed"),
        ((SESSION, "-i", "-1"), 2, "--idle"),
        (("past-other",), 3, "no such recording"),
        (("..",), 3, "no such id"),
    ],
)
async def test_what_can_not_be_played_is_told(cli: Line, words: tuple[str, ...], status: int, told: str) -> None:
    found = await cli.run("recordings", "play", *words)
    assert (found.status, found.out) == (status, "")
    assert told in found.err


async def test_what_is_no_recording_is_told(cli: Line) -> None:
    keep(cli, b"cast", "0" * 64)
    told = await cli.run("recordings", "play", SESSION)
    assert (told.status, "can not be played: line 1" in told.err) == (1, True)


@pytest.mark.parametrize(
    ("pace", "waited"),
    [
        (Pace(), [0.5, 60.5]),
        (Pace(2.0), [0.25, 30.25]),
        (Pace(1.0, 2.0), [0.5, 2.5]),
        (Pace(2.0, 2.0), [0.25, 1.25]),
        (Pace(1.0, 0.0), []),
    ],
)
def test_pauses_are_kept_and_those_that_are_too_long_are_cut(pace: Pace, waited: list[float]) -> None:
    now, waits = [100.0], []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    written: list[str] = []
    player.show((Event(*one) for one in EVENTS), pace, written.append, wait, lambda: now[0])
    assert written == ["one \x1b[31m", "two\r\n"]
    assert waits == pytest.approx(waited)


def test_a_terminal_that_is_slow_makes_nothing_later() -> None:
    now, waits = [0.0], []

    def write(_: str) -> None:
        now[0] += 10

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    player.show(
        iter([Event(1, "o", "a"), Event(2, "o", "b"), Event(30, "o", "c")]), Pace(), write, wait, lambda: now[0]
    )
    assert waits == [1.0, 9.0]


async def test_export_writes_the_file_whole_and_closed_to_others(cli: Line, tmp_path: Path) -> None:
    path = tmp_path / "out.cast"
    told = await cli.run("recordings", "export", SESSION, "--output", str(path))
    assert (told.status, path.read_bytes()) == (0, CAST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert hashlib.sha256(CAST).hexdigest() in told.out
    assert sorted(one.name for one in tmp_path.glob("*out*")) == ["out.cast"]


async def test_export_never_writes_over_a_file_unless_it_is_forced(cli: Line, tmp_path: Path) -> None:
    path = tmp_path / "out.cast"
    path.write_text("mine")
    told = await cli.run("recordings", "export", SESSION, "-o", str(path))
    assert (told.status, path.read_text(), "--force" in told.err) == (1, "mine", True)
    link = tmp_path / "link.cast"
    link.symlink_to(tmp_path / "nowhere")
    assert (await cli.run("recordings", "export", SESSION, "-o", str(link))).status == 1
    assert not (tmp_path / "nowhere").exists()
    assert (await cli.run("recordings", "export", SESSION, "-o", str(path), "--force", "--json")).json["size"] == len(
        CAST
    )
    assert path.read_bytes() == CAST


async def test_a_file_that_is_not_the_one_of_the_catalogue_is_not_written(cli: Line, tmp_path: Path) -> None:
    keep(cli, CAST + b'[62.0, "o", "more"]\n', hashlib.sha256(CAST).hexdigest())
    path = tmp_path / "out.cast"
    for more in ((), ("--force",)):
        told = await cli.run("recordings", "export", SESSION, "-o", str(path), *more)
        assert (told.status, "nothing was written" in told.err) == (1, True)
        assert [one.name for one in tmp_path.iterdir()] == ["demo"]


async def test_export_goes_into_the_folder_one_is_in(
    cli: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (await cli.run("recordings", "export", SESSION)).status == 0
    assert (tmp_path / f"{SESSION}.cast").read_bytes() == CAST
    told = await cli.run("recordings", "export", SESSION, "-o", str(tmp_path / "missing" / "x.cast"))
    assert (told.status, "can not be written" in told.err) == (1, True)


async def test_verify_says_what_the_trail_says(cli: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    told = await cli.run("recordings", "verify", SESSION)
    assert (told.status, told.out, "not the one that was recorded" in told.err) == (1, "", True)

    async def says(*_: str) -> tuple[bool, str, int]:
        return True, hashlib.sha256(CAST).hexdigest(), len(CAST)

    monkeypatch.setattr(cli.api.searches, "digest", says)
    told = await cli.run("recordings", "verify", SESSION)
    assert (told.status, f"{SESSION}: whole" in told.out) == (0, True)
    assert (await cli.run("recordings", "verify", SESSION, "--json")).json["whole"] is True
    assert "NOT" not in (await cli.run("recordings", "list")).out
