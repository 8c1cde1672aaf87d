"""The HTTP API: what it answers, and how it refuses."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2
import pytest

from bastion.api.bounds import MAX_SOURCES
from bastion.api.limits import RateLimit
from bastion.api.server import Api
from bastion.errors import BadPublicKey, BadToken, Denied, IssuerDown, NotRecorded, OperatorError
from bastion.identity.issuance import Issued
from bastion.identity.principal import Identity

IDENTITY = Identity("demo", "https://i.example.com", "agent", ("agent@demo",), frozenset({"agents"}), {})
ISSUED = Issued("ssh-ed25519-cert-v01@openssh.com AAAA", 4711, IDENTITY, 1_800_000_000, 1_800_000_900)
HOST_CA = "ssh-ed25519 AAAAhost"
GOOD = {"public_key": "ssh-ed25519 AAAA"}


class Issuer:
    """The port: answers ISSUED, or raises what it was told to. `asked` keeps the arguments."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[tuple[str, str, str | None, str]] = []

    async def issue(self, token: str, public_key: str, tenant: str | None, source: str) -> Issued:
        self.asked.append((token, public_key, tenant, source))
        if self.error is not None:
            raise self.error
        return ISSUED


class World:
    def __init__(self, issuer: Issuer, client: httpx2.AsyncClient, problems: list[str]) -> None:
        self.issuer = issuer
        self.client = client
        self.problems = problems

    async def post(self, body: Any, token: str | None = "TOKEN", **keywords: Any) -> httpx2.Response:  # noqa: S107  (no secret)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post("/v1/certificates", content=content, headers=headers, **keywords)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    issuer, problems = Issuer(), list[str]()
    limit = RateLimit(5, 1.0, lambda: 0.0)
    api = Api(issuer, HOST_CA, ["bastion", "bastion.example.com"], limit, lambda: problems)
    host, port = await api.start("127.0.0.1", 0, None)
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as client:
        yield World(issuer, client, problems)
    await api.stop()


async def test_a_token_and_a_key_get_a_certificate(world: World) -> None:
    answer = await world.post({**GOOD, "tenant": "demo"})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "certificate": ISSUED.certificate,
        "serial": 4711,
        "valid_after": "2027-01-15T08:00:00Z",
        "valid_before": "2027-01-15T08:15:00Z",
        "principals": ["agent@demo"],
        "tenant": "demo",
        "host_ca": HOST_CA,
        "names": ["bastion", "bastion.example.com"],
    }
    assert world.issuer.asked == [("TOKEN", "ssh-ed25519 AAAA", "demo", "127.0.0.1")]


@pytest.mark.parametrize("header", ["", "Basic dTpw", "Bearer", "TOKEN"])
async def test_without_a_bearer_token_the_service_is_asked_with_none(world: World, header: str) -> None:
    """So that the refusal, too, is in the audit trail."""
    await world.client.post("/v1/certificates", json=GOOD, headers={"Authorization": header} if header else {})
    assert world.issuer.asked[0][0] == ""


async def test_headers_of_proxies_are_not_believed(world: World) -> None:
    await world.client.post(
        "/v1/certificates", json=GOOD, headers={"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=x"}
    )
    assert world.issuer.asked[0][3] == "127.0.0.1"


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (BadToken("the token expired"), 401, "WWW-Authenticate"),
        (BadPublicKey("not a public key"), 400, None),
        (Denied("this identity is revoked: lost"), 403, None),
        (IssuerDown("the issuer is down"), 503, "Retry-After"),
        (NotRecorded("the audit trail can not be written"), 503, "Retry-After"),
    ],
)
async def test_errors_are_problem_details(world: World, error: Exception, status: int, header: str | None) -> None:
    world.issuer.error = error
    answer = await world.post(GOOD)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": answer.reason_phrase,
        "status": status,
        "detail": str(error),
    }
    assert header is None or header in answer.headers


@pytest.mark.parametrize("error", [OperatorError("/etc/secret/place"), RuntimeError("secret inner text")])
async def test_what_was_not_foreseen_tells_the_client_nothing(
    world: World, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world.issuer.error = error
    with caplog.at_level(logging.ERROR, logger="bastion.api"):
        answer = await world.post(GOOD)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert str(error) in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 60000,
        json.dumps(GOOD).encode("utf-16"),
        json.dumps(GOOD).encode("utf-32"),
        json.dumps(GOOD).encode("utf-8-sig"),
        {},
        {"public_key": 7},
        {"public_key": None},
        {"public_key": "x", "tenant": 7},
        {"public_key": "x", "extra": "y"},
    ],
)
async def test_a_request_of_another_form_is_refused_before_the_service(world: World, body: Any) -> None:
    answer = await world.post(body)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert world.issuer.asked == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip", "unknown"])
async def test_an_encoded_body_is_refused_unread(world: World, encoding: str) -> None:
    headers = {"Content-Encoding": encoding, "Authorization": "Bearer TOKEN"}
    answer = await world.client.post("/v1/certificates", content=b"not even that", headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (415, 415)
    assert world.issuer.asked == []


async def test_a_body_too_large_is_refused(world: World) -> None:
    answer = await world.post({"public_key": "x" * 70000})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)
    assert world.issuer.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/certificates", 405), ("DELETE", "/healthz", 405), ("GET", "/v1/../etc", 404)],
)
async def test_other_addresses_are_problems_too(world: World, method: str, path: str, status: int) -> None:
    answer = await world.client.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


async def test_a_source_that_asks_too_often_is_told_to_wait(world: World) -> None:
    answers = [await world.post(GOOD) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429] * 2
    assert answers[-1].headers["Retry-After"] == "1"
    assert len(world.issuer.asked) == 5
    health = [(await world.client.get("/healthz")).status_code for _ in range(6)]
    assert health == [200] * 5 + [429], "with a bound of its own, that spends none of the other"


async def test_the_host_authority_is_one_line(world: World) -> None:
    answer = await world.client.get("/v1/host-ca")
    assert (answer.status_code, answer.text) == (200, HOST_CA + "\n")


async def test_health_tells_what_is_wrong(world: World) -> None:
    assert (await world.client.get("/healthz")).json() == {"status": "ok"}
    world.problems.append("the audit trail can not be written")
    answer = await world.client.get("/healthz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the audit trail can not be written")


async def test_noise_instead_of_http_ends_the_connection_only(world: World) -> None:
    url = world.client.base_url
    for noise in (
        b"SSH-2.0-x\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 100000 + b"\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(noise)
        assert b" 400 " in (await reader.read(4096)).split(b"\r\n")[0]
        writer.close()
        await writer.wait_closed()
    assert (await world.client.get("/healthz")).status_code == 200


async def test_an_address_in_use_is_the_operators_to_know(world: World) -> None:
    api = Api(world.issuer, HOST_CA, [], RateLimit(1, 1, lambda: 0.0))
    with pytest.raises(OperatorError, match="can not listen"):
        await api.start("127.0.0.1", world.client.base_url.port or 0, None)


# -- the rate ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "waits"),
    [
        ([0, 0, 0], [0, 0, 0.5]),
        ([0, 0, 0.5], [0, 0, 0]),
        ([0, 0, 0.25], [0, 0, 0.25]),
        ([0, 0, 100, 100, 100], [0, 0, 0, 0, 0.5]),
    ],
)
def test_a_bucket_refills(times: Sequence[float], waits: Sequence[float]) -> None:
    now = 0.0
    limit = RateLimit(2, 2.0, lambda: now)
    told = []
    for now in times:  # noqa: B007  (the clock reads it)
        told.append(limit.take("192.0.2.1"))
    assert told == waits


def test_sources_are_told_apart_and_ipv6_by_its_network() -> None:
    limit = RateLimit(1, 1.0, lambda: 0.0)
    assert limit.take("192.0.2.1") == 0
    assert limit.take("192.0.2.2") == 0
    assert limit.take("192.0.2.1") > 0
    assert limit.take("2001:db8::1") == 0
    assert limit.take("2001:db8::2") > 0
    assert limit.take("2001:db8:0:1::2") == 0


def test_sources_are_forgotten_past_a_bound() -> None:
    limit = RateLimit(1, 1.0, lambda: 0.0)
    for number in range(MAX_SOURCES + 1):
        assert limit.take(f"source-{number}") == 0
    assert limit.take(f"source-{MAX_SOURCES}") > 0
    assert limit.take("source-0") == 0
