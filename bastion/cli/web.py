"""HTTP for the commands that run on the user's machine: bounded, and never a secret over plain HTTP to elsewhere.

Whatever a server answers, a request takes at most TOTAL seconds from its name's look-up to the last byte, and MAX_BYTES
of memory: answers are asked for, and taken, uncompressed. What a server says is shown by bastion.characters.shown.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from bastion.characters import shown
from bastion.errors import BastionError, ClientError, IssuerDown, OperatorError, OutsideError
from bastion.identity.keys import trustworthy

__all__ = ["OAuthError", "checked", "context", "discover", "form", "get", "grant", "post"]

TOTAL = 20.0
"""Seconds."""
MAX_BYTES = 1 << 20
DIRECT: dict[str, None] = {"http://": None}
"""Plain HTTP goes to this machine itself, so never by way of a proxy of the environment, which would read the token."""

T = TypeVar("T")


def checked(url: str, what: str, named_by: str = "") -> str:
    """The URL, if a secret may be sent there. OperatorError says what is wrong with it; `named_by`: see trustworthy."""
    if not trustworthy(url, named_by):
        raise OperatorError(f"{what} '{shown(url)}' must be an https address (http only on this machine itself)")
    return url.rstrip("/")


def context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS as this machine trusts it, or as `ca_file` (PEM) says."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise OperatorError(f"{ca_file}: no certificates of authorities can be read from it") from error


def post(url: str, body: Mapping[str, str], token: str, ca_file: Path | None) -> dict[str, Any]:
    """POST JSON with a bearer token to the bastion's API. ClientError or OutsideError with the problem's own words."""
    headers = {"Authorization": f"Bearer {token}"}
    return _read(url, _whole(url, _send("POST", url, ca_file, json=dict(body), headers=headers)))


def get(url: str, ca_file: Path | None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET a JSON object."""
    return _read(url, _whole(url, _send("GET", url, ca_file, headers=dict(headers or {}))))


def form(
    url: str, data: Mapping[str, str], auth: tuple[str, str] | None, ca_file: Path | None
) -> tuple[int, dict[str, Any]]:
    """POST a form: the status, whichever it is, and the JSON object that came with it (empty if none did)."""
    response = _whole(url, _send("POST", url, ca_file, data=dict(data), auth=auth))
    return response.status_code, _object(response)


def grant(url: str, client: tuple[str, str | None], ca_file: Path | None, data: Mapping[str, str]) -> dict[str, Any]:
    """Ask a token endpoint. OAuthError when it refuses; OutsideError for what is no answer of one."""
    try:
        return _whole(url, _grant(url, client, ca_file, data))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        # What the library meets in an answer that is not JSON, or JSON of another form.
        raise OutsideError(f"{shown(url)} did not answer as a token endpoint does") from error


def discover(issuer: str, ca_file: Path | None, endpoint: str) -> str:
    """An endpoint of an issuer, by its discovery document. IssuerDown when it has none, or speaks for another."""
    address = checked(issuer, "the issuer") + "/.well-known/openid-configuration"
    document = get(address, ca_file)
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise IssuerDown(f"{address} speaks for another issuer: write the issuer as it names itself")
    url = document.get(endpoint)
    if not isinstance(url, str):
        raise IssuerDown(f"{address} names no {endpoint}: the issuer does not offer this way of signing in")
    return checked(url, "the issuer's endpoint", address)


# -- inside ------------------------------------------------------------------------------------------------------------


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error when it has become too large."""

    def __init__(self, body: httpx2.AsyncByteStream, url: str) -> None:
        self._body = body
        self._url = url

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._body:
            size += len(piece)
            if size > MAX_BYTES:
                raise OutsideError(f"{self._url} answered with more than {MAX_BYTES} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Before the body of any answer is read."""
    url = shown(str(response.url))
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise OutsideError(f"{url} answered compressed, which it was not asked to")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream, url)


def _options(ca_file: Path | None) -> dict[str, Any]:
    return {
        "verify": context(ca_file),
        "timeout": TOTAL,
        "mounts": DIRECT,
        "headers": {"Accept-Encoding": "identity"},
        "event_hooks": {"response": [_bound]},
    }


async def _send(method: str, url: str, ca_file: Path | None, **words: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(**_options(ca_file)) as client:
        return await client.request(method, url, **words)


async def _grant(
    url: str, client: tuple[str, str | None], ca_file: Path | None, data: Mapping[str, str]
) -> dict[str, Any]:
    method = "client_secret_basic" if client[1] else "none"
    async with AsyncOAuth2Client(*client, token_endpoint_auth_method=method, **_options(ca_file)) as asking:
        return dict(await asking.fetch_token(url, **data))


def _whole(url: str, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives within TOTAL seconds. What can go wrong on the way to `url`, as errors for the user."""

    async def bounded() -> T:
        async with asyncio.timeout(TOTAL):
            return await work

    try:
        return asyncio.run(bounded())
    except TimeoutError as error:
        raise OutsideError(f"{shown(url)} did not answer whole within {TOTAL:.0f} seconds") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        cause = shown(str(error) or type(error).__name__)
        raise OutsideError(f"{shown(url)} can not be reached: {cause}") from error


def _object(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object (in UTF-8) of an answer, or an empty one: the status then says more than that it was not JSON."""
    try:
        value = json.loads(response.content.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read(url: str, response: httpx2.Response) -> dict[str, Any]:
    answer = _object(response)
    if response.is_success and answer:
        return answer
    told = f": {shown(answer['detail'])}" if isinstance(answer.get("detail"), str) else ""
    kind: type[BastionError] = OutsideError if response.status_code >= 500 or response.is_success else ClientError
    if response.is_success:
        told = " without a JSON object"
    raise kind(f"{shown(url)} answered {response.status_code}{told}")
