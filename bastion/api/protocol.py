"""HTTP as aiohttp speaks it, with the words that it would choose by itself taken away from it.

aiohttp logs a request that it can not parse together with the line that is wrong, and sends that line back. The line
may be `Authorization: Bearer …` (law 5). Here such a request gets one fixed problem, and of an exception that nobody
foresaw the log gets the type and nothing more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bastion.api import bounds
from bastion.api.headers import dress
from bastion.api.problems import problem

log = logging.getLogger(__name__)

# What aiohttp says by itself may quote a request: above CRITICAL nothing is left of it, access log included.
logging.getLogger("aiohttp").setLevel(logging.CRITICAL + 1)

MALFORMED = "the request is not HTTP/1.1 of the form and size that this API reads"


class Http(RequestHandler):
    """One connection, one request. `lost` is called once, with this object, when the connection has ended. `peer` is
    the user at the other end of a Unix socket, None over TCP."""

    def __init__(self, server: web.Server, lost: Callable[[Http], None], peer: int | None = None) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=bounds.FIRST_REQUEST,
            max_field_size=bounds.MAX_HEADER,
            max_headers=bounds.MAX_HEADERS,
            lingering_time=bounds.LINGER,
            auto_decompress=False,
        )
        self._lost = lost
        self.peer = peer
        self.when_lost: Callable[[], None] | None = None
        """For an answer that goes on: aiohttp tells its handler only when it writes next."""

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._lost(self)
        if self.when_lost is not None:
            self.when_lost()

    def handle_error(
        self,
        _request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        _message: str | None = None,
    ) -> web.StreamResponse:
        """A request that can not be parsed (400), or an exception that no handler caught. The message quotes it."""
        if status == 400:
            return problem(400, MALFORMED)
        self.log_exception("", exc_info=exc)
        return problem(500, "the bastion failed; its log says why")

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send it, as the last on this connection. aiohttp's own refusals (`Expect: …`) quote, too: made problems."""
        answer = problem(resp.status, resp.reason) if isinstance(resp, web.HTTPException) else resp
        answer.force_close()
        if not answer.prepared:
            dress(answer)
        return await super().finish_response(request, answer, start_time)

    def log_exception(self, *_args: Any, **kw: Any) -> None:
        """aiohttp's way to the log."""
        log.error("a request to the API failed: %s", type(kw.get("exc_info")).__name__)
