"""Issuers' documents over HTTP: what is taken, and how much of it, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bastion.errors import IssuerDown, OperatorError
from bastion.identity.fetch import MAX_BYTES, HttpFetch

Write = Callable[[asyncio.StreamWriter], object]


@asynccontextmanager
async def answering(answer: bytes, *, hang: bool = False) -> AsyncIterator[str]:
    """A server that writes `answer` to whoever connects, and then hangs or closes."""
    released = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if hang:
            await released.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    finally:
        released.set()
        server.close()
        await server.wait_closed()


async def fetched(url: str, seconds: float = 5.0) -> bytes:
    fetch = HttpFetch(timeout=seconds)
    try:
        return await fetch.fetch(url)
    finally:
        await fetch.close()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("size", [0, 10, MAX_BYTES])
async def test_a_body_within_the_bound_comes_whole(size: int) -> None:
    async with answering(ok(b"x" * size)) as url:
        assert await fetched(url) == b"x" * size


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ok(b"x" * (MAX_BYTES + 1)), "more than"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BYTES + 1), "more than"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://evil.example.com/\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "can not be reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "compressed"),
        (b"SSH-2.0-x\r\n", "can not be reached"),
        (b"", "can not be reached"),
    ],
)
async def test_anything_else_is_an_issuer_that_is_down(answer: bytes, message: str) -> None:
    async with answering(answer) as url:
        with pytest.raises(IssuerDown, match=message):
            await fetched(url)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", ok(b"xxxx")[:-2]])
async def test_an_issuer_that_hangs_is_left_after_the_time(answer: bytes) -> None:
    async with answering(answer, hang=True) as url:
        with pytest.raises(IssuerDown, match="can not be reached"):
            await fetched(url, seconds=0.2)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "nonsense", "http://[::1"])
async def test_an_issuer_that_is_not_there_is_down(url: str) -> None:
    with pytest.raises(IssuerDown):
        await fetched(url)


async def test_no_proxy_reads_what_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(ok(b"by the proxy")) as proxy, answering(ok(b"direct")) as url:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.removesuffix("/keys"))
        assert await fetched(url) == b"direct"


def test_authorities_that_can_not_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "noise").write_text("noise")
    for name in ("missing", "noise"):
        with pytest.raises(OperatorError, match="no certificates"):
            HttpFetch(tmp_path / name)
