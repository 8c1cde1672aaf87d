"""What the commands of a gated shell need of others: a trail, channels to the target, a recording, and a source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bastion.audit.events import Event
from bastion.context import Context
from bastion.errors import Denied
from bastion.gate import Allowed
from bastion.session.channel import TargetChannel
from bastion.session.gated.listed import Upstream
from bastion.session.gated.markers import Prompt
from bastion.session.relay import Relay


class Audit(Protocol):
    """Where events go; `write` returns when the event is durable, or raises NotRecorded."""

    async def write(self, event: Event) -> None: ...


class Feeder(Protocol):
    """What commands are sent by: the command channel, or the input of a shell without a terminal (ssh/feeder.py)."""

    def begin(self) -> None: ...
    def prepare(self, number: int) -> bool: ...
    def run(self, number: int, allowed: Allowed, line: int) -> None: ...
    def refused(self, number: int, status: int) -> None: ...
    def exit(self, number: int) -> None: ...
    def again(self, number: int) -> None: ...
    def close(self) -> None: ...


class Opens(Upstream, Protocol):
    """Opens the two channels of a gated shell, or the one of a shell without a terminal, and those of listings."""

    async def feed(
        self, context: Context, allowed: Allowed, path: bytes, nonce: str, lost: Callable[[], None]
    ) -> Feeder: ...
    async def pipe(
        self, context: Context, allowed: Allowed, relay: Relay, nonce: str
    ) -> tuple[TargetChannel, Feeder]: ...


class Marks(Protocol):
    """The recording's markers, and what is not told of a text."""

    def marker(self, text: str, told: str) -> None: ...
    def hidden(self, text: bytes) -> bytes: ...


class Source(Protocol):
    """Where commands come from, and what becomes of what is printed. `ready`: one may be submitted now. `refused`: the
    one that was submitted will not run; `ready` follows."""

    def ready(self, prompt: Prompt) -> None: ...
    def printed(self, data: bytes, stream: int) -> None: ...
    def refused(self, error: Denied) -> None: ...
