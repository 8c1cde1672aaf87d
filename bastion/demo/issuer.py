"""An OIDC issuer for development. NOT FOR PRODUCTION: it believes whoever reaches it on loopback.

It does what the bastion needs to be tried without an account anywhere: discovery, a key set, client credentials (RFC
6749 section 4.4), the device flow (RFC 8628) with a page on which anyone may approve, and for people the authorization
code flow with PKCE (RFC 7636, S256 only) with a page on which one chooses who one is. Keys and codes live in memory and
are gone when it stops. It refuses to listen on anything but loopback.
"""

from __future__ import annotations

import hmac
import html
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

from bastion.demo.people import CONSOLE, LIFETIME, MAX_CODES, Claims, People, Refused, html_page
from bastion.errors import OperatorError

INTERVAL = 1
"""Seconds a device waits between two questions."""
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(slots=True)
class _Device:
    client: str
    user_code: str
    expires: float
    asked: float = 0.0
    approved: bool | None = None


class DevelopmentIssuer:
    """Order of calls: constructor, `start`, `stop`.

    `people` maps the names that one may choose to the claims of their ID tokens (sub is the name); `console` is the
    client that they log in to, a public one. Where it sends them back to must be on loopback, too.

    `clients` maps a client id to its secret and the claims its tokens carry beside iss, aud, iat, exp and sub (the
    client id, unless the claims name one). A client whose secret is empty is public: it may use the device flow only.
    """

    def __init__(
        self,
        clients: Mapping[str, tuple[str, Claims]],
        *,
        audience: str = "bastion",
        clock: Callable[[], float] = time.time,
        people: Mapping[str, Claims] = MappingProxyType({}),
        console: str = CONSOLE,
    ) -> None:
        self._clients = dict(clients)
        self._people = People(people, console, clock)
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
        application.router.add_get("/authorize", self._people.page)
        application.router.add_post("/authorize", self._people.choose)
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
        self._people.issuer = self.url
        return self.url

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def token(self, client: str, *, audience: str | None = None) -> str:
        """A token for a client, as the token endpoint would give it."""
        return self._signed({"sub": client, **self._clients[client][1]}, audience or self._audience)

    def _signed(self, claims: Claims, audience: str) -> str:
        now = int(self._clock())
        claims = {**claims, "iss": self.url, "aud": audience, "iat": now, "exp": now + LIFETIME}
        return jwt.encode({"alg": "ES256", "kid": self._kid, "typ": "JWT"}, claims, self._key, algorithms=["ES256"])

    # -- the endpoints -------------------------------------------------------------------------------------------------

    async def _discovery(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device",
                "authorization_endpoint": f"{self.url}/authorize",
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "grant_types_supported": ["authorization_code", "client_credentials", DEVICE_GRANT],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "response_types_supported": ["code"],
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
            if form.get("grant_type") == "authorization_code":
                return _tokens(self._signed(self._people.claims(form), self._people.console))
            client, proven = self._authenticate(request, form)
            match form.get("grant_type"):
                case "client_credentials" if proven:
                    token = self.token(client, audience=form.get("audience") or form.get("resource"))
                case "client_credentials":
                    raise Refused("invalid_client", 401)
                case grant if grant == DEVICE_GRANT:
                    token = self._device_token(client, form.get("device_code", ""))
                case _:
                    raise Refused("unsupported_grant_type")
        except Refused as refused:
            return web.json_response({"error": refused.error}, status=refused.status)
        return _tokens(token)

    async def _device(self, request: web.Request) -> web.Response:
        try:
            form = {name: str(value) for name, value in (await request.post()).items()}
            client, _ = self._authenticate(request, form)
        except Refused as refused:
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
        return html_page(_FORM.format(code=html.escape(request.query.get("user_code", ""), quote=True)))

    async def _approve(self, request: web.Request) -> web.Response:
        form = await request.post()
        wanted = str(form.get("user_code", "")).strip().upper()
        now = self._clock()
        for device in self._devices.values():
            if device.user_code == wanted and device.expires > now and device.approved is None:
                device.approved = form.get("answer") == "approve"
                return html_page("<p>Approved." if device.approved else "<p>Denied.")
        return html_page("<p>No such code, or it is no longer good.", 404)

    # -- what they share -----------------------------------------------------------------------------------------------

    def _authenticate(self, request: web.Request, form: Mapping[str, str]) -> tuple[str, bool]:
        """The client, and whether it proved itself with a secret."""
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, basic = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = b64decode(basic).decode().partition(":")
            except ValueError as error:
                raise Refused("invalid_client", 401) from error
            client, secret = unquote_plus(client), unquote_plus(secret)
        known = self._clients.get(client)
        if known is None or not hmac.compare_digest(known[0].encode(), secret.encode()):
            raise Refused("invalid_client", 401)
        return client, bool(known[0])

    def _device_token(self, client: str, code: str) -> str:
        device, now = self._devices.get(code), self._clock()
        if device is None or device.client != client:
            raise Refused("invalid_grant")
        if device.expires <= now:
            raise Refused("expired_token")
        hasty, device.asked = now - device.asked < INTERVAL / 2, now
        if hasty:
            raise Refused("slow_down")
        if device.approved is None:
            raise Refused("authorization_pending")
        del self._devices[code]
        if not device.approved:
            raise Refused("access_denied")
        return self.token(client)


_FORM = """<p>A device asks to sign in. Development only: nobody checks who you are.
<form method=post><input name=user_code value="{code}" autofocus>
<button name=answer value=approve>Approve</button> <button name=answer value=deny>Deny</button></form>"""


def _tokens(token: str) -> web.Response:
    answer = {"access_token": token, "id_token": token, "token_type": "Bearer", "expires_in": LIFETIME}
    return web.json_response(answer, headers={"Cache-Control": "no-store"})
