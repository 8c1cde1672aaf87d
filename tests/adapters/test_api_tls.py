"""The API's TLS context is made of the pair it is given, and of nothing else."""

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from bastion.api import tls
from bastion.errors import KeyUnusable


def pair(encryption: KeySerializationEncryption) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bastion.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_a_pair_makes_a_context_of_tls_1_2_and_later() -> None:
    made = tls.context(*pair(NoEncryption()))
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("what", ["not PEM", "a passphrase", "another's key"])
def test_anything_else_is_refused_with_a_reason_and_no_piece_of_the_key(what: str) -> None:
    certificate, key = pair(NoEncryption())
    broken = {"not PEM": b"secret-that-is-no-key", "a passphrase": pair(BestAvailableEncryption(b"secret"))[1]}
    with pytest.raises(KeyUnusable, match="not a pair") as told:
        tls.context(certificate, broken.get(what, pair(NoEncryption())[1]))
    assert "secret" not in str(told.value)
    assert key not in str(told.value).encode()
