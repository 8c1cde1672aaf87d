"""The part of bastion.yaml that says which OIDC issuers a tenant trusts, and what their claims become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from bastion.document import Node, Section

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures of tokens that may be accepted: asymmetric ones only (RFC 7518, RFC 8037)."""

LOOPBACK = re.compile(r"(?:127(?:\.\d{1,3}){3}|::1|localhost)\Z")

_CLAIM = re.compile(r"[^{}\s]{1,128}\Z")
_TEMPLATE = re.compile(r"(?:[^{}]|\{[^{}\s]{1,128}\})+\Z")
_DEFAULT_ALGORITHMS: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
_NO_TEXTS: tuple[str, ...] = ()
_NO_REQUIRE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of one tenant. `lifetime` (of certificates) and `skew` in seconds; `jwks` None means discovery."""

    tenant: str
    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    jwks: str | None
    lifetime: int
    skew: int
    require: Mapping[str, tuple[str, ...]]
    principals: tuple[str, ...]
    groups: tuple[str, ...]
    claims: tuple[str, ...]


def issuers(node: Node, tenant: str) -> tuple[Issuer, ...]:
    issuers = [_issuer(item.section(), tenant) for item in node.items()]
    if node.kind == "list" and not issuers:
        node.problem("an empty list: nobody could get a certificate")
    return tuple(issuers)


def _issuer(section: Section, tenant: str) -> Issuer:
    issuer = Issuer(
        tenant=tenant,
        issuer=section.require("issuer", _url, ""),
        audience=section.require("audience", _some, _NO_TEXTS),
        algorithms=section.read("algorithms", _algorithms, _DEFAULT_ALGORITHMS),
        jwks=section.read("jwks", _url, None),
        lifetime=section.read("lifetime", lambda node: node.duration(60, 3600), 900),
        skew=section.read("skew", lambda node: node.duration(0, 120), 30),
        require=section.read("require", _require, _NO_REQUIRE),
        principals=section.require("principals", _templates, _NO_TEXTS),
        groups=section.read("groups", _templates, _NO_TEXTS),
        claims=section.read("claims", _claims, _NO_TEXTS),
    )
    section.close()
    return issuer


def _url(node: Node) -> str | None:
    """An https URL; http only on loopback, for development."""
    text = node.text()
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username:
        node.problem(f"{text!r} is not a URL such as https://issuer.example.com")
        return None
    if parts.scheme == "http" and not LOOPBACK.match(host):
        node.problem(f"{text!r}: keys that decide who gets in must come over https")
        return None
    return text


def _some(node: Node) -> tuple[str, ...]:
    texts = tuple(node.texts())
    if node.kind == "list" and not node.items():
        node.problem("an empty list: nothing would fit it")
    return texts


def _algorithms(node: Node) -> tuple[str, ...]:
    names = []
    for item in node.items():
        name = item.text()
        if name is not None and (name.startswith("HS") or name.lower() == "none"):
            item.problem(
                f"{name}: only asymmetric signatures are accepted; whoever can check {name} could also forge it"
            )
        elif name is not None and item.choice(*ALGORITHMS) is not None:
            names.append(name)
    if node.kind == "list" and not node.items():
        node.problem("an empty list: no token would be accepted")
    return tuple(names)


def _require(node: Node) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({name: _some(value) for name, _, value in node.section().entries()})


def _templates(node: Node) -> tuple[str, ...]:
    templates = []
    for item in node.items():
        text = item.text()
        if text is not None and not _TEMPLATE.match(text):
            item.problem(f"{text!r}: a claim's name goes in braces, such as 'repo:{{repository}}'")
        elif text is not None:
            templates.append(text)
    return tuple(templates)


def _claims(node: Node) -> tuple[str, ...]:
    names = []
    for item in node.items():
        name = item.text()
        if name is not None and not _CLAIM.match(name):
            item.problem(f"{name!r} is not a claim's name")
        elif name is not None:
            names.append(name)
    return tuple(names)
