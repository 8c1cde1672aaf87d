"""The development issuer's people: a real code flow, so that what talks to it is tried; yet nobody proves a thing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bastion.demo.issuer import DevelopmentIssuer
from bastion.demo.people import CODE_LIFETIME

CALLBACK = "http://127.0.0.1:9/v1/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "console",
    "redirect_uri": CALLBACK,
    "state": "s",
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass(slots=True)
class World:
    client: httpx2.AsyncClient
    now: list[float]

    async def code(self, **changes: str) -> str:
        answer = await self.client.post("/authorize", data={**ASKED, **changes, "person": "rev@demo"})
        assert answer.status_code == 303
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    async def trade(self, code: str, **changes: str) -> tuple[int, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": "console"}
        answer = await self.client.post("/token", data={**form, "code_verifier": VERIFIER, **changes})
        return answer.status_code, answer.json()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    now = [1_800_000_000.0]
    issuer = DevelopmentIssuer({}, clock=lambda: now[0], people={"rev@demo": {"groups": ["sre"]}, "<b>": {}})
    async with httpx2.AsyncClient(base_url=await issuer.start()) as client:
        yield World(client, now)
    await issuer.stop()


async def test_one_chooses_who_one_is_and_nothing_on_the_page_is_markup(world: World) -> None:
    page = await world.client.get("/authorize", params={**ASKED, "state": '"><script>'})
    assert page.status_code == 200
    assert "rev@demo" in page.text
    assert "&lt;b&gt;" in page.text
    assert "<b>" not in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example.com/v1/callback"},
        {"redirect_uri": "http://127.0.0.1@evil.example.com/"},
        {"redirect_uri": "http://evil.example.com#127.0.0.1"},
        {"redirect_uri": "http://a;b@127.0.0.1/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://["},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"state": ""},
        {"nonce": ""},
    ],
)
async def test_a_request_that_is_not_by_the_book_is_refused(world: World, changes: dict[str, str]) -> None:
    assert (await world.client.get("/authorize", params={**ASKED, **changes})).status_code == 400
    answer = await world.client.post("/authorize", data={**ASKED, **changes, "person": "rev@demo"})
    assert answer.status_code == 400


async def test_nobody_else_can_be_chosen(world: World) -> None:
    assert (await world.client.post("/authorize", data={**ASKED, "person": "root"})).status_code == 400


async def test_a_code_is_good_once(world: World) -> None:
    code = await world.code()
    status, answer = await world.trade(code)
    assert status == 200
    assert answer["id_token"].count(".") == 2
    assert await world.trade(code) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": CHALLENGE}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "invalid_grant"),
        ({"client_id": "another"}, "invalid_client"),
    ],
)
async def test_a_code_is_good_for_what_it_was_asked_with(world: World, changes: dict[str, str], error: str) -> None:
    code = await world.code()
    assert (await world.trade(code, **changes))[1] == {"error": error}
    assert (await world.trade("x"))[1] == {"error": "invalid_grant"}


async def test_a_code_is_good_for_a_minute(world: World) -> None:
    code = await world.code()
    world.now[0] += CODE_LIFETIME
    assert await world.trade(code) == (400, {"error": "invalid_grant"})
