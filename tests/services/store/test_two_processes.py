"""Two processes on one store, real ones: what one holds the other decides and ends within a second, and neither's end
loses a request. On SQLite (one file) and on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bastion.approvals.request import State
from bastion.approvals.upkeep import GONE
from bastion.errors import Held, MayNotVote
from bastion.policy.decision import Approval
from tests.core.approvals_made import person
from tests.services.store.house import Process, Trail, asking

SOON = 1.0
"""Seconds."""
AWAY = (Approval(("sre",), 1, 600, mode="return"),)


class Holder:
    """A running `holder`; `line` is the next of what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            read = await self.process.stdout.readline()
        found: dict[str, Any] = json.loads(read)
        return found

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def holder(url: str, name: str) -> AsyncIterator[Holder]:
    command = [sys.executable, "-m", "tests.services.store.holder", url, name]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    running = Holder(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.kill()


@pytest.fixture
async def here(url: str) -> AsyncIterator[Process]:
    """The process that the test is."""
    process = await Process.start(url, time.time, Trail(), "here")
    yield process
    await process.stop()


async def test_what_one_holds_is_approved_and_ended_from_the_other(here: Process, url: str) -> None:
    """Within a second each, and by the person who decided there."""
    async with holder(url, "there") as there:
        id = (await there.line())["held"]
        voted = time.monotonic()
        await here.approvals.vote(person(), id, True, "")
        approved = await there.line()
        assert approved["approved"] == id
        assert approved["at"] - voted < SOON
        asked = time.monotonic()
        assert await here.store.sessions.request_end("acme", "session-there", time.time(), "ended by op@acme")
        ended = await there.line()
        assert ended["end"] == "ended by op@acme"
        assert ended["at"] - asked < SOON
        assert await there.process.wait() == 0
    assert (await here.approvals.request("acme", id)).state is State.USED


async def test_what_a_killed_process_held_is_withdrawn(here: Process, url: str) -> None:
    """When it starts again under its name, or when it was not seen for a while: nobody waits, so nobody may approve.
    What waits for nobody (mode return) lives on."""
    with pytest.raises(Held) as caught:
        await here.ask(asking(AWAY, text=b"'away'")).task
    async with holder(url, "there") as there:
        first = (await there.line())["held"]
        await there.kill()
    await here.upkeep.tick()
    assert (await here.approvals.request("acme", first)).state is State.PENDING
    async with holder(url, "elsewhere") as there:
        second = (await there.line())["held"]
        await there.kill()
    again = await Process.start(url, time.time, Trail(), "there")
    assert (await here.approvals.request("acme", first)).state is State.WITHDRAWN
    assert (await here.approvals.request("acme", second)).state is State.PENDING
    ahead = [GONE + 1]
    later = await Process.start(url, lambda: time.time() + ahead[0], Trail(), "later")
    await later.upkeep.tick()
    assert (await here.approvals.request("acme", second)).state is State.PENDING, "those there may come back too"
    for _ in range(4):
        ahead[0] += 5
        await later.upkeep.tick()
    with pytest.raises(MayNotVote, match="withdrawn already"):
        await here.approvals.vote(person(), second, True, "")
    await again.approvals.vote(person(), caught.value.request, True, "")
    assert (await later.ask(asking(AWAY, text=b"'away'")).task).request == caught.value.request
    await again.stop()
    await later.stop()
