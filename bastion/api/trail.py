"""The audit trail over HTTP: searched from its newest event back, within so many seconds a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bastion.api import pages
from bastion.api.guard import Asked, Handler
from bastion.api.searching import Page
from bastion.audit.search import Sought

_SOUGHT = ("kind", "identity", "target", "session", "since", "until", "text")


class Searches(Protocol):
    """searching.Searching."""

    async def search(self, sought: Sought, before: int | None, most: int) -> Page: ...


class Trail:
    def __init__(self, searches: Searches) -> None:
        self._searches = searches

    def handlers(self) -> Mapping[str, Handler]:
        return {"audit": self.search}

    async def search(self, asked: Asked) -> Mapping[str, Any]:
        """A page may have fewer events than its limit, or none, and still a next one: then its time was over."""
        sought = Sought(asked.tenant, **{name: asked.query.get(name) for name in _SOUGHT})
        found = await self._searches.search(sought, pages.offset(asked.query), pages.limit(asked.query))
        following = None if found.next is None else pages.write(found.next)
        return {"items": list(found.events), "next": following, "whole": found.whole}
