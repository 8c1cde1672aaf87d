"""The part of bastion.yaml that says which OIDC issuers a tenant trusts, and what their claims become."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bastion.document import Node, Section
from bastion.errors import OperatorError
from bastion.identity.keys import ALGORITHMS, trustworthy
from bastion.identity.mapping import check_template
from bastion.identity.oidc import Issuer

MAX_SKEW = 120
"""Seconds. More would let tokens live long after their issuer meant them to end."""

_DEFAULT_ALGORITHMS: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
_NO_TEXTS: tuple[str, ...] = ()
_NO_REQUIRE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


def issuers(node: Node, tenant: str) -> tuple[Issuer, ...]:
    """The list `issuers` of one tenant. What can not be read leaves a problem and no Issuer."""
    found = [_issuer(item.section(), tenant) for item in node.items()]
    if node.kind == "list" and not found:
        node.problem("an empty list: nobody could get a certificate")
    return tuple(issuer for issuer in found if issuer is not None)


def _issuer(section: Section, tenant: str) -> Issuer | None:
    address = section.require("issuer", _url, "")
    audience = section.require("audience", _some, _NO_TEXTS)
    principals = section.require("principals", _templates, _NO_TEXTS)
    groups = section.read("groups", _templates, _NO_TEXTS)
    claims = section.read("claims", lambda node: tuple(node.texts()), _NO_TEXTS)
    required = section.read("require", _require, _NO_REQUIRE)
    algorithms = section.read("algorithms", _algorithms, _DEFAULT_ALGORITHMS)
    jwks = section.read("jwks", _url, None)
    lifetime = section.read("lifetime", lambda node: node.duration(60, 3600), 900)
    skew = section.read("skew", lambda node: node.duration(0, MAX_SKEW), 30)
    section.close()
    if not (address and audience and principals and algorithms):
        return None
    try:
        return Issuer(
            issuer=address,
            audience=audience,
            tenant=tenant,
            principals=principals,
            groups=groups,
            claims=claims,
            require=required,
            algorithms=algorithms,
            jwks=jwks,
            lifetime=lifetime,
            skew=skew,
        )
    except OperatorError as error:
        section.problem(str(error))
        return None


def _url(node: Node) -> str | None:
    text = node.text()
    if text is not None and not trustworthy(text):
        node.problem(f"{text!r} must be an https URL: who answers it decides who gets in (http only on loopback)")
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
        if text is None:
            continue
        try:
            check_template(text)
        except ValueError as error:
            item.problem(str(error))
        else:
            templates.append(text)
    if node.kind == "list" and not node.items():
        node.problem("an empty list makes no name")
    return tuple(templates)
