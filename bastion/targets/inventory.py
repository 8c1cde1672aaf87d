"""The inventory: which targets a tenant has, how each proves itself, and how the bastion logs in to it.

    version: 1
    targets:
      - name: web-1
        address: 10.0.0.1:22                     # host, host:port or [v6]:port; 22 when no port is told
        labels: {env: prod}
        host-keys: ["ssh-ed25519 AAAA…"]         # and/or host-ca: one of them is needed
        accounts:
          deploy: {key: {file: /etc/bastion/web-1}, passphrase: {credential: web-1-pass}, shell: bash}
          app: {certificate: true}

There is no trust on first use: a target without a pinned host key or host authority is a problem, not a question.
Keys named here are not opened when the inventory is read (`bastion doctor` does that), so that one lost key takes
away one account and not the tenant.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from bastion import document
from bastion.document import Node, Section
from bastion.errors import Problem
from bastion.targets.keyring import MIN_RSA_BITS, secret
from bastion.targets.login_shell import REFUSED, SHELLS
from bastion.targets.target import Account, Target

_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?\Z")
_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?\Z")
_MAX_NAME = 253
_NO_KEYS: tuple[str, ...] = ()
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Inventory:
    """The targets of one tenant, in the order of the file. Never changed: a reload makes a new one."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self._by_name = {target.name: target for target in self.targets}

    def __len__(self) -> int:
        return len(self.targets)

    def find(self, name: str) -> Target | None:
        """The target of that name, whatever the case it is written in; None when there is none."""
        return self._by_name.get(name.lower())


def load(path: Path, tenant: str) -> Inventory:
    """Read a tenant's inventory. Raises BadFile with every problem in it."""
    problems: list[Problem] = []
    section = document.load(path, problems)
    section.require("version", lambda node: node.integer(1, 1), 1)
    targets: dict[str, Target] = {}
    node = section.need("targets")
    for item in [] if node is None else node.items():
        target = _target(item, tenant)
        if target is None:
            continue
        if target.name in targets:
            item.problem(f"a second target {target.name!r}: names are unique in an inventory")
        targets[target.name] = target
    section.close()
    document.finish(problems)
    return Inventory(tuple(targets.values()))


def address(node: Node, default_port: int | None, *, lowest_port: int = 1) -> tuple[str, int] | None:
    """`host`, `host:port`, `[v6]` or `[v6]:port`, as (host without brackets, port); None and a problem otherwise.

    With `default_port` None the port must be written.
    """
    text = node.text()
    if text is None:
        return None
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        good = bool(bracket) and _is_ip(host, 6) and (not rest or rest.startswith(":"))
        port_text = rest[1:] if rest else None
    else:
        host, colon, rest = text.partition(":")
        if ":" in rest:
            node.problem(f"{text!r}: write an IPv6 address in brackets, such as [2001:db8::1]:22")
            return None
        good = len(host) <= _MAX_NAME and bool(_HOST.match(host))
        port_text = rest if colon else None
    if not good:
        node.problem(f"{text!r} is not an address: host, host:port or [v6]:port")
        return None
    if port_text is None and default_port is not None:
        return host, default_port
    if port_text is None or not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5):
        node.problem(f"{text!r}: the port must be a number, such as {host}:22")
        return None
    port = int(port_text)
    if not lowest_port <= port <= 65535:
        node.problem(f"{text!r}: a port is between {lowest_port} and 65535")
        return None
    return host, port


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version and "%" not in text
    except ValueError:
        return False


def _target(node: Node, tenant: str) -> Target | None:
    section = node.section()
    name = section.need("name")
    where = section.need("address")
    labels = section.take("labels")
    host_keys = section.read("host-keys", _public_keys, _NO_KEYS)
    host_cas = section.read("host-ca", _public_keys, _NO_KEYS)
    accounts = section.need("accounts")
    section.close()
    if "host-keys" not in section and "host-ca" not in section:
        section.problem(
            "no `host-keys` and no `host-ca`: pin one of them (ssh-keyscan, checked by hand, shows the key)"
        )
    title = None if name is None else _name(name)
    place = None if where is None else address(where, 22)
    logins = {} if accounts is None else _accounts(accounts)
    if title is None or place is None:
        return None
    texts = _NO_LABELS if labels is None else _labels(labels)
    return Target(tenant, title, place[0], place[1], texts, host_keys, host_cas, MappingProxyType(logins))


def _name(node: Node) -> str | None:
    value = node.text()
    if value is None:
        return None
    if len(value) > _MAX_NAME or not _NAME.match(value):
        node.problem(
            f"{value!r} is not a target's name: up to {_MAX_NAME} lower-case letters, digits, '.' and '-', "
            "beginning and ending with a letter or digit"
        )
        return None
    return value


def _labels(node: Node) -> Mapping[str, str]:
    labels = {}
    for name, key, value in node.section().entries():
        if not _LABEL.match(name):
            key.problem(f"{name!r} is not a label's name: letters, digits, and '_', '.', '/', '-' inside")
        text = value.text()
        if text is not None:
            labels[name] = text
    return MappingProxyType(labels)


def _public_keys(node: Node) -> tuple[str, ...]:
    keys = [key for item in node.items() if (key := public_key(item)) is not None]
    if node.kind == "list" and not node.items():
        node.problem("an empty list pins nothing")
    return tuple(keys)


def public_key(node: Node) -> str | None:
    """A public key in OpenSSH's one-line form (RFC 4253 section 6.6), as `type base64`, its comment dropped."""
    text = node.text()
    if text is None:
        return None
    words = text.split()
    kind = words[0] if words else ""
    if kind not in _KEY_TYPES:
        why = "DSA is broken" if kind == "ssh-dss" else f"it is {kind!r}"
        node.problem(f"not a public key that is accepted ({why}): {', '.join(_KEY_TYPES)}")
        return None
    try:
        key = load_ssh_public_key(" ".join(words[:2]).encode())
    except (ValueError, UnsupportedAlgorithm):
        node.problem(f"not a public key: what follows {kind} does not hold one; was it cut short?")
        return None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        node.problem(f"an RSA key of {key.key_size} bits is weak: at least {MIN_RSA_BITS}, or ed25519")
        return None
    return " ".join(words[:2])


def _accounts(node: Node) -> dict[str, Account]:
    accounts = {}
    members = list(node.section().entries())
    for name, key, value in members:
        if not _ACCOUNT.match(name):
            key.problem(f"{name!r} is not an account's name: up to 64 letters, digits and '_.@+-'")
            continue
        account = _account(name, value.section())
        if account is not None:
            accounts[name] = account
    if node.kind == "mapping" and not members:
        node.problem("no account: nobody could log in to this target")
    return accounts


def _account(name: str, section: Section) -> Account | None:
    key = section.read("key", secret, None)
    passphrase = section.read("passphrase", secret, None)
    certificate = section.read("certificate", lambda node: node.boolean(), False)
    shell = section.read("shell", _shell, "")
    section.close()
    if section.kind != "mapping":
        return None
    if ("key" in section) == certificate:
        section.problem(f"account {name!r}: give exactly one of `key: {{file: …}}` and `certificate: true`")
        return None
    if "passphrase" in section and "key" not in section:
        section.problem(f"account {name!r}: a passphrase without a key")
        return None
    return Account(name, key, passphrase, certificate, shell)


def _shell(node: Node) -> str | None:
    value = node.text()
    if value is None or value in SHELLS:
        return value
    name = value.rpartition("/")[2]
    if name in REFUSED:
        node.problem(
            f"{name} can not be a target's login shell: {REFUSED[name]}, so what was judged might not be what runs"
        )
    elif name in SHELLS:
        node.problem(f"{value!r}: write the shell's name alone, {name!r}")
    else:
        node.problem(f"{value!r} is not a login shell known to read quoting right: {', '.join(SHELLS)}")
    return None
