"""What requests carry: a bearer token in the header, and JSON in a bounded body."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bastion.api.bounds import BODY_TIMEOUT
from bastion.api.problems import BadRequest, WrongEncoding


def bearer(request: web.Request) -> str:
    """The token (RFC 6750 section 2.1), or nothing when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def read_json(request: web.Request, most: int) -> object:
    """The body as JSON in UTF-8, of `most` bytes. WrongEncoding, BadRequest, or HTTPRequestEntityTooLarge (413)."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise WrongEncoding("send the request's body as it is, without a Content-Encoding")
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            raw = await _read(request, most)
    except TimeoutError as error:
        raise BadRequest(f"the request's body did not come within {BODY_TIMEOUT} seconds") from error
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as error:
        raise BadRequest("the request's body did not come whole") from error
    try:
        # Decoded here: the reader of JSON would take UTF-16 and UTF-32, too, which nobody means who is honest.
        found: object = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadRequest("the request's body is not JSON in UTF-8") from error
    return found


async def _read(request: web.Request, most: int) -> bytes:
    raw = bytearray()
    while piece := await request.content.readany():
        raw += piece
        if len(raw) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(raw))
    return bytes(raw)
