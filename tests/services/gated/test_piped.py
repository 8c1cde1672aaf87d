"""A shell without a terminal: one command at a time, in turn, and none behind a refused one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from bastion.asked import Asked
from bastion.audit.events import Event
from bastion.context import Context
from bastion.errors import Denied, TargetDown
from bastion.gate import Allowed, Gate
from bastion.policy.decision import Decision, Effect
from bastion.session.channel import STDERR, STDOUT, Ended, Signal
from bastion.session.gated.piped import PipedShell
from bastion.session.gated.script import MAX_WAITING
from bastion.session.relay import Relay
from tests.services.gate_house import House
from tests.services.wires import FakeClient, FakeTape, FakeTarget, Wires

NONCE = "0123456789abcdef"
MARK = b"\x1b]7777;0123456789abcdef;"


def marker(number: int, status: int = 0) -> bytes:
    return MARK + b"prompt;%d;%d\x07/srv" % (number, status) + MARK + b"at\x07" + MARK + b"end\x07"


class World:
    """Everything around one such shell: what starts with `rm` is denied. `done` has what happened."""

    def __init__(self, context: Context) -> None:
        self.done: list[str] = []
        self.wires = Wires()
        self.client, self.target = FakeClient(self.wires), FakeTarget(self.wires)
        self.relay = Relay(self.client, FakeTape(self.wires), terminal=False, session="s")
        allowed = cast(Allowed, type("Fake", (), {"shell": "bash"}))
        me = cast(Any, self)
        self.context = context
        self.shell = PipedShell(cast(Gate, self), me, me, context, allowed, self.relay, me, NONCE)
        self.opening = asyncio.ensure_future(self.shell.open())
        self.number = 0

    # the gate, the trail, the recording, the target and what commands are sent by

    async def judge(self, _context: Context, asked: Asked) -> Allowed:
        assert (asked.kind, asked.terminal, asked.stdin) == ("line", False, None)
        if asked.text.startswith(b"rm"):
            raise Denied("no", rule="never", remedy="ask")
        decision = Decision(Effect.ALLOW, "tests", "allowed", "v1")
        told = "allowed by tests"
        return cast(Allowed, type("Fake", (), {"decision": decision, "runs": asked.text, "told": told}))

    async def write(self, event: Event) -> None:
        self.done.append(event.kind)

    def marker(self, text: str, told: str) -> None:
        self.done.append(f"{text} ({told})")

    def hidden(self, text: bytes) -> bytes:
        return text

    async def pipe(self, *_: object) -> tuple[FakeTarget, World]:
        return self.target, self

    def begin(self) -> None:
        self.done.append("begin")

    def prepare(self, _number: int) -> bool:
        return False

    def run(self, number: int, allowed: Allowed, line: int) -> None:
        self.number = number
        assert allowed.runs is not None
        self.done.append(f"run {number} at {line}: {allowed.runs.decode()}")

    def refused(self, number: int, status: int) -> None:
        assert status == 126
        self.number = number
        self.done.append(f"refused {number}")

    def exit(self, _number: int) -> None:
        self.done.append("exit")

    def close(self) -> None:
        self.done.append("close")

    # what the tests do

    async def turn(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)

    async def begun(self) -> None:
        await self.turn()
        self.relay.target_data(marker(0), STDOUT)
        await self.opening
        await self.turn()

    async def ended(self, status: int = 0) -> None:
        """What runs has."""
        self.relay.target_data(marker(self.number, status), STDOUT)
        await self.turn()

    def paused(self) -> bool:
        return self.client.paused

    @property
    def ran(self) -> list[str]:
        return [line for line in self.done if line.startswith(("run", "refused", "exit"))]

    def shown(self, stream: int) -> bytes:
        return b"".join(cast(bytes, seen[2]) for seen in self.wires.seen if seen[:2] == ("shown", stream))


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(await House(tmp_path).context())


async def test_commands_run_in_turn(world: World) -> None:
    """The next one when the one before has ended, and the end of the input at last."""
    world.relay.client_data(b"echo 1\n\necho 2\necho 3")
    world.relay.client_eof()
    await world.begun()
    assert world.ran == ["run 1 at 1: echo 1"]
    await world.ended()
    assert world.ran[1:] == ["run 2 at 3: echo 2"]
    await world.ended(1)
    await world.ended(1)
    assert world.ran[2:] == ["run 3 at 4: echo 3", "exit"]
    assert world.done.count("line-ended") == 3


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_a_refusal_ends_it_however_the_bytes_come(world: World, size: int) -> None:
    """Nothing behind it runs, also what comes later; the status is 126 whatever the shell's is."""
    text = b"echo 1\nrm x\necho 2\n"
    await world.begun()
    for at in range(0, len(text), size):
        world.relay.client_data(text[at : at + size])
        await world.turn()
    await world.ended()
    assert world.ran == ["run 1 at 1: echo 1", "refused 2"]
    world.relay.client_data(b"echo 3\n")
    await world.ended(126)
    assert world.ran[2:] == ["exit"]
    assert world.shown(STDERR) == b"bastion: denied by never: no [s]\nbastion: ask\n"
    assert world.shell.outcome(Ended(0)) == (Ended(126), "denied")


async def test_the_streams_stay_apart_and_markers_are_not_shown(world: World) -> None:
    """A marker is one on standard output alone."""
    await world.begun()
    world.relay.target_data(b"out\x1b", STDOUT)
    world.relay.target_data(marker(7), STDERR)
    assert (world.shown(STDOUT), world.shown(STDERR)) == (b"out", marker(7))
    world.relay.target_eof()
    assert world.shown(STDOUT) == b"out\x1b"


async def test_what_waits_is_bounded(world: World) -> None:
    """Reading from the client pauses, and goes on when there is room; signals pass all the same."""
    await world.begun()
    world.relay.client_data(b"echo 1\n" + b"echo 2\n" * (MAX_WAITING // 7 + 1))
    await world.turn()
    assert world.paused()
    world.relay.client_control(Signal("INT"))
    assert ("told", Signal("INT")) in world.wires.seen
    while world.paused():
        await world.ended()
    assert world.number < 4


async def test_nothing_of_the_clients_is_written_to_the_target(world: World) -> None:
    await world.begun()
    world.relay.client_data(b"echo 1\necho 2\n")
    world.relay.client_eof()
    await world.ended()
    assert not [seen for seen in world.wires.seen if seen[0] in ("sent", "target eof")]


async def test_a_shell_that_ends_before_its_first_prompt_has_its_own_status(world: World) -> None:
    await world.turn()
    world.relay.target_exit(Ended(3))
    world.relay.target_lost(None)
    await world.opening
    assert world.shell.outcome(await world.relay.ended) == (Ended(3), "exit")


async def test_a_target_that_refuses_has_no_such_shell(world: World) -> None:
    await world.turn()
    world.relay.target_data(MARK + b"refused;no reason\x07", STDOUT)
    with pytest.raises(Denied, match="no reason"):
        await world.opening


async def test_a_target_that_is_lost_ends_it(world: World) -> None:
    await world.begun()
    world.relay.target_lost(ConnectionError("x"))
    with pytest.raises(TargetDown):
        await world.relay.ended


async def test_its_last_word_is_shown_after_its_end(world: World) -> None:
    """A revocation is told."""
    await world.begun()
    world.relay.end(TargetDown("x"))
    world.relay.say("the last word")
    assert world.shown(STDERR) == b"the last word\n"
