"""Policies read and explained in another process (judge.py, by way of aside.py)."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Mapping, Sequence
from functools import partial

from bastion.api.aside import TIMEOUT, Aside
from bastion.api.judge import MAX_HELD
from bastion.policy.asker import Asker, Text
from bastion.policy.model import Policy


class Judging(Aside):
    """Life: `validate` and `explain` at will, `stop` once. Answers are JSON, as bytes."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        super().__init__("bastion.api.judge", "judging policies", timeout)
        self._held: set[str] = set()
        """The versions that the living process was given."""

    async def validate(self, files: Mapping[str, bytes]) -> bytes:
        """Every problem of these files. Busy, AsideFailed."""
        return await self.ask("validate", (dict(files),))

    async def explain(self, of: Policy | Mapping[str, bytes], asker: Asker, commands: Sequence[Text]) -> bytes:
        """What a policy says of these commands. Busy, AsideFailed."""
        if not isinstance(of, Policy):
            return await self.ask("explain", (dict(of), asker, list(commands)))
        return await self.ask("explain", (of.version, asker, list(commands)), partial(self._hand_over, of))

    async def _hand_over(self, policy: Policy, process: asyncio.subprocess.Process) -> None:
        """A policy in force that the process does not have."""
        if policy.version in self._held:
            return
        if len(self._held) >= MAX_HELD:
            self._held.clear()  # as the process does
        # Pickling a large policy takes a while, once for each version.
        held = await asyncio.to_thread(pickle.dumps, ("hold", (policy.version, policy)))
        await self._send(process, held)
        self._held.add(policy.version)

    async def _kill(self) -> None:
        self._held.clear()
        await super()._kill()
