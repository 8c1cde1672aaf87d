"""The commands of a gated shell: judged one by one, sent on the command channel, each told when it ends.

    opening   the target runs `boot`; its marker tells where commands go; the command channel is opened
    prompt    the shell waits for a command, and nothing runs but what runs in the background
    judging   a command is with the gate
    running   the unit was sent on the command channel
    ended     the shell has gone

The marker of the unit that runs ends `running`, and nothing else does. Whatever a target prints can only bring the
client back to the prompt: its commands go to the judge then. A unit's number is random, so that no marker of a later
one can be told before it runs; and a line is judged in every folder that the shell has told to be in.

Masks hold for all that a gated shell shows: what runs in the background, or by a name that it was given before, prints
into the same stream as a line that a rule lets show all.

Limits: a command is judged as text: a variable that an earlier one set is a word that only the target knows. Without
a terminal units have numbers that follow each other, so that a job in the background that has read the nonce (`set`
shows it in bash) can tell the trail false ends, statuses and directories of later lines. What runs in the background
is known by how it was written (`&`, `>(…)`, `coproc`), by a stop (Ctrl-Z), or by what it prints at a prompt: before
that, a prompt is the end of a table.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import time
from enum import Enum

from bastion.analysis.command import ANYWHERE
from bastion.asked import Asked
from bastion.audit.events import LineEnded
from bastion.background import Background
from bastion.characters import shown
from bastion.context import Context, in_session
from bastion.errors import BastionError, Denied, NotRecorded, TargetDown
from bastion.gate import Allowed, Gate
from bastion.session.channel import STDOUT, TargetChannel, Terminal
from bastion.session.gated.boot import Kind, kind_of
from bastion.session.gated.markers import MAX_NUMBER, Fifo, Markers, Output, Prompt, Refused
from bastion.session.gated.needs import Audit, Feeder, Marks, Opens, Source
from bastion.session.relay import Relay

OPEN_SECONDS = 15.0
"""How long the target's shell may take to show its first prompt: its start-up files run meanwhile."""
AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""How long after a unit was sent its marker is asked for again, each time; then every 60 s. busybox ash throws away
what it has read when an error or an interrupt ends a unit, its marker with it. Bash loses a whole unit to an interrupt
that comes before it has read all of it, so bash is asked after signals alone. A shell without a terminal ends by these,
and is not asked."""
MAX_FOLDERS = 16
"""Folders that the shell has told it was in, each of which a later line is judged in too: what it tells may be forged.
Of a shell that has been in more, any folder may be meant."""
MAX_REASON = 200
"""Characters of what a target says why it can have no gated shell."""
_REMEDY = "a command by itself, `ssh TARGET COMMAND`, needs no such shell"
_BACKGROUND = re.compile(rb" &(?=[\s)'}]|\Z)|\bcoproc |[<>]\(")
"""What may have something run on behind a prompt, as it is printed; in quotes, too, where it may be a shell's text."""
_STOPPED = 128 + signal.SIGTSTP
SIGNAL_SECONDS = 5.0
"""How long after a signal a unit may be lost to it."""


class State(Enum):
    OPENING = "opening"
    PROMPT = "prompt"
    JUDGING = "judging"
    RUNNING = "running"
    ENDED = "ended"


class Commands:
    """Life: `open`, which returns at the first prompt; `submit` whenever the source was told that the shell is ready,
    or `leave` to end it; `output` for all that the target prints; `close` once."""

    def __init__(
        self,
        gate: Gate,
        audit: Audit,
        upstream: Opens,
        context: Context,
        allowed: Allowed,
        relay: Relay,
        marks: Marks,
        nonce: str,
        source: Source,
        *,
        terminal: bool,
    ) -> None:
        self._gate = gate
        self._audit = audit
        self._upstream = upstream
        self._context = context
        self._allowed = allowed
        self._relay = relay
        self._marks = marks
        self._nonce = nonce
        self._source = source
        self._terminal = terminal
        self._kind = kind_of(allowed.shell)
        self._markers = Markers(nonce)
        self._feeder: Feeder | None = None
        self._background = Background()
        self._telling = Background()
        self._judging: asyncio.Task[None] | None = None
        self._unwanted = False
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number = 0
        self._tag = 0
        self._sent: float | None = None
        self._prompt = Prompt(0, 0, b"", b"$ ")
        self._folders: dict[bytes, None] = {}
        self._again: asyncio.TimerHandle | None = None
        self._signalled = float("-inf")
        self._jobs = False
        """Whether something may run in the background, whose output goes on behind a prompt."""
        self.state = State.OPENING
        self.refusing = False
        """What runs is the end of a refusal: nothing of the client's, and nothing that wants its keys."""

    @property
    def directory(self) -> bytes:
        """Where the shell is, as it told last."""
        return self._prompt.directory

    async def open(self, terminal: Terminal | None) -> None:
        """Raises Denied when the target can have no gated shell, TargetDown when it could not be opened in time, and
        what ended the relay."""
        target = await self._opened(terminal)
        self._relay.attach(target)
        if self._feeder is not None:
            self._feeder.begin()
        either: list[asyncio.Future[object]] = [self._first, self._relay.ended]  # type: ignore[list-item]  # each of its own type; only that they end counts
        await asyncio.wait(either, timeout=OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._first.done():
            self._first.result()
            return
        self._relay.check()
        if self._relay.ended.done():
            return  # a start-up file has ended the shell
        raise TargetDown(f"target {self._context.target.name} showed no prompt within {OPEN_SECONDS:g} s")

    async def _opened(self, terminal: Terminal | None) -> TargetChannel:
        if self._terminal:
            return await self._upstream.open(self._context, self._allowed, terminal, self._relay, self._nonce)
        target, self._feeder = await self._upstream.pipe(self._context, self._allowed, self._relay, self._nonce)
        return target

    async def close(self) -> None:
        self.state = State.ENDED
        self._ask_again(None)
        if self._feeder is not None:
            self._feeder.close()
        await self._background.stop()
        self._tell(None)  # `exit`, or what was killed with the session
        await self._telling.wait()  # what ended is told, however soon the session ends after it

    # -- the source's side

    def submit(self, command: str, line: int = 0) -> None:
        """Have it judged, and run if it may; at the prompt only. `line` is where it stands in a script."""
        self.state = State.JUDGING
        self._count()
        self._unwanted = False
        self._background.start(self._judge(command, line), "a command of a gated shell")

    def _count(self) -> None:
        """The next command. On a terminal its unit has a number that nobody can guess, so that what runs can tell its
        own end too early, but no later one's. (Elsewhere the shell counts its lines by it.)"""
        self._number += 1
        self._tag = 1 + secrets.randbelow(MAX_NUMBER) if self._terminal else self._number

    def withdraw(self) -> None:
        """What is with the gate is not wanted any more: it will not run."""
        self._unwanted = True
        if self._judging is not None:
            self._judging.cancel("it was withdrawn")

    def leave(self) -> None:
        """End the shell, with the status of its last command; at the prompt only."""
        self._count()
        self.state = State.RUNNING
        if self._feeder is not None:
            self._feeder.exit(self._tag)

    def signalled(self) -> None:
        """A signal is on its way to what runs."""
        self._signalled = time.monotonic()
        self._ask_again(0)

    async def _judge(self, command: str, line: int) -> None:
        asked = Asked(
            self._relay.session,
            "line",
            command.encode("utf-8", "surrogateescape"),
            {},
            terminal=self._terminal,
            number=self._number,
            directory=self._prompt.directory,
            folders=tuple(self._folders),
            client=self._relay,
        )
        try:
            try:
                allowed = await self._judged(asked)
                self._marks.marker(_label(command), allowed.told)
                self._run(allowed, line)
            except Denied as error:
                self._refuse(command, error)
            except asyncio.CancelledError:
                if not self._unwanted or self.state is State.ENDED:
                    raise
                self._sent = time.monotonic()  # the trail may say that it was allowed: it has ended
                self._refuse(command, _withdrawn())
        except Exception as error:  # noqa: BLE001 - raised by `ended`; nobody waits for an answer that will not come
            self._relay.end(error)

    async def _judged(self, asked: Asked) -> Allowed:
        """What the gate says; only while it is asked can its answer be withdrawn."""
        if self._unwanted:
            raise _withdrawn()
        self._judging = asyncio.current_task()
        try:
            allowed = await self._gate.judge(self._context, asked)
        finally:
            self._judging = None
        if self._unwanted:  # the gate did not let itself be broken off
            raise _withdrawn()
        return allowed

    def _run(self, allowed: Allowed, line: int) -> None:
        if self._feeder is None or self.state is not State.JUDGING:
            return
        self._feeder.run(self._tag, allowed, line)
        self._jobs = self._jobs or _BACKGROUND.search(allowed.runs or b"") is not None
        self.state = State.RUNNING
        self._sent = time.monotonic()
        self._ask_again(0)

    def _refuse(self, command: str, error: Denied) -> None:
        """Nothing ran; the status of the last command is that of a refusal, such as 126."""
        try:
            self._marks.marker(_label(command), f"{error.verb} by {error.rule}")
        except NotRecorded as fault:
            self._relay.end(fault)
            return
        self._source.refused(error)
        if self._feeder is not None and self.state is State.JUDGING:
            self.state = State.RUNNING
            self.refusing = True
            self._feeder.refused(self._tag, error.status)
            self._ask_again(0)

    # -- the target's side

    def output(self, data: bytes, stream: int) -> None:
        """What the target's shell, and what runs in it, prints; nothing, when it will print no more. Markers come by
        standard output."""
        if not data:
            self._held()
            return
        if stream != STDOUT:
            self._source.printed(data, stream)
            return
        for seen in self._markers.feed(data):
            match seen:
                case Output(text):
                    self._jobs = self._jobs or self.state is State.PROMPT
                    self._source.printed(text, stream)
                case Prompt():
                    self._prompted(seen)
                case Fifo(path):
                    if self._feeder is None and not self._first.done():
                        self._background.start(self._feed(path), "the command channel of a gated shell")
                case Refused(reason):
                    told = f"the target can have no gated shell: {shown(reason, MAX_REASON)}"
                    self._fail(Denied(told, rule="gated-shell", remedy=_REMEDY))

    def _held(self) -> None:
        """What only began like a marker."""
        if held := self._markers.flush():
            self._source.printed(held, STDOUT)

    async def _feed(self, path: bytes) -> None:
        try:
            feeder = await self._upstream.feed(self._context, self._allowed, path, self._nonce, self._lost)
        except (BastionError, ConnectionError) as error:
            self._fail(error)
            return
        if self.state is State.ENDED or self._feeder is not None:
            feeder.close()
            return
        self._feeder = feeder
        feeder.begin()

    def _lost(self) -> None:
        """Without the command channel there are no more commands; the shell ends when it notices."""
        if self.state in (State.PROMPT, State.JUDGING):
            self._relay.end(TargetDown("the command channel of the shell was lost"))

    def _fail(self, error: Exception) -> None:
        if not self._first.done():
            self._first.set_exception(error)
        else:
            self._relay.end(error)

    def _prompted(self, prompt: Prompt) -> None:
        if self._feeder is None or self.state not in (State.OPENING, State.RUNNING) or prompt.number != self._tag:
            return
        if prompt.number == 0 and self._feeder.prepare(1):
            self._number = self._tag = 1
            return
        self._prompt = prompt
        if prompt.directory not in self._folders and len(self._folders) <= MAX_FOLDERS:
            self._folders[prompt.directory if len(self._folders) < MAX_FOLDERS else ANYWHERE] = None
        self.refusing = False
        self._ask_again(None)
        self._jobs = self._jobs or prompt.status == _STOPPED
        self._relay.settle(over=not self._jobs)
        self._tell(prompt.status)
        self.state = State.PROMPT
        self._source.ready(prompt)
        if not self._first.done():
            self._first.set_result(None)

    def _ask_again(self, times: int | None) -> None:
        """Ask for the marker later, as often as need be; None when it has come."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        signalled = time.monotonic() - self._signalled < SIGNAL_SECONDS
        if times is None or not self._terminal or not (times or signalled or self._kind is not Kind.BASH):
            return
        seconds = AGAIN_SECONDS[times] if times < len(AGAIN_SECONDS) else 60.0

        def ask() -> None:
            if self.state is State.RUNNING and self._feeder is not None:
                self._feeder.again(self._tag)
                self._ask_again(times + 1)

        self._again = asyncio.get_running_loop().call_later(seconds, ask)

    def _tell(self, status: int | None) -> None:
        """The end of the command that was sent last, to the audit trail, once."""
        if self._sent is None:
            return
        ended = LineEnded(
            **in_session(self._context, self._relay.session),
            number=self._number,
            status=status,
            directory=self._marks.hidden(self._prompt.directory),
            duration=round(time.monotonic() - self._sent, 3),
        )
        self._sent = None

        async def told() -> None:
            try:
                await self._audit.write(ended)
            except NotRecorded as error:
                self._relay.end(error)

        self._telling.start(told(), "the end of a command")


def _withdrawn() -> Denied:
    return Denied("it was withdrawn", rule="withdrawn")


def _label(command: str) -> str:
    """For a marker of the recording, which is text."""
    return command.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
