"""Who asks: a program with a token, a person with a browser's session, or this machine's operator at the socket.

In this order, and the first that is there counts, so that a wrong token is never made good by a cookie:

    Authorization: Bearer   verified as for certificates, also when it comes by the socket
    the session's cookie    made by a login (login.py)
    the Unix socket         the kernel says who it is (unix.py); operator of every tenant

A cookie is sent by the browser whoever made the request. So one that changes something must also carry a header that
no form and no other site can set (`X-Bastion: 1`), and say that it comes from our own pages (Origin, or
Sec-Fetch-Site); SameSite=Strict stands before both. A revoked identity is nobody, whichever way it comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from aiohttp import web

from bastion.api import unix
from bastion.api.bodies import bearer
from bastion.api.logins import Logins
from bastion.api.problems import BadRequest, NotHere
from bastion.api.protocol import Http
from bastion.api.roles import ALL, Role, Roles
from bastion.api.site import Site
from bastion.errors import BadToken, Denied
from bastion.identity.principal import Identity

COOKIE = "bastion"
HEADER = "X-Bastion"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOBODY = "nobody asks: log in, or send a token as `Authorization: Bearer TOKEN`"


class How(StrEnum):
    TOKEN = "token"  # noqa: S105  (the way's name, no secret)
    COOKIE = "cookie"
    SOCKET = "socket"


class Identifying(Protocol):
    """The port to identity.issuance: who a token is for, and until when (seconds since 1970). BadToken, Denied
    (revoked), IssuerDown."""

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, float]: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may. `source` is their address. For what goes on after the request: `lives` says whether
    it still holds who they are, `left` for how many seconds it does by itself, and `now` what they may."""

    identity: Identity
    roles: frozenset[Role]
    how: How
    source: str
    lives: Callable[[], bool]
    left: Callable[[], float]
    now: Callable[[], frozenset[Role]]

    @property
    def tenant(self) -> str:
        return self.identity.tenant


class Callers:
    """`tenants` are the names of all; `revoked` says why an identity is, or None; `clock` gives seconds since 1970."""

    def __init__(
        self,
        identifying: Identifying,
        logins: Logins,
        roles: Roles,
        site: Site,
        tenants: Sequence[str],
        revoked: Callable[[Identity], str | None],
        clock: Callable[[], float],
    ) -> None:
        self._identifying = identifying
        self._logins = logins
        self._roles = roles
        self._site = site
        self._tenants = tuple(tenants)
        self._revoked = revoked
        self._clock = clock

    async def of(self, request: web.Request, tenant: str | None) -> Caller:
        """Who sent this. `tenant` is the one that they mean, where they say so.

        BadToken (401), Denied (403: revoked, or a request that another site may have made), NotHere (404), BadRequest,
        IssuerDown.
        """
        source = request.remote or ""
        user = peer_of(request)
        if "Authorization" in request.headers:
            identity, ends = await self._identifying.identify(bearer(request), tenant)
            return self._caller(identity, How.TOKEN, source or "unix", lambda: ends - self._clock())
        cookie = request.cookies.get(self._site.cookie(COOKIE))
        if cookie is not None and user is None:
            return self._by_cookie(request, cookie, tenant, source)
        if user is not None:
            identity = unix.identity(user, self._meant(tenant))
            return Caller(identity, ALL, How.SOCKET, "unix", lambda: True, lambda: math.inf, lambda: ALL)
        raise BadToken(_NOBODY)

    def _by_cookie(self, request: web.Request, cookie: str, tenant: str | None, source: str) -> Caller:
        self._refuse_foreign(request)
        identity = self._logins.find(cookie)
        if identity is None:
            raise BadToken("the session is over: log in again")
        if tenant not in (None, identity.tenant):
            raise NotHere("no such tenant")
        reason = self._revoked(identity)
        if reason is not None:
            self._logins.end(cookie)
            raise Denied(f"this identity is revoked: {reason}")
        return self._caller(identity, How.COOKIE, source, lambda: self._logins.left(cookie))

    def _caller(self, identity: Identity, how: How, source: str, left: Callable[[], float]) -> Caller:
        def lives() -> bool:
            return left() > 0 and self._revoked(identity) is None

        return Caller(identity, self._roles.of(identity), how, source, lives, left, lambda: self._roles.of(identity))

    def _refuse_foreign(self, request: web.Request) -> None:
        """Denied for what a page of another site may have made the browser send."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site not in (None, "same-origin", "none") or origin not in (None, self._site.url):
            raise Denied("this request comes from another site's page")
        if request.method in SAFE:
            return
        if request.headers.get(HEADER) != "1" or (site != "same-origin" and origin is None):
            raise Denied(f"by cookie, a change needs the header `{HEADER}: 1` and comes from the console's own pages")

    def _meant(self, tenant: str | None) -> str:
        if tenant is None and len(self._tenants) == 1:
            return self._tenants[0]
        if tenant is None:
            raise BadRequest(f"say which tenant is meant (?tenant=): {', '.join(sorted(self._tenants))}")
        if tenant not in self._tenants:
            raise NotHere("no such tenant")
        return tenant


def peer_of(request: web.BaseRequest) -> int | None:
    """The user at the other end of the Unix socket; None over TCP."""
    protocol = request.protocol
    return protocol.peer if isinstance(protocol, Http) else None
