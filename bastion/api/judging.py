"""Policies read and explained in another process (judge.py), one request at a time, each for so many seconds.

A thread would do the same work under the interpreter's one lock, and every session would be slow meanwhile. The process
is started when it is first asked, gets an environment of its own making (no credential is in it), and is killed when it
takes too long or when whoever asked is gone; the next request starts another.

Limits: its memory is bounded by the size of what it may be sent, not by the kernel. One caller can keep it busy, as
often as the API's rate lets it ask; others are told to come back.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import bastion
from bastion.api.judge import GOOD, LENGTH, MAX_HELD, Text
from bastion.errors import BastionError, OutsideError
from bastion.policy.asker import Asker
from bastion.policy.model import Policy

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds for one request, the start of the process included."""
MAX_WAITING = 8
"""Requests that may wait for the one before them."""
STOP_TIMEOUT = 5.0
"""Seconds for the process to end once it was killed."""


class Busy(OutsideError):
    """Too many ask already, or this took too long."""


class JudgeFailed(BastionError):
    """What was not foreseen, in the process."""


class Judging:
    """Life: `validate` and `explain` at will, `stop` once. Answers are JSON, as bytes."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._one = asyncio.Lock()
        self._waiting = 0
        self._stopped = False
        self._process: asyncio.subprocess.Process | None = None
        self._held: set[str] = set()
        """The versions that the living process was given."""

    async def validate(self, files: Mapping[str, bytes]) -> bytes:
        """Every problem of these files. Busy, JudgeFailed."""
        return await self._in_turn("validate", (dict(files),))

    async def explain(self, of: Policy | Mapping[str, bytes], asker: Asker, commands: Sequence[Text]) -> bytes:
        """What a policy says of these commands. Busy, JudgeFailed."""
        if not isinstance(of, Policy):
            return await self._in_turn("explain", (dict(of), asker, list(commands)))
        return await self._in_turn("explain", (of.version, asker, list(commands)), of)

    async def stop(self) -> None:
        """End the process. Whoever still waits is told that it is busy."""
        self._stopped = True
        await self._kill()

    # -- inside

    async def _in_turn(self, kind: str, values: tuple[object, ...], policy: Policy | None = None) -> bytes:
        if self._stopped or self._waiting >= MAX_WAITING:
            raise Busy("too many policies are being judged: try again soon")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout), self._one:
                return await self._exchange(kind, values, policy)
        except TimeoutError:
            raise Busy(f"judging took longer than {self._timeout:g} seconds: send less at once") from None
        finally:
            self._waiting -= 1

    async def _exchange(self, kind: str, values: tuple[object, ...], policy: Policy | None) -> bytes:
        try:
            process = await self._started()
            if policy is not None and policy.version not in self._held:
                if len(self._held) >= MAX_HELD:
                    self._held.clear()  # as the process does
                # Pickling a large policy takes a while, once for each version.
                held = await asyncio.to_thread(pickle.dumps, ("hold", (policy.version, policy)))
                await self._ask(process, held)
                self._held.add(policy.version)
            return await self._ask(process, pickle.dumps((kind, values)))
        except (asyncio.IncompleteReadError, OSError) as error:
            log.error("the process that judges policies ended in the midst of a request: %s", type(error).__name__)
            await self._kill()
            raise Busy("the process that judges policies ended: try again") from error
        except BaseException:
            # Cancelled, or out of time, in the midst of an answer: nobody will read the rest of it.
            await self._kill()
            raise

    async def _ask(self, process: asyncio.subprocess.Process, request: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise JudgeFailed("the judge has no pipes")
        process.stdin.write(len(request).to_bytes(LENGTH, "big") + request)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
        answer = await process.stdout.readexactly(length)
        if not answer.startswith(GOOD):
            log.error("judging a policy failed: %s", answer[1:200].decode("utf-8", "backslashreplace"))
            raise JudgeFailed("the policy could not be judged")
        return answer[1:]

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            await self._kill()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "bastion.api.judge"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PYTHONPATH": str(Path(bastion.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
            )
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        self._held.clear()
        if process is None or process.returncode is not None:
            return
        process.kill()
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
