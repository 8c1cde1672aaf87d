"""Who someone is, as everything above this room knows it: an Identity, and the Credential that proves it.

An Identity is made from a verified OIDC token and travels inside the SSH certificate, so that the SSH side of the
bastion needs no store to know who knocks. A Credential is a certificate whose private key was proven to be held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bastion.errors import BadCertificate


@dataclass(frozen=True, slots=True)
class Identity:
    """One person or agent of one tenant.

    `principals` are the names that policy knows it by (`who.identities`), the first of them its name for people;
    never empty. `claims` are the claims that the issuer's mapping keeps, each as text. `owners` are the principals of
    whoever owns an agent, as its issuer tells them: they decide on nothing that it asks for.
    """

    tenant: str
    issuer: str
    subject: str
    principals: tuple[str, ...]
    groups: frozenset[str]
    claims: Mapping[str, str]
    owners: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.principals[0]


@dataclass(frozen=True, slots=True)
class Credential:
    """A user certificate of one of our authorities, checked, with its key proven to be held by the other side.

    `serial` is 1 to 2**64-1; `fingerprint` is OpenSSH's `SHA256:…` of the public key; `blob` the certificate in wire
    format (PROTOCOL.certkeys); the times are seconds since 1970, `valid_after` included and `valid_before` not.
    """

    identity: Identity
    serial: int
    key_id: str
    fingerprint: str
    blob: bytes
    valid_after: int
    valid_before: int


class BadCredential(BadCertificate):
    """A certificate of one of our authorities that is not good here and now. `credential` says whose it is; that its
    key is held is not proven."""

    def __init__(self, reason: str, credential: Credential) -> None:
        super().__init__(reason)
        self.credential = credential
