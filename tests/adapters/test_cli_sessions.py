"""bastion sessions: lists are inert, `watch` shows what is recorded and puts the terminal right, `kill` ends."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.characters import hidden
from tests.adapters.api_ports import head
from tests.adapters.cli_house import Line, line
from tests.system.terminal import Terminal

LIVE = "live-acme"


@pytest.fixture
async def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Line]:
    async with line(tmp_path, capsys) as made:
        yield made


async def test_sessions_are_listed_live_and_past(cli: Line) -> None:
    told = await cli.run("sessions", "list")
    assert [row.split()[0] for row in told.out.splitlines()] == ["ID", LIVE, "past-acme"]
    assert not any(hidden(one) for one in told.out.splitlines())
    assert "exit 0" in told.out
    assert [one["id"] for one in (await cli.run("sessions", "list", "--live", "--json")).json] == [LIVE]
    assert [one["id"] for one in (await cli.run("sessions", "list", "--past", "--json")).json] == ["past-acme"]


async def test_one_session_is_told_and_what_is_not_for_everyone_is_not(cli: Line) -> None:
    told = await cli.run("sessions", "show", LIVE)
    for words in ("live", "agent-1 (https://i.example.com)", "4711", "192.0.2.1", "deploy@web-1", "\\x1b[31m"):
        assert words in told.out
    assert (await cli.run("sessions", "show", LIVE, "--json")).json["serial"] == 4711
    assert (await cli.run("sessions", "show", "live-other")).status == 3


async def test_kill_ends_a_session_with_a_reason(cli: Line) -> None:
    told = await cli.run("sessions", "kill", LIVE, "--reason", "drill")
    assert (told.status, told.out.startswith(f"{LIVE}: is ending: echo")) == (0, True)
    (ended,) = cli.api.live.ended
    assert ended[:2] == ("acme", LIVE)
    assert ended[2].endswith(": drill")
    again = await cli.run("sessions", "kill", "past-acme")
    assert (again.status, "over already" in again.err) == (1, True)
    assert (await cli.run("sessions", "kill", LIVE, who="rev@demo")).status == 4


async def test_watch_shows_what_is_recorded_and_ends_with_the_session(cli: Line) -> None:
    recorder = cli.api.files.open(head("acme", LIVE))
    recorder.output(0, b"before \x1b[31m\n")
    async with cli.begun("sessions", "watch", LIVE) as watching:
        await watching.until("before \x1b[31m\r\n")
        recorder.output(0, b"during")
        recorder.marker("a marker")
        await watching.until("during")
        await asyncio.to_thread(recorder.close)
        assert await watching.end() == 0
        assert watching.out == "before \x1b[31m\r\nduring"
        assert "the session is over" in watching.err


async def test_watch_as_json_is_the_asciicasts_events(cli: Line) -> None:
    recorder = cli.api.files.open(head("acme", LIVE))
    recorder.output(0, b"a\x1b[31m\n")
    async with cli.begun("sessions", "watch", LIVE, "--json") as watching:
        await watching.until("a\\u001b[31m")
        await asyncio.to_thread(recorder.close)
        assert await watching.end() == 0
        told = [json.loads(one) for one in watching.out.splitlines()]
    assert [one["kind"] for one in told if one["kind"] != "event"] == ["header", "end"]
    assert ["o", "a\x1b[31m\r\n"] in [one["data"][1:] for one in told if one["kind"] == "event"]


async def test_what_can_not_be_watched_is_told(cli: Line) -> None:
    told = await cli.run("sessions", "watch", "past-acme")
    assert (told.status, told.out, "see its recording" in told.err) == (1, "", True)
    assert (await cli.run("sessions", "watch", LIVE, who="rev@demo")).status == 4


@pytest.mark.parametrize("given", ["", "</dev/null"], ids=["keys", "nothing"])
async def test_a_hostile_session_leaves_the_terminal_as_it_was(cli: Line, given: str) -> None:
    """It asks the terminal where its cursor is, hides it, takes the other screen and mouse reports. The shell
    afterwards gets none of the terminal's answers for its input."""
    recorder = cli.api.files.open(head("acme", LIVE))
    recorder.output(0, b"\x1b[?1049h\x1b[?25l\x1b[?1003h\x1b[6nhostile")
    bastion = [sys.executable, "-m", "bastion", "sessions", "watch", LIVE, "--tenant", "acme", "--dir", str(cli.folder)]
    script = (
        f'before=$(stty -g); "$@" {given}; echo "status $?"; [ "$before" = "$(stty -g)" ] && echo same;'
        ' read -r x; echo "<$x>"'
    )
    with await asyncio.to_thread(Terminal, ["sh", "-c", script, "sh", *bastion]) as terminal:
        await asyncio.to_thread(terminal.wait_for, b"hostile")
        terminal.type(b"\x1b[24;80R")  # as the terminal would answer
        await asyncio.to_thread(recorder.close)
        await asyncio.to_thread(terminal.wait_for, b"status 0")
        await asyncio.to_thread(terminal.wait_for, b"same")
        terminal.type(b"typed\n")
        seen = await asyncio.to_thread(terminal.wait_for, b"<typed>")
    shown = seen[seen.index(b"hostile") :]
    for undone in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[0m"):
        assert undone in shown
    assert b"24;80R" not in shown


async def test_ctrl_c_stops_watching_and_puts_the_terminal_right(cli: Line) -> None:
    recorder = cli.api.files.open(head("acme", LIVE))
    recorder.output(0, b"\x1b[?25lgoing on")
    bastion = [sys.executable, "-m", "bastion", "sessions", "watch", LIVE, "--tenant", "acme", "--dir", str(cli.folder)]
    script = 'trap : INT; before=$(stty -g); "$@"; echo "status $?"; [ "$before" = "$(stty -g)" ] && echo same'
    with await asyncio.to_thread(Terminal, ["sh", "-c", script, "sh", *bastion]) as terminal:
        await asyncio.to_thread(terminal.wait_for, b"going on")
        terminal.type(b"\x03")
        await asyncio.to_thread(terminal.wait_for, b"\x1b[?25h")
        await asyncio.to_thread(terminal.wait_for, b"status 130")
        await asyncio.to_thread(terminal.wait_for, b"same")
    recorder.abandon()
