"""The part of bastion.yaml about people: which groups of a tenant may what over HTTP, and how people log in there."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from bastion.config.issuers import take_same_tokens
from bastion.document import Node, Section
from bastion.identity.keys import trustworthy
from bastion.identity.mapping import MAX_NAME
from bastion.identity.oidc import Issuer
from bastion.targets.keyring import secret
from bastion.targets.target import Secret

ROLES = ("viewer", "auditor", "approver", "operator")
SCOPES: tuple[str, ...] = ("openid",)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Console:
    """How a tenant's people log in: an OIDC client of one of its issuers. `secret` is None for a public client, which
    has PKCE alone."""

    issuer: str
    client_id: str
    secret: Secret | None
    scopes: tuple[str, ...]


NO_ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NO_GROUPS: tuple[str, ...] = ()


def roles(node: Node) -> Mapping[str, tuple[str, ...]]:
    """Groups by role."""
    section = node.section()
    found = {name: section.read(name, _groups, _NO_GROUPS) for name in ROLES}
    section.close()
    return MappingProxyType({name: groups for name, groups in found.items() if groups})


def _groups(node: Node) -> tuple[str, ...]:
    groups = []
    for item in node.items():
        text = item.text()
        if text is not None and not (0 < len(text) <= MAX_NAME and "*" not in text):
            item.problem(f"{text!r} is not a group's name: groups are named whole")
        elif text is not None:
            groups.append(text)
    if node.kind == "list" and not node.items():
        node.problem("an empty list: leave the role out")
    return tuple(groups)


def console(node: Node) -> Console | None:
    """`console` of one tenant. That its issuer is one of the tenant's is for `fit`."""
    section = node.section()
    issuer = section.require("issuer", lambda node: node.text(), "")
    client = section.require("client-id", _plain, "")
    held = section.read("client-secret", secret, None)
    scopes = section.read("scopes", _scopes, SCOPES)
    section.close()
    return Console(issuer, client, held, scopes) if issuer and client else None


def _plain(node: Node) -> str | None:
    text = node.text()
    if text is not None and not (0 < len(text) <= MAX_NAME and text.isascii() and text.isprintable()):
        node.problem("a client id is printable ASCII")
        return None
    return text


def _scopes(node: Node) -> tuple[str, ...]:
    found = tuple(text for text in node.texts())
    if "openid" not in found:
        node.problem("`openid` is needed: without it there is no ID token")
    for item in node.items():
        text = item.text()
        if text is not None and (not text or not text.isascii() or not text.isprintable() or set(text) & set(' "\\')):
            item.problem(f"{text!r} is not a scope")
    return found


def for_people(console: Console, issuers: Sequence[Issuer]) -> list[Issuer]:
    """The issuer's settings with which the ID tokens of people are verified: its mapping, and the client id for an
    audience. Exactly one, in a configuration that was read."""
    return [
        dataclasses.replace(issuer, audience=(console.client_id,))
        for issuer in issuers
        if issuer.issuer == console.issuer
    ]


def fit(console: Console | None, issuers: Sequence[Issuer], section: Section) -> None:
    """A problem unless people come from exactly one of the tenant's issuers."""
    if console is None or not issuers:
        return
    found = for_people(console, issuers)
    if len(found) != 1:
        many = "is none of" if not found else "is more than one of"
        section.problem(f"console: {console.issuer} {many} the tenant's `issuers`, whose templates say who people are")


def meet(one: Sequence[Issuer], mine: Console | None, other: Sequence[Issuer], theirs: Console | None) -> Iterator[str]:
    """The issuers whose ID tokens for people of one tenant another one would take too: its bearer would choose."""
    people = [] if mine is None else for_people(mine, one)
    others = [] if theirs is None else for_people(theirs, other)
    for ours, takes in ((people, [*other, *others]), (others, one)):
        for token in ours:
            if any(take_same_tokens(token, issuer) for issuer in takes):
                yield token.issuer


def public(node: Node) -> str | None:
    """The address that people use, as `https://bastion.example.com` (no path)."""
    text = node.text()
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        whole = f"{parts.scheme}://{parts.netloc}"
        good = trustworthy(text) and "@" not in parts.netloc and text.rstrip("/") == whole and parts.port != 0
        # As browsers write it in `Origin` (RFC 6454 section 6.2).
        whole = whole.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
    except ValueError:
        good = False
    if not good:
        node.problem(f"{text!r} must be like https://bastion.example.com (http only on loopback), without a path")
        return None
    return whole


def networks(node: Node) -> tuple[Network, ...]:
    """A list of addresses and networks."""
    found: list[Network] = []
    for item in node.items():
        text = item.text()
        try:
            if text is not None:
                found.append(ipaddress.ip_network(text))
        except ValueError:
            item.problem(f"{text!r} is no address and no network such as 10.0.0.0/8")
    return tuple(found)
