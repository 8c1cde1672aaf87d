"""Between the router and a handler: who asks, whether they may, and whether what they sent can be read.

The order is the law: the role is asked before the query is read and the body taken, so that a stranger learns nothing
from how a request is refused and costs no more than its header.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from bastion.api.bodies import read_json
from bastion.api.bounds import MAX_BODY
from bastion.api.callers import Caller, Callers, peer_of
from bastion.api.params import members, query
from bastion.api.problems import NotHere
from bastion.api.roles import Role
from bastion.api.routes import Needs, Route
from bastion.errors import BastionError, Denied

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
"""Of whatever has an id. What else stands in an address goes into no query."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a handler sees it: `path`, `query` and `body` are checked by its row of the table."""

    request: web.Request
    who: Caller | None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def caller(self) -> Caller:
        """Who asks, on a route that nobody uses unknown."""
        if self.who is None:
            raise NoCaller("a route without a caller was asked for one")
        return self.who

    @property
    def tenant(self) -> str:
        return self.caller.tenant


class NoCaller(BastionError):
    """A handler and its row of the table disagree."""


Answer = web.StreamResponse | Mapping[str, Any]
Handler = Callable[[Asked], Awaitable[Answer]]


class Guard:
    """`observers` are networks that may ask how the bastion is."""

    def __init__(self, callers: Callers | None, observers: Sequence[Network]) -> None:
        self._callers = callers
        self._observers = tuple(observers)

    def around(self, route: Route, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """What aiohttp calls for one row."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            who = await self._who(route, request)
            if not all(_ID.match(part) for part in request.match_info.values()):
                raise NotHere(f"no such {next(iter(request.match_info))}")
            given = query(route.query, _pairs(request)) if route.strict else {}
            body: Mapping[str, Any] = {}
            if route.body is not None:
                optional = not any(param.required for param in route.body) and not request.can_read_body
                body = {} if optional else members(route.body, await read_json(request, MAX_BODY))
            answer = await handler(Asked(request, who, dict(request.match_info), given, body))
            return answer if isinstance(answer, web.StreamResponse) else told(answer, route.status)

        return guarded

    async def _who(self, route: Route, request: web.Request) -> Caller | None:
        """BadToken (401), Denied (403), NotHere (404)."""
        if route.needs is Needs.NOBODY:
            return None
        if route.needs is Needs.OBSERVER:
            if not self._may_observe(request):
                raise NotHere("no such address")
            return None
        if self._callers is None:
            raise NoCaller("nobody can be known: the API was built without callers")
        tenant = request.query.get("tenant")
        caller = await self._callers.of(request, tenant)
        if route.needs.role is not None and route.needs.role not in caller.roles:
            raise Denied(f"this takes the role {route.needs.role} in tenant {caller.tenant}")
        return caller if route.needs.role is None else _while(caller, route.needs.role)

    def _may_observe(self, request: web.Request) -> bool:
        if peer_of(request) is not None:
            return True
        try:
            address = ipaddress.ip_address(request.remote or "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._observers)


def _while(caller: Caller, role: Role) -> Caller:
    """What goes on after the request ends when its role is gone."""
    return dataclasses.replace(caller, lives=lambda: caller.lives() and role in caller.now())


def told(answer: Mapping[str, Any], status: int = 200) -> web.Response:
    """JSON."""
    return web.Response(status=status, body=orjson.dumps(answer), content_type="application/json")


def _pairs(request: web.Request) -> list[tuple[str, str]]:
    return list(request.query.items())
