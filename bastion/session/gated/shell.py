"""A gated shell on a terminal: an interactive session in which nothing that was not judged becomes a command.

At the prompt keys go to the bastion's own editor, and none to the target; while a line is with the gate, and until the
prompt is back after a refusal, they wait in the editor; while a unit runs, they go to its program, as they come
(commands.py has the states).

Limits: what an allowed program does with the keys that it is sent is its own; rules name the programs that take
commands (`interactive: true`).
"""

from __future__ import annotations

import asyncio
import logging
import time

from bastion.background import Background
from bastion.context import Context
from bastion.errors import BastionError, Denied, NotRecorded
from bastion.gate import Allowed, Gate
from bastion.session.channel import STDOUT, Ended, Terminal
from bastion.session.gated.commands import Commands, State
from bastion.session.gated.completeness import more
from bastion.session.gated.completion import Completed, Completer
from bastion.session.gated.editor import Editor
from bastion.session.gated.events import Complete, EndOfInput, Event, Interrupt, Line, Show
from bastion.session.gated.history import History
from bastion.session.gated.listed import Listing
from bastion.session.gated.markers import Prompt
from bastion.session.gated.needs import Audit, Marks, Opens
from bastion.session.relay import Relay
from bastion.session.showing import RELEASE_SECONDS
from bastion.targets.login_shell import reading

log = logging.getLogger(__name__)

_SIGNALS = frozenset(b"\x03\x1a\x1c")
"""Keys that a terminal makes signals of."""
_INTERRUPT = b"\x03"
CONTINUED = b"> "
MAX_BEHIND = 64 << 10
"""Bytes that a program in the background prints at once."""


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
        self._terminal = terminal
        self._relay = relay
        self._reads = reading(allowed.shell)
        self._commands = Commands(gate, audit, upstream, context, allowed, relay, marks, nonce, self, terminal=True)
        self._editor = Editor(terminal.columns, History(), terminal.rows)
        self._background = Background()
        self._completer = Completer(Listing(gate, upstream, context, relay.session))
        self._lines: list[str] = []
        self._pasted = False
        self._prompt = b"$ "
        self._fresh = True
        self._later: asyncio.TimerHandle | None = None
        self._behind = bytearray()  # what was printed in the background, and will be shown soon
        self._soon: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Raises Denied when the target can have no gated shell, TargetDown when it could not be opened in time, and
        what ended the relay."""
        self._relay.interpose(self)
        await self._commands.open(self._terminal)

    async def close(self) -> None:
        for timer in (self._later, self._soon):
            if timer is not None:
                timer.cancel()
        await self._commands.close()
        await self._background.stop()

    def outcome(self, ended: Ended) -> tuple[Ended, str]:
        """How the session ended, and why for the audit trail."""
        return ended, "exit"

    # -- what the relay calls

    def keys(self, data: bytes) -> None:
        state = self._commands.state
        signal = not _SIGNALS.isdisjoint(data)
        if state is State.RUNNING and not self._editor.pasting and (signal or not self._commands.refusing):
            # After a refusal no program wants keys, and only signals are passed on: its prompt may not come.
            end = 1 + max(map(data.rfind, _SIGNALS)) if self._commands.refusing else len(data)
            self._relay.type(data[:end])
            if signal:
                self._commands.signalled()
            if end < len(data):
                self._take(data[end:])
        elif state is not State.ENDED:
            if state is State.JUDGING and _INTERRUPT in data and not self._editor.pasting:
                data = self._withdraw(data)
            self._take(data)

    def output(self, data: bytes, stream: int) -> None:
        self._commands.output(data, stream)
        if not data:  # the end of all output
            self._show_behind()

    def resized(self, columns: int, rows: int) -> None:
        self._show(self._editor.resize(columns, rows))

    def signalled(self) -> None:
        self._commands.signalled()

    def notice(self, line: bytes) -> None:
        self._above(line)

    def eof(self) -> None:
        """The client sends no more: what it would have typed next is the end of input."""
        if self._commands.state is State.PROMPT:
            self._commands.leave()
        else:
            self._relay.end(ConnectionError("the client closed its input"))

    # -- what the commands call

    def ready(self, prompt: Prompt) -> None:
        self._prompt = prompt.prompt
        self._begin()

    def printed(self, data: bytes, stream: int) -> None:
        if self._commands.state is State.PROMPT and stream == STDOUT:
            self._behind += data  # of what runs in the background: more of it may be on its way
            if len(self._behind) >= MAX_BEHIND:
                self._show_behind()
            elif self._soon is None:
                self._soon = asyncio.get_running_loop().call_later(RELEASE_SECONDS, self._show_behind)
            return
        self._show_behind()
        self._fresh = data.endswith((b"\n", b"\r"))
        self._relay.show(data, stream)

    def refused(self, error: Denied) -> None:
        """What was pasted behind it is not run either."""
        self._above("".join(f"{line}\r\n" for line in error.lines(self._relay.session)).encode())
        self._drop_paste()

    def _drop_paste(self) -> None:
        dropped = self._editor.drop_paste() if self._pasted else 0
        if dropped:
            self._above(f"bastion: {dropped} more pasted lines were not run\r\n".encode())

    # -- the editor

    def _withdraw(self, keys: bytes) -> bytes:
        """Ctrl-C is among these keys while a line is with the gate: the line is not wanted any more, and neither is
        what was typed behind it. What came behind Ctrl-C is left."""
        before, _, behind = keys.rpartition(_INTERRUPT)
        self._take(before + _INTERRUPT)
        self._drop_paste()
        self._editor.forget()
        self._commands.withdraw()
        return behind

    def _begin(self) -> None:
        self._show(self._editor.begin(self._prompt, fresh=self._fresh))
        self._fresh = True
        self._go_on()

    def _go_on(self, took: float = 0.0) -> None:
        """Keys that wait in the editor, later: others have their turn, and for as long as the last line took."""
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(took, self._later_keys)

    def _later_keys(self) -> None:
        self._later = None
        self._take(b"")

    def _take(self, data: bytes) -> None:
        """Keys for the editor; those behind a whole line wait in it."""
        self._happened(self._editor.feed(data))

    def _happened(self, events: list[Event]) -> None:
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
            found = await self._completer.complete(before, self._commands.directory)
        except NotRecorded as error:
            self._relay.end(error)
        except (BastionError, ConnectionError) as error:
            log.info("completion failed: %s", error)
        if self._commands.state is State.PROMPT:
            self._happened(self._editor.completed(found.insert, found.candidates))

    def _ended_input(self) -> None:
        if self._lines:
            self._lines.clear()
            self._above(b"bastion: the command was not finished\r\n")
            self._begin()
        else:
            self._commands.leave()

    def _line(self, text: str, pasted: bool) -> None:
        self._show_behind()
        self._lines.append(text)
        command, began = "\n".join(self._lines), time.perf_counter()
        if not command.strip():
            self._lines.clear()
            self._begin()
        elif more(command, self._reads) is not None:
            self._show(self._editor.continued(CONTINUED))
            self._go_on(time.perf_counter() - began)
        else:
            self._lines.clear()
            self._pasted = pasted
            self._commands.submit(command)

    # -- the screen

    def _show(self, data: bytes) -> None:
        self._relay.draw(data)

    def _above(self, line: bytes) -> None:
        """Show lines of the bastion's own above the prompt and the line, which stay."""
        prompt = self._commands.state is State.PROMPT
        self._show((self._editor.withdraw() if prompt else b"") + line + (self._editor.again() if prompt else b""))

    def _show_behind(self) -> None:
        """Show what programs in the background have printed: above the prompt and the line, where these are there."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        data, self._behind = bytes(self._behind), bytearray()
        prompt = self._commands.state is State.PROMPT
        if data and prompt:
            self._show(self._editor.withdraw())
        self._relay.show(data, STDOUT)
        if data and prompt:
            self._show((b"" if data.endswith(b"\n") else b"\r\n") + self._editor.again())
