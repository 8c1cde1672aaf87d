"""Commands with a real shell on a local pseudo-terminal, a gate that can be made to wait, and a client in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bastion.analysis.pagers import NO_PAGER
from bastion.asked import Asked
from bastion.context import Context
from bastion.errors import Denied
from bastion.gate import Allowed, Gate
from bastion.policy import loader
from bastion.session.channel import STDOUT, Terminal
from bastion.session.gated import boot, wire
from bastion.session.gated.commands import Commands
from bastion.session.gated.markers import Prompt
from bastion.session.gated.needs import Opens
from bastion.session.gated.shell import GatedShell
from bastion.session.relay import Relay
from tests.services.gate_house import House, asked
from tests.services.gated.target import DEADLINE, Target, shell_named
from tests.services.wires import FakeClient, FakeTape, Wires
from tests.system.harness.waiting import until

POLICY = """\
version: 1
rules:
  - {id: shell, effect: allow, shell: gated}
  - {id: tests, effect: allow, dynamic: true, commands: ["echo **", "sleep **", "true", "false"]}
"""
TERMINAL = Terminal("xterm", 80, 24, 0, 0, {})


class WaitingGate:
    """A gate that answers a line only while it is `open`; `asked` holds the lines it was asked for. A `stubborn` one
    answers also when it was broken off."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[bytes] = []
        self.stubborn = False

    async def judge(self, context: Context, one: Asked) -> Allowed:
        allowed = await self._gate.judge(context, one)
        if one.kind == "line":
            self.asked.append(one.text)
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise
                await self.open.wait()
        return allowed


class Local:
    """The target's two channels, as the upstream opens them, on this machine. Life: made, `open`, `feed`, `close`."""

    def __init__(self, shell: str, folder: Path) -> None:
        self._shell = shell_named(shell, folder)
        self._folder = folder
        self._target: Target | None = None
        self.written: list[bytes] = []
        """What was sent on the command channel by `run`: the printed text of each command."""

    async def open(self, context: Context, allowed: Allowed, terminal: object, relay: Relay, nonce: str) -> Any:
        del context, terminal
        self._target = Target(self._shell, self._folder)
        self._target.nonce, self._target.kind = nonce, boot.Kind.BASH if allowed.shell == "bash" else boot.Kind.POSIX
        self._target.begin()
        asyncio.get_running_loop().add_reader(self._target.master, self._read, relay)
        return self

    def _read(self, relay: Relay) -> None:
        relay.target_data(os.read(self._shell_of().master, 65536), STDOUT)

    def _shell_of(self) -> Target:
        assert self._target is not None, "not open"
        return self._target

    async def feed(self, context: Context, allowed: Allowed, path: bytes, nonce: str, lost: Callable[[], None]) -> Any:
        del context, allowed, nonce, lost
        target = self._shell_of()
        target.fifo = path
        target.feed()
        return self

    # -- the terminal's channel

    def write(self, data: bytes) -> None:
        self._shell_of().keys(data)

    def write_eof(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def tell(self, control: object) -> None: ...

    # -- the command channel

    def begin(self) -> None:
        target = self._shell_of()
        target.write(wire.setup(target.kind, target.nonce))

    def prepare(self, number: int) -> bool:
        self._unit(number, NO_PAGER)
        return True

    def run(self, number: int, allowed: Allowed, line: int) -> None:
        del line
        assert allowed.runs is not None
        self.written.append(allowed.runs)
        self._unit(number, allowed.runs)

    def refused(self, number: int, status: int) -> None:
        self._unit(number, b"(exit %d)" % status)

    def exit(self, number: int) -> None:
        self._unit(number, b"exit")

    def again(self, number: int) -> None:
        self._shell_of().write(wire.again(number))

    def _unit(self, number: int, runs: bytes) -> None:
        target = self._shell_of()
        target.write(wire.unit(target.kind, number, runs))

    def close(self) -> None:
        """Of either channel; `end` is the end of the shell itself."""

    def end(self) -> None:
        target = self._shell_of()
        asyncio.get_running_loop().remove_reader(target.master)
        target.close()


class Source:
    """A source of commands that remembers what it was told."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.printed_bytes = b""
        self.refusals: list[Denied] = []
        self._changed = asyncio.Event()

    def ready(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)
        self._changed.set()

    def printed(self, data: bytes, stream: int) -> None:
        assert stream == STDOUT
        self.printed_bytes += data

    def refused(self, error: Denied) -> None:
        self.refusals.append(error)

    async def prompt(self) -> Prompt:
        """The next one."""
        async with asyncio.timeout(DEADLINE):
            await self._changed.wait()
        self._changed.clear()
        return self.prompts[-1]


class Place:
    """One shell of a session: `commands` with a `source` (or, `by_keys`, a whole GatedShell), and all around it."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.shell = shell
        self.house = House(folder)
        (folder / "policy.yaml").write_text(POLICY)
        self.house.tenant.policy = loader.load(folder)
        self.gate = WaitingGate(self.house.gate)
        self.local = Local(shell, folder)
        self.source = Source()
        self.wires = Wires()
        self.relay = Relay(FakeClient(self.wires), FakeTape(self.wires), terminal=True, session="5e551011")
        self.markers: list[str] = []
        self.behind_marker: Callable[[], None] = lambda: None
        """Done in the loop's next turn after each marker."""

    def marker(self, text: str, told: str) -> None:
        """Of the recording."""
        self.markers.append(f"{text} ({told})")
        asyncio.get_running_loop().call_soon(self.behind_marker)

    def hidden(self, text: bytes) -> bytes:
        return text.replace(b"secret", b"***")

    async def commands(self) -> Commands:
        """At the first prompt."""
        context, allowed = await self._allowed()
        outside = self._outside(context, allowed)
        made = Commands(*outside[:7], "0123456789abcdef", self.source, terminal=True)
        self.relay.interpose(cast(Any, made))
        await made.open(TERMINAL)
        await self.source.prompt()
        return made

    async def by_keys(self) -> GatedShell:
        """A shell with its editor, at the first prompt."""
        context, allowed = await self._allowed()
        gate, audit, upstream, _, _, relay, marks = self._outside(context, allowed)
        made = GatedShell(gate, audit, upstream, context, allowed, TERMINAL, relay, marks, "0123456789abcdef")
        await made.open()
        return made

    async def _allowed(self) -> tuple[Context, Allowed]:
        context = await self.house.context()
        allowed = await self.house.gate.judge(context, asked(b"", "shell", terminal=True))
        assert allowed.kind == "gated"
        allowed.shell = self.shell
        return context, allowed

    def _outside(self, context: Context, allowed: Allowed) -> tuple[Gate, Any, Opens, Context, Allowed, Relay, Place]:
        return cast(Gate, self.gate), self.house.trail, cast(Opens, self.local), context, allowed, self.relay, self

    @property
    def shown(self) -> bytes:
        """What the client was shown."""
        return b"".join(cast(bytes, what[2]) for what in self.wires.seen if what[0] == "shown")

    async def until(self, met: Callable[[], bool]) -> None:
        await asyncio.to_thread(until, met, seconds=DEADLINE)


@contextmanager
def placed(shell: str, folder: Path) -> Iterator[Place]:
    place = Place(shell, folder)
    try:
        yield place
    finally:
        place.local.end()
