"""An OIDC issuer for development. NOT FOR PRODUCTION: it believes whoever reaches it on loopback.

It does what the bastion needs to be tried without an account anywhere: discovery, a key set, client credentials (RFC
6749 section 4.4) and the device flow (RFC 8628) with a page on which anyone may approve. Keys and codes live in memory
and are gone when it stops. It refuses to listen on anything but loopback.
"""

from __future__ import annotations

import hmac
import html
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

from bastion.errors import OperatorError

LIFETIME = 300
"""Seconds: of a token, and of a device code."""
INTERVAL = 1
"""Seconds a device waits between two questions."""
MAX_CODES = 100
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"

Claims = Mapping[str, Any]


@dataclass(slots=True)
class _Device:
    client: str
    user_code: str
    expires: float
    asked: float = 0.0
    approved: bool | None = None


class _Refused(Exception):
    """An OAuth error (RFC 6749 section 5.2) on its way to the answer."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


class DevelopmentIssuer:
    """Order of calls: constructor, `start`, `stop`.

    `clients` maps a client id to its secret and the claims its tokens carry beside iss, aud, iat, exp and sub (the
    client id, unless the claims name one). A client whose secret is empty is public: it may use the device flow only.
    """

    def __init__(
        self,
        clients: Mapping[str, tuple[str, Claims]],
        *,
        audience: str = "bastion",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clients = dict(clients)
        self._audience = audience
        self._clock = clock
        self._key = ECKey.generate_key("P-256")
        self._kid = secrets.token_hex(8)
        self._devices: dict[str, _Device] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the issuer's URL. OperatorError for an address that is not loopback, or is taken."""
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise OperatorError("the development issuer listens on loopback only: it lets everyone in")
        application = web.Application(client_max_size=64 * 1024)
        application.router.add_get("/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/jwks", self._jwks)
        application.router.add_post("/token", self._token)
        application.router.add_post("/device", self._device)
        application.router.add_get("/approve", self._page)
        application.router.add_post("/approve", self._approve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise OperatorError(f"the development issuer can not listen on port {port}: {error.strerror}") from error
        self._runner = runner
        bound = runner.addresses[0][1]
        self.url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def token(self, client: str, *, audience: str | None = None) -> str:
        """A token for a client, as the token endpoint would give it."""
        now = int(self._clock())
        claims = {"sub": client, **self._clients[client][1]}
        claims.update(iss=self.url, aud=audience or self._audience, iat=now, exp=now + LIFETIME)
        return jwt.encode({"alg": "ES256", "kid": self._kid, "typ": "JWT"}, claims, self._key, algorithms=["ES256"])

    # -- the endpoints -------------------------------------------------------------------------------------------------

    async def _discovery(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device",
                "grant_types_supported": ["client_credentials", DEVICE_GRANT],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "response_types_supported": ["none"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        )

    async def _jwks(self, _request: web.Request) -> web.Response:
        public = {**self._key.as_dict(private=False), "kid": self._kid, "use": "sig", "alg": "ES256"}
        return web.json_response({"keys": [public]})

    async def _token(self, request: web.Request) -> web.Response:
        try:
            form = {name: str(value) for name, value in (await request.post()).items()}
            client, proven = self._authenticate(request, form)
            match form.get("grant_type"):
                case "client_credentials" if proven:
                    token = self.token(client, audience=form.get("audience") or form.get("resource"))
                case "client_credentials":
                    raise _Refused("invalid_client", 401)
                case grant if grant == DEVICE_GRANT:
                    token = self._device_token(client, form.get("device_code", ""))
                case _:
                    raise _Refused("unsupported_grant_type")
        except _Refused as refused:
            return web.json_response({"error": refused.error}, status=refused.status)
        answer = {"access_token": token, "id_token": token, "token_type": "Bearer", "expires_in": LIFETIME}
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def _device(self, request: web.Request) -> web.Response:
        try:
            form = {name: str(value) for name, value in (await request.post()).items()}
            client, _ = self._authenticate(request, form)
        except _Refused as refused:
            return web.json_response({"error": refused.error}, status=refused.status)
        now = self._clock()
        self._devices = {code: device for code, device in self._devices.items() if device.expires > now}
        if len(self._devices) >= MAX_CODES:
            return web.json_response({"error": "slow_down"}, status=429)
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        code, user_code = secrets.token_urlsafe(32), f"{letters[:4]}-{letters[4:]}"
        self._devices[code] = _Device(client, user_code, now + LIFETIME)
        page = f"{self.url}/approve"
        return web.json_response(
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={user_code}",
                "expires_in": LIFETIME,
                "interval": INTERVAL,
            }
        )

    async def _page(self, request: web.Request) -> web.Response:
        return _html(_FORM.format(code=html.escape(request.query.get("user_code", ""), quote=True)))

    async def _approve(self, request: web.Request) -> web.Response:
        form = await request.post()
        wanted = str(form.get("user_code", "")).strip().upper()
        now = self._clock()
        for device in self._devices.values():
            if device.user_code == wanted and device.expires > now and device.approved is None:
                device.approved = form.get("answer") == "approve"
                return _html("<p>Approved." if device.approved else "<p>Denied.")
        return _html("<p>No such code, or it is no longer good.", 404)

    # -- what they share -----------------------------------------------------------------------------------------------

    def _authenticate(self, request: web.Request, form: Mapping[str, str]) -> tuple[str, bool]:
        """The client, and whether it proved itself with a secret."""
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, basic = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = b64decode(basic).decode().partition(":")
            except ValueError as error:
                raise _Refused("invalid_client", 401) from error
            client, secret = unquote_plus(client), unquote_plus(secret)
        known = self._clients.get(client)
        if known is None or not hmac.compare_digest(known[0].encode(), secret.encode()):
            raise _Refused("invalid_client", 401)
        return client, bool(known[0])

    def _device_token(self, client: str, code: str) -> str:
        device, now = self._devices.get(code), self._clock()
        if device is None or device.client != client:
            raise _Refused("invalid_grant")
        if device.expires <= now:
            raise _Refused("expired_token")
        hasty, device.asked = now - device.asked < INTERVAL / 2, now
        if hasty:
            raise _Refused("slow_down")
        if device.approved is None:
            raise _Refused("authorization_pending")
        del self._devices[code]
        if not device.approved:
            raise _Refused("access_denied")
        return self.token(client)


_FORM = """<p>A device asks to sign in. Development only: nobody checks who you are.
<form method=post><input name=user_code value="{code}" autofocus>
<button name=answer value=approve>Approve</button> <button name=answer value=deny>Deny</button></form>"""


def _html(body: str, status: int = 200) -> web.Response:
    page = f"<!doctype html><meta charset=utf-8><title>Development issuer</title>{body}"
    policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"
    return web.Response(text=page, status=status, content_type="text/html", headers={"Content-Security-Policy": policy})
