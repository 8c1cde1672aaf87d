"""Idle shells through the bastion, each on a connection of its own (asyncssh is the client), and what they cost it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import asyncssh

from tests.benchmarks.measure import MIB
from tests.system.asyncssh_client import jumped
from tests.system.harness.bastion import Bastion
from tests.system.harness.client import Client

AT_ONCE = 8
SECONDS = 120.0
"""How long one may take to show a prompt, with others on their way."""
PROMPT = "at$ "


def memory(bastion: Bastion, client: Client, target: str, shells: int) -> float:
    """MiB of the bastion's resident memory for each of so many shells at their prompt, after one line each. A few are
    opened and ended before, so that what is loaded at first use does not count."""
    return asyncio.run(_memory(bastion, client, target, shells))


async def _memory(bastion: Bastion, client: Client, target: str, shells: int) -> float:
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(_idle(stack, client, target) for _ in range(AT_ONCE)))
    before = bastion.resident_bytes()
    async with AsyncExitStack() as stack:
        left = iter(range(shells))

        async def some() -> None:
            for _ in left:
                await _idle(stack, client, target)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        opened = [event for event in bastion.audit("command-judged") if event["request"] == "shell"]
        assert len(opened) - len(bastion.audit("session-ended")) == shells, "some have ended meanwhile"
        return (bastion.resident_bytes() - before) / shells / MIB


async def _idle(stack: AsyncExitStack, client: Client, target: str) -> None:
    connection = await stack.enter_async_context(jumped(client, target))
    shell: asyncssh.SSHClientProcess[Any] = await connection.create_process(term_type="xterm", term_size=(80, 24))
    async with asyncio.timeout(SECONDS):
        await shell.stdout.readuntil(PROMPT)
        shell.stdin.write("true\r")
        await shell.stdout.readuntil(PROMPT)
