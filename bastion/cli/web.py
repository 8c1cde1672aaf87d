"""HTTP for the commands that run on the user's machine: bounded, and never a secret over plain HTTP to elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client

from bastion.errors import ClientError, IssuerDown, OperatorError, OutsideError
from bastion.identity.keys import trustworthy

__all__ = ["DIRECT", "OAuth2Client", "OAuthError", "checked", "context", "discover", "get", "post", "reaching"]

TIMEOUT = 15.0
DIRECT: dict[str, None] = {"http://": None}
"""Plain HTTP goes to this machine itself, so never by way of a proxy of the environment, which would read the token."""
MAX_BYTES = 1 << 20


def checked(url: str, what: str) -> str:
    """The URL, if a secret may be sent there. OperatorError says what is wrong with it."""
    if not trustworthy(url):
        raise OperatorError(f"{what} {url!r} must be an https address (http only on this machine itself)")
    return url.rstrip("/")


def context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS as this machine trusts it, or as `ca_file` (PEM) says."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise OperatorError(f"{ca_file}: no certificates of authorities can be read from it") from error


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """What can go wrong on the way to `url`, as errors for the user."""
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        cause = str(error) or type(error).__name__
        raise OutsideError(f"{url} can not be reached: {cause}") from error


def post(url: str, body: Mapping[str, str], token: str, ca_file: Path | None) -> dict[str, Any]:
    """POST JSON with a bearer token to the bastion's API. ClientError or OutsideError with the problem's own words."""
    with reaching(url), httpx2.Client(verify=context(ca_file), timeout=TIMEOUT, mounts=DIRECT) as client:
        return _read(url, client.post(url, json=dict(body), headers={"Authorization": f"Bearer {token}"}))


def get(url: str, ca_file: Path | None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET a JSON object."""
    with reaching(url), httpx2.Client(verify=context(ca_file), timeout=TIMEOUT, mounts=DIRECT) as client:
        return _read(url, client.get(url, headers=dict(headers or {})))


def discover(issuer: str, ca_file: Path | None, endpoint: str) -> str:
    """An endpoint of an issuer, by its discovery document. IssuerDown when it has none, or speaks for another."""
    address = checked(issuer, "the issuer") + "/.well-known/openid-configuration"
    document = get(address, ca_file)
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise IssuerDown(f"{address} speaks for another issuer: write the issuer as it names itself")
    url = document.get(endpoint)
    if not isinstance(url, str):
        raise IssuerDown(f"{address} names no {endpoint}: the issuer does not offer this way of signing in")
    return checked(url, "the issuer's endpoint")


def _read(url: str, response: httpx2.Response) -> dict[str, Any]:
    try:
        value = response.json() if len(response.content) <= MAX_BYTES else None
    except ValueError:
        value = None  # Told below by the status, which says more than that it was not JSON.
    answer: dict[str, Any] = value if isinstance(value, dict) else {}
    if response.is_success and answer:
        return answer
    detail = answer.get("detail")
    told = f": {detail}" if isinstance(detail, str) and detail.isprintable() else ""
    kind = OutsideError if response.status_code >= 500 or response.is_success else ClientError
    raise kind(f"{url} answered {response.status_code}{told}")
