"""How people log in: the authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636, OpenID Connect Core 3.1).

Order: `begin` makes where to send the browser and what must be known when it comes back (`Pending`, which the browser
itself carries, signed; nothing is kept here, so that strangers can begin as many logins as they like); `finish` takes
what came back, trades the code for an ID token, and has the token verified like any other, with the client id for an
audience. The nonce binds the token to this login, the verifier the code, the state the answer.

The code goes to the token endpoint that the issuer's own discovery document names, over https, without a redirect. An
answer that names another issuer (RFC 9207) is refused.

Limits: userinfo is not asked; what the bastion knows of a person stands in the ID token. Nothing is done at the issuer
when somebody logs out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from bastion.errors import BadToken, IssuerDown
from bastion.identity.keys import MAX_AGE, RETRY_PAUSE, trustworthy
from bastion.identity.oidc import Issuer, claim
from bastion.identity.principal import Identity


class Web(Protocol):
    """The issuer over HTTP, within bounds of size and time. IssuerDown when it can not be reached."""

    async def fetch(self, url: str) -> bytes: ...

    async def post(self, url: str, form: Mapping[str, str], login: tuple[str, str] | None) -> tuple[int, bytes]:
        """The status and the body of an answer to a form; `login` is sent as HTTP Basic."""
        ...


class Verifying(Protocol):
    """oidc.Verifier, for people's ID tokens."""

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, Issuer]: ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that has begun. `next` is where on this site to go afterwards."""

    tenant: str
    state: str
    nonce: str
    verifier: str
    next: str


class LoginFailed(BadToken):
    """The issuer, or the person, said no; or the answer is not to this login."""


class CodeFlow:
    """One tenant's people. `secret` is None for a public client."""

    def __init__(
        self,
        tenant: str,
        issuer: str,
        client: str,
        secret: str | None,
        scopes: tuple[str, ...],
        web: Web,
        verifier: Verifying,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenant = tenant
        self._issuer = issuer
        self._client = client
        self._secret = secret
        self._scopes = scopes
        self._web = web
        self._verifier = verifier
        self._clock = clock
        self._known: tuple[str, str] | None = None
        self._asked: float | None = None
        """When discovery was last asked: whoever begins logins at will does not make us ask at will."""

    async def begin(self, callback: str, next: str) -> tuple[str, Pending]:
        """Where to send the browser. IssuerDown."""
        endpoint, _ = await self._endpoints()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = Pending(self._tenant, state, nonce, verifier, next)
        digest = hashlib.sha256(pending.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": callback,
            "scope": " ".join(self._scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}", pending

    async def finish(self, pending: Pending, answer: Mapping[str, str], callback: str) -> Identity:
        """Who logged in. LoginFailed, BadToken, IssuerDown. Revocations are for the caller to ask."""
        if not secrets.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise LoginFailed("this answer is not to a login that was begun here: try again")
        if answer.get("iss", self._issuer) != self._issuer:
            raise LoginFailed("this answer is of another issuer")
        code = answer.get("code", "")
        if "error" in answer or not code:
            # Its words are not repeated: whoever sends the browser here could put anything into them.
            raise LoginFailed("the issuer did not log you in")
        token = await self._trade(code, pending.verifier, callback)
        identity, issuer = await self._verifier.identify(token, self._tenant)
        nonce = claim(token, "nonce")
        if not isinstance(nonce, str) or not secrets.compare_digest(nonce.encode(), pending.nonce.encode()):
            raise LoginFailed("the ID token was not made for this login (claim 'nonce')")
        if issuer.issuer != self._issuer or claim(token, "azp") not in (None, self._client):
            raise LoginFailed("the ID token was made for another client (claim 'azp')")
        return identity

    async def _trade(self, code: str, verifier: str, callback: str) -> str:
        """The ID token for a code."""
        _, endpoint = await self._endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "client_id": self._client,
            "code_verifier": verifier,
        }
        login = None if self._secret is None else (self._client, self._secret)
        status, body = await self._web.post(endpoint, form, login)
        if status != 200:
            raise LoginFailed(f"the issuer did not take its code back (it answered {status}): try again")
        token = _object(body, endpoint).get("id_token")
        if not isinstance(token, str):
            raise LoginFailed("the issuer answered without an ID token: is the scope `openid` asked for?")
        return token

    async def _endpoints(self) -> tuple[str, str]:
        """Where people log in, and where codes are traded, by discovery; asked again when it is old, or failed."""
        now, age = self._clock(), MAX_AGE if self._known is not None else RETRY_PAUSE
        if self._asked is None or now - self._asked >= age:
            self._asked, self._known = now, None
            self._known = await self._discover()
        if self._known is None:
            raise IssuerDown(f"the issuer {self._issuer} did not answer a moment ago; try again in {RETRY_PAUSE} s")
        return self._known

    async def _discover(self) -> tuple[str, str]:
        address = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = _object(await self._web.fetch(address), address)
        if document.get("issuer") != self._issuer:
            raise IssuerDown(f"{address} speaks for another issuer than {self._issuer}; are the settings right?")
        found = []
        for name in ("authorization_endpoint", "token_endpoint"):
            endpoint = document.get(name)
            if not isinstance(endpoint, str) or not trustworthy(endpoint, self._issuer):
                raise IssuerDown(f"{address} names no https address as its {name}")
            found.append(endpoint)
        return found[0], found[1]


def _object(body: bytes, address: str) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise IssuerDown(f"{address} did not answer with JSON") from error
    if not isinstance(value, dict):
        raise IssuerDown(f"{address} did not answer with a JSON object")
    return value
