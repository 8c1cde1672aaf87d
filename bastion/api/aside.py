"""Work done in another process, one request at a time, each for so many seconds: what would keep sessions waiting.

A thread would do the same work under the interpreter's one lock, and every session would be slow meanwhile. The process
is started when it is first asked, gets an environment of its own making (no credential is in it), and is killed when it
takes too long or when whoever asked is gone; the next request starts another.

    request   8 bytes of length (big-endian), then a pickle: (kind, values)      from our own process only
    answer    8 bytes of length, 1 byte of status (`+`, or `-` for what was not foreseen), then JSON

Limits: its memory is bounded by the size of what it may be sent, not by the kernel. One caller can keep it busy, as
often as the API's rate lets it ask; others are told to come back.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import orjson

import bastion
from bastion.errors import BastionError, OutsideError

log = logging.getLogger(__name__)

LENGTH = 8
GOOD, FAILED = b"+", b"-"
TIMEOUT = 10.0
"""Seconds for one request, the start of the process included."""
MAX_WAITING = 8
"""Requests that may wait for the one before them."""
STOP_TIMEOUT = 5.0
"""Seconds for the process to end once it was killed."""


First = Callable[[asyncio.subprocess.Process], Awaitable[None]]


class Busy(OutsideError):
    """Too many ask already, or this took too long."""


class AsideFailed(BastionError):
    """What was not foreseen, in the process."""


class Aside:
    """Life: `ask` at will, `stop` once. `module` is what the process runs, `what` names its work for people."""

    def __init__(self, module: str, what: str, timeout: float = TIMEOUT) -> None:
        self._module = module
        self._what = what
        self._timeout = timeout
        self._one = asyncio.Lock()
        self._waiting = 0
        self._stopped = False
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, kind: str, values: tuple[object, ...], first: First | None = None) -> bytes:
        """The answer's JSON. `first` tells the process what it must know before. Busy, AsideFailed."""
        if self._stopped or self._waiting >= MAX_WAITING:
            raise Busy(f"too many wait for {self._what}: try again soon")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout), self._one:
                return await self._exchange(kind, values, first)
        except TimeoutError:
            raise Busy(f"{self._what} took longer than {self._timeout:g} seconds: ask for less at once") from None
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """End the process. Whoever still waits is told that it is busy."""
        self._stopped = True
        await self._kill()

    # -- inside

    async def _exchange(self, kind: str, values: tuple[object, ...], first: First | None) -> bytes:
        try:
            process = await self._started()
            if first is not None:
                await first(process)
            return await self._send(process, pickle.dumps((kind, values)))
        except (asyncio.IncompleteReadError, OSError) as error:
            log.error("the process for %s ended in the midst of a request: %s", self._what, type(error).__name__)
            await self._kill()
            raise Busy(f"the process for {self._what} ended: try again") from error
        except BaseException:
            # Cancelled, or out of time, in the midst of an answer: nobody will read the rest of it.
            await self._kill()
            raise

    async def _send(self, process: asyncio.subprocess.Process, request: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise AsideFailed(f"the process for {self._what} has no pipes")
        process.stdin.write(len(request).to_bytes(LENGTH, "big") + request)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
        answer = await process.stdout.readexactly(length)
        if not answer.startswith(GOOD):
            log.error("%s failed: %s", self._what, answer[1:200].decode("utf-8", "backslashreplace"))
            raise AsideFailed(f"{self._what} failed")
        return answer[1:]

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            await self._kill()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", self._module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PYTHONPATH": str(Path(bastion.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
            )
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.kill()
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)


def serve(
    requests: BinaryIO, answers: BinaryIO, answer: Callable[[str, tuple[object, ...]], dict[str, object]]
) -> None:
    """In the process: answer until the requests end. What was not foreseen is told by its type alone: its text may
    quote a request."""
    while len(length := requests.read(LENGTH)) == LENGTH:
        request = requests.read(int.from_bytes(length, "big"))
        try:
            kind, values = pickle.loads(request)  # noqa: S301  (from the process that started this one, by its pipe)
            found = GOOD + orjson.dumps(answer(kind, values))
        except Exception as error:  # noqa: BLE001  (told to the parent, which logs it and fails the request)
            found = FAILED + orjson.dumps(type(error).__name__)
        answers.write(len(found).to_bytes(LENGTH, "big") + found)
        answers.flush()
