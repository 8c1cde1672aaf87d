"""A gated shell as a person has it on the screen: tmux is the terminal, and its panes are looked at."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from tests.system.harness.waiting import until
from tests.system.hostile import Site, site
from tests.system.test_gated_shell import running

POLICY = """\
version: 1
rules:
  - {id: gated, effect: allow, shell: gated}
  - id: look
    effect: allow
    dynamic: true
    reads: ["/**"]
    commands: ["echo **", "cd **", "ls **", "cat **", "sleep **", "seq **", "printf **", "stty **", "true", "false",
               "trap **"]
  - id: by-hand
    effect: allow
    interactive: true
    commands: ["vim **", "nano **", "less **", "top **", "python3 **", "fg **"]
"""


class Screen:
    """A tmux of its own with one pane. Life: made, used, `close` (or as a context manager)."""

    def __init__(self, folder: Path, command: list[str], *, columns: int = 80, rows: int = 24) -> None:
        self._socket = str(folder / "tmux")
        (folder / "tmux.conf").write_text("set -g default-terminal screen-256color\n")
        size = ("-x", str(columns), "-y", str(rows))
        self.tmux("-f", str(folder / "tmux.conf"), "new-session", "-d", *size, shlex.join(command))

    def tmux(self, *words: str) -> str:
        call = ["tmux", "-u", "-S", self._socket, *words]
        return subprocess.run(call, capture_output=True, check=True, timeout=10).stdout.decode()

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def key(self, *names: str) -> None:
        self.tmux("send-keys", *names)

    def paste(self, text: str) -> None:
        """Brackets around it, as the program in front asked for them."""
        self.tmux("set-buffer", text)
        self.tmux("paste-buffer", "-p", "-r")

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def picture(self, *, colours: bool = False) -> str:
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def shows(self, pattern: str, seconds: float = 20) -> str:
        """The picture, once this is found in it."""
        found = re.compile(pattern, re.MULTILINE)
        until(lambda: found.search(self.picture()), seconds=seconds, told=self.picture)
        return self.picture()

    def answers(self, keys: str, text: str) -> bool:
        """Whether this text is there, the keys having been typed once more."""
        self.type(keys)
        return text in self.picture()

    def line(self, text: str) -> None:
        self.type(text)
        self.key("Enter")

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture(scope="module", params=["bash", "dash"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "target").mkdir()
    (folder / "target" / ".bash_profile").write_text(r"PS1='\[\e[1;32m\]at\[\e[0m\] \W\$ '" + "\n")
    (folder / "target" / ".profile").write_text("PS1='at $ '\n")
    with site(folder, request.param, policy=POLICY) as made:
        yield made


@pytest.fixture
def screen(place: Site, tmp_path: Path) -> Iterator[Screen]:
    with Screen(tmp_path, place.client.command("-tt", "-q", "gated")) as made:
        made.shows(r"^at .*[$#] ?$")
        yield made


BACK = r"^at .*[$#] echo back\nback\nat .*[$#] ?$"
"""The gate's prompt, the line that was typed there, and what it printed."""


def back(screen: Screen) -> str:
    screen.line("echo back")
    return screen.shows(BACK)


def test_a_file_is_edited(screen: Screen, tmp_path: Path) -> None:
    """vim gets the keys, the size and the screen; the prompt is where it was before."""
    file = tmp_path / "file"
    screen.line(f"vim -u NONE -n {file}")
    screen.shows(r"^~$")
    screen.type("ihello\x1b:set lines?\r")
    screen.shows(r"lines=24")
    screen.type(":wq\r")
    screen.shows(r"^at .*[$#] ?$")
    assert file.read_text() == "hello\n"
    assert "~" not in back(screen)


def test_a_file_is_edited_in_nano(screen: Screen, tmp_path: Path) -> None:
    """Its control keys are its own, those that the editor at the prompt has too among them."""
    file = tmp_path / "file"
    file.write_text("second\n")
    screen.line(f"nano -I {file}")
    screen.shows(r"\^G Help")
    screen.type("first")
    screen.key("Enter", "C-e", "C-u", "Up", "C-a", "C-o", "Enter")
    screen.shows(r"Wrote 2 lines")
    screen.key("C-x")
    screen.shows(r"^at .*[$#] ?$")
    assert file.read_text() == "first\nsecond\n"
    assert "second" not in back(screen)


def test_a_pager(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "long").write_text("".join(f"row {number}\n" for number in range(200)))
    screen.line(f"less {tmp_path}/long")
    screen.shows(r"^row 22$")
    screen.type("G")
    screen.shows(r"^row 199\n\(END\)|^row 199$")
    screen.type("q")
    screen.shows(r"^at .*[$#] ?$")
    back(screen)


def test_a_picture_that_moves(screen: Screen) -> None:
    screen.line("top -d 1")
    screen.shows(r"PID +USER")
    screen.type("q")
    screen.shows(r"^at .*[$#] ?$")
    back(screen)


def test_an_interpreter_by_hand(screen: Screen) -> None:
    """Its prompt and its lines are its own; the gate's prompt comes when it has ended."""
    screen.line("python3 -q")
    screen.shows(r"^>>> ?$")
    screen.line("print(6 * 7)")
    screen.shows(r"^42$")
    screen.key("C-c")
    screen.shows(r"KeyboardInterrupt")
    screen.key("C-d")
    screen.shows(r"^at .*[$#] ?$")
    back(screen)


def test_a_loop_is_interrupted(screen: Screen) -> None:
    """All of it, and not only the program that it is at."""
    screen.line("for i in 1 2 3 4 5 6 7 8 9; do echo turn $i; sleep 1; done")
    screen.shows(r"^turn 2$")
    screen.key("C-c")
    screen.shows(r"^at .*[$#] ?$")
    assert "turn 5" not in back(screen)


def test_a_program_stops_and_goes_on(screen: Screen) -> None:
    screen.line("sleep 61.25")
    until(partial(running, "sleep 61.25"))
    screen.key("C-z")
    screen.shows(r"^at .*[$#] ?$")
    screen.line("fg")
    screen.shows(r"fg\n.*sleep")
    screen.key("C-c")
    screen.shows(r"^at .*[$#] ?$")
    back(screen)


def test_a_paste_of_500_lines(screen: Screen) -> None:
    """One after the other, and nothing lost."""
    screen.paste("".join(f"echo line-{number}\n" for number in range(500)))
    screen.shows(r"^line-499$", 120)
    back(screen)


def test_a_size_that_changes_is_seen_by_what_runs(screen: Screen) -> None:
    screen.line("vim -u NONE -n")
    screen.shows(r"^~$")
    screen.resize(61, 17)
    until(partial(screen.answers, "\r:set columns? lines?\r", "columns=61"))
    screen.type("\r:q\r")
    screen.shows(r"^at .*[$#] ?$")
    screen.line("stty size")
    screen.shows(r"^17 61$")


def test_long_lines_wide_characters_and_colours(place: Site, screen: Screen) -> None:
    """What is typed wraps where the terminal wraps, and can be edited across the edge."""
    words = "echo " + "abcdefghi-" * 12
    screen.type(words)
    picture = screen.shows(r"abcdefghi-$")
    assert words in re.sub(r"^at .*?[$#] ", "", picture).replace("\n", "")
    screen.key("Home", "C-k")
    screen.type("echo 漢字 e\u0301 漢")
    screen.key("Left", "Left", "BSpace")
    screen.shows(r"echo 漢字  漢$")
    screen.key("Enter")
    screen.shows(r"^漢字 漢$")
    if place.name == "bash":
        assert "\x1b[1m\x1b[32mat" in screen.picture(colours=True)


def test_what_can_be_meant_is_listed(screen: Screen, tmp_path: Path) -> None:
    for name in ("first-one", "first-two", "second"):
        (tmp_path / name).touch()
    screen.line(f"cd {tmp_path}")
    screen.shows(r"^at .*[$#] cd .*\n(?:.*\n)*at .*[$#] ?$")
    screen.type("ls -d fi")
    screen.key("Tab")
    screen.shows(r"ls -d first-$")
    screen.key("Tab")
    screen.shows(r"first-one +first-two")
    screen.type("t")
    screen.key("Tab", "Enter")
    screen.shows(r"ls -d first-two *\nfirst-two$")


def test_a_command_of_several_lines(screen: Screen) -> None:
    """A continuation prompt, and one verdict."""
    screen.line("for i in a b")
    screen.shows(r"^> ?$")
    screen.line("do echo got $i")
    screen.line("done")
    screen.shows(r"^got a\ngot b$")
    screen.line("cat <<END")
    screen.line("touch nothing")
    screen.line("END")
    screen.shows(r"^> END\ntouch nothing$")
    screen.line("if true; then")
    screen.key("C-c")
    back(screen)


def test_the_recording_plays_as_it_was_seen(place: Site, tmp_path: Path) -> None:
    """An editor, a new size and what was refused: the player's picture, the markers and the audit trail tell the
    same."""
    (tmp_path / "player").mkdir()
    with Screen(tmp_path, place.client.command("-tt", "-q", "gated")) as screen:
        screen.shows(r"^at .*[$#] ?$")
        screen.line(f"cd {tmp_path}")
        screen.shows(r"^at .*[$#] cd .*\n(?:.*\n)*at .*[$#] ?$")
        screen.line("vim -u NONE -n file")
        screen.shows(r"^~$")
        screen.resize(120, 31)
        until(partial(screen.answers, ":set columns?\r", "columns=120"))
        screen.type("ihello\x1b:wq\r")
        screen.shows(r"file\nat .*[$#] ?$")
        screen.line("reboot")
        screen.shows(r"^bastion: denied by default")
        screen.line("false")
        screen.shows(r"false\nat .*[$#] ?$")
        seen = back(screen)
        session = [event["session"] for event in place.bastion.audit("command-judged")][-1]
        screen.line("exit")
        place.bastion.wait_audit(lambda event: event["kind"] == "session-ended" and event["session"] == session)
    assert (tmp_path / "file").read_text() == "hello\n"
    (recording,) = place.bastion.folder.rglob(f"{session}.cast")
    with Screen(
        tmp_path / "player", ["sh", "-c", f"asciinema play -s 4 {recording}; exec sleep 60"], columns=120, rows=31
    ) as player:
        played = player.shows(r"^at .*[$#] exit$").rpartition("exit")[0]
        # Above that tmux leaves some of vim's screen, whose size has changed, where people watch; players do not.
        assert played.partition("vim -u")[2].rstrip() == seen.partition("vim -u")[2].rstrip()
    events = [json.loads(line) for line in recording.read_text().splitlines()[1:]]
    assert [data for _, code, data in events if code == "r"] == ["120x31"]
    assert [data for _, code, data in events if code == "m"] == [
        "shell (allowed by gated)",
        f"cd {tmp_path} (allowed by look)",
        "vim -u NONE -n file (allowed by by-hand, takes commands)",
        "reboot (denied by default)",
        "false (allowed by look)",
        "echo back (allowed by look)",
        "exit (allowed by script)",
    ]
    ended = [event for event in place.bastion.audit("line-ended") if event["session"] == session]
    assert [(event["number"], event.get("status"), event["directory"]) for event in ended] == [
        (number, status, str(tmp_path)) for number, status in ((2, 0), (3, 0), (5, 1), (6, 0), (7, None))
    ]
