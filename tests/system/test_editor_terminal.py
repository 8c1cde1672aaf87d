"""A real terminal (tmux) shows what the terminal of the tests does, and so what the line editor believes."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.session.gated.history import History
from tests.services.gated.house import House, expected
from tests.system.harness.waiting import until

pytestmark = pytest.mark.system

COLUMNS, ROWS = 20, 24
SCENES = {
    "typed over the margin": [b"x" * 50, b"\x7f" * 5],
    "up to the margin, and changed there": [b"x" * 18, b"\x02\x06", b"\x7f", b"yz", b"\x01\x05", b"\x7f\x7f"],
    "wide at the margin": ["a漢字漢字漢字漢字漢字漢字b".encode(), b"\x01", b"c", b"\x05", b"\x7f\x7f", b"\x01\x04\x04"],
    "marks": ["e\u0301e\u0301xe\u0301".encode(), b"\x02\x02", "o\u0302".encode(), b"\x7f", b"\x05\x7f"],
    "a mark at the margin": [b"x" * 17 + b"e", "\u0301".encode(), b"\x02\x05", b"y"],
    "hidden characters": ["a\u200b\u202eb".encode(), b"\x02\x02\x7f"],
    "a tab at the margin": [b"a\x16\tb" + b"x" * 9 + b"\x16\tc", b"\x02\x02", b"y"],
    "several lines": [b"\x10", b"\x02" * 8 + b"X", b"\x01\x0b", b"\x19", b"\x01\x04"],
    "killed and yanked in the middle": [b"one two three four five six", b"\x1bb\x1bb\x0b", b"\x01\x19"],
    "a search": [b"typed", b"\x12", b"don", b"\x12", b"\x05"],
    "lines one after the other": [b"ls\r", b"x" * 18 + b"\r", b"id\x03", b"w"],
    "candidates": [b"ls x\x02", b"\t", b"y"],
    "longer than the screen": [b"word " * 200, b"\x01", b"a", b"\x05", b"b", b"\x1bb"],
    "cleared": [b"ls -l\r", b"abc\x02", b"\x0c", b"d"],
}


class Tmux:
    """A terminal of so many columns that draws what is written to it. Life: made, `draw`, `close`."""

    def __init__(self, folder: Path, columns: int) -> None:
        self._socket, pipe = folder / "tmux", folder / "pipe"
        self._settings = folder / "settings"
        self._settings.write_text("set -g status off\n")
        self._drawn = 0
        os.mkfifo(pipe)
        command = f"stty raw -echo; exec cat {shlex.quote(str(pipe))}"
        self.ask("new-session", "-d", "-x", str(columns), "-y", str(ROWS), command)
        self._pipe = os.open(pipe, os.O_WRONLY)

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self._socket), "-f", str(self._settings), *words],
            check=True,
            capture_output=True,
            timeout=60,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"},
        )
        return done.stdout.decode()

    def draw(self, data: bytes) -> tuple[list[str], int, int]:
        """The rows of the screen and the cursor, once these bytes are drawn."""
        self._drawn += 1
        title = f"drawn {self._drawn}"
        os.write(self._pipe, data + f"\x1b]2;{title}\x1b\\".encode())
        until(lambda: self.ask("display", "-p", "#{pane_title}").strip() == title)
        x, y = map(int, self.ask("display", "-p", "#{cursor_x} #{cursor_y}").split())
        rows = [row.rstrip(" ") for row in self.ask("capture-pane", "-p").split("\n")]
        while rows and not rows[-1]:
            rows.pop()
        return rows, y, x

    def close(self) -> None:
        self.ask("kill-server")  # first: without its only program the server would end by itself
        os.close(self._pipe)


def house_of() -> House:
    history = History()
    history.add("for \\\nx in 1 2 3 4 5 6 7 8\ndo \\\necho $x; done")
    house = House(COLUMNS, ROWS, "$ ", history)
    house.answer = ("", ("one", "two", "three\x1b[2J", "漢字"))
    return house


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path, COLUMNS)
    yield terminal
    terminal.close()


@pytest.mark.parametrize("scene", SCENES)
def test_tmux_shows_what_the_terminal_of_the_tests_shows(scene: str, tmux: Tmux) -> None:
    house = house_of()
    before = 0
    for keys in SCENES[scene]:
        house.type(keys)
        top = max(0, len(house.terminal.rows) - ROWS)
        believed = house.terminal.picture(top), house.terminal.y - top, min(house.terminal.x, COLUMNS)
        assert tmux.draw(house.terminal.written[before:]) == believed, keys
        before = len(house.terminal.written)


@pytest.mark.parametrize("columns", [[15], [40], [33, 12, 60]])
def test_after_a_resize_tmux_shows_the_line_and_what_stood_above(columns: list[int], tmux: Tmux) -> None:
    """tmux wraps its rows anew."""
    house = house_of()
    house.type(b"first\r" + "a long command 漢字, wrapped over rows".encode() + b"\x02" * 5)
    drawn = house.terminal.written
    for number in columns:
        tmux.draw(drawn)
        tmux.ask("resize-window", "-x", str(number), "-y", str(ROWS))
        drawn = house.editor.resize(number, ROWS)
    rows, y, x = tmux.draw(drawn)
    believed, row, column = expected(columns[-1], "$ ", house.editor.text, house.editor.cursor)
    assert rows[0] == "$ first"
    assert (rows[y - row :], x) == (believed, column)
