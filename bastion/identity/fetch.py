"""The issuers over HTTP, with httpx2: the ports `keys.Fetch` and `code_flow.Web`.

Bounds: 5 seconds in all, 512 KiB, no redirects (an issuer's address is what the settings say, nothing it hands on), no
compression (512 KiB could become 500 MB).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_plus

import httpx2

from bastion.errors import IssuerDown, OperatorError

TIMEOUT = 5.0
MAX_BYTES = 512 * 1024
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class HttpFetch:
    """Order of calls: constructor, any number of `fetch`, `close`. `ca_file` replaces the system's authorities."""

    def __init__(self, ca_file: Path | None = None, timeout: float = TIMEOUT) -> None:
        try:
            context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError as error:
            raise OperatorError(f"{ca_file}: no certificates of authorities can be read from it") from error
        self._timeout = timeout
        # Plain HTTP is for issuers on this machine itself: a proxy of the environment has no part in it.
        direct: dict[str, None] = {"http://": None}
        self._client = httpx2.AsyncClient(verify=context, timeout=timeout, follow_redirects=False, mounts=direct)

    async def fetch(self, url: str) -> bytes:
        """The body of a 200. IssuerDown for another status, a body too large, or no answer in time."""
        status, body = await self._ask("GET", url, None, None)
        if status != 200:
            raise IssuerDown(f"{url} answered {status}, not 200")
        return body

    async def post(self, url: str, form: Mapping[str, str], login: tuple[str, str] | None) -> tuple[int, bytes]:
        """The status and body of an answer to a form. `login`, a client id and its secret, is sent as HTTP Basic, each
        form-encoded first (RFC 6749 section 2.3.1). IssuerDown as for `fetch`."""
        basic = None if login is None else httpx2.BasicAuth(quote_plus(login[0]), quote_plus(login[1]))
        return await self._ask("POST", url, dict(form), basic)

    async def _ask(
        self, method: str, url: str, form: dict[str, str] | None, login: httpx2.BasicAuth | None
    ) -> tuple[int, bytes]:
        body = b""
        try:
            async with asyncio.timeout(self._timeout):
                async with self._client.stream(method, url, headers=HEADERS, data=form, auth=login) as response:
                    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                        raise IssuerDown(f"{url} answered compressed, which it was not asked to")
                    async for piece in response.aiter_raw():
                        body += piece
                        if len(body) > MAX_BYTES:
                            raise IssuerDown(f"{url} answered with more than {MAX_BYTES} bytes")
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise IssuerDown(f"{url} can not be reached: {type(error).__name__}") from error
        return response.status_code, body

    async def close(self) -> None:
        await self._client.aclose()
