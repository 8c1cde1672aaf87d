"""The development issuer: its tokens verify, its clients must prove themselves, and it stays on loopback."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from bastion.demo.issuer import DEVICE_GRANT, DevelopmentIssuer
from bastion.errors import OperatorError
from bastion.identity.fetch import HttpFetch
from bastion.identity.oidc import Issuer, Verifier
from tests.services.identity.parts import Clock


class World:
    def __init__(self, issuer: DevelopmentIssuer, client: httpx2.AsyncClient, clock: Clock) -> None:
        self.issuer = issuer
        self.client = client
        self.clock = clock

    async def token(self, **form: str) -> httpx2.Response:
        return await self.client.post("/token", data=form)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = Clock(time.time())
    clients: dict[str, tuple[str, dict[str, object]]] = {
        "agent": ("s3cr3t", {"sub": "agent@demo", "groups": ["agents"]}),
        "person": ("", {"sub": "person"}),
    }
    issuer = DevelopmentIssuer(clients, clock=clock)
    url = await issuer.start()
    async with httpx2.AsyncClient(base_url=url) as client:
        yield World(issuer, client, clock)
    await issuer.stop()


async def test_its_tokens_verify(world: World) -> None:
    settings = Issuer(world.issuer.url, ("bastion",), "demo", ("{sub}",), groups=("{groups}",))
    fetch = HttpFetch()
    verifier = Verifier([settings], fetch, world.clock)
    answer = await world.client.post("/token", auth=("agent", "s3cr3t"), data={"grant_type": "client_credentials"})
    identity, _ = await verifier.identify(answer.json()["access_token"], None)
    await fetch.close()
    assert identity.name == "agent@demo"
    assert identity.groups == {"agents"}


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 401, "invalid_client"),
        ({"client_id": "agent"}, 401, "invalid_client"),
        ({"client_id": "agent", "client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody", "client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "agent", "client_secret": "s3cr3t", "grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "person", "grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"client_id": "person", "grant_type": DEVICE_GRANT, "device_code": "x"}, 400, "invalid_grant"),
    ],
)
async def test_others_get_no_token(world: World, form: dict[str, str], status: int, error: str) -> None:
    answer = await world.token(**form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


async def test_the_device_flow_waits_for_the_page(world: World) -> None:
    device = (await world.client.post("/device", data={"client_id": "person"})).json()
    ask = {"client_id": "person", "grant_type": DEVICE_GRANT, "device_code": device["device_code"]}
    assert (await world.token(**ask)).json() == {"error": "authorization_pending"}
    assert (await world.token(**ask)).json() == {"error": "slow_down"}
    page = await world.client.get(device["verification_uri_complete"])
    assert device["user_code"] in page.text
    approval = {"user_code": device["user_code"], "answer": "approve"}
    assert "Approved" in (await world.client.post("/approve", data=approval)).text
    assert (await world.client.post("/approve", data=approval)).status_code == 404
    world.clock.now += 5
    assert "access_token" in (await world.token(**ask)).json()
    world.clock.now += 5
    assert (await world.token(**ask)).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("later", "answer", "error"), [(5, "deny", "access_denied"), (301, "approve", "expired_token")]
)
async def test_a_denied_or_forgotten_code_gives_nothing(world: World, later: float, answer: str, error: str) -> None:
    device = (await world.client.post("/device", data={"client_id": "person"})).json()
    await world.client.post("/approve", data={"user_code": device["user_code"], "answer": answer})
    world.clock.now += later
    ask = {"client_id": "person", "grant_type": DEVICE_GRANT, "device_code": device["device_code"]}
    assert (await world.token(**ask)).json() == {"error": error}


async def test_a_code_in_the_address_can_not_become_markup(world: World) -> None:
    page = await world.client.get("/approve", params={"user_code": '"><script>alert(1)</script>'})
    assert "<script>" not in page.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104  (must be refused)
async def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(OperatorError, match="loopback only"):
        await DevelopmentIssuer({}).start(host)
