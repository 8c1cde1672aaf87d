"""bastion.yaml, read strictly: where to listen, which keys to use, and who the tenants are.

Nothing here opens a key or an inventory: the configuration holds places, and what stands at them is read by those who
need it. Paths are relative to the folder of bastion.yaml; secrets are absolute paths or names of systemd credentials.
systemd/bastion.example.yaml shows every key; README.md explains them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bastion import document
from bastion.config import people
from bastion.config.issuers import issuers, take_same_tokens
from bastion.config.notices import Notice, notices
from bastion.config.people import Console, Network
from bastion.config.store import NAME, Store, read_store
from bastion.document import Node, Section
from bastion.errors import Problem
from bastion.identity.oidc import Issuer
from bastion.targets.inventory import address
from bastion.targets.keyring import secret
from bastion.targets.target import Secret

DEFAULT_STATE = Path("/var/lib/bastion")
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_PRINCIPAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `port` 0 takes any free one; `serve` prints which."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name: only one of them is this machine for certain
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may use before, and once, it has proven who it is. `handshake` in seconds, the others count."""

    handshake: int = 15
    unauthenticated: int = 128
    per_source: int = 32
    attempts: int = 6
    channels: int = 64
    connections: int = 512


@dataclass(frozen=True, slots=True)
class Upstream:
    """Connections to targets: `connect` and `keep` in seconds (`keep` 0 closes at once), `sessions` on each."""

    connect: int = 10
    keep: int = 120
    sessions: int = 10


@dataclass(frozen=True, slots=True)
class Ssh:
    """The SSH side. `names` are the principals of the bastion's own host certificate."""

    listen: tuple[Address, ...]
    names: tuple[str, ...]
    host_key: Secret
    host_ca: Secret
    limits: Limits
    upstream: Upstream


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP side. `certificate` and `key` are both set (TLS) or both None, which only a loopback address may be.

    `public` is the address that people use, None where nobody said: then it is where the API listens. `observers` are
    the networks that may ask for metrics and readiness; None: loopback, if there is no `public` (which would be a proxy
    on loopback)."""

    listen: Address
    certificate: Secret | None
    key: Secret | None
    public: str | None = None
    observers: tuple[Network, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant: nothing of it is shared with another (law 7). `roles` are groups by role (see people), `notices` who
    is told of requests for approval."""

    name: str
    policies: Path
    inventory: Path
    user_ca: Secret
    target_ca: Secret | None
    issuers: tuple[Issuer, ...]
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: people.NO_ROLES)
    console: Console | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """All of bastion.yaml, its paths absolute. `drain` is how many seconds open sessions get at the end."""

    path: Path
    state: Path
    ssh: Ssh
    api: Api | None
    recordings: Path
    audit: Path
    revocations: Path
    store: Store
    drain: int
    tenants: Mapping[str, Tenant]


def load(path: Path) -> Config:
    """Read bastion.yaml. Raises BadFile with every problem in it."""
    problems: list[Problem] = []
    path = path.absolute()
    section = document.load(path, problems)
    version = section.need("version")
    if version is not None:
        version.integer(1, 1)
    state = section.read("state", lambda node: _path(node, path.parent), DEFAULT_STATE)
    config = Config(
        path=path,
        state=state,
        ssh=section.require("ssh", _ssh, _NO_SSH),
        api=section.read("api", _api, None),
        recordings=_place(section, "recordings", "directory", path.parent, state / "recordings"),
        audit=_place(section, "audit", "file", path.parent, state / "audit.jsonl"),
        revocations=_place(section, "revocations", "file", path.parent, state / "revocations" / "revocations.jsonl"),
        store=section.read("store", lambda node: read_store(node, path.parent), Store(state / NAME, None)),
        drain=section.read("drain", lambda node: node.duration(0, 3600), 30),
        tenants=section.require("tenants", lambda node: _tenants(node, path.parent), _NO_TENANTS),
    )
    section.close()
    _reachable(config, section)
    document.finish(problems)
    return config


_NOWHERE = Secret("file", "/nonexistent")
"""Stands for a secret that could not be read: a problem was noted, so no Config with it is ever handed out."""
_LIMITS = Limits()
_UPSTREAM = Upstream()
_NO_SSH = Ssh((), (), _NOWHERE, _NOWHERE, _LIMITS, _UPSTREAM)
_NO_TEXTS: tuple[str, ...] = ()
_NO_TENANTS: Mapping[str, Tenant] = MappingProxyType({})
_NO_ISSUERS: tuple[Issuer, ...] = ()


def _path(node: Node, folder: Path) -> Path | None:
    text = node.text()
    return None if text is None else folder / text


def _place(section: Section, name: str, kind: str, folder: Path, default: Path) -> Path:
    node = section.take(name)
    if node is None:
        return default
    inner = node.section()
    value = inner.require(kind, lambda node: _path(node, folder), default)
    inner.close()
    return value


# -- ssh and api -------------------------------------------------------------------------------------------------------


def _listen(node: Node) -> Address | None:
    found = address(node, None, lowest_port=0)
    return None if found is None else Address(*found)


def _ssh(node: Node) -> Ssh:
    section = node.section()
    listen = section.need("listen")
    addresses = [] if listen is None else [place for item in listen.items() if (place := _listen(item)) is not None]
    if listen is not None and listen.kind == "list" and not listen.items():
        listen.problem("an empty list: the bastion would listen nowhere")
    ssh = Ssh(
        listen=tuple(addresses),
        names=section.require("names", _names, _NO_TEXTS),
        host_key=section.require("host-key", secret, _NOWHERE),
        host_ca=section.require("host-ca", secret, _NOWHERE),
        limits=section.read("limits", _limits, _LIMITS),
        upstream=section.read("upstream", _upstream, _UPSTREAM),
    )
    section.close()
    return ssh


def _names(node: Node) -> tuple[str, ...]:
    names = []
    for item in node.items():
        name = item.text()
        if name is not None and not _PRINCIPAL.match(name):
            item.problem(f"{name!r} is not a host's name, such as bastion.example.com")
        elif name is not None:
            names.append(name)
    if node.kind == "list" and not node.items():
        node.problem("an empty list: a host certificate without a name is good for every host")
    return tuple(names)


def _limits(node: Node) -> Limits:
    section = node.section()
    limits = Limits(
        handshake=section.read("handshake", lambda node: node.duration(1, 120), _LIMITS.handshake),
        unauthenticated=section.read("unauthenticated", lambda node: node.integer(1, 65535), _LIMITS.unauthenticated),
        per_source=section.read("per-source", lambda node: node.integer(1, 65535), _LIMITS.per_source),
        attempts=section.read("attempts", lambda node: node.integer(1, 20), _LIMITS.attempts),
        channels=section.read("channels", lambda node: node.integer(1, 1024), _LIMITS.channels),
        connections=section.read("connections", lambda node: node.integer(1, 65535), _LIMITS.connections),
    )
    section.close()
    return limits


def _upstream(node: Node) -> Upstream:
    section = node.section()
    upstream = Upstream(
        connect=section.read("connect", lambda node: node.duration(1, 120), _UPSTREAM.connect),
        keep=section.read("keep", lambda node: node.duration(0, 3600), _UPSTREAM.keep),
        sessions=section.read("sessions", lambda node: node.integer(1, 1024), _UPSTREAM.sessions),
    )
    section.close()
    return upstream


def _api(node: Node) -> Api:
    section = node.section()
    listen = section.require("listen", _listen, Address("localhost", 0))
    certificate = section.read("certificate", secret, None)
    key = section.read("key", secret, None)
    public = section.read("public", people.public, None)
    observers = section.read("observers", people.networks, None)
    section.close()
    if ("certificate" in section) != ("key" in section):
        section.problem("give `certificate` and `key` together")
    elif "key" not in section and not listen.loopback:
        section.problem(
            f"{listen} is not loopback, and tokens would cross it in the clear: give `certificate` and `key`"
        )
    return Api(listen, certificate, key, public, observers)


def _reachable(config: Config, section: Section) -> None:
    """People are sent back by their issuer to an address that must be known."""
    if not any(tenant.console for tenant in config.tenants.values()):
        return
    if config.api is None:
        section.problem("a tenant has a `console`, and there is no `api` to serve it")
    elif config.api.public is None and not config.api.listen.loopback:
        section.problem("a tenant has a `console`: say in `api.public` which address people use")


# -- tenants -----------------------------------------------------------------------------------------------------------


def _tenants(node: Node, folder: Path) -> Mapping[str, Tenant]:
    tenants: dict[str, Tenant] = {}
    authorities: dict[Secret, str] = {}
    places: dict[str, str] = {}
    members = list(node.section().entries())
    for name, key, value in members:
        if not _TENANT.match(name):
            key.problem(f"{name!r} is not a tenant's name: up to 63 lower-case letters, digits and '-' inside")
            continue
        section = value.section()
        tenant = _tenant(name, section, folder)
        _apart(tenant, tenants.values(), places, section, key)
        tenants[name] = tenant
        for authority in (tenant.user_ca, tenant.target_ca):
            if authority is None or authority == _NOWHERE:
                continue
            owner = authorities.setdefault(authority, name)
            if owner != name:
                key.problem(
                    f"tenants {owner!r} and {name!r} share the authority {authority.name!r}: each needs its own"
                )
    if node.kind == "mapping" and not members:
        node.problem("no tenant: nobody could use this bastion")
    return MappingProxyType(tenants)


def _tenant(name: str, section: Section, folder: Path) -> Tenant:
    tenant = Tenant(
        name=name,
        policies=section.require("policies", lambda node: _path(node, folder), folder),
        inventory=section.require("inventory", lambda node: _path(node, folder), folder),
        user_ca=section.require("user-ca", secret, _NOWHERE),
        target_ca=section.read("target-ca", secret, None),
        issuers=section.require("issuers", lambda node: issuers(node, name), _NO_ISSUERS),
        roles=section.read("roles", people.roles, people.NO_ROLES),
        console=section.read("console", people.console, None),
        notices=section.read("notices", notices, ()),
    )
    section.close()
    people.fit(tenant.console, tenant.issuers, section)
    if tenant.target_ca == tenant.user_ca != _NOWHERE:
        section.problem("`user-ca` and `target-ca` are the same key: agents could then log in to targets by themselves")
    return tenant


def _apart(tenant: Tenant, others: Iterable[Tenant], places: dict[str, str], section: Section, key: Node) -> None:
    """Law 7: a folder of policies, an inventory or a token is one tenant's. `places` maps real paths to tenants."""
    for what in ("policies", "inventory"):
        if what not in section:
            continue  # that it is missing was told
        path = os.path.realpath(getattr(tenant, what))
        owner = places.setdefault(path, tenant.name)
        if owner != tenant.name:
            key.problem(f"tenants {owner!r} and {tenant.name!r} share {path} (`{what}`): each needs its own")
    for other in others:
        for one in tenant.issuers:
            if any(take_same_tokens(one, theirs) for theirs in other.issuers):
                key.problem(
                    f"tenants {other.name!r} and {tenant.name!r} take the same tokens of {one.issuer}, so its bearer"
                    " would choose the tenant: give each an audience of its own, or a `require` that tells them apart"
                )
        for issuer in people.meet(tenant.issuers, tenant.console, other.issuers, other.console):
            key.problem(
                f"tenants {other.name!r} and {tenant.name!r} take the same ID tokens of {issuer}, so people would"
                " choose the tenant: give each `console` a client id of its own, which is no `audience` of the other"
            )
