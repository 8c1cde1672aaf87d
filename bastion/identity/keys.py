"""An issuer's public keys: discovery (OpenID Connect Discovery 1.0), the key set (RFC 7517), their cache, rotation.

Keys are fetched when first needed, again after MAX_AGE, and when a token names a key that is not among them, the
latter at most once per UNKNOWN_KEY_PAUSE: a stranger's tokens can not make the bastion hammer the issuer. While the
issuer is down the keys last fetched go on being used for at most MAX_STALE; after that, and when there never were
any, IssuerDown. So a key that the issuer withdraws is trusted for at most MAX_AGE, or MAX_STALE while it is down.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from bastion.errors import IssuerDown
from bastion.identity import edwards

MAX_AGE = 600
MAX_STALE = 3600
UNKNOWN_KEY_PAUSE = 30
RETRY_PAUSE = 5
"""Seconds each. RETRY_PAUSE lies between two tries while the issuer is down."""
MAX_KEYS = 64
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = (*RSA, *CURVES)
"""Signatures that may be allowed: asymmetric ones only, so a public key is never taken for a shared secret."""

_MATERIAL = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_KINDS: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

Key = RSAKey | ECKey | OKPKey


class Fetch(Protocol):
    """The port to the issuers."""

    async def fetch(self, url: str) -> bytes:
        """The body of a GET, within bounds of size and time. IssuerDown for anything but a 200."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a set, with what the set says of it; `algorithm` and `kid` may be empty."""

    kid: str
    algorithm: str
    kind: str
    curve: str
    key: Key

    def fits(self, algorithm: str) -> bool:
        """Whether this key may check signatures of `algorithm`: type and curve must be the algorithm's own."""
        if self.algorithm not in ("", algorithm):
            return False
        if algorithm in RSA:
            return self.kind == "RSA"
        return self.kind in ("EC", "OKP") and self.curve == CURVES.get(algorithm)


class KeySource:
    """The keys of one issuer. `clock` gives seconds that only go forward.

    `jwks` is the address of the key set where the settings name it; otherwise discovery tells it.
    """

    def __init__(self, issuer: str, jwks: str | None, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._jwks = jwks
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched: float | None = None
        self._fetches = 0
        self._tried: float | None = None
        self._asked_for_unknown: float | None = None
        self._lock = asyncio.Lock()

    async def candidates(self, kid: str | None, algorithm: str) -> Sequence[PublicKey]:
        """The keys that a token with this header may be signed by; none when the issuer has no such key.

        Without a `kid` all keys that fit are candidates if the set has just one of them.
        """
        await self._refresh(MAX_AGE)
        found = self._matching(kid, algorithm)
        if not found and self._may_ask_for_unknown():
            self._asked_for_unknown = self._clock()
            await self._refresh(0)
            found = self._matching(kid, algorithm)
        return found

    def _matching(self, kid: str | None, algorithm: str) -> list[PublicKey]:
        fitting = [key for key in self._keys if key.fits(algorithm)]
        if kid is None:
            return fitting if len(fitting) == 1 else []
        return [key for key in fitting if key.kid == kid]

    def _may_ask_for_unknown(self) -> bool:
        asked = self._asked_for_unknown
        return asked is None or self._clock() - asked >= UNKNOWN_KEY_PAUSE

    def _usable(self, age: float) -> bool:
        return self._fetched is not None and self._clock() - self._fetched < age

    async def _refresh(self, age: float) -> None:
        """Have keys no older than `age`, or, while the issuer is down, MAX_STALE. Fetches once, however many wait."""
        if age and self._usable(age):
            return
        if self._lock.locked() and self._usable(MAX_STALE) and age:
            return
        seen = self._fetches
        async with self._lock:
            if self._fetches != seen:
                return
            try:
                await self._try_fetch()
            except IssuerDown:
                # Old keys are better than shutting everyone out, but not for ever.
                if not self._usable(MAX_STALE):
                    raise

    async def _try_fetch(self) -> None:
        now = self._clock()
        if self._tried is not None and now - self._tried < RETRY_PAUSE and self._tried != self._fetched:
            raise IssuerDown(f"the issuer {self._issuer} did not answer a moment ago; try again in {RETRY_PAUSE} s")
        self._tried = now
        address = self._jwks or await self._discover()
        self._keys = read_keys(await self._get(address), address)
        self._fetched = now
        self._fetches += 1

    async def _discover(self) -> str:
        address = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._get(address)
        if document.get("issuer") != self._issuer:
            raise IssuerDown(f"{address} speaks for another issuer than {self._issuer}; are the settings right?")
        jwks = document.get("jwks_uri")
        if not isinstance(jwks, str) or not trustworthy(jwks, self._issuer):
            raise IssuerDown(f"{address} names no https address of its keys (jwks_uri)")
        return jwks

    async def _get(self, address: str) -> dict[str, Any]:
        body = await self._fetch.fetch(address)
        try:
            document = json.loads(body.decode("utf-8"))  # bytes would be taken in UTF-16 and UTF-32, too
        except (ValueError, RecursionError) as error:
            raise IssuerDown(f"{address} did not answer with JSON") from error
        if not isinstance(document, dict):
            raise IssuerDown(f"{address} did not answer with a JSON object")
        return document


def trustworthy(url: str, named_by: str = "") -> bool:
    """Whether what this URL answers may be believed: https, or http to this machine itself (for development).

    `named_by` is the address whose document named this one: what was had by https leads to https only.
    """
    try:
        if urlsplit(named_by).scheme == "https" and urlsplit(url).scheme != "https":
            return False
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        if parts.scheme != "http":
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # Not a URL, or a host that is a name and not an address: not this machine.
        return False


def read_keys(document: dict[str, Any], address: str) -> tuple[PublicKey, ...]:
    """The usable keys of a key set. Others (secrets, encryption keys, weak or unknown kinds) are passed over.

    IssuerDown when it is no key set or has more than MAX_KEYS.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise IssuerDown(f"{address} did not answer with a key set of at most {MAX_KEYS} keys")
    return tuple(key for entry in entries if isinstance(entry, dict) and (key := _read_key(entry)) is not None)


def _read_key(entry: dict[str, Any]) -> PublicKey | None:
    kind, kid, algorithm = entry.get("kty"), entry.get("kid", ""), entry.get("alg", "")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(kind, str) or kind not in _KINDS or not isinstance(kid, str) or not isinstance(algorithm, str):
        return None
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    material: dict[str, str | list[str]] = {"kty": kind}
    for name in _MATERIAL[kind]:
        if not isinstance(entry.get(name), str):
            return None
        material[name] = entry[name]
    try:
        if kind == "RSA" and not MIN_RSA_BITS <= _bits(entry["n"]) <= MAX_RSA_BITS:
            return None
        if kind == "OKP" and edwards.weak(_raw(entry["x"])):
            return None
        key = _KINDS[kind].import_key(material)
    except (JoseError, ValueError, TypeError, KeyError):
        # One broken entry does not take the others with it; a token signed with it finds no key.
        return None
    return PublicKey(kid, algorithm, kind, str(material.get("crv", "")), key)


def _bits(number: str) -> int:
    """Of a number in base64url. ValueError."""
    return int.from_bytes(_raw(number), "big").bit_length()


def _raw(text: str) -> bytes:
    """From base64url. ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
