"""A gated shell: an interactive session in which nothing that was not judged becomes a command.

    opening   the target's terminal runs `boot`; its marker tells where commands go; the command channel is opened
    prompt    keys go to the bastion's own editor, and none to the target
    judging   a whole line is with the gate; keys wait in the editor
    running   the unit was sent on the command channel; keys go to the program, as they come
    ended     the shell has gone

The marker of the unit that runs ends `running`, and nothing else does. Whatever a target prints can only bring the
client back to the prompt: its keys go to the editor then, and its lines to the judge.

Limits: what an allowed program does with the keys that it is sent is its own; rules name the programs that take
commands (`interactive: true`). A line is judged as text: a variable that an earlier line set is a word that only the
target knows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from bastion.asked import Asked
from bastion.audit.events import Event, LineEnded
from bastion.background import Background
from bastion.context import Context, in_session
from bastion.errors import BastionError, Denied, NotRecorded, TargetDown
from bastion.gate import Allowed, Gate
from bastion.session.channel import STDOUT, Terminal
from bastion.session.gated.boot import Kind, kind_of
from bastion.session.gated.completeness import more
from bastion.session.gated.completion import Completed, Completer
from bastion.session.gated.editor import Editor
from bastion.session.gated.events import Complete, EndOfInput, Interrupt, Line, Show
from bastion.session.gated.events import Event as Happened
from bastion.session.gated.history import History
from bastion.session.gated.listed import Listing, Upstream
from bastion.session.gated.markers import Fifo, Markers, Output, Prompt, Refused
from bastion.session.relay import Relay
from bastion.targets.login_shell import reading

log = logging.getLogger(__name__)

OPEN_SECONDS = 15.0
"""How long the target's shell may take to show its first prompt: its start-up files run meanwhile."""
AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""How long after a unit was sent its marker is asked for again, each time; then every 60 s. busybox ash throws away
what it has read when an error or an interrupt ends a unit, its marker with it. Bash loses a whole unit to an interrupt
that comes before it has read all of it, so bash is asked after signal keys alone."""
SIGNAL_SECONDS = 5.0
"""How long after a signal key a unit may be lost to it."""
_SIGNALS = frozenset(b"\x03\x1a\x1c")
"""Keys that a terminal makes signals of."""
CONTINUED = b"> "


class Audit(Protocol):
    """Where events go; `write` returns when the event is durable, or raises NotRecorded."""

    async def write(self, event: Event) -> None: ...


class Feeder(Protocol):
    """The command channel (ssh/feeder.py)."""

    def begin(self) -> None: ...
    def prepare(self, number: int) -> None: ...
    def run(self, number: int, allowed: Allowed) -> None: ...
    def refused(self, number: int) -> None: ...
    def exit(self, number: int) -> None: ...
    def again(self, number: int) -> None: ...
    def close(self) -> None: ...


class Opens(Upstream, Protocol):
    """Opens the two channels of a gated shell, and those of listings."""

    async def feed(
        self, context: Context, allowed: Allowed, path: bytes, nonce: str, lost: Callable[[], None]
    ) -> Feeder: ...


class Marks(Protocol):
    """The recording's markers."""

    def marker(self, label: str) -> None: ...


class State(Enum):
    OPENING = "opening"
    PROMPT = "prompt"
    JUDGING = "judging"
    RUNNING = "running"
    ENDED = "ended"


class GatedShell:
    """Life: `open`, which returns at the first prompt; then what comes, until the relay has ended; `close` once."""

    def __init__(
        self,
        gate: Gate,
        audit: Audit,
        upstream: Opens,
        context: Context,
        allowed: Allowed,
        terminal: Terminal,
        relay: Relay,
        marks: Marks,
        nonce: str,
    ) -> None:
        self._gate = gate
        self._audit = audit
        self._upstream = upstream
        self._context = context
        self._allowed = allowed
        self._terminal = terminal
        self._relay = relay
        self._marks = marks
        self._nonce = nonce
        self._kind = kind_of(allowed.shell)
        self._editor = Editor(terminal.columns, History(), terminal.rows)
        self._markers = Markers(nonce)
        self._state = State.OPENING
        self._feeder: Feeder | None = None
        self._background = Background()
        self._completer = Completer(Listing(gate, upstream, context, relay.session))
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines: list[str] = []
        self._number = 0
        self._sent: float | None = None
        self._prompt = Prompt(0, 0, b"", b"$ ")
        self._fresh = True
        self._again: asyncio.TimerHandle | None = None
        self._signalled = float("-inf")

    async def open(self) -> None:
        """Raises Denied when the target can have no gated shell, TargetDown when it could not be opened in time, and
        what ended the relay."""
        self._relay.interpose(self)
        target = await self._upstream.open(self._context, self._allowed, self._terminal, self._relay, self._nonce)
        self._relay.attach(target)
        either: list[asyncio.Future[object]] = [self._first, self._relay.ended]  # type: ignore[list-item]  # each of its own type; only that they end counts
        await asyncio.wait(either, timeout=OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._first.done():
            self._first.result()
            return
        self._relay.check()
        raise TargetDown(f"target {self._context.target.name} showed no prompt within {OPEN_SECONDS:g} s")

    async def close(self) -> None:
        self._state = State.ENDED
        self._ask_again(None)
        if self._feeder is not None:
            self._feeder.close()
        await self._background.stop()

    # -- what the relay calls

    def keys(self, data: bytes) -> None:
        if self._state is State.RUNNING and not self._editor.pasting:
            self._relay.type(data)
            if not _SIGNALS.isdisjoint(data):
                self._signalled = time.monotonic()
                self._ask_again(0)
        elif self._state is not State.ENDED:
            self._take(data)

    def output(self, data: bytes, stream: int) -> None:
        for seen in self._markers.feed(data):
            match seen:
                case Output(text):
                    self._output(text, stream)
                case Prompt():
                    self._prompted(seen)
                case Fifo(path):
                    if self._feeder is None and not self._first.done():
                        self._background.start(self._feed(path), "the command channel of a gated shell")
                case Refused(reason):
                    self._fail(Denied(f"the target can have no gated shell: {reason}", rule="gated"))

    def resized(self, columns: int, rows: int) -> None:
        self._show(self._editor.resize(columns, rows))

    def notice(self, line: bytes) -> None:
        self._above(line)

    def eof(self) -> None:
        """The client sends no more: what it would have typed next is the end of input."""
        if self._state is State.PROMPT and self._feeder is not None:
            self._leave()
        else:
            self._relay.end(ConnectionError("the client closed its input"))

    # -- the target's side

    async def _feed(self, path: bytes) -> None:
        try:
            feeder = await self._upstream.feed(self._context, self._allowed, path, self._nonce, self._lost)
        except (BastionError, ConnectionError) as error:
            self._fail(error)
            return
        if self._state is State.ENDED or self._feeder is not None:
            feeder.close()
            return
        self._feeder = feeder
        feeder.begin()

    def _lost(self) -> None:
        """Without the command channel there are no more commands; the shell ends when it notices."""
        if self._state in (State.PROMPT, State.JUDGING):
            self._relay.end(TargetDown("the command channel of the shell was lost"))

    def _fail(self, error: Exception) -> None:
        if not self._first.done():
            self._first.set_exception(error)
        else:
            self._relay.end(error)

    def _output(self, text: bytes, stream: int) -> None:
        if self._state is State.PROMPT:
            self._above(text, stream)  # of what runs in the background
            return
        self._fresh = text.endswith((b"\n", b"\r"))
        self._relay.show(text, stream)

    def _prompted(self, prompt: Prompt) -> None:
        if self._feeder is None or self._state in (State.PROMPT, State.JUDGING, State.ENDED):
            return
        if self._state is State.RUNNING and prompt.number != self._number:
            return
        if prompt.number == 0:
            self._number = 1
            self._feeder.prepare(1)
            return
        self._prompt = prompt
        self._ask_again(None)
        if self._sent is not None:
            took, self._sent = time.monotonic() - self._sent, None
            ended = LineEnded(
                **in_session(self._context, self._relay.session),
                number=prompt.number,
                status=prompt.status,
                directory=prompt.directory,
                duration=round(took, 3),
            )
            self._background.start(self._tell(ended), "a line's end")
        self._begin()
        if not self._first.done():
            self._first.set_result(None)

    def _ask_again(self, times: int | None) -> None:
        """Ask for the marker later, as often as need be; None when it has come."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        signalled = time.monotonic() - self._signalled < SIGNAL_SECONDS
        if times is None or not (times or signalled or self._kind is not Kind.BASH):
            return
        seconds = AGAIN_SECONDS[times] if times < len(AGAIN_SECONDS) else 60.0

        def ask() -> None:
            if self._state is State.RUNNING and self._feeder is not None:
                self._feeder.again(self._number)
                self._ask_again(times + 1)

        self._again = asyncio.get_running_loop().call_later(seconds, ask)

    async def _tell(self, event: Event) -> None:
        try:
            await self._audit.write(event)
        except NotRecorded as error:
            self._relay.end(error)

    # -- the client's side

    def _begin(self) -> None:
        self._state = State.PROMPT
        self._show(self._editor.begin(self._prompt.prompt, fresh=self._fresh))
        self._fresh = True
        self._take(b"")

    def _take(self, data: bytes) -> None:
        """Keys for the editor; those behind a whole line wait in it."""
        self._happened(self._editor.feed(data))

    def _happened(self, events: list[Happened]) -> None:
        for event in events:
            match event:
                case Show(text):
                    self._show(text)
                case Line(text, pasted):
                    self._line(text, pasted)
                case Interrupt():
                    self._lines.clear()
                    self._begin()
                case EndOfInput():
                    self._ended_input()
                case Complete(before):
                    self._background.start(self._complete(before), "completion in a gated shell")

    async def _complete(self, before: str) -> None:
        """What Tab was pressed for; keys wait in the editor meanwhile."""
        found = Completed()
        try:
            found = await self._completer.complete(before, self._prompt.directory)
        except NotRecorded as error:
            self._relay.end(error)
        except (BastionError, ConnectionError) as error:
            log.info("completion failed: %s", error)
        if self._state is State.PROMPT:
            self._happened(self._editor.completed(found.insert, found.candidates))

    def _ended_input(self) -> None:
        if self._lines:
            self._lines.clear()
            self._above(b"bastion: the command was not finished\r\n")
            self._begin()
        else:
            self._leave()

    def _leave(self) -> None:
        self._number += 1
        self._state = State.RUNNING
        if self._feeder is not None:
            self._feeder.exit(self._number)

    def _line(self, text: str, pasted: bool) -> None:
        self._lines.append(text)
        command = "\n".join(self._lines)
        if not command.strip():
            self._lines.clear()
            self._begin()
        elif more(command, reading(self._allowed.shell)) is not None:
            self._show(self._editor.continued(CONTINUED))
            self._take(b"")
        else:
            self._lines.clear()
            self._state = State.JUDGING
            self._background.start(self._judge(command, pasted), "a line of a gated shell")

    async def _judge(self, command: str, pasted: bool) -> None:
        self._number += 1
        session = self._relay.session
        asked = Asked(
            session, "line", command.encode(), {}, terminal=True, number=self._number, directory=self._prompt.directory
        )
        try:
            allowed = await self._gate.judge(self._context, asked)
            self._marks.marker(f"{command} (allowed by {allowed.decision.rule})")
            self._run(allowed)
        except Denied as error:
            self._refuse(command, error, pasted)
        except (BastionError, ConnectionError) as error:
            self._relay.end(error)

    def _run(self, allowed: Allowed) -> None:
        if self._feeder is None or self._state is not State.JUDGING:
            return
        self._feeder.run(self._number, allowed)
        self._state = State.RUNNING
        self._sent = time.monotonic()
        self._ask_again(0)

    def _refuse(self, command: str, error: Denied, pasted: bool) -> None:
        """Nothing ran; the status of the last command is 126, and what was pasted behind it is not run either."""
        try:
            self._marks.marker(f"{command} (denied by {error.rule})")
        except NotRecorded as fault:
            self._relay.end(fault)
            return
        remedy = f"bastion: {error.remedy}\r\n" if error.remedy else ""
        self._above(f"bastion: denied by {error.rule}: {error.reason} [{self._relay.session}]\r\n{remedy}".encode())
        dropped = self._editor.drop_paste() if pasted else 0
        if dropped:
            self._above(f"bastion: {dropped} more pasted lines were not run\r\n".encode())
        if self._feeder is not None and self._state is State.JUDGING:
            self._state = State.RUNNING
            self._feeder.refused(self._number)
            self._ask_again(0)

    # -- the screen

    def _show(self, data: bytes) -> None:
        self._relay.show(data, STDOUT)

    def _above(self, data: bytes, stream: int = STDOUT) -> None:
        """Show something above the prompt and the line, which stay."""
        if self._state is not State.PROMPT:
            self._relay.show(data, stream)
            return
        self._show(self._editor.withdraw())
        self._relay.show(data if data.endswith(b"\n") else data + b"\r\n", stream)
        self._show(self._editor.again())
