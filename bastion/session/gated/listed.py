"""A listing for completion: judged like a command of the client's, run on a channel of its own, kept up to a bound."""

from __future__ import annotations

from typing import Protocol

from bastion.asked import Asked
from bastion.context import Context
from bastion.errors import Denied
from bastion.gate import Allowed, Gate
from bastion.session.channel import STDOUT, Ended, TargetChannel, Terminal
from bastion.session.gated.completion import MAX_LISTING
from bastion.session.relay import Relay


class Upstream(Protocol):
    """Opens channels to targets; TargetDown when one can not be had."""

    async def open(
        self, context: Context, allowed: Allowed, terminal: Terminal | None, relay: Relay, nonce: str = ""
    ) -> TargetChannel: ...


class Listing:
    """Called with the text of a listing; what it prints, or None where it is not permitted. Raises what ends a channel
    (TargetDown, ConnectionError), and NotRecorded."""

    def __init__(self, gate: Gate, upstream: Upstream, context: Context, session: str) -> None:
        self._gate = gate
        self._upstream = upstream
        self._context = context
        self._session = session

    async def __call__(self, text: str) -> bytes | None:
        try:
            allowed = await self._gate.judge(self._context, Asked(self._session, "completion", text.encode(), {}))
        except Denied:
            return None
        gathered = Gathered(MAX_LISTING)
        relay = Relay(gathered, gathered, terminal=False)
        try:
            target = await self._upstream.open(self._context, allowed, None, relay)
            relay.attach(target)
            target.write_eof()
            await relay.ended
        finally:
            relay.end(ConnectionError("the listing is not needed any more"))
        return bytes(gathered.data)


class Gathered:
    """A ClientChannel, and a tape that records nothing: what is asked for completion is not shown as it comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.data = bytearray()

    def write(self, data: bytes, stream: int) -> None:
        if stream == STDOUT:
            self.data += data[: self._limit - len(self.data)]

    def output(self, stream: int, data: bytes) -> None:
        """Not shown, so not recorded."""

    def resize(self, columns: int, rows: int) -> None:
        """It has no size."""

    def write_eof(self) -> None:
        """Nobody waits for it."""

    def pause(self) -> None:
        """Nobody sends."""

    def resume(self) -> None:
        """Nobody sends."""

    def finish(self, ended: Ended) -> None:
        """The relay tells how it ended."""
