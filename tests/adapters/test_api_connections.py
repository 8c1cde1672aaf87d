"""The API's connections: one request each, all of them counted, and none open for longer than it may be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption

from bastion.api import tls
from bastion.api.connections import Connections
from bastion.api.limits import RateLimit
from bastion.api.server import Api
from tests.adapters.test_api import HOST_CA, Issuer
from tests.adapters.test_api_tls import pair

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(params=["plain", "tls"])
def secured(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    return tls.context(*pair(NoEncryption())) if request.param == "tls" else None


class Served:
    """An API with bounds of the test's own. `made` are its Connections, once it has started."""

    def __init__(self, address: tuple[str, int], secured: bool, made: list[Connections]) -> None:
        self.address = address
        self.made = made
        self._client = ssl.create_default_context() if secured else None
        if self._client is not None:
            self._client.check_hostname = False
            self._client.verify_mode = ssl.CERT_NONE

    async def silent(self, source: str = "127.0.0.1") -> Opened:
        """A connection that says nothing: with TLS not even hello."""
        return await asyncio.open_connection(*self.address, local_addr=(source, 0))

    async def greeted(self) -> Opened:
        """A connection ready for a request."""
        return await asyncio.open_connection(*self.address, ssl=self._client)


@asynccontextmanager
async def serving(
    monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None, **bounds: Any
) -> AsyncIterator[Served]:
    made: list[Connections] = []

    def make(*words: Any) -> Connections:
        made.append(Connections(*words, **bounds))
        return made[-1]

    monkeypatch.setattr("bastion.api.server.Connections", make)
    api = Api(Issuer(), HOST_CA, [], RateLimit(100, 1, lambda: 0.0))
    address = await api.start("127.0.0.1", 0, secured)
    try:
        yield Served(address, secured is not None, made)
    finally:
        await api.stop()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other side ends the connection, in whichever way."""
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""


async def drained(connections: Callable[[], int]) -> None:
    """Wait until as many are counted as none."""
    async with asyncio.timeout(10):
        while connections():  # noqa: ASYNC110  (a counter: there is no event to wait for)
            await asyncio.sleep(0)


async def test_a_connection_carries_one_request(
    monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None
) -> None:
    async with serving(monkeypatch, secured) as served:
        reader, writer = await served.greeted()
        writer.write(HEALTH + HEALTH)
        answer = await end_of(reader)
        assert answer.count(b"HTTP/1.1 200 ") == 1
        assert b"Connection: close" in answer
        writer.close()
        await drained(lambda: len(served.made[0]))


async def test_who_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None) -> None:
    async with serving(monkeypatch, secured, first=0.2) as served:
        opened = [await served.silent(), await served.silent()]
        opened[1][1].write(b"GET /healthz HTTP/1.1\r\nHost: half")
        for reader, writer in opened:
            assert b" 200 " not in await end_of(reader)
            writer.close()
        await drained(lambda: len(served.made[0]))


async def test_a_request_that_never_ends_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None
) -> None:
    async with serving(monkeypatch, secured, whole=0.2) as served:
        reader, writer = await served.greeted()
        writer.write(b"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert await end_of(reader) == b""
        writer.close()


async def test_past_the_bound_the_oldest_of_the_busiest_source_is_cut(
    monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None
) -> None:
    async with serving(monkeypatch, secured, most=4) as served:
        other = await served.silent("127.0.0.2")
        own = [await served.silent() for _ in range(3)]
        last = await served.silent()
        assert await end_of(own[0][0]) == b""
        assert len(served.made[0]) == 4
        for reader, writer in (other, *own[1:], last):
            assert not reader.at_eof()
            writer.close()
        own[0][1].close()


async def test_one_source_has_a_bound_of_its_own(
    monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None
) -> None:
    """Silent connections without end are never more than the bound, and a request gets in among them."""
    async with serving(monkeypatch, secured, per_source=16) as served:
        opened = []
        for _ in range(40):
            opened.append(await served.silent())
            assert len(served.made[0]) <= 16
        reader, writer = await served.greeted()
        writer.write(HEALTH)
        assert b" 200 " in await end_of(reader)
        for _, one in (*opened, (reader, writer)):
            one.close()


async def test_a_request_under_way_outlasts_the_idle(
    monkeypatch: pytest.MonkeyPatch, secured: ssl.SSLContext | None
) -> None:
    async with serving(monkeypatch, secured, per_source=2) as served:
        busy, writer = await served.greeted()
        writer.write(b"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert b" 100 " in await busy.readline()
        idle = [await served.silent() for _ in range(3)]
        assert await end_of(idle[0][0]) == b""
        writer.write(b"null")
        assert b" 400 " in await end_of(busy)
        for _, one in (*idle, (busy, writer)):
            one.close()


async def test_noise_where_tls_is_spoken_ends_that_connection_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(monkeypatch, tls.context(*pair(NoEncryption()))) as served:
        for noise in (HEALTH, b"\x16\x03\x01\x00", b""):
            reader, writer = await served.silent()
            writer.write(noise)
            writer.write_eof()
            assert b" 200 " not in await end_of(reader)
            writer.close()
        reader, writer = await served.greeted()
        writer.write(HEALTH)
        assert b" 200 " in await end_of(reader)
        writer.close()
        await drained(lambda: len(served.made[0]))
    assert caplog.records == []
