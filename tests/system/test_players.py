"""Stock players play what the recorder wrote, whole, live, and as a crash leaves it once it is mended."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from bastion.recording.mend import mend
from bastion.recording.recorder import Recordings
from tests.core.test_asciicast_encoder import HEAD
from tests.laws.test_law_6_killed import killed_under_load

pytestmark = pytest.mark.system

PLAYER = Path(__file__).parent / "player"
PIECES = [(0, b"out \xe2\x82"), (1, b"err\r\n"), (0, b"\xac\r\n"), (0, bytes(range(256))), (1, b"\xff\x00\r\nend\r\n")]
SHOWN = "out err\r\n€\r\n" + bytes(range(256)).decode("utf-8", "replace") + "\ufffd\x00\r\nend\r\n"


def web_player(*paths: Path) -> list[dict[str, Any]]:
    """What the web player's core makes of recordings."""
    node = shutil.which("node")
    if node is None or not (PLAYER / "node_modules").is_dir():
        pytest.fail("the web player is not installed: `make test` does it (npm ci in tests/system/player)")
    with tempfile.TemporaryFile() as out:  # a file, not a pipe: node writes to it at once, whole
        subprocess.run([node, "replay.mjs", *map(str, paths)], cwd=PLAYER, stdout=out, check=True, timeout=60)
        out.seek(0)
        return [json.loads(line) for line in out.read().splitlines()]


def asciinema(path: Path, *words: str) -> str:
    """What Debian's asciinema shows. It wants a terminal of its own, which `script` (bsdutils) gives it.

    The terminal is raw, so that what is shown comes out as it is.
    """
    command = f"stty raw -echo; exec {shlex.join(['asciinema', *words, str(path)])}"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.stdout.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with all there can be in one, closed."""
    recordings = Recordings(tmp_path_factory.mktemp("recordings"))
    recorder = recordings.open(dataclasses.replace(HEAD, term="xterm", shell="bash"))
    recorder.marker("uptime: allowed by look-around")
    recorder.resize(120, 40)
    for stream, data in PIECES:
        recorder.output(stream, data)
    recorder.close()
    recordings.stop()
    return recordings.directory / recorder.name


def test_the_web_player_plays_it(recorded: Path) -> None:
    """Output, markers and sizes arrive in the web player as they were."""
    (seen,) = web_player(recorded)
    assert seen.get("error") is None
    assert seen["output"] == SHOWN
    assert seen["markers"] == ["uptime: allowed by look-around"]
    assert "120x40" in seen["sizes"]


def test_asciinema_cat_shows_it(recorded: Path) -> None:
    """`asciinema cat` writes out what was shown, to the byte."""
    assert asciinema(recorded, "cat") == SHOWN


def test_asciinema_plays_it(recorded: Path) -> None:
    """`asciinema play` ends well, and shows the end."""
    assert "end" in asciinema(recorded, "play", "-i", "0.01")


def test_an_empty_and_a_live_recording_play(tmp_path: Path) -> None:
    """A recording of a command that shows nothing plays, as does one that still grows."""
    recordings = Recordings(tmp_path)
    live = recordings.open(dataclasses.replace(HEAD, session="live"))
    empty = recordings.open(dataclasses.replace(HEAD, session="empty"))
    live.output(0, b"so far\r\n")
    empty.close()
    paths = [tmp_path / live.name, tmp_path / empty.name]
    assert [seen.get("output") for seen in web_player(*paths)] == ["so far\r\n", ""]
    assert [asciinema(path, "cat") for path in paths] == ["so far\r\n", ""]
    live.close()
    recordings.stop()


def test_torn_is_refused_and_mended_is_played(tmp_path: Path) -> None:
    """The web player refuses a torn recording (which is why they are mended), and plays it once it is."""
    recordings = Recordings(tmp_path)
    recorder = recordings.open(HEAD)
    recorder.output(0, b"shown\r\n")
    recorder.abandon()
    recordings.stop()
    path = tmp_path / recorder.name
    with path.open("ab") as file:
        file.write(b'[9.5, "o", "ne')
    assert "error" in web_player(path)[0]
    list(mend(tmp_path))
    assert web_player(path)[0]["output"] == "shown\r\n"
    assert asciinema(path, "cat") == "shown\r\n"


@pytest.mark.parametrize("after", [1, 50, 333])
def test_after_kill_9_every_recording_plays(tmp_path: Path, after: int) -> None:
    """Killed under load and mended: each recording plays in the web player, and the mended ones by asciinema too."""
    killed_under_load("record", tmp_path, after)
    mended = list(mend(tmp_path))
    paths = sorted(tmp_path.rglob("*.cast"))
    seen = web_player(*paths)
    assert len(seen) == len(paths) > 0
    assert [one["error"] for one in seen if "error" in one] == []
    for one in mended:
        path = tmp_path / one.recording
        assert asciinema(path, "cat") == seen[paths.index(path)]["output"]
