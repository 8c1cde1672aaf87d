"""A request that can not be read gets one fixed problem, and its token is neither answered nor logged (law 5)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from bastion.api.limits import RateLimit
from bastion.api.server import Api
from bastion.errors import BadPublicKey
from tests.adapters.malformed import MALFORMED, PIECES
from tests.adapters.test_api import HOST_CA, Issuer

Address = tuple[str, int]


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    issuer = Issuer()
    issuer.error = BadPublicKey("not a public key")
    api = Api(issuer, HOST_CA, [], RateLimit(100, 1, lambda: 0.0))
    yield await api.start("127.0.0.1", 0, None)
    await api.stop()


async def answer_to(address: Address, request: bytes, *, whole: bool = True) -> bytes:
    """What comes back for these bytes, to the end. `whole` False: the client leaves at once."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    if whole:
        answer = await asyncio.wait_for(reader.read(), 20)
    else:
        writer.write_eof()
        answer = b""
    writer.close()
    return answer


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_problem_without_the_token(address: Address, caplog: pytest.LogCaptureFixture, name: str) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await answer_to(address, MALFORMED[name])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == int(head.split()[1])
    assert [piece for piece in PIECES if piece.encode() in answer or piece in caplog.text] == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_in_the_log(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    request = MALFORMED["a token as body"]
    for size in range(0, len(request), 7):
        await answer_to(address, request[:size], whole=False)
    assert b" 200 " in await answer_to(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert caplog.records == []
