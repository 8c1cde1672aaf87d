"""Work that nobody awaits: held so that it is not collected half done, watched so that its failure is seen; and work
that is done again and again, and that no error ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from bastion.errors import BastionError

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST = 5.0
"""Seconds at most between two rounds of what fails."""


class Background:
    """Life: `start` at will, `stop` once, which cancels what still runs and waits for it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin `work`. It ends by itself; an exception out of it is logged with its traceback under `name`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def wait(self) -> None:
        """Wait until all that runs now has ended by itself."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def stop(self) -> None:
        """Cancel all and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)


class Trouble:
    """How rounds of one piece of work fare. `failed` or `well` after each says how many seconds to wait before the
    next: `every`, and twice as long after each that fails, up to LONGEST (or `every`, where that is longer).

    What fails is logged when it begins to, or fails otherwise than before, and not each time. `error` is why the last
    round failed, None while none does.
    """

    def __init__(self, name: str, every: float) -> None:
        self.name = name
        self.error: Exception | None = None
        self._every = every
        self._wait = every

    def failed(self, error: Exception) -> float:
        if type(error) is not type(self.error) or str(error) != str(self.error):
            # Of what is not foreseen the log has to tell more than its message.
            log.error("%s: %s", self.name, error, exc_info=None if isinstance(error, BastionError) else error)
        self.error = error
        wait, self._wait = self._wait, min(2 * self._wait, max(LONGEST, self._every))
        return wait

    def well(self) -> float:
        if self.error is not None:
            log.warning("%s: well again", self.name)
        self.error, self._wait = None, self._every
        return self._every


async def each(items: Iterable[T], work: Callable[[T], Awaitable[object]]) -> None:
    """`work` on all of them, in order, also behind one where it fails. Raises what it failed with last."""
    failed: Exception | None = None
    for item in items:
        try:
            await work(item)
        except Exception as error:  # noqa: BLE001 (those behind it are not to wait for it; it is raised then)
            failed = error
    if failed is not None:
        raise failed


async def forever(
    work: Callable[[], Awaitable[None]], trouble: Trouble, wait: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> None:
    """Rounds of `work` until this is cancelled, with what `trouble` says of seconds between them, waited by `wait`."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 (whatever it is, the next round is due; it is logged and told)
            seconds = trouble.failed(error)
        else:
            seconds = trouble.well()
        await wait(seconds)
