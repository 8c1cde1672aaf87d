"""People of the development issuer: a page on which one chooses who one is, and the codes that come of it.

NOT FOR PRODUCTION: nobody proves anything. The code flow itself is a real one, so that what talks to it is tried: codes
are good once, for a minute, for the address and the verifier (RFC 7636, S256) that they were asked for with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

LIFETIME = 300
"""Seconds: of a token, and of a device code."""
CODE_LIFETIME = 60
MAX_CODES = 100
CONSOLE = "console"
"""The public client that people log in to."""
_ASKED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge")

Claims = Mapping[str, Any]


class Refused(Exception):
    """An OAuth error (RFC 6749 section 5.2) on its way to the answer."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


@dataclass(frozen=True, slots=True)
class _Code:
    person: str
    callback: str
    nonce: str
    challenge: str
    ends: float


class People:
    """`issuer` is set once it is known. Life: `page` and `choose` by a browser, `claims` by the client."""

    def __init__(self, people: Mapping[str, Claims], console: str, clock: Callable[[], float]) -> None:
        self.console = console
        self.issuer = ""
        self._people = dict(people)
        self._clock = clock
        self._codes: dict[str, _Code] = {}

    async def page(self, request: web.Request) -> web.Response:
        """Who is it?"""
        asked = self._asked(request.query)
        if asked is None:
            return html_page("<p>Not a request that this issuer answers.", 400)
        hidden = "".join(
            f'<input type=hidden name={name} value="{html.escape(value, quote=True)}">' for name, value in asked.items()
        )
        buttons = "".join(
            f'<p><button name=person value="{html.escape(name, quote=True)}">{html.escape(name)}</button>'
            for name in self._people
        )
        text = "<h1>Who are you?</h1><p>Development only: nobody checks."
        return html_page(f"{text}<form method=post>{hidden}{buttons}</form>", callback=asked["redirect_uri"])

    async def choose(self, request: web.Request) -> web.StreamResponse:
        """That one."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        asked, person = self._asked(form), form.get("person", "")
        if asked is None or person not in self._people:
            return html_page("<p>Not a request that this issuer answers.", 400)
        now = self._clock()
        self._codes = {code: one for code, one in self._codes.items() if one.ends > now}
        if len(self._codes) >= MAX_CODES:
            return html_page("<p>Too many logins at once: try again in a minute.", 429)
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(
            person, asked["redirect_uri"], asked["nonce"], asked["code_challenge"], now + CODE_LIFETIME
        )
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return web.Response(status=303, headers={"Location": f"{asked['redirect_uri']}?{answer}"})

    def claims(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Of the ID token for a code, which is good no more. Raises Refused."""
        found = self._codes.pop(form.get("code", ""), None)
        if form.get("client_id") != self.console:
            raise Refused("invalid_client", 401)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            found is None
            or found.ends <= self._clock()
            or found.callback != form.get("redirect_uri")
            or not hmac.compare_digest(found.challenge.encode(), challenge.encode())
        ):
            raise Refused("invalid_grant")
        return {"sub": found.person, **self._people[found.person], "nonce": found.nonce}

    def _asked(self, given: Mapping[str, str]) -> dict[str, str] | None:
        """What a login is asked with, if it is one of ours."""
        asked = {name: given.get(name, "") for name in _ASKED}
        fits = (
            asked["client_id"] == self.console
            and _is_loopback(asked["redirect_uri"])
            and given.get("response_type", "code") == "code"
            and given.get("code_challenge_method", "S256") == "S256"
            and all(asked.values())
        )
        return asked if fits else None


def _is_loopback(address: str) -> bool:
    try:
        parts = urlsplit(address)
        here = parts.hostname in ("127.0.0.1", "::1", "localhost") and "@" not in parts.netloc
        return parts.scheme == "http" and here and not parts.query
    except ValueError:
        return False


def html_page(body: str, status: int = 200, callback: str = "") -> web.Response:
    """A page of the issuer's. `callback` is where its form may be sent on to."""
    page = f"<!doctype html><meta charset=utf-8><title>Development issuer</title>{body}"
    parts = urlsplit(callback)
    further = f" {parts.scheme}://{parts.netloc}" if callback else ""
    policy = f"default-src 'none'; form-action 'self'{further}; frame-ancestors 'none'"
    return web.Response(text=page, status=status, content_type="text/html", headers={"Content-Security-Policy": policy})
