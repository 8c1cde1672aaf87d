"""The audit trail, and recordings, searched in another process (searcher.py, by way of aside.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bastion.api.aside import Aside
from bastion.audit.search import Sought

SECONDS = 4.0
"""For one search; what it has by then is answered, and where it goes on."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events, the newest first; where the next page begins; whether all that was asked for was looked at."""

    events: tuple[dict[str, Any], ...]
    next: int | None
    whole: bool


class Searching(Aside):
    """Life: `search` and `digest` at will, `stop` once."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        super().__init__("bastion.api.searcher", "searching the audit trail")
        self._path = path
        self._seconds = seconds

    async def search(self, sought: Sought, before: int | None, most: int) -> Page:
        """Busy, AsideFailed."""
        found = orjson.loads(await self.ask("search", (str(self._path), sought, before, most, self._seconds)))
        return Page(tuple(found["events"]), found["next"], found["whole"])

    async def digest(self, tenant: str, session: str) -> tuple[bool | None, str, int]:
        """Whether the trail tells of this recording (None: not known in time), its digest and its size."""
        found = orjson.loads(await self.ask("digest", (str(self._path), tenant, session, self._seconds)))
        return found["found"], found.get("sha256", ""), found.get("size") or 0

    async def commands(
        self, directory: Path, tenant: str, session: str, path: str
    ) -> tuple[list[dict[str, Any]] | None, bool]:
        """The markers of a recording (None: its file is not there), and whether these are all. Busy, AsideFailed."""
        values = (str(directory), tenant, session, path, self._seconds)
        found = orjson.loads(await self.ask("commands", values))
        return found["commands"], found["whole"]
