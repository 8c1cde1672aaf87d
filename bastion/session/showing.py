"""What a client is shown: masked, then recorded, then sent, in this order (law 4), each stream by itself.

What is drawn at a prompt (`draw`) is a stream of its own, so that the target's is whole on both sides of it; the two
meet at the client, where whichever has its turn waits for nothing that is held back of the other.

Large pieces, of anything but a terminal, are masked one right behind the other, where the turns of the event loop bring
more of them: the automata are larger than a processor's nearest memory, and each finds them there that comes behind
another. They wait until a turn brings none, or until there are JOINED bytes; whatever else is shown comes behind them.
So does what is so slow to mask that it is done in parts (pace.py), on a terminal too, and while much of it waits the
target is not read.

What a mask holds back is given out when more has come that tells what it is, when the target has not gone on for a
while, or when `settle` says that what ran has ended. On a terminal that while is RELEASE_SECONDS, from the last piece
by which anything was shown; of any other stream, and behind a large piece, QUIET_SECONDS from the last piece. It is not
the target that does not go on while the client takes nothing (`stalled`), or while pieces wait here.

A mask that fails ends the session. Nothing that came from the target is shown after that.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from operator import methodcaller
from time import thread_time
from typing import Protocol

from bastion.errors import NotMasked, NotRecorded
from bastion.session.channel import STDERR, STDOUT, ClientChannel
from bastion.session.pace import SLICE, WHOLE, Pace

log = logging.getLogger(__name__)

DRAWN = 2
"""Beside STDOUT and STDERR: what is drawn, and goes to the client's stdout."""

RELEASE_SECONDS = 0.02
"""How long a terminal waits for what is held back: a person does not see it, and a program's next write has come."""

QUIET_SECONDS = 0.25
"""How long any other stream must be silent until what is held back is given out: a program may wait for an answer."""


JOIN_FROM = 8 << 10
"""Bytes of a piece that is large: typed echo, prompts and lines are shown at once."""

JOINED = WHOLE
"""Bytes that wait, from which on some are masked with every piece that comes."""


class Tape(Protocol):
    """The recording of this channel. Both raise NotRecorded, and the session ends then."""

    def output(self, stream: int, data: bytes) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...


class Masks(Protocol):
    """What of a stream may be shown now; all of it while not `on`. Whatever is raised ends the session."""

    on: bool

    @property
    def masking(self) -> bool: ...
    @property
    def holding(self) -> bool: ...
    def feed(self, data: bytes, stream: int) -> bytes: ...
    def release(self, stream: int) -> bytes: ...
    def flush(self, stream: int) -> bytes: ...


class Showing:
    """Life: `show` at will, `settle` where something has ended, `close` once. `end` is called with what ends the
    session: NotRecorded, or NotMasked; `brake` with whether the target should wait."""

    def __init__(
        self,
        client: ClientChannel,
        tape: Tape,
        masks: Masks | None,
        *,
        terminal: bool,
        end: Callable[[Exception], None],
        brake: Callable[[bool], None],
    ) -> None:
        self._client = client
        self._tape = tape
        self._masks = masks
        self._terminal = terminal
        self.end = end
        self._brake = brake
        self._braked = False
        self._pace = Pace()
        self._later: asyncio.TimerHandle | None = None
        self._stalled = False
        self._turn = STDOUT
        self._large: deque[bytes] = deque()
        """Pieces that wait to be masked, all of one stream."""
        self._large_stream = STDOUT
        self._large_size = 0
        self._more = False
        """Whether this turn of the event loop brought any of them."""
        self._turn_end: asyncio.Handle | None = None
        self._closed = False
        self._broken = False
        self.sent = 0
        """Bytes of output so far, on both streams."""

    def show(self, data: bytes, stream: int) -> None:
        """Output of the target, or of what stands before it."""
        if self._masks is None:
            self._give(data, stream)
            return
        if self._waits(data, stream, self._masks):
            self._wait(data, stream)
            return
        self._catch_up()
        if stream != STDERR and stream != self._turn:
            self._masked(self._turn, [methodcaller("release", self._turn)])
            self._turn = stream
        given = self.sent
        self._masked(stream, self._feeding(data, stream))
        soon = self._terminal and len(data) < JOIN_FROM
        if not soon or self._later is None or self.sent != given:
            self._release_later(self._masks, RELEASE_SECONDS if soon else QUIET_SECONDS)

    def stalled(self, stalled: bool) -> None:
        """Whether the client takes nothing now, so that the target is kept from going on."""
        self._stalled = stalled
        if self._masks is not None:
            self._release_later(self._masks, QUIET_SECONDS)

    def _release_later(self, masks: Masks, seconds: float) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if masks.holding and not self._closed and not self._stalled:
            self._later = asyncio.get_running_loop().call_later(seconds, self._release)

    # -- what waits

    def _waits(self, data: bytes, stream: int, masks: Masks) -> bool:
        if self._closed or self._broken or DRAWN in (stream, self._turn):
            return False
        if self._large:
            return stream == self._large_stream
        if self._terminal or len(data) < JOIN_FROM:
            return not self._pace.fits(data)
        return masks.masking

    def _wait(self, data: bytes, stream: int) -> None:
        self._large.append(data)
        self._large_size += len(data)
        self._large_stream = stream
        self._more = True
        if self._large_size >= JOINED:
            self._mask_large()
        self._braking()
        if self._large and self._turn_end is None:
            self._turn_end = asyncio.get_running_loop().call_soon(self._turn_ended)

    def _turn_ended(self) -> None:
        self._turn_end = None
        if self._more:
            self._more = False
        else:
            self._mask_large()
        if self._large:
            self._turn_end = asyncio.get_running_loop().call_soon(self._turn_ended)

    def _catch_up(self) -> None:
        """Show all that waits."""
        while self._large:
            self._mask_large()

    def _mask_large(self) -> None:
        """Show what waits: all of it, or what is masked within a SLICE."""
        if self._masks is None or self._broken:
            self._large.clear()
            self._large_size = 0
        else:
            self._masked(self._large_stream, self._feeding_large())
            self._release_later(self._masks, QUIET_SECONDS)
        self._braking()

    def _feeding_large(self) -> Iterator[Callable[[Masks], bytes]]:
        """What waits, for as long as others may: what was begun is finished."""
        clock = asyncio.get_running_loop().time
        until = clock() + SLICE
        while self._large:
            data, rest = self._pace.cut(self._large.popleft())
            if rest:
                self._large.appendleft(rest)
            self._large_size -= len(data)
            yield from self._feeding(data, self._large_stream)
            if clock() >= until:
                return

    def _feeding(self, data: bytes, stream: int) -> Iterator[Callable[[Masks], bytes]]:
        began = thread_time()
        yield methodcaller("feed", data, stream)
        self._pace.took(len(data), thread_time() - began)

    def _braking(self) -> None:
        """Have the target wait while much waits here, and go on once half of it has gone."""
        full = self._large_size > self._pace.room // (2 if self._braked else 1)
        if full != self._braked:
            self._braked = full
            self._brake(full)

    # -- what is drawn, said, and at the end

    def draw(self, data: bytes) -> None:
        """What is drawn at a prompt, and no output of the target."""
        self.show(data, DRAWN)

    def say(self, line: bytes) -> None:
        """A line of the bastion's own, on stderr, in its place among what is shown; also when a mask has failed."""
        if self._broken:
            self._give(line, STDERR)
        else:
            self.show(line, STDERR)
            if self._closed:
                self.settle()

    def settle(self, *, over: bool = True) -> None:
        """Show what is held back, as the end of the stream leaves it; where it is not `over`, as time does."""
        self._catch_up()
        for stream in self._streams:
            self._masked(stream, [methodcaller("flush" if over else "release", stream)])

    def mask(self, on: bool) -> None:
        """Whether what comes from now on is masked."""
        if self._masks is not None and self._masks.on != on:
            self.settle()
            self._masks.on = on

    def close(self) -> None:
        """Nothing more of the target will come; lines of the bastion's own still may."""
        self.settle()
        self._closed = True
        if self._later is not None:
            self._later.cancel()

    def _release(self) -> None:
        self._later = None
        if self._large:  # the target does go on; once they are shown, what is then held has its own while
            return
        for stream in self._streams:
            self._masked(stream, [methodcaller("release", stream)])

    @property
    def _streams(self) -> tuple[int, ...]:
        """In whose turn it is not, what is held came first."""
        return (DRAWN, STDOUT, STDERR) if self._turn == STDOUT else (STDOUT, DRAWN, STDERR)

    def _masked(self, stream: int, gives: Iterable[Callable[[Masks], bytes]]) -> None:
        """Show what the masks give out, each behind the other, until one fails."""
        if self._masks is None or self._broken:
            return
        shown: list[bytes] = []
        failed: Exception | None = None
        try:
            for give in gives:
                shown.append(give(self._masks))  # kept, also when the next one fails
        except Exception as error:  # noqa: BLE001 - whatever it is, what it would have shown is not
            self._broken, failed = True, error
        if any(shown):
            self._give(b"".join(shown), stream)
        if failed is not None:
            # Not its message, in which there may be what had to be masked.
            trace = "".join(traceback.format_tb(failed.__traceback__))
            log.error("masking failed: %s\n%s", type(failed).__name__, trace)
            self.end(NotMasked("what has to be masked could not be masked"))

    def _give(self, data: bytes, stream: int) -> None:
        stream = STDOUT if stream == DRAWN else stream
        try:
            self._tape.output(stream, data)
        except NotRecorded as error:
            self.end(error)
            return
        self.sent += len(data)
        self._client.write(data, stream)
