"""Logging in with a browser, and out; and who one is.

    GET  /v1/login?tenant=&next=   302 to the issuer, with a cookie that holds the login that has begun
    GET  /v1/callback              302 to `next`, with the session's cookie; always a new one
    (both, where it can not go on) 302 to the console, `/?problem=WORD`; the words are those of `_word` alone
    POST /v1/logout                204; the session is over
    GET  /v1/me                    who asks, with which roles

The login that has begun travels in a cookie of its own, signed with a key of this process and good for ten minutes:
nothing is kept for strangers. That cookie is SameSite=Lax, since the issuer's page sends the browser back; the
session's is Strict. `next` is a place on this site and no other.

Limits: whoever can reach the API learns, by asking, whether there is a tenant of some name with a console, and which
issuer its people come from: the redirect says so before anybody has logged in.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from bastion.api.callers import COOKIE, How
from bastion.api.guard import Asked, Handler
from bastion.api.logins import ABSOLUTE, Logins
from bastion.api.problems import BadRequest, Conflict, NotHere
from bastion.api.site import Site
from bastion.audit.events import Event, PersonActed
from bastion.errors import BastionError, Denied, OutsideError
from bastion.identity.code_flow import LoginFailed, Pending
from bastion.identity.principal import Identity

log = logging.getLogger(__name__)

PENDING = "bastion-login"
PENDING_SECONDS = 600
_MAX_ANSWER = 4096


class _NoTenant(BadRequest):
    """There are several, and none is named."""


class _NotBegun(LoginFailed):
    """No login was begun in this browser, or too long ago."""


class Flow(Protocol):
    """identity.code_flow.CodeFlow of one tenant."""

    async def begin(self, callback: str, next: str) -> tuple[str, Pending]: ...

    async def finish(self, pending: Pending, answer: Mapping[str, str], callback: str) -> Identity: ...


class Login:
    """`flows` are those of the tenants whose people may log in; `clock` gives seconds since 1970."""

    def __init__(
        self,
        flows: Mapping[str, Flow],
        logins: Logins,
        site: Site,
        audit: Callable[[Event], Awaitable[None]],
        revoked: Callable[[Identity], str | None],
        clock: Callable[[], float],
    ) -> None:
        self._flows = flows
        self._logins = logins
        self._site = site
        self._audit = audit
        self._revoked = revoked
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def handlers(self) -> Mapping[str, Handler]:
        return {"login": self.login, "callback": self.callback, "logout": self.logout, "me": self.me}

    async def login(self, asked: Asked) -> web.StreamResponse:
        try:
            where, pending = await self._begin(asked)
        except BastionError as error:
            return _redirect(f"/?problem={_word(error)}")
        answer = _redirect(where)
        self._set(answer, PENDING, self._sealed(pending), PENDING_SECONDS, "Lax")
        return answer

    async def callback(self, asked: Asked) -> web.StreamResponse:
        request = asked.request
        try:
            pending, identity = await self._finish(request)
        except BastionError as error:
            answer = _redirect(f"/?problem={_word(error)}")
        else:
            await self._audit(_event(pending.tenant, identity, "login", "", request.remote or ""))
            previous = request.cookies.get(self._site.cookie(COOKIE))
            if previous is not None:
                self._logins.end(previous)
            answer = _redirect(pending.next)
            self._set(answer, COOKIE, self._logins.begin(identity), int(ABSOLUTE), "Strict")
        self._set(answer, PENDING, "", 0, "Lax")
        return answer

    async def logout(self, asked: Asked) -> web.StreamResponse:
        if asked.caller.how is not How.COOKIE:
            raise Conflict("there is no session: only a browser's has one")
        await self._audit(_event(asked.caller.tenant, asked.caller.identity, "logout", "", asked.caller.source))
        self._logins.end(asked.request.cookies.get(self._site.cookie(COOKIE), ""))
        answer = web.Response(status=204)
        self._set(answer, COOKIE, "", 0, "Strict")
        return answer

    async def me(self, asked: Asked) -> dict[str, Any]:
        identity = asked.caller.identity
        return {
            "tenant": identity.tenant,
            "identity": identity.name,
            "principals": list(identity.principals),
            "issuer": identity.issuer,
            "subject": identity.subject,
            "groups": sorted(identity.groups),
            "roles": sorted(asked.caller.roles),
            "how": asked.caller.how.value,
        }

    # -- inside

    async def _begin(self, asked: Asked) -> tuple[str, Pending]:
        tenant = asked.query.get("tenant")
        if tenant is None and len(self._flows) > 1:
            raise _NoTenant("say which tenant is meant: ?tenant=NAME")
        name = tenant if tenant is not None else next(iter(self._flows), "")
        if name not in self._flows:
            raise NotHere("nobody logs in with a browser here: the settings name no `console`")
        place = asked.query.get("next", "/")
        return await self._flows[name].begin(self._site.callback, place if _is_here(place) else "/")

    async def _finish(self, request: web.Request) -> tuple[Pending, Identity]:
        pending = self._opened(request.cookies.get(self._site.cookie(PENDING), ""))
        if len(request.query_string) > _MAX_ANSWER:
            raise BadRequest("the issuer's answer is too long")
        identity = await self._flows[pending.tenant].finish(pending, dict(request.query), self._site.callback)
        reason = self._revoked(identity)
        if reason is not None:  # of others nothing is proven, and strangers could fill the trail
            why = f"this identity is revoked: {reason}"
            await self._audit(_event(pending.tenant, identity, "login-refused", why, request.remote or ""))
            raise Denied(why)
        return pending, identity

    def _set(self, answer: web.StreamResponse, name: str, value: str, seconds: int, same_site: str) -> None:
        """A cookie of this host alone; of no value, and no age, to take it away."""
        answer.set_cookie(
            self._site.cookie(name),
            value,
            max_age=seconds,
            path="/",
            secure=self._site.secure,
            httponly=True,
            samesite=same_site,
        )

    def _sealed(self, pending: Pending) -> str:
        body = orjson.dumps([*dataclasses.astuple(pending), self._clock() + PENDING_SECONDS])
        return base64.urlsafe_b64encode(self._mark(body) + body).decode()

    def _opened(self, cookie: str) -> Pending:
        """_NotBegun for what `_sealed` did not make, or made too long ago."""
        try:
            raw = base64.urlsafe_b64decode(cookie)
        except (ValueError, binascii.Error):
            raw = b""
        mark, body = raw[:32], raw[32:]
        if not hmac.compare_digest(mark, self._mark(body)):
            raise _NotBegun("no login was begun in this browser, or too long ago: try again")
        *fields, ends = orjson.loads(body)
        if self._clock() >= ends:
            raise _NotBegun("this login was begun too long ago: try again")
        return Pending(*fields)

    def _mark(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)


def _word(error: BastionError) -> str:
    """What the console is told of a login that can not go on: a word of ours, and nothing that came from outside."""
    log.info("a login did not succeed: %s", error)
    match error:
        case _NoTenant():
            return "tenant"
        case NotHere():
            return "nobody"
        case _NotBegun():
            return "begun"
        case Denied():
            return "revoked"
        case OutsideError():
            return "issuer"
    return "refused"


def _redirect(where: str) -> web.Response:
    return web.Response(status=302, headers={"Location": where})


def _is_here(place: str) -> bool:
    """Whether it is a path of this site: `//host` and `/\\host` are other sites to a browser."""
    return place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable() and place.isascii()


def _event(tenant: str, identity: Identity, action: str, reason: str, source: str) -> PersonActed:
    return PersonActed(
        tenant=tenant,
        identity=identity.name,
        issuer=identity.issuer,
        subject=identity.subject,
        action=action,
        reason=reason or None,
        source=source,
    )
