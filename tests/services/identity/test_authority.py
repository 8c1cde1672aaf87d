"""Certificates: what the authorities issue, and which of what clients show is accepted."""

from __future__ import annotations

import base64
import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import BadCertificate, BadPublicKey, KeyUnusable
from bastion.identity import extension
from bastion.identity.authority import Authority, fingerprint, generate, read_public_line, verify_user
from bastion.identity.principal import Credential, Identity

VECTORS = yaml.safe_load((Path(__file__).parents[2] / "vectors" / "certificates.yaml").read_text())
NOW = 1_800_000_000
IDENTITY = Identity("demo", "https://i.example.com", "agent|1", ("agent@demo",), frozenset({"agents"}), {"env": "prod"})

CLIENTS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}
SIGNERS: dict[str, Any] = {
    "demo": ed25519.Ed25519PrivateKey.generate(),
    "other": ed25519.Ed25519PrivateKey.generate(),
    "stranger": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
}
DEMO = Authority(SIGNERS["demo"], "demo-user-ca")
AUTHORITIES = {"demo": [DEMO.public_blob], "other": [Authority(SIGNERS["other"], "other-user-ca").public_blob]}


def line(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def blob(certificate: str) -> bytes:
    return base64.b64decode(certificate.split()[1])


def check(data: bytes, *, source: str = "192.0.2.1", revoked: str | None = None) -> Credential:
    return verify_user(data, AUTHORITIES, now=NOW, source=source, revoked=lambda _credential: revoked)


def good() -> bytes:
    return blob(
        DEMO.issue_user(line(CLIENTS["ed25519"]), IDENTITY, serial=7, valid_after=NOW - 60, valid_before=NOW + 900)
    )


def crafted(vector: dict[str, Any]) -> bytes:
    """A certificate as the vector tells, made with the library and not with what is under test."""
    kind = SSHCertificateType.HOST if vector.get("type") == "host" else SSHCertificateType.USER
    before = vector.get("before", 900)
    builder = (
        SSHCertificateBuilder()
        .public_key(CLIENTS[vector.get("key", "ed25519")].public_key())
        .type(kind)
        .serial(7)
        .key_id(b"test")
        .valid_after(NOW + vector.get("after", -60))
        .valid_before(2**64 - 1 if before == "forever" else NOW + before)
        .add_extension(b"permit-port-forwarding", b"")
    )
    principals = vector.get("principals", ["agent@demo"])
    if principals:
        builder = builder.valid_principals([name.encode() for name in principals])
    else:
        builder = builder.valid_for_all_principals()  # type: ignore[no-untyped-call]  # the library's, without types
    for name, value in vector.get("options", {}).items():
        builder = builder.add_critical_option(name.encode(), value.encode())
    identity = vector.get("identity", {})
    if identity != "none":
        tenant = identity.get("tenant", "demo")
        packed = extension.pack(Identity(tenant, "https://i.example.com", "s", ("agent@demo",), frozenset(), {}))
        packed = identity["raw"].encode() if "raw" in identity else packed
        builder = builder.add_extension(extension.NAME, packed)
    return blob(builder.sign(SIGNERS[vector.get("signer", "demo")]).public_bytes().decode())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_certificate_is_accepted_or_refused_with_the_reason(vector: dict[str, Any]) -> None:
    data, source, revoked = crafted(vector), vector.get("source", "192.0.2.1"), vector.get("revoked")
    if vector.get("accept"):
        assert check(data, source=source, revoked=revoked).serial == 7
        return
    with pytest.raises(BadCertificate, match=vector["refuse"]) as refused:
        check(data, source=source, revoked=revoked)
    assert str(refused.value).isprintable()


def test_what_was_issued_comes_back_as_it_was() -> None:
    data = good()
    credential = check(data)
    assert credential == Credential(
        identity=IDENTITY,
        serial=7,
        key_id="tenant=demo issuer=https://i.example.com subject=agent%7C1",
        fingerprint=fingerprint(base64.b64decode(line(CLIENTS["ed25519"]).split()[1])),
        blob=data,
        valid_after=NOW - 60,
        valid_before=NOW + 900,
    )


def test_revocation_is_asked_about_the_checked_credential() -> None:
    asked: list[Credential] = []

    def revoked(credential: Credential) -> None:
        asked.append(credential)

    credential = verify_user(good(), AUTHORITIES, now=NOW, source="192.0.2.1", revoked=revoked)
    assert asked == [credential]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an SSH certificate"),
        (b"\0\0\0", "not an SSH certificate"),
        (b"\xff\xff\xff\xff", "not an SSH certificate"),
        (os.urandom(200), "not an SSH certificate"),
        (base64.b64decode(line(CLIENTS["ed25519"]).split()[1]), "plain public key"),
        (base64.b64decode(line(CLIENTS["rsa"]).split()[1]), "plain public key"),
        (good() + b"\0", "can not be read"),
        (good() + good(), "can not be read"),
        (good()[:-1], "can not be read"),
        (good()[:40], "can not be read"),
        (good() + bytes(40000), "not an SSH certificate"),
        (
            b"\0\0\0\x40" + b"ssh-ed25519-cert-v01@openssh.com" * 2 + good()[36:],
            "type of key",
        ),
        (
            b"\0\0\0\x22sk-ssh-ed25519-cert-v01@openssh.com"[:38] + good()[36:],
            "type of key|not an SSH certificate",
        ),
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadCertificate, match=message):
        check(data)


def test_a_certificate_signed_by_a_certificate_is_refused() -> None:
    """PROTOCOL.certkeys forbids chains: the signing key may not itself be a certificate."""
    data = good()
    signer = AUTHORITIES["demo"][0]
    at = data.rindex(len(signer).to_bytes(4, "big") + signer)
    chained = data[:at] + len(data).to_bytes(4, "big") + data + data[at + 4 + len(signer) :]
    with pytest.raises(BadCertificate, match=r"can not be read|signing key|unknown authority"):
        check(chained)


@given(at=st.integers(0, 2000), value=st.integers(0, 255))
def test_one_byte_changed_is_refused(at: int, value: int) -> None:
    data = bytearray(GOOD)
    at %= len(data)
    if data[at] == value:
        return
    data[at] = value
    with pytest.raises(BadCertificate):
        check(bytes(data))


@given(
    start=st.integers(0, 2000),
    size=st.integers(0, 64),
    filling=st.binary(max_size=64),
    kind=st.sampled_from(sorted(CLIENTS)),
)
def test_bytes_replaced_or_moved_are_refused_and_nothing_else_happens(
    start: int, size: int, filling: bytes, kind: str
) -> None:
    data = BY_KIND[kind]
    start %= len(data)
    changed = data[:start] + filling + data[start + size :]
    if changed == data and kind != "rsa":
        check(changed)
        return
    with pytest.raises(BadCertificate):
        check(changed)


@given(st.binary(max_size=300))
def test_noise_under_a_certificate_s_name_is_refused(noise: bytes) -> None:
    name = b"ssh-ed25519-cert-v01@openssh.com"
    with pytest.raises(BadCertificate):
        check(len(name).to_bytes(4, "big") + name + noise)


GOOD = good()
BY_KIND = {kind: crafted({"key": kind}) for kind in CLIENTS}


# -- issuing -----------------------------------------------------------------------------------------------------------


def test_openssh_reads_what_is_issued(tmp_path: Path) -> None:
    path = tmp_path / "id-cert.pub"
    path.write_text(
        DEMO.issue_user(line(CLIENTS["p256"]), IDENTITY, serial=2**64 - 1, valid_after=NOW, valid_before=NOW + 60)
    )
    shown = subprocess.run(["ssh-keygen", "-L", "-f", path], capture_output=True, text=True, check=True).stdout
    for wanted in (
        "ecdsa-sha2-nistp256-cert-v01@openssh.com user certificate",
        f"Signing CA: ED25519 {fingerprint(DEMO.public_blob)}",
        'Key ID: "tenant=demo issuer=https://i.example.com subject=agent%7C1"',
        "Serial: 18446744073709551615",
        "agent@demo",
        "permit-port-forwarding",
        "permit-pty",
    ):
        assert wanted in shown


def test_an_upstream_certificate_names_the_agent_and_permits_no_forwarding(tmp_path: Path) -> None:
    path = tmp_path / "up-cert.pub"
    path.write_text(
        DEMO.issue_upstream(
            line(CLIENTS["ed25519"]), "deploy", check(GOOD), serial=9, valid_after=NOW, valid_before=NOW + 60
        )
    )
    shown = subprocess.run(["ssh-keygen", "-L", "-f", path], capture_output=True, text=True, check=True).stdout
    assert '"bastion tenant=demo issuer=https://i.example.com subject=agent%7C1 serial=7"' in shown
    assert "deploy" in shown
    assert "permit-pty" in shown
    assert "forwarding" not in shown


def test_an_upstream_certificate_does_not_log_in_to_the_bastion() -> None:
    data = blob(
        DEMO.issue_upstream(
            line(CLIENTS["ed25519"]), "deploy", check(GOOD), serial=9, valid_after=NOW, valid_before=NOW + 60
        )
    )
    with pytest.raises(BadCertificate, match="carries no identity"):
        check(data)


def test_a_host_certificate_names_its_hosts(tmp_path: Path) -> None:
    path = tmp_path / "host-cert.pub"
    path.write_text(
        DEMO.issue_host(
            line(CLIENTS["ed25519"]), ["web-1", "web-2"], serial=1, key_id="k", valid_after=NOW, valid_before=NOW + 60
        )
    )
    shown = subprocess.run(["ssh-keygen", "-L", "-f", path], capture_output=True, text=True, check=True).stdout
    assert "host certificate" in shown
    assert "web-1" in shown
    assert "web-2" in shown


def test_a_user_certificate_of_more_than_an_hour_is_never_issued() -> None:
    with pytest.raises(ValueError, match="at most 3600"):
        DEMO.issue_user(line(CLIENTS["p256"]), IDENTITY, serial=1, valid_after=NOW - 301, valid_before=NOW + 3600)


@pytest.mark.parametrize("tricky", ["a b", "a\nb", "a tenant=root", "a%20b", 'a"b', "ü", "a=b"])
def test_no_subject_can_pass_for_another_field_of_the_key_id(tricky: str) -> None:
    identity = Identity("demo", "https://i", tricky, ("agent@demo",), frozenset(), {})
    fields = extension.user_key_id(identity).decode("ascii").split(" ")
    assert [field.partition("=")[0] for field in fields] == ["tenant", "issuer", "subject"]


@given(
    st.builds(
        Identity,
        tenant=st.text(min_size=1),
        issuer=st.text(min_size=1),
        subject=st.text(min_size=1),
        principals=st.lists(st.text(min_size=1), min_size=1, max_size=4).map(tuple),
        groups=st.frozensets(st.text(min_size=1), max_size=4),
        claims=st.dictionaries(st.text(), st.text(), max_size=4),
    )
)
def test_an_identity_survives_its_journey(identity: Identity) -> None:
    assert extension.unpack(extension.pack(identity)) == identity


@pytest.mark.parametrize("size", [extension.MAX_BYTES, 1 << 20])
def test_an_identity_too_large_is_neither_issued_nor_read(size: int) -> None:
    identity = Identity("demo", "i", "s" * size, ("agent@demo",), frozenset(), {})
    with pytest.raises(ValueError, match="more than"):
        extension.pack(identity)
    with pytest.raises(BadCertificate, match="larger"):
        extension.unpack(b"x" * (size + 1))


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "p256", "p384", "p521"])
def test_accepted_public_keys_lose_their_comment(kind: str) -> None:
    text = line(CLIENTS[kind])
    assert read_public_line(f"  {text} someone@somewhere with blanks\n") == text


DSA = base64.b64encode(b"\0\0\0\x07ssh-dss" + bytes(20)).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a public key"),
        ("ssh-ed25519", "not a public key"),
        ("ssh-ed25519 AAAA", "can not be read"),
        ("ssh-ed25519 !!!!", "can not be read"),
        (line(CLIENTS["rsa"]), "ssh-rsa are not certified"),
        (f"ssh-dss {DSA}", "ssh-dss are not certified"),
        (line(CLIENTS["ed25519"]).replace("ssh-ed25519", "ecdsa-sha2-nistp256"), "can not be read"),
        (line(CLIENTS["ed25519"]) + "\n" + line(CLIENTS["p256"]), "one line"),
        (f"ssh-ed25519-cert-v01@openssh.com {base64.b64encode(GOOD).decode()}", "not certified"),
        ("sk-ssh-ed25519@openssh.com AAAA", "not certified"),
        ("ssh-ed25519 " + "A" * 9000, "not a public key"),
        ("\x1b[2J AAAA", "this kind"),
        (generate()[0].decode(), "one line"),
    ],
)
def test_other_public_keys_are_refused_with_what_would_be_accepted(text: str, message: str) -> None:
    with pytest.raises(BadPublicKey, match=message) as refused:
        read_public_line(text)
    assert str(refused.value).isprintable()


@given(st.text(max_size=200))
def test_no_public_key_does_more_than_be_refused(text: str) -> None:
    for head in ("", "ssh-ed25519 ", "ecdsa-sha2-nistp256 "):
        with pytest.raises(BadPublicKey):
            read_public_line(head + text)


def test_a_generated_key_loads() -> None:
    private, public = generate()
    assert Authority.load(private, None, "x").public == public


def test_a_passphrase_opens_a_key_and_another_does_not() -> None:
    private = SIGNERS["demo"].private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"right"))
    assert Authority.load(private, b"right", "x").public == DEMO.public
    for passphrase, message in ((b"wrong-one", "passphrase is wrong"), (None, "needs a passphrase")):
        with pytest.raises(KeyUnusable, match=message) as refused:
            Authority.load(private, passphrase, "x")
        assert "wrong-one" not in str(refused.value)


@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_an_authority_of_another_type_is_refused(kind: str) -> None:
    private = CLIENTS[kind].private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(KeyUnusable, match="not ed25519"):
        Authority.load(private, None, "x")


def test_an_authority_shows_no_private_key() -> None:
    assert repr(DEMO) == f"Authority('demo-user-ca', {fingerprint(DEMO.public_blob)})"


def test_owners_travel_in_the_certificate_and_without_them_it_is_what_it_was() -> None:
    owned = dataclasses.replace(IDENTITY, owners=("rev@demo", "second@demo"))
    assert extension.unpack(extension.pack(owned)) == owned
    assert b"owners" not in extension.pack(IDENTITY)
    with pytest.raises(BadCertificate):
        extension.unpack(extension.pack(IDENTITY)[:-1].replace(b'"issuer"', b'"owners":[],"issuer"') + b"}")
