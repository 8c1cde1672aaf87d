"""A line that is with the gate and not wanted any more: nothing of it runs, whenever that is, and the shell goes on.
And what becomes of what is typed at such moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bastion.session.gated.commands import Commands, State
from tests.services.gated.commands_house import Place, placed


@pytest.fixture(params=["bash", "dash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def commands_of(shell: str, folder: Path) -> AsyncIterator[tuple[Place, Commands]]:
    with placed(shell, folder) as place:
        commands = await place.commands()
        try:
            yield place, commands
        finally:
            await commands.close()


async def test_a_withdrawn_line_runs_nothing(shell: str, tmp_path: Path) -> None:
    """It is told to the source and in the recording; the status is that of a refusal, and the next line runs."""
    async with commands_of(shell, tmp_path) as (place, commands):
        place.gate.open.clear()
        commands.submit("echo withdrawn")
        await place.until(lambda: bool(place.gate.asked))
        commands.withdraw()
        assert (await place.source.prompt()).status == 126
        assert [error.rule for error in place.source.refusals] == ["withdrawn"]
        place.gate.open.set()
        commands.submit("echo after $?")
        assert (await place.source.prompt()).status == 0
        assert place.local.written == [b"'echo' 'after' ${?}"]
        assert b"withdrawn" not in place.source.printed_bytes
        assert b"after 126" in place.source.printed_bytes
        assert place.markers == ["echo withdrawn (denied by withdrawn)", "echo after $? (allowed by tests)"]


async def test_a_line_that_is_withdrawn_before_the_gate_has_it(shell: str, tmp_path: Path) -> None:
    """As when both come in one packet."""
    async with commands_of(shell, tmp_path) as (place, commands):
        commands.submit("echo withdrawn")
        commands.withdraw()
        assert (await place.source.prompt()).status == 126
        assert (place.gate.asked, place.local.written) == ([], [])


async def test_a_line_that_is_withdrawn_as_the_gate_answers(shell: str, tmp_path: Path) -> None:
    """The answer has been given and not yet taken: it is not taken any more."""
    async with commands_of(shell, tmp_path) as (place, commands):
        place.gate.open.clear()
        commands.submit("echo withdrawn")
        await place.until(lambda: bool(place.gate.asked))
        place.gate.open.set()
        commands.withdraw()
        assert (await place.source.prompt()).status == 126
        assert place.local.written == []


async def test_a_gate_that_answers_all_the_same(shell: str, tmp_path: Path) -> None:
    """One that does not let itself be broken off: its permission is for a line that is not wanted any more."""
    async with commands_of(shell, tmp_path) as (place, commands):
        place.gate.stubborn = True
        place.gate.open.clear()
        commands.submit("echo withdrawn")
        await place.until(lambda: bool(place.gate.asked))
        commands.withdraw()
        await asyncio.sleep(0)
        place.gate.open.set()
        assert (await place.source.prompt()).status == 126
        assert place.local.written == []
        assert place.markers == ["echo withdrawn (denied by withdrawn)"]


async def test_what_runs_can_not_be_withdrawn(shell: str, tmp_path: Path) -> None:
    """It is in the target's hands; a signal ends it."""
    async with commands_of(shell, tmp_path) as (place, commands):
        commands.submit("sleep 0.2; echo ran")
        await place.until(lambda: commands.state is State.RUNNING)
        commands.withdraw()
        assert (await place.source.prompt()).status == 0
        assert place.source.refusals == []
        assert b"ran" in place.source.printed_bytes


async def test_ctrl_c_withdraws_the_line_and_what_was_typed_behind_it(shell: str, tmp_path: Path) -> None:
    """One new prompt; what is typed behind Ctrl-C stands in its line."""
    with placed(shell, tmp_path) as place:
        made = await place.by_keys()
        place.gate.open.clear()
        made.keys(b"echo withdrawn\r")
        await place.until(lambda: bool(place.gate.asked))
        made.keys(b"echo dropped\r\x1b[")
        made.keys(b"\x03echo ke")
        await place.until(lambda: place.shown.endswith(b"echo ke"))
        place.gate.open.set()
        made.keys(b"pt\r")
        await place.until(lambda: b"kept\r\n" in place.shown.split(b"echo ke")[-1])
        await made.close()
        assert place.gate.asked == [b"echo withdrawn", b"echo kept"]
        assert place.local.written == [b"'echo' 'kept'"]
        assert b"denied by withdrawn" in place.shown
        assert b"^C" not in place.shown


async def test_ctrl_c_right_behind_the_line(shell: str, tmp_path: Path) -> None:
    """In a packet of its own that comes at once: the shell is at its prompt again."""
    with placed(shell, tmp_path) as place:
        made = await place.by_keys()
        made.keys(b"echo withdrawn\r")
        made.keys(b"\x03")
        made.keys(b"echo next\r")
        await place.until(lambda: b"next\r\n" in place.shown.split(b"echo next")[-1])
        await made.close()
        assert place.local.written == [b"'echo' 'next'"]


async def test_ctrl_c_withdraws_the_rest_of_a_paste(shell: str, tmp_path: Path) -> None:
    with placed(shell, tmp_path) as place:
        made = await place.by_keys()
        place.gate.open.clear()
        made.keys(b"\x1b[200~echo one\recho two\recho three\r\x1b[201~")
        await place.until(lambda: bool(place.gate.asked))
        made.keys(b"\x03")
        await place.until(lambda: b"2 more pasted lines were not run" in place.shown)
        place.gate.open.set()
        made.keys(b"echo four\r")
        await place.until(lambda: b"four\r\n" in place.shown.split(b"echo four")[-1])
        await made.close()
        assert place.local.written == [b"'echo' 'four'"]


@pytest.mark.parametrize("keys", [b"echo next\r", b"\x03echo next\r"], ids=["a line", "Ctrl-C and a line"])
async def test_what_is_typed_right_behind_a_refusal_is_the_next_line(shell: str, tmp_path: Path, keys: bytes) -> None:
    """No program runs then that could want it, so it does not go to the terminal, for the next one to read."""
    with placed(shell, tmp_path) as place:
        made = await place.by_keys()
        typed = iter([keys])
        place.behind_marker = lambda: made.keys(next(typed, b""))
        made.keys(b"reboot\r")
        await place.until(lambda: b"next\r\n" in place.shown.split(b"echo next")[-1])
        await made.close()
        assert b"denied by default" in place.shown
        assert place.local.written == [b"'echo' 'next'"]
