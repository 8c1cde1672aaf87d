"""The HTTP API: certificates, and policies for those who write them.

    POST /v1/certificates   {"public_key": "ssh-ed25519 AAAA…", "tenant": "demo"}, Authorization: Bearer TOKEN
                            201 {"certificate", "serial", "valid_after", "valid_before", "principals", "tenant",
                                 "host_ca", "names"}
    POST /v1/policies/…     validate and explain, see policies.py; the same token
    GET  /v1/host-ca        the authority that signs the host certificates of the bastion and its targets, as text
    GET  /healthz           200 {"status": "ok"}, or 503 when the bastion can not serve

`tenant` may be left out where only one tenant trusts the token's issuer. Errors are problem details (RFC 9457) with
status 400, 401, 403, 404, 405, 413, 415, 429 or 503.

A connection carries one request. Its bounds are in bounds, those of a source's requests in limits. The source is the
address of the connection: headers that a proxy may add are not believed. Behind a proxy all clients are one source.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from aiohttp import web

from bastion.api.bodies import bearer, read_json
from bastion.api.bounds import MAX_BODY
from bastion.api.connections import Connections
from bastion.api.limits import RateLimit
from bastion.api.policies import Policies
from bastion.api.problems import BadRequest, Handler, TooMany, answer_problems, problem
from bastion.api.protocol import Http
from bastion.errors import OperatorError
from bastion.identity.issuance import Issued

CERTIFICATES = "/v1/certificates"


class Issuing(Protocol):
    """The port to identity.issuance."""

    async def issue(self, token: str, public_key: str, tenant: str | None, source: str) -> Issued: ...


class Api:
    """Order of calls: constructor, `start`, `stop`.

    `host_ca` is the host authority's public line, `names` the principals of the bastion's own host certificate,
    `problems` says what keeps the bastion from serving (empty: nothing does). `policies` answers under /v1/policies.
    """

    def __init__(
        self,
        issuing: Issuing,
        host_ca: str,
        names: Sequence[str],
        limit: RateLimit,
        problems: Callable[[], Sequence[str]] = tuple,
        policies: Policies | None = None,
    ) -> None:
        self._issuing = issuing
        self._host_ca = host_ca
        self._names = tuple(names)
        self._limit = limit
        self._problems = problems
        self._policies = policies
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._connections: Connections | None = None

    def application(self) -> web.Application:
        """The routes, for `start` and for tests."""
        application = web.Application(middlewares=[answer_problems, self._hear], client_max_size=MAX_BODY)
        application.router.add_post(CERTIFICATES, self._certificates)
        application.router.add_get("/v1/host-ca", self._authority)
        if self._policies is not None:
            self._policies.add_routes(application.router)
        application.router.add_get("/healthz", self._health)
        return application

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> tuple[str, int]:
        """Listen; the answer is where (port 0 takes any free one). OperatorError when the address can not be had."""
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=5)
        await runner.setup()
        server = runner.server
        if server is None:
            raise OperatorError("the API's server was not set up")
        self._connections = Connections(partial(Http, server), tls)
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connections, host, port, backlog=128)
        except OSError as error:
            await runner.cleanup()
            raise OperatorError(f"the API can not listen on {host} port {port}: {error.strerror}") from error
        self._runner = runner
        bound = self._server.sockets[0].getsockname()
        return str(bound[0]), int(bound[1])

    async def stop(self) -> None:
        """Listen no more; requests under way get 5 seconds."""
        if self._server is not None and self._runner is not None and self._connections is not None:
            self._server.close()
            await self._connections.stop()
            await self._runner.cleanup()
            self._server = self._runner = self._connections = None

    @web.middleware
    async def _hear(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A request's header is whole. Each purpose has a rate of its own: asking for health spends no certificates."""
        if self._connections is not None:
            self._connections.heard(request.protocol)
        wait = self._limit.take(request.remote or "unknown", _purpose(request.path))
        if wait:
            raise TooMany(wait)
        return await handler(request)

    async def _certificates(self, request: web.Request) -> web.Response:
        source = request.remote or "unknown"
        body = await _body(request)
        issued = await self._issuing.issue(bearer(request), body["public_key"], body.get("tenant"), source)
        answer = {
            "certificate": issued.certificate,
            "serial": issued.serial,
            "valid_after": _time(issued.valid_after),
            "valid_before": _time(issued.valid_before),
            "principals": list(issued.identity.principals),
            "tenant": issued.identity.tenant,
            "host_ca": self._host_ca,
            "names": list(self._names),
        }
        return web.json_response(answer, status=201, headers={"Cache-Control": "no-store"})

    async def _authority(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._host_ca + "\n")

    async def _health(self, _request: web.Request) -> web.Response:
        problems = self._problems()
        return problem(503, "; ".join(problems)) if problems else web.json_response({"status": "ok"})


def _purpose(path: str) -> str:
    """What a request's rate is counted under."""
    if path == CERTIFICATES:
        return ""
    return "policies" if path.startswith("/v1/policies/") else "other"


async def _body(request: web.Request) -> dict[str, Any]:
    """The request's JSON with `public_key` and at most `tenant`, all text. BadRequest, or 413 by the server."""
    body = await read_json(request, MAX_BODY)
    if not isinstance(body, dict) or "public_key" not in body:
        raise BadRequest('expected a JSON object such as {"public_key": "ssh-ed25519 AAAA…"}')
    for name, value in body.items():
        if name not in ("public_key", "tenant") or not isinstance(value, str):
            raise BadRequest("expected 'public_key' and at most 'tenant', both text")
    return body


def _time(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
