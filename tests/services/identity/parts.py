"""An issuer made of plain dictionaries: keys, documents and tokens, the good ones and any bad one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bastion.errors import IssuerDown
from bastion.identity.oidc import Issuer

NOW = 1_800_000_000.0
URL = "https://issuer.example.com"
JWKS = f"{URL}/keys"
DISCOVERY = f"{URL}/.well-known/openid-configuration"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

KEYS: dict[str, PrivateKey] = {
    "first": ec.generate_private_key(ec.SECP256R1()),
    "second": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
    "weak": rsa.generate_private_key(65537, 1024),  # noqa: S505  (weak on purpose: it must be refused)
    "edwards": ed25519.Ed25519PrivateKey.generate(),
    "stranger": ec.generate_private_key(ec.SECP256R1()),
}

ISSUER = Issuer(
    issuer=URL,
    audience=("bastion",),
    tenant="demo",
    principals=("{sub}@demo",),
    groups=("agents", "{groups?}"),
    claims=("environment",),
    require={"repository_owner": ("acme", "acme-labs")},
    algorithms=("ES256", "ES384", "RS256", "EdDSA"),
)

CLAIMS: dict[str, Any] = {
    "iss": URL,
    "aud": "bastion",
    "sub": "agent",
    "iat": int(NOW) - 10,
    "exp": int(NOW) + 300,
    "repository_owner": "acme",
    "environment": "prod",
}


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Documents:
    """The port to the issuers: answers from `documents`, or IssuerDown. `asked` keeps the addresses in order."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.documents = dict(documents)
        self.asked: list[str] = []
        self.down = False

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.down or url not in self.documents:
            raise IssuerDown(f"{url} can not be reached: test")
        document = self.documents[url]
        return document if isinstance(document, bytes) else json.dumps(document).encode()


def published(*names: str, **extra: Any) -> dict[str, Any]:
    """Discovery and a key set with the named keys, whose kid is their name."""
    keys = [{**jwk(KEYS[name]), "kid": name, "use": "sig", **extra} for name in names]
    return {DISCOVERY: {"issuer": URL, "jwks_uri": JWKS}, JWKS: {"keys": keys}}


def jwk(key: PrivateKey) -> dict[str, str]:
    """The public half, as RFC 7517 has it."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        size = (public.key_size + 7) // 8
        numbers = public.public_numbers()
        curve = f"P-{public.key_size}"
        return {"kty": "EC", "crv": curve, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
    if isinstance(public, rsa.RSAPublicKey):
        modulus = public.public_numbers()
        return {"kty": "RSA", "n": _number(modulus.n, public.key_size // 8), "e": _number(modulus.e, 3)}
    return {"kty": "OKP", "crv": "Ed25519", "x": encoded(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def token(claims: Mapping[str, Any] | bytes, header: Mapping[str, Any], signer: str) -> str:
    """A compact JWS. `signer` is a key's name, `nobody` (none), or `hmac:NAME` (the public key as secret)."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    text = f"{encoded(json.dumps(header).encode())}.{encoded(body)}"
    return f"{text}.{encoded(_sign(text.encode(), signer))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int) -> str:
    return encoded(value.to_bytes(size, "big"))


def _sign(text: bytes, signer: str) -> bytes:
    if signer == "nobody":
        return b""
    if signer.startswith("hmac:"):
        public = KEYS[signer.removeprefix("hmac:")].public_key()
        secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return hmac.new(secret, text, hashlib.sha256).digest()
    key = KEYS[signer]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        digest = hashes.SHA256() if size == 32 else hashes.SHA384()
        r, s = decode_dss_signature(key.sign(text, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(text)
