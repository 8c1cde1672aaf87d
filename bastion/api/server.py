"""The HTTP API: its routes joined to who answers them, over TCP and at the local socket.

Every address stands in routes.py, with who may ask. Errors are problem details (RFC 9457) with status 400, 401, 403,
404, 405, 409, 413, 415, 416, 429 or 503. `tenant` may be left out where only one tenant can be meant.

A connection carries one request. Its bounds are in bounds, those of a source's requests in limits. The source is the
address of the connection: headers that a proxy may add are not believed. Behind a proxy all clients are one source.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from bastion.api import files, unix
from bastion.api.bounds import MAX_BODY
from bastion.api.callers import Callers
from bastion.api.certificates import Issue, Issuing
from bastion.api.condition import Condition
from bastion.api.connections import Connections, over_unix
from bastion.api.guard import Asked, Guard, Network
from bastion.api.guard import Handler as Answers
from bastion.api.headers import dress
from bastion.api.limits import RateLimit
from bastion.api.openapi import document
from bastion.api.policies import Policies
from bastion.api.problems import Handler, TooMany, answer_problems
from bastion.api.protocol import Http
from bastion.api.routes import ROUTES
from bastion.api.site import Site
from bastion.api.streams import Streams
from bastion.errors import OperatorError

BUCKETS: Mapping[str, tuple[int, float]] = {
    "read": (300, 50.0),
    "files": (300, 50.0),
    "write": (60, 5.0),
    "stream": (60, 5.0),
    "search": (40, 4.0),
    "login": (20, 1.0),
}
"""Requests that one source may make at once, and a second after that, where it is not the limit's own."""


class Api:
    """Order of calls: constructor, `start` and `start_socket`, `stop`.

    `problems` says what keeps the bastion from serving (empty: nothing does). `handlers` answer by the names of
    routes; a route without one is not served. `observers` are the networks that may ask for metrics.
    """

    def __init__(
        self,
        issuing: Issuing,
        host_ca: str,
        names: Sequence[str],
        limit: RateLimit,
        problems: Callable[[], Sequence[str]] = tuple,
        policies: Policies | None = None,
        *,
        callers: Callers | None = None,
        handlers: Mapping[str, Answers] | None = None,
        observers: Sequence[Network] = (),
        streams: Streams | None = None,
        site: Site | None = None,
        console: Mapping[str, files.File] | None = None,
    ) -> None:
        self._host_ca = host_ca
        self._limit = limit
        self._guard = Guard(callers, observers)
        self._streams = Streams() if streams is None else streams  # one without streams is false
        self._streams.released = self._released
        self._site = Site() if site is None else site
        self._console = dict(console or {})
        self._handlers: dict[str, Answers] = {
            **Condition(problems).handlers(),
            **(policies.handlers() if policies is not None else {}),
            **(handlers or {}),
            "issue": Issue(issuing, host_ca, names),
            "host_ca": self._authority,
            "openapi": self._openapi,
        }
        self.routes = tuple(route for route in ROUTES if route.name in self._handlers)
        self._buckets = {route.name: route.bucket for route in self.routes}
        self._document = document(self.routes)
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: list[Connections] = []
        self._socket: Path | None = None

    def application(self) -> web.Application:
        """The routes, for `start` and for tests."""
        application = web.Application(middlewares=[answer_problems, self._hear], client_max_size=MAX_BODY)
        application.on_response_prepare.append(_dressed)
        router = application.router
        for route in self.routes:
            handler = self._guard.around(route, self._handlers[route.name])
            resource = router.add_resource(route.path, name=None)
            resource.add_route(route.method, handler)
            self._buckets[f"{route.method} {route.path}"] = route.bucket
        for address in self._console:
            router.add_get(address, self._file)
            self._buckets[f"GET {address}"] = "files"
        return application

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> tuple[str, int]:
        """Listen; the answer is where (port 0 takes any free one). OperatorError when the address can not be had."""
        connections = Connections(await self._make(), tls)
        try:
            server = await asyncio.get_running_loop().create_server(connections, host, port, backlog=128)
        except OSError as error:
            await self.stop()
            raise OperatorError(f"the API can not listen on {host} port {port}: {error.strerror}") from error
        self._connections.append(connections)
        self._servers.append(server)
        bound = server.sockets[0].getsockname()
        self._site.bound(str(bound[0]), int(bound[1]), secure=tls is not None)
        return str(bound[0]), int(bound[1])

    async def start_socket(self, path: Path) -> None:
        """Listen at the local operator's socket, too. OperatorError when it can not be made."""
        connections = Connections(await self._make(), None, over_unix)
        made = await asyncio.to_thread(unix.listen, path)
        self._servers.append(await asyncio.get_running_loop().create_unix_server(connections, sock=made))
        self._connections.append(connections)
        self._socket = path

    async def stop(self) -> None:
        """Listen no more; requests under way get 5 seconds, streams end at once."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if self._socket is not None:
            unix.remove(self._socket)
            self._socket = None
        self._streams.stop()
        connections, self._connections = self._connections, []
        for one in connections:
            await one.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def revoked(self) -> None:
        """Somebody was revoked: streams of theirs end now."""
        self._streams.wake()

    # -- inside

    async def _make(self) -> Callable[[Callable[[Http], None], int | None], Http]:
        if self._runner is None:
            self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=5)
            await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise OperatorError("the API's server was not set up")
        return partial(Http, server)

    def _released(self, protocol: object) -> None:
        for connections in self._connections:
            connections.streams(protocol)

    @web.middleware
    async def _hear(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A request's header is whole. Each purpose has a rate of its own: asking for health spends no certificates."""
        for connections in self._connections:
            connections.heard(request.protocol)
        wait = self._limit.take(request.remote or "unknown", self._purpose(request))
        if wait:
            raise TooMany(wait)
        return await handler(request)

    def _purpose(self, request: web.Request) -> str:
        """What a request's rate is counted under."""
        resource = request.match_info.route.resource
        return self._buckets.get(f"{request.method} {resource.canonical}" if resource is not None else "", "other")

    async def _authority(self, _: Asked) -> web.StreamResponse:
        return web.Response(text=self._host_ca + "\n")

    async def _openapi(self, _: Asked) -> Mapping[str, Any]:
        return self._document

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self._console[request.path]
        return web.Response(body=file.body, headers={"Content-Type": file.type})


async def _dressed(_: web.Request, response: web.StreamResponse) -> None:
    dress(response)
