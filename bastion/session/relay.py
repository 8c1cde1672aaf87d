"""What passes between one client channel and one target channel: bytes, ends, signals, sizes, and the brakes.

Every byte of output is masked and recorded before the client is given it (showing.py), the bastion's own lines among
them, which may join what a turn of the event loop brings. Nothing else waits or is buffered here: what one side can not
take yet makes the other side's reading pause, so the memory a relay holds is bounded by the two channel windows and
what is joined, however slow a reader is.

A script on standard input is the exception: `whole` gathers it, within bounds, and `drop_input` keeps it from the
target, where what was judged and printed of it runs instead.

What it does not do: it does not look at what passes.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Protocol

from bastion.errors import InputRefused, Interrupted, NotRecorded, TargetDown
from bastion.session.channel import STDOUT, ClientChannel, Control, Ended, Resize, Signal, TargetChannel
from bastion.session.showing import Masks, Showing, Tape

MAX_EARLY = 64
"""Signals and sizes that wait for a target that is being opened, or that takes nothing; of sizes only the last does."""

HELD_INPUT = 64 << 10
"""Bytes of input that are read ahead while what was asked waits for people; from there on reading pauses."""
INPUT_SECONDS = 30.0
"""How long a client may take to send all of a script."""
FRONT = "front"
"""Why reading from the client pauses where the front has enough; signals pass all the same."""
_INTERRUPT = b"\x03"
"""Ctrl-C on a terminal."""
_ENDS = frozenset({"HUP", "INT", "KILL", "QUIT", "TERM"})
"""Signals that end a command which reads its script."""


class Front(Protocol):
    """Who stands between the two sides, such as a gated shell: gets what each sends, in the place of the other; of
    output nothing at its end."""

    def keys(self, data: bytes) -> None: ...
    def output(self, data: bytes, stream: int) -> None: ...
    def resized(self, columns: int, rows: int) -> None: ...
    def signalled(self) -> None: ...
    def notice(self, line: bytes) -> None: ...
    def eof(self) -> None: ...


class Relay:
    """Life: made when the client asks; `attach` once the target is open; then what comes, in any order, until `ended`.

    `ended` gives how the target's command ended, or raises NotRecorded, TargetDown when the target was lost,
    ConnectionError when the client was, or what `end` was called with.
    """

    def __init__(
        self, client: ClientChannel, tape: Tape, *, terminal: bool, session: str = "", masks: Masks | None = None
    ) -> None:
        self.session = session
        """The name in the audit trail of the session whose relay this is."""
        self._client = client
        self._tape = tape
        self._terminal = terminal
        self._newline = "\r\n" if terminal else "\n"
        self._target: TargetChannel | None = None
        self._early: list[bytes | Control] = []
        self._early_bytes = 0
        self._client_eof = False
        self._gathering: tuple[int, asyncio.Future[None]] | None = None
        """How many bytes of input may be gathered, and what is done once it is known whether they are all."""
        self._dropping = False
        self._held = False
        self._front: Front | None = None
        self._target_eof = False
        self._exit: Ended | None = None
        self._blocked: set[str] = set()
        self._waits: set[str] = set()
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.ended.add_done_callback(lambda future: future.cancelled() or future.exception())  # seen, awaited or not
        self.received = 0
        """Bytes from the client so far."""
        brake = partial(self.client_blocked, "masks")
        self._showing = Showing(client, tape, masks, terminal=terminal, end=self.end, brake=brake)

    @property
    def sent(self) -> int:
        """Bytes of output so far, on both streams."""
        return self._showing.sent

    def check(self) -> None:
        """Raise what ended the relay, if it has ended: nothing is opened for a client that has gone."""
        if self.ended.done():
            self.ended.result()

    def attach(self, target: TargetChannel) -> None:
        """The target is open: pass on what the client has sent meanwhile, and begin."""
        if self.ended.done():
            target.close()
            return
        self._target = target
        self._held = False
        if self._blocked:
            target.pause()
        self._pass_early(target)
        if self._client_eof:
            self._pass_eof(target)
        self._wait("opening", False)

    def interpose(self, front: Front) -> None:
        """From now on, and before `attach`, what either side sends goes to `front`: `show` and `type` pass it on."""
        self._front = front

    def show(self, data: bytes, stream: int) -> None:
        """To the client, recorded first; for the front."""
        if data and not self.ended.done():
            self._showing.show(data, stream)

    def draw(self, data: bytes) -> None:
        """What a front draws at a prompt of its own, recorded first like what the target prints."""
        if data and not self.ended.done():
            self._showing.draw(data)

    def settle(self, *, over: bool) -> None:
        """The client is waiting: show all that came; for the front. `over`: nothing more comes of what ran."""
        self._held = False
        if not self.ended.done():
            self._showing.settle(over=over)

    def mask(self, on: bool) -> None:
        """Whether what is shown from now on is masked, where policy has a mask: not, where what runs may show all."""
        self._showing.mask(on)

    def type(self, data: bytes) -> None:
        """To the target's terminal; for the front."""
        if self._target is not None and not self.ended.done():
            self._target.write(data)

    def brake(self, full: bool) -> None:
        """Whether as much of the client's input waits in the front as may; for the front."""
        self._wait(FRONT, full)

    def say(self, text: str) -> None:
        """A line of the bastion's own, to the client's stderr, recorded like everything it is shown."""
        line = (text + self._newline).encode()
        if self._front is not None and not self.ended.done():
            self._front.notice(line)
        else:
            self._showing.say(line)

    def hold(self, line: str) -> None:
        """Tell a line while what was asked waits for people. From now on, and until the target is open, what would
        interrupt a command ends the wait."""
        self._held = True
        if self._early_bytes <= HELD_INPUT:
            self._wait("opening", False)  # a signal, or Ctrl-C, may come behind what came already
        self.say(f"bastion: {line} [{self.session}]")

    def end(self, error: Exception) -> None:
        """End from outside (revoked, shutting down, client lost): `ended` raises `error`; the target is closed."""
        if not self.ended.done():
            self.ended.set_exception(error)
            self._showing.close()
        if self._target is not None:
            self._target.close()

    # -- standard input that is a script

    async def whole(self, limit: int) -> bytes:
        """All that the client sends until the end of its input. It stays here: `attach` passes it on, unless
        `drop_input` came before. InputRefused when it is more than `limit` bytes, or has no end within INPUT_SECONDS;
        what ended the relay, Interrupted among that, when something did."""
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathering = limit, settled
        for early in self._early:
            if isinstance(early, Signal) and early.name in _ENDS:
                self.end(Interrupted(early.name))
        self._wait("opening", False)
        self._gathered()
        either: list[asyncio.Future[Any]] = [settled, self.ended]
        await asyncio.wait(either, timeout=INPUT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        self._gathering = None
        self._wait("opening", True)
        self.check()
        if self._early_bytes > limit:
            raise InputRefused(f"standard input is read whole here, as a script, and is longer than {limit} bytes")
        if not self._client_eof:
            seconds = f"{INPUT_SECONDS:g} s"
            raise InputRefused(f"standard input is read whole here, as a script, and did not end within {seconds}")
        return b"".join(item for item in self._early if isinstance(item, bytes))

    def drop_input(self) -> None:
        """Nothing that the client sends goes to the target, which gets the end of its input at once."""
        self._early = [item for item in self._early if not isinstance(item, bytes)]
        self._dropping = self._client_eof = True

    def _gathered(self) -> None:
        """See whether there is enough: all of it, or too much."""
        if self._gathering is None:
            return
        limit, settled = self._gathering
        if not settled.done() and (self._client_eof or self._early_bytes > limit):
            settled.set_result(None)

    # -- from the client

    def client_data(self, data: bytes) -> None:
        """Input. Until the target is open it waits here, one packet or so: reading from the client is paused."""
        self.received += len(data)
        if self._dropping:
            return
        if self._target is None and self._held and self._terminal and _INTERRUPT in data:
            self.end(Interrupted("INT"))
        elif self._target is None:
            self._early.append(data)
            self._early_bytes += len(data)
            if self._gathering is None and not (self._held and self._early_bytes <= HELD_INPUT):
                self._wait("opening", True)
            self._gathered()
        elif self._front is not None:
            self._front.keys(data)
        elif not self.ended.done():
            self._target.write(data)

    def client_eof(self) -> None:
        """The client will send no more; the other direction stays open (half-close)."""
        self._client_eof = True
        self._gathered()
        if self._target is not None and not self._dropping and not self.ended.done():
            self._pass_eof(self._target)

    def client_control(self, control: Control) -> None:
        """A signal, a break or a new terminal size."""
        if self.ended.done():
            return
        if isinstance(control, Resize):
            try:
                self._tape.resize(control.columns, control.rows)
                if self._front is not None:
                    self._front.resized(control.columns, control.rows)
            except NotRecorded as error:
                self.end(error)
                return
        waits = self._gathering is not None or (self._held and self._target is None)
        if waits and isinstance(control, Signal) and control.name in _ENDS:
            self.end(Interrupted(control.name))
            return
        if self._target is not None and not self._waits - {FRONT}:
            self._target.tell(control)
            if self._front is not None and isinstance(control, Signal):
                self._front.signalled()
            return
        if isinstance(control, Resize):
            self._early = [item for item in self._early if not isinstance(item, Resize)]
        if len(self._early) < MAX_EARLY:
            self._early.append(control)

    def client_blocked(self, what: str, blocked: bool) -> None:
        """The client can not take more output (`what` says where it is stuck), or can again."""
        before = bool(self._blocked)
        (self._blocked.add if blocked else self._blocked.discard)(what)
        if bool(self._blocked) == before:
            return
        self._showing.stalled(not before)
        if self._target is not None:
            (self._target.pause if self._blocked else self._target.resume)()

    def client_closes(self) -> None:
        """It has closed its side, though not all that it sent was read: nobody waits for people any more."""
        if self._held and (self._target is None or self._front is not None):
            self.client_lost()

    def client_lost(self) -> None:
        """The client has gone; what it started is ended."""
        self.end(ConnectionError("the client closed the channel"))

    # -- from the target

    def target_data(self, data: bytes, stream: int) -> None:
        """Output: recorded, then shown."""
        if self.ended.done():
            return
        if self._front is not None:
            self._front.output(data, stream)
        else:
            self._showing.show(data, stream)

    def target_eof(self) -> None:
        """The target's command has closed its output."""
        self._target_eof = True
        if self._front is not None and not self.ended.done():
            self._front.output(b"", STDOUT)
        if not self.ended.done():
            self._showing.settle()
            self._client.write_eof()

    def target_exit(self, ended: Ended) -> None:
        """The command has ended. Output may still be on its way: the channel's close is what ends the relay."""
        self._exit = ended

    def target_blocked(self, what: str, blocked: bool) -> None:
        """The target can not take more input (`what` says where it is stuck), or can again."""
        self._wait(what, blocked)
        if not self._waits - {FRONT} and self._target is not None:
            self._pass_early(self._target)

    def target_lost(self, error: Exception | None) -> None:
        """The target's channel is closed and all its output was delivered; or, with an `error`, the connection broke.

        An exit status whose output may have been cut off is not told: the client would take it for the whole.
        """
        if self.ended.done():
            return
        self._showing.close()
        if self.ended.done():  # by what could not be masked, or recorded
            return
        if self._exit is not None and (error is None or self._target_eof):
            self.ended.set_result(self._exit)
        else:
            lost = TargetDown("the connection to the target was lost")
            lost.__cause__ = error  # not in the message: a target could write anything there
            self.ended.set_exception(lost)

    def _pass_eof(self, target: TargetChannel) -> None:
        (target.write_eof if self._front is None else self._front.eof)()

    def _pass_early(self, target: TargetChannel) -> None:
        """What the client sent before the target could take it, in order."""
        early, self._early = self._early, []
        for item in early:
            if isinstance(item, bytes):
                (target.write if self._front is None else self._front.keys)(item)
            else:
                target.tell(item)

    def _wait(self, why: str, waits: bool) -> None:
        """Reading from the client pauses while there is any reason for it."""
        before = bool(self._waits)
        (self._waits.add if waits else self._waits.discard)(why)
        if bool(self._waits) != before:
            (self._client.pause if self._waits else self._client.resume)()
