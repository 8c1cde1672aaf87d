"""A token becomes a certificate, and the audit trail knows of it first."""

from __future__ import annotations

import base64

import pytest

from bastion.audit.events import CertificateIssued, CertificateRefused, Event
from bastion.errors import BadPublicKey, BadToken, BastionError, Denied, IssuerDown, NotRecorded, StoreDown
from bastion.identity.authority import Authority, fingerprint, generate, verify_user
from bastion.identity.issuance import MAX_SERIAL, Issuance, Issued, random_serial
from bastion.identity.oidc import Verifier
from bastion.identity.revocation import Revocation, Revocations
from tests.services.identity.parts import CLAIMS, ISSUER, NOW, URL, Clock, Documents, published, token

KEY = generate()[1]
MARK = fingerprint(base64.b64decode(KEY.split()[1]))
AUTHORITY = Authority.load(generate()[0], None, "demo-user-ca")
TOKEN = token(CLAIMS, {"alg": "ES256", "kid": "first"}, "first")


class Trail:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken = False

    async def write(self, event: Event) -> None:
        if self.broken:
            raise NotRecorded("the audit trail can not be written")
        self.events.append(event)


class Kept:
    """A list of what was issued. `failing`: one that can not be written."""

    def __init__(self) -> None:
        self.serials: list[int] = []
        self.failing = False

    async def issued(self, issued: Issued, fingerprint: str, source: str) -> None:
        assert fingerprint.startswith("SHA256:")
        assert source
        if self.failing:
            raise StoreDown("the disk is full")
        self.serials.append(issued.serial)


def issuance(
    trail: Trail, *entries: Revocation, down: bool = False, authority: bool = True, kept: Kept | None = None
) -> Issuance:
    documents = Documents(published("first"))
    documents.down = down
    authorities = {"demo": AUTHORITY} if authority else {}
    verifier = Verifier([ISSUER], documents, Clock())
    return Issuance(verifier, authorities, trail, Revocations(None, entries), Clock(), kept or Kept(), lambda: 4711)


def revocation(**what: str) -> Revocation:
    return Revocation(tenant="demo", reason="lost", time="2026-01-31T12:00:00Z", **what)  # type: ignore[arg-type]  # only texts here


async def test_what_can_not_be_listed_does_not_go_out() -> None:
    """It is in the trail by then, and on the list of what was issued before anyone has it."""
    kept, trail = Kept(), Trail()
    await issuance(trail, kept=kept).issue(TOKEN, KEY, None, "192.0.2.1")
    assert kept.serials == [4711]
    kept.failing = True
    with pytest.raises(StoreDown):
        await issuance(trail, kept=kept).issue(TOKEN, KEY, None, "192.0.2.1")


async def test_a_certificate_is_issued_and_told() -> None:
    trail = Trail()
    issued = await issuance(trail).issue(TOKEN, KEY + " comment", None, "192.0.2.1")
    assert (issued.serial, issued.valid_after, issued.valid_before) == (4711, int(NOW) - 60, int(NOW) + 900)
    credential = verify_user(
        base64.b64decode(issued.certificate.split()[1]),
        {"demo": [AUTHORITY.public_blob]},
        now=NOW,
        source="192.0.2.1",
        revoked=lambda _credential: None,
    )
    assert credential.identity == issued.identity
    assert trail.events == [
        CertificateIssued(
            tenant="demo",
            identity="agent@demo",
            issuer=URL,
            subject="agent",
            serial=4711,
            source="192.0.2.1",
            fingerprint=MARK,
            principals=("agent@demo",),
            groups=("agents",),
            valid_after=int(NOW) - 60,
            valid_before=int(NOW) + 900,
        )
    ]


async def test_no_certificate_leaves_that_the_audit_trail_does_not_have() -> None:
    trail = Trail()
    trail.broken = True
    with pytest.raises(NotRecorded):
        await issuance(trail).issue(TOKEN, KEY, None, "192.0.2.1")


@pytest.mark.parametrize(
    ("text", "key", "revoked", "down", "error", "known"),
    [
        ("", KEY, {}, False, BadToken, False),
        ("nonsense", KEY, {}, False, BadToken, False),
        (TOKEN, "nonsense", {}, False, BadPublicKey, False),
        (TOKEN, KEY, {}, True, IssuerDown, False),
        (TOKEN, KEY, {"identity": "agent@demo"}, False, Denied, True),
        (TOKEN, KEY, {"identity": "agent"}, False, Denied, True),
        (TOKEN, KEY, {"key": MARK}, False, Denied, True),
    ],
)
async def test_a_refusal_is_told_with_its_reason_and_without_the_token(
    text: str, key: str, revoked: dict[str, str], down: bool, error: type[BastionError], known: bool
) -> None:
    trail = Trail()
    entries = [revocation(**revoked)] if revoked else []
    with pytest.raises(error) as refused:
        await issuance(trail, *entries, down=down).issue(text, key, None, "192.0.2.1")
    identity = {"tenant": "demo", "issuer": URL, "subject": "agent"} if known else {}
    assert trail.events == [CertificateRefused(source="192.0.2.1", reason=str(refused.value), **identity)]
    assert TOKEN not in str(trail.events)


async def test_a_tenant_without_authority_issues_nothing() -> None:
    with pytest.raises(Denied, match="no authority"):
        await issuance(Trail(), authority=False).issue(TOKEN, KEY, None, "192.0.2.1")


def test_serials_are_whole_in_every_reader_of_json() -> None:
    serials = {random_serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert all(1 <= serial <= MAX_SERIAL < 1 << 53 for serial in serials)


async def test_who_a_token_is_for_is_known_until_its_end() -> None:
    identity, ends = await issuance(Trail()).identify(TOKEN, None)
    assert (identity.name, ends) == ("agent@demo", CLAIMS["exp"])
    late = token({**CLAIMS, "exp": NOW - 1}, {"alg": "ES256", "kid": "first"}, "first")
    assert (await issuance(Trail()).identify(late, None))[1] == NOW - 1 + ISSUER.skew
