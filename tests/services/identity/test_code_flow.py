"""People's logins against an issuer that answers whatever it likes: only a good answer to this login is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bastion.errors import BadToken, IssuerDown
from bastion.identity.code_flow import CodeFlow, LoginFailed, Pending
from bastion.identity.keys import MAX_AGE, RETRY_PAUSE
from bastion.identity.oidc import Issuer, Verifier
from tests.services.identity.parts import (
    DISCOVERY,
    ISSUER,
    JWKS,
    NOW,
    URL,
    Clock,
    Documents,
    published,
    token,
)

CALLBACK = "https://bastion.example.com/v1/callback"
GOOD = {"issuer": URL, "authorization_endpoint": f"{URL}/auth", "token_endpoint": f"{URL}/token", "jwks_uri": JWKS}


class Web:
    """The issuer: its documents, and an answer to every form."""

    def __init__(self, **discovery: Any) -> None:
        self._keys = Documents(published("first"))
        self.discovery: Any = {**GOOD, **discovery}
        self.status, self.body = 200, b"{}"
        self.fetched = 0
        self.forms: list[tuple[str, Mapping[str, str], tuple[str, str] | None]] = []
        self.down = False

    async def fetch(self, url: str) -> bytes:
        if url != DISCOVERY:
            return await self._keys.fetch(url)
        self.fetched += 1
        if self.down:
            raise IssuerDown("down")
        return json.dumps(self.discovery).encode()

    async def post(self, url: str, form: Mapping[str, str], login: tuple[str, str] | None) -> tuple[int, bytes]:
        self.forms.append((url, form, login))
        return self.status, self.body


def flow(web: Web, secret: str | None = None, clock: Clock | None = None) -> CodeFlow:
    settings = Issuer(URL, ("console",), ISSUER.tenant, ("{sub}",), algorithms=("ES256",))
    verifier = Verifier([settings], web, Clock())
    return CodeFlow(ISSUER.tenant, URL, "console", secret, ("openid",), web, verifier, clock or Clock())


def signed(**claims: Any) -> str:
    told = {"iss": URL, "aud": "console", "sub": "rev", "iat": int(NOW), "exp": int(NOW) + 300, "nonce": "n"}
    return token({**told, **claims}, {"alg": "ES256", "kid": "first", "typ": "JWT"}, "first")


PENDING = Pending(ISSUER.tenant, "s", "n", "v", "/")
ANSWER = {"code": "c", "state": "s"}


def answering(**members: Any) -> Web:
    web = Web()
    web.body = json.dumps(members).encode()
    return web


async def test_a_code_is_traded_for_who_somebody_is() -> None:
    web = answering(id_token=signed())
    identity = await flow(web).finish(PENDING, {**ANSWER, "iss": URL}, CALLBACK)
    assert (identity.name, identity.tenant) == ("rev", ISSUER.tenant)
    ((address, form, login),) = web.forms
    assert (address, login) == (f"{URL}/token", None)
    assert form == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": CALLBACK,
        "client_id": "console",
        "code_verifier": "v",
    }


async def test_a_client_with_a_secret_proves_itself() -> None:
    web = answering(id_token=signed())
    await flow(web, "s3cr3t").finish(PENDING, ANSWER, CALLBACK)
    assert web.forms[0][2] == ("console", "s3cr3t")
    assert "s3cr3t" not in str(web.forms[0][1])


async def test_the_verifier_never_leaves_with_the_browser() -> None:
    where, pending = await flow(Web()).begin(CALLBACK, "/")
    asked = parse_qs(urlsplit(where).query)
    assert where.startswith(f"{URL}/auth?")
    assert pending.verifier not in where
    assert (asked["state"], asked["nonce"]) == ([pending.state], [pending.nonce])
    assert len({pending.state, pending.nonce, pending.verifier}) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"code": "c"},
        {"state": "s"},
        {"code": "", "state": "s"},
        {"code": "c", "state": "x"},
        {"code": "c", "state": "sé"},
        {"code": "c", "state": "s", "iss": "https://evil.example.com"},
        {"code": "c", "state": "s", "error": "access_denied"},
    ],
)
async def test_an_answer_that_is_not_to_this_login_is_not_traded(answer: dict[str, str]) -> None:
    web = answering(id_token=signed())
    with pytest.raises(LoginFailed):
        await flow(web).finish(PENDING, answer, CALLBACK)
    assert web.forms == []


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "other"},
        {"nonce": None},
        {"nonce": ["n"]},
        {"aud": "bastion"},
        {"aud": ["bastion"]},
        {"azp": "another"},
        {"iss": "https://evil.example.com"},
        {"exp": int(NOW) - 100},
        {"sub": ""},
    ],
)
async def test_a_token_that_is_not_of_this_login_is_not_believed(claims: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        await flow(answering(id_token=signed(**claims))).finish(PENDING, ANSWER, CALLBACK)


@pytest.mark.parametrize("body", [{}, {"id_token": 7}, {"id_token": "x"}, {"access_token": signed()}])
async def test_without_an_id_token_nobody_is_known(body: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        await flow(answering(**body)).finish(PENDING, ANSWER, CALLBACK)


@pytest.mark.parametrize(("status", "body"), [(400, b"{}"), (302, b""), (200, b"["), (200, b"[]"), (200, b"\xff")])
async def test_an_issuer_that_answers_otherwise_logs_nobody_in(status: int, body: bytes) -> None:
    web = Web()
    web.status, web.body = status, body
    with pytest.raises((LoginFailed, IssuerDown)):
        await flow(web).finish(PENDING, ANSWER, CALLBACK)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example.com"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "http://issuer.example.com/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": 7},
    ],
)
async def test_endpoints_that_can_not_be_trusted_are_not_used(discovery: dict[str, Any]) -> None:
    with pytest.raises(IssuerDown):
        await flow(Web(**discovery)).begin(CALLBACK, "/")


async def test_whoever_begins_logins_does_not_make_us_ask_the_issuer() -> None:
    web, clock = Web(), Clock()
    people = flow(web, clock=clock)
    for _ in range(5):
        await people.begin(CALLBACK, "/")
    assert web.fetched == 1
    clock.now += MAX_AGE
    web.down = True
    for _ in range(5):
        with pytest.raises(IssuerDown):
            await people.begin(CALLBACK, "/")
    assert web.fetched == 2
    clock.now += RETRY_PAUSE
    web.down = False
    await people.begin(CALLBACK, "/")
    assert web.fetched == 3
