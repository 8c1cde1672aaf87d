"""How the bastion is: for load balancers, for whoever operates it, and for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from bastion.api.guard import Asked, Handler, told
from bastion.api.metrics import TYPE, Metrics
from bastion.api.problems import problem


class Condition:
    """`problems` says what keeps the bastion from serving (empty: nothing does). `status` is its line for people,
    `counted` what is asked of others before metrics are told (how many approvals are pending, say)."""

    def __init__(
        self,
        problems: Callable[[], Sequence[str]],
        status: Callable[[], str] = str,
        metrics: Metrics | None = None,
        counted: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._problems = problems
        self._status = status
        self._metrics = metrics
        self._counted = counted

    def handlers(self) -> Mapping[str, Handler]:
        found: dict[str, Handler] = {"health": self.health, "ready": self.ready}
        return found if self._metrics is None else {**found, "metrics": self.metrics}

    async def health(self, _: Asked) -> web.StreamResponse:
        problems = self._problems()
        return problem(503, "; ".join(problems)) if problems else told({"status": "ok"})

    async def ready(self, _: Asked) -> web.StreamResponse | Mapping[str, Any]:
        problems = list(self._problems())
        if problems:
            return problem(503, "; ".join(problems), status_line=self._status())
        return {"ready": True, "status": self._status()}

    async def metrics(self, _: Asked) -> web.StreamResponse:
        if self._counted is not None:
            await self._counted()
        text = "" if self._metrics is None else self._metrics.text()
        return web.Response(body=text.encode(), headers={"Content-Type": TYPE})
