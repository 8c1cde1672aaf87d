"""A token and a public key become a certificate: the service behind `POST /v1/certificates`.

Order: verify the token, ask the revocations, sign, write the audit event, and only then answer; a certificate that is
not in the audit trail never leaves (law 6). Whatever is refused is told there too, with the reason.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bastion.audit.events import CertificateIssued, CertificateRefused, Event
from bastion.errors import BadToken, BastionError, Denied
from bastion.identity.authority import Authority, fingerprint, read_public_line
from bastion.identity.oidc import Issuer, expiry
from bastion.identity.principal import Identity

BACKDATED = 60
"""Seconds that a certificate begins before it is made, for machines whose clock is behind ours."""
MAX_SERIAL = (1 << 53) - 1
"""No serial is larger, so that every reader of JSON keeps them whole."""

_NOTHING_SENT = "no token: send one as `Authorization: Bearer TOKEN`"


class Audit(Protocol):
    """The audit trail. NotRecorded when the event can not be made durable."""

    async def write(self, event: Event) -> None: ...


class Identifying(Protocol):
    """oidc.Verifier, as this service sees it."""

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, Issuer]: ...


class Revoking(Protocol):
    """revocation.Revocations, as this service sees it: the reason, or None."""

    def identity_revoked(self, identity: Identity) -> str | None: ...

    def key_revoked(self, tenant: str, fingerprint: str) -> str | None: ...


class Keeping(Protocol):
    """Who keeps a list of what was issued. StoreDown when that can not be done."""

    async def issued(self, issued: Issued, fingerprint: str, source: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate (OpenSSH's one line), durable in the audit trail. Times are seconds since 1970."""

    certificate: str
    serial: int
    identity: Identity
    valid_after: int
    valid_before: int


def random_serial() -> int:
    """1 to MAX_SERIAL: two certificates of one tenant share a serial about never."""
    return 1 + secrets.randbelow(MAX_SERIAL)


class Issuance:
    """Stateless between calls. `authorities` are the tenants' user authorities, `clock` gives seconds since 1970."""

    def __init__(
        self,
        verifier: Identifying,
        authorities: Mapping[str, Authority],
        audit: Audit,
        revocations: Revoking,
        clock: Callable[[], float],
        keeping: Keeping,
        serial: Callable[[], int] = random_serial,
    ) -> None:
        self._verifier = verifier
        self._authorities = authorities
        self._audit = audit
        self._revocations = revocations
        self._clock = clock
        self._keeping = keeping
        self._serial = serial

    async def issue(self, token: str, public_key: str, tenant: str | None, source: str) -> Issued:
        """A certificate for the token's identity. `source` is the client's address, for the audit trail.

        BadToken, BadPublicKey, Denied (revoked), IssuerDown, NotRecorded, StoreDown.
        """
        identity: Identity | None = None
        try:
            if not token:
                raise BadToken(_NOTHING_SENT)
            key, mark = _read_key(public_key)
            identity, issuer = await self._verifier.identify(token, tenant)
            issued = self._sign(identity, issuer, key, mark)
        except BastionError as error:
            await self._audit.write(_refused(error, identity, source))
            raise
        await self._audit.write(_told(issued, mark, source))
        await self._keeping.issued(issued, mark, source)
        return issued

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, float]:
        """Who a token is for, where nothing is permitted by knowing it: no certificate, and no audit event. And until
        when (seconds since 1970): its `exp`, or, of one that is past it and good by its issuer's `skew`, the end of
        that.

        BadToken, Denied (revoked), IssuerDown.
        """
        if not token:
            raise BadToken(_NOTHING_SENT)
        identity, issuer = await self._verifier.identify(token, tenant)
        self._refuse_revoked(identity)
        ends = expiry(token)
        return identity, ends if self._clock() < ends else ends + issuer.skew

    def _refuse_revoked(self, identity: Identity) -> None:
        reason = self._revocations.identity_revoked(identity)
        if reason is not None:
            raise Denied(f"this identity is revoked: {reason}")

    def _sign(self, identity: Identity, issuer: Issuer, key: str, mark: str) -> Issued:
        authority = self._authorities.get(identity.tenant)
        if authority is None:
            raise Denied(f"tenant {identity.tenant} has no authority for its users")
        self._refuse_revoked(identity)
        reason = self._revocations.key_revoked(identity.tenant, mark)
        if reason is not None:
            raise Denied(f"this key is revoked: {reason}", remedy="use a new key")
        now = int(self._clock())
        serial, valid_after, valid_before = self._serial(), now - BACKDATED, now + issuer.lifetime
        certificate = authority.issue_user(
            key, identity, serial=serial, valid_after=valid_after, valid_before=valid_before
        )
        return Issued(certificate, serial, identity, valid_after, valid_before)


def _read_key(public_key: str) -> tuple[str, str]:
    """The key's one line, and its fingerprint."""
    line = read_public_line(public_key)
    return line, fingerprint(base64.b64decode(line.split()[1]))


def _refused(error: BastionError, identity: Identity | None, source: str) -> CertificateRefused:
    if identity is None:
        return CertificateRefused(source=source, reason=str(error))
    return CertificateRefused(
        source=source, reason=str(error), tenant=identity.tenant, issuer=identity.issuer, subject=identity.subject
    )


def _told(issued: Issued, mark: str, source: str) -> CertificateIssued:
    identity = issued.identity
    return CertificateIssued(
        tenant=identity.tenant,
        identity=identity.name,
        issuer=identity.issuer,
        subject=identity.subject,
        serial=issued.serial,
        source=source,
        fingerprint=mark,
        principals=identity.principals,
        groups=tuple(sorted(identity.groups)),
        valid_after=issued.valid_after,
        valid_before=issued.valid_before,
    )
