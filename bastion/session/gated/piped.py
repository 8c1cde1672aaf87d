"""A gated shell without a terminal: what comes on standard input is cut into whole commands, judged and run in turn.

The target runs the account's login shell as sshd starts it for `ssh host < script`; what it reads is not the client's
input but one judged command after the other (wire_piped.py). The next one is judged when the one before has ended, so a
client may send its script at once, or wait for each answer. Standard output and standard error stay apart.

A refusal ends the session: what was sent behind the refused command is not run, however it was cut into packets, since
a script goes on as if the command had been there. The shell ends as at the end of its input, so its traps on EXIT run;
the status is 126.

Limits: a command is judged when its turn has come, so those before a refused one have run by then. What an EXIT trap
does was judged when it was made.
"""

from __future__ import annotations

import asyncio

from bastion.context import Context
from bastion.errors import Denied
from bastion.gate import Allowed, Gate
from bastion.session.channel import STDERR, Ended
from bastion.session.gated.commands import Commands, State
from bastion.session.gated.markers import Prompt
from bastion.session.gated.needs import Audit, Marks, Opens
from bastion.session.gated.script import Script
from bastion.session.relay import Relay
from bastion.targets.login_shell import reading

LATER = 0.1
"""Seconds after which a long command that is still open is looked at again."""


class PipedShell:
    """Life: `open`; then what comes, until the relay has ended; `outcome` of that, and `close` once."""

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
    ) -> None:
        self._relay = relay
        self._commands = Commands(gate, audit, upstream, context, allowed, relay, marks, nonce, self, terminal=False)
        self._script = Script(reading(allowed.shell))
        self._refused: Denied | None = None
        self._later: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Raises Denied when the target can have no gated shell, TargetDown when it could not be opened in time, and
        what ended the relay."""
        self._relay.interpose(self)
        await self._commands.open(None)

    async def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
        await self._commands.close()

    def outcome(self, ended: Ended) -> tuple[Ended, str]:
        """How the session ended, and why for the audit trail."""
        return (Ended(self._refused.status), self._refused.verb) if self._refused else (ended, "exit")

    # -- what the relay calls

    def keys(self, data: bytes) -> None:
        if self._refused:
            return
        self._script.feed(data)
        self._relay.brake(self._script.full)
        if not self._script.long:
            self._go_on()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(LATER, self._go_on)

    def output(self, data: bytes, stream: int) -> None:
        self._commands.output(data, stream)

    def resized(self, columns: int, rows: int) -> None:
        """There is no terminal that it could be the size of."""

    def signalled(self) -> None:
        self._commands.signalled()

    def notice(self, line: bytes) -> None:
        self._relay.show(line, STDERR)

    def eof(self) -> None:
        self._script.end()
        self._go_on()

    # -- what the commands call

    def ready(self, prompt: Prompt) -> None:
        del prompt  # nobody is shown one
        self._go_on()

    def printed(self, data: bytes, stream: int) -> None:
        self._relay.show(data, stream)

    def refused(self, error: Denied) -> None:
        """`ready` follows, and the shell is ended then."""
        self._refused = error
        self._script.drop()
        self._relay.brake(False)
        for line in error.lines(self._relay.session):
            self._relay.say(line)

    # -- inside

    def _go_on(self) -> None:
        """At the prompt: the next command, if there is one."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._commands.state is not State.PROMPT:
            return
        command = None if self._refused else self._script.take()
        if command is not None:
            self._relay.brake(self._script.full)
            self._commands.submit(command.text, command.line)
        elif self._refused or self._script.done:
            self._commands.leave()
