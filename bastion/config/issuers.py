"""The part of bastion.yaml that says which OIDC issuers a tenant trusts, and what their claims become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType

from bastion.document import Node, Section
from bastion.errors import OperatorError
from bastion.identity.keys import ALGORITHMS, trustworthy
from bastion.identity.mapping import check_template
from bastion.identity.oidc import Issuer

MAX_SKEW = 120
"""Seconds. More would let tokens live long after their issuer meant them to end."""

_DEFAULT_ALGORITHMS: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
_BRACES = re.compile(r"\{\{|\}\}")
_NO_TEXTS: tuple[str, ...] = ()
_NO_REQUIRE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


def issuers(node: Node, tenant: str) -> tuple[Issuer, ...]:
    """The list `issuers` of one tenant. What can not be read leaves a problem and no Issuer."""
    found = [_issuer(item.section(), tenant) for item in node.items()]
    if node.kind == "list" and not found:
        node.problem("an empty list: nobody could get a certificate")
    read = tuple(issuer for issuer in found if issuer is not None)
    for one, other in combinations(read, 2):
        templates = make_same_name(one, other)
        if templates is not None:
            node.problem(
                f"{one.issuer} and {other.issuer} could make the same principal, by {templates[0]!r} and"
                f" {templates[1]!r}: let the templates of each begin with a text of its own, such as 'github:{{sub}}'"
            )
    return read


def take_same_tokens(one: Issuer, other: Issuer) -> bool:
    """Whether a token can be good for both, so that its bearer would choose between their tenants.

    It can not when they are of different issuers or audiences, or when both require the same claim and no value of it
    is good for both. Limit: a claim that is a list can hold the value of either; require one that the issuer alone
    decides and that is a single text.
    """
    if one.issuer != other.issuer or not set(one.audience) & set(other.audience):
        return False
    claims = one.require.keys() & other.require.keys()
    return all(set(one.require[claim]) & set(other.require[claim]) for claim in claims)


def make_same_name(one: Issuer, other: Issuer) -> tuple[str, str] | None:
    """Two templates by which two issuers of a tenant could make the same principal; None when there are none.

    Policy knows a principal and not who vouches for it, so an issuer must not be able to make another one's names. The
    literal text before the first claim, or after the last, keeps two templates apart when neither begins (or ends)
    with the other. The same issuer's names are its own to give.
    """
    if one.issuer == other.issuer:
        return None
    for mine in one.principals:
        for theirs in other.principals:
            (start, end), (begin, finish) = _literals(mine), _literals(theirs)
            starts_meet = start.startswith(begin) or begin.startswith(start)
            ends_meet = end.endswith(finish) or finish.endswith(end)
            if starts_meet and ends_meet:
                return mine, theirs
    return None


def _literals(template: str) -> tuple[str, str]:
    """The text before the first claim and after the last; without any claim, the whole and the whole, ended."""
    plain = _BRACES.sub(lambda found: "\0" if found[0] == "{{" else "\1", template)
    first, last = plain.find("{"), plain.rfind("}")
    ends = (plain, plain) if first < 0 else (plain[:first], plain[last + 1 :])
    start, end = (text.replace("\0", "{").replace("\1", "}") for text in ends)
    return start, end


def _issuer(section: Section, tenant: str) -> Issuer | None:
    address = section.require("issuer", _url, "")
    audience = section.require("audience", _some, _NO_TEXTS)
    principals = section.require("principals", _templates, _NO_TEXTS)
    groups = section.read("groups", _templates, _NO_TEXTS)
    claims = section.read("claims", lambda node: tuple(node.texts()), _NO_TEXTS)
    required = section.read("require", _require, _NO_REQUIRE)
    algorithms = section.read("algorithms", _algorithms, _DEFAULT_ALGORITHMS)
    jwks = section.read("jwks", _url, None)
    owner = section.read("owner", _template, "")
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
            owner=owner,
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


def _template(node: Node) -> str | None:
    text = node.text()
    if text is None:
        return None
    try:
        check_template(text)
    except ValueError as error:
        node.problem(str(error))
        return None
    return text


def _templates(node: Node) -> tuple[str, ...]:
    templates = []
    for item in node.items():
        text = _template(item)
        if text is not None:
            templates.append(text)
    if node.kind == "list" and not node.items():
        node.problem("an empty list makes no name")
    return tuple(templates)
