"""How an Identity travels in a certificate: an extension of our own, and the key id that people read in logs.

The extension `identity@bastion` (PROTOCOL.certkeys: names with a domain are free to use; not critical, so that other
servers pass over it) holds canonical JSON: one identity has one spelling, and any other spelling of it is refused.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from bastion.errors import BadCertificate
from bastion.identity.principal import Credential, Identity

NAME = b"identity@bastion"
MAX_BYTES = 8192
"""Of the JSON: larger identities are neither issued nor accepted."""

_TEXTS = ("tenant", "issuer", "subject")


def pack(identity: Identity) -> bytes:
    """The identity as canonical JSON: sorted keys, no blanks, UTF-8. ValueError past MAX_BYTES."""
    value: dict[str, object] = {
        "tenant": identity.tenant,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "principals": list(identity.principals),
        "groups": sorted(identity.groups),
        "claims": dict(identity.claims),
    }
    if identity.owners:
        value["owners"] = list(identity.owners)
    packed = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if len(packed) > MAX_BYTES:
        raise ValueError(f"the identity takes {len(packed)} bytes, more than the {MAX_BYTES} a certificate may carry")
    return packed


def unpack(packed: bytes) -> Identity:
    """The identity in an extension. BadCertificate for whatever `pack` would not have written."""
    if len(packed) > MAX_BYTES:
        raise BadCertificate(f"the certificate's identity is larger than {MAX_BYTES} bytes")
    try:
        value = json.loads(packed)
        identity = _identity(value)
        if pack(identity) != packed:
            raise ValueError("not the canonical spelling")
    except (ValueError, TypeError, RecursionError) as error:
        raise BadCertificate("the certificate's identity is unreadable: it is not of this bastion's making") from error
    return identity


def _identity(value: Any) -> Identity:
    """The checked fields; ValueError or TypeError for what is missing or of a wrong type."""
    if not isinstance(value, dict) or set(value) - {"owners"} != {*_TEXTS, "principals", "groups", "claims"}:
        raise ValueError("not the fields of an identity")
    tenant, issuer, subject = (_text(value[name]) for name in _TEXTS)
    principals = tuple(_text(item) for item in _list(value["principals"]))
    if not principals:
        raise ValueError("no principal")
    if not isinstance(value["claims"], dict):
        raise TypeError("claims are not a mapping")
    claims = {name: _text(text, empty=True) for name, text in value["claims"].items()}
    groups = frozenset(_text(item) for item in _list(value["groups"]))
    owners = tuple(_text(item) for item in _list(value.get("owners", [])))
    return Identity(tenant, issuer, subject, principals, groups, claims, owners)


def _text(value: Any, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise ValueError("not a text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def user_key_id(identity: Identity) -> bytes:
    """The key id of a user certificate: `tenant=… issuer=… subject=…`."""
    return " ".join(_pairs(identity)).encode()


def upstream_key_id(credential: Credential) -> bytes:
    """The key id of an upstream certificate: whose session this is, as the target's sshd writes it into its log."""
    return " ".join(["bastion", *_pairs(credential.identity), f"serial={credential.serial}"]).encode()


def _pairs(identity: Identity) -> list[str]:
    """Percent-encoded (RFC 3986), so that no value can end its field, its line, or pass for another field."""
    return [f"{name}={quote(getattr(identity, name), safe=':/@.+-_~')}" for name in _TEXTS]
