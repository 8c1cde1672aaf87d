"""Policies read and explained in another process (judge.py, by way of aside.py)."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Mapping, Sequence

from bastion.api.aside import TIMEOUT, Aside
from bastion.api.judge import MAX_HELD
from bastion.policy.asker import Asker, Text
from bastion.policy.model import Policy


class Judging(Aside):
    """Life: `validate` and `explain` at will, `stop` once. Answers are JSON, as bytes."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        super().__init__("bastion.api.judge", "judging policies", timeout)
        self._policies: dict[str, Policy] = {}
        self._held: set[str] = set()
        """The versions that the living process was given."""

    async def validate(self, files: Mapping[str, bytes]) -> bytes:
        """Every problem of these files. Busy, AsideFailed."""
        return await self.ask("validate", (dict(files),))

    async def explain(self, of: Policy | Mapping[str, bytes], asker: Asker, commands: Sequence[Text]) -> bytes:
        """What a policy says of these commands. Busy, AsideFailed."""
        if not isinstance(of, Policy):
            return await self.ask("explain", (dict(of), asker, list(commands)))
        self._policies[of.version] = of
        try:
            return await self.ask("explain", (of.version, asker, list(commands)))
        finally:
            self._policies.pop(of.version, None)

    async def _before(self, process: asyncio.subprocess.Process, kind: str, values: tuple[object, ...]) -> None:
        """Hand over a policy in force that the process does not have."""
        version = values[0]
        if not isinstance(version, str) or version in self._held:
            return
        if len(self._held) >= MAX_HELD:
            self._held.clear()  # as the process does
        # Pickling a large policy takes a while, once for each version.
        held = await asyncio.to_thread(pickle.dumps, ("hold", (version, self._policies[version])))
        await self._send(process, held)
        self._held.add(version)

    async def _kill(self) -> None:
        self._held.clear()
        await super()._kill()
