"""The SSH authorities: they issue certificates (PROTOCOL.certkeys of OpenSSH) and check those of users.

One authority is one ed25519 key. A tenant has a user authority, which signs what its agents log in with, and may have
a target authority, which signs what the bastion logs in with upstream; the bastion has one host authority.

What `verify_user` proves is that one of our authorities issued these bytes and that they may be used now, from there.
That the other side holds the private key is proven by the SSH connection, not here.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_identity,
)

from bastion.errors import BadCertificate, BadPublicKey, KeyUnusable
from bastion.identity import edwards, extension
from bastion.identity.principal import BadCredential, Credential, Identity

MAX_LIFETIME = 3600
"""Seconds: no user certificate is issued for longer, and none that lives longer is accepted."""
MAX_SKEW = 300
"""Seconds that a certificate may be dated back, on top of its lifetime, for clients whose clock is behind."""
MAX_CERTIFICATE = 32768
"""Bytes of a user certificate in wire format."""

KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
"""The kinds of key that may be certified. RSA and DSA are not; keys on a token (`sk-…`) wait for the library."""

CERTIFICATE = "-cert-v01@openssh.com"

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


class Authority:
    """One authority's private key. Its methods are pure but for the nonce, which the library draws."""

    def __init__(self, key: ed25519.Ed25519PrivateKey, name: str) -> None:
        self._key = key
        self.name = name
        self.public = _public_line(key.public_key())
        self.public_blob = base64.b64decode(self.public.split()[1])

    def __repr__(self) -> str:
        return f"Authority({self.name!r}, {fingerprint(self.public_blob)})"

    @classmethod
    def load(cls, private_key: bytes, passphrase: bytes | None, name: str) -> Authority:
        """Read a private key in OpenSSH's format. KeyUnusable unless it is ed25519 and the passphrase opens it."""
        try:
            key = load_ssh_private_key(private_key, passphrase)
        except TypeError as error:
            wanted = "needs a passphrase" if passphrase is None else "has no passphrase, but one was given"
            raise KeyUnusable(f"the key of authority {name} {wanted}") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnusable(
                f"the key of authority {name} is not an OpenSSH private key, or its passphrase is wrong"
            ) from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise KeyUnusable(f"the key of authority {name} is not ed25519; make one with `bastion ca init`")
        return cls(key, name)

    def secret_for(self, purpose: str) -> bytes:
        """32 bytes that only this authority's key gives, always the same for one purpose (HKDF, RFC 5869)."""
        seed = self._key.private_bytes_raw()
        return HKDF(hashes.SHA256(), 32, salt=None, info=b"bastion " + purpose.encode()).derive(seed)

    def issue_user(
        self, public_key: str, identity: Identity, *, serial: int, valid_after: int, valid_before: int
    ) -> str:
        """A user certificate, one line, for a client's public key. BadPublicKey for a key of another kind.

        It may be used for a terminal and, as asyncssh asks for it before a jump, for port forwarding (which policy
        then decides). ValueError when the identity is too large, or the lifetime is over MAX_LIFETIME + MAX_SKEW.
        """
        if valid_before - valid_after > MAX_LIFETIME + MAX_SKEW:
            raise ValueError(f"a user certificate lives at most {MAX_LIFETIME} seconds")
        builder = _builder(public_key, SSHCertificateType.USER, serial, valid_after, valid_before)
        return self._sign(
            builder.key_id(extension.user_key_id(identity))
            .valid_principals([name.encode() for name in identity.principals])
            .add_extension(b"permit-pty", b"")
            .add_extension(b"permit-port-forwarding", b"")
            .add_extension(extension.NAME, extension.pack(identity))
        )

    def issue_host(
        self, public_key: str, names: Sequence[str], *, serial: int, key_id: str, valid_after: int, valid_before: int
    ) -> str:
        """A host certificate, one line, for a host key that shall prove any of `names` (at least one)."""
        builder = _builder(public_key, SSHCertificateType.HOST, serial, valid_after, valid_before)
        return self._sign(builder.key_id(key_id.encode()).valid_principals([name.encode() for name in names]))

    def issue_upstream(
        self,
        public_key: str,
        account: str,
        credential: Credential,
        *,
        serial: int,
        valid_after: int,
        valid_before: int,
    ) -> str:
        """A user certificate, one line, with which the bastion itself logs in to a target's `account`.

        The key id names the agent behind it and its certificate's serial. It permits a terminal, and no forwarding.
        """
        builder = _builder(public_key, SSHCertificateType.USER, serial, valid_after, valid_before)
        return self._sign(
            builder.key_id(extension.upstream_key_id(credential))
            .valid_principals([account.encode()])
            .add_extension(b"permit-pty", b"")
        )

    def _sign(self, builder: SSHCertificateBuilder) -> str:
        return builder.sign(self._key).public_bytes().decode("ascii")


def generate() -> tuple[bytes, str]:
    """A fresh ed25519 key pair: the private key in OpenSSH's format without passphrase, and the public line."""
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), _public_line(key.public_key())


def public_of(private_key: bytes) -> str:
    """The public line of a private key that has no passphrase. KeyUnusable when it can not be read."""
    return Authority.load(private_key, None, "in place").public


def fingerprint(blob: bytes) -> str:
    """OpenSSH's `SHA256:…` of a public key in wire format."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode("ascii")


def read_public_key(line: str) -> PublicKey:
    """A client's public key from OpenSSH's one-line form (a comment is allowed). BadPublicKey says what is wrong."""
    kinds = ", ".join(KEY_TYPES)
    words = line.split(None, 2)
    if len(line) > 8192 or "\n" in line.strip() or len(words) < 2:
        raise BadPublicKey(f"not a public key: expected one line such as `ssh-ed25519 AAAA…` ({kinds})")
    if words[0] not in KEY_TYPES:
        shown = words[0] if words[0].isprintable() and len(words[0]) < 64 else "this kind"
        raise BadPublicKey(f"keys of type {shown} are not certified; accepted: {kinds}")
    try:
        key = load_ssh_public_identity(f"{words[0]} {words[1]}".encode())
        if not isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey):
            raise BadPublicKey(f"not a public key of type {words[0]}")
        if isinstance(key, ed25519.Ed25519PublicKey) and edwards.weak(key.public_bytes_raw()):
            raise BadPublicKey("not a key: anybody could sign for this point of the curve. Make one with ssh-keygen")
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise BadPublicKey(f"not a public key of type {words[0]}: its second word can not be read") from error
    return key


def read_public_line(line: str) -> str:
    """`read_public_key` as the one line without its comment, spelled the one way there is."""
    return _public_line(read_public_key(line))


def read_user_certificate(line: str, public: str) -> tuple[str, int]:
    """The one spelling of a user certificate's line, and when it is over (seconds since 1970).

    BadCertificate unless it is one for the key `public` (its line), signed right, and no longer-lived than any of ours.
    This is for who was given it; who is shown one asks `verify_user`.
    """
    words = line.split()
    try:
        if len(line) > 2 * MAX_CERTIFICATE or len(words) < 2:
            raise BadCertificate("not one line of a certificate")
        certificate = load_ssh_public_identity(f"{words[0]} {words[1]}".encode())
        if not isinstance(certificate, SSHCertificate) or certificate.type is not SSHCertificateType.USER:
            raise BadCertificate("not a user certificate")
        if _blob_of(certificate) != _blob(read_public_key(public)):
            raise BadCertificate("a certificate for another key")
        certificate.verify_cert_signature()
    except InvalidSignature as error:
        raise BadCertificate("a certificate with a wrong signature") from error
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise BadCertificate("a certificate that can not be read") from error
    if certificate.valid_before - certificate.valid_after > MAX_LIFETIME + MAX_SKEW:
        raise BadCertificate(f"a certificate that lives longer than {MAX_LIFETIME} seconds")
    return certificate.public_bytes().decode("ascii"), certificate.valid_before


def _public_line(key: PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def _blob(key: PublicKey) -> bytes:
    return base64.b64decode(_public_line(key).split()[1])


def _builder(
    public_key: str, kind: SSHCertificateType, serial: int, valid_after: int, valid_before: int
) -> SSHCertificateBuilder:
    return (
        SSHCertificateBuilder()
        .public_key(read_public_key(public_key))
        .type(kind)
        .serial(serial)
        .valid_after(valid_after)
        .valid_before(valid_before)
    )


# -- checking what a client shows --------------------------------------------------------------------------------------


def verify_user(
    blob: bytes,
    authorities: Mapping[str, Sequence[bytes]],
    *,
    now: float,
    source: str,
    revoked: Callable[[Credential], str | None],
) -> Credential:
    """The Credential in a user certificate (wire format), or BadCertificate with the precise reason; nothing else. That
    is a BadCredential once the certificate is known to be one of ours.

    `authorities` are the public keys (wire format) of each tenant's user authorities, `source` the client's address,
    `revoked` says why a credential is revoked, or None. Every critical option other than `source-address` is refused.
    """
    certificate = _parse(blob)
    tenants = _signed_by(certificate, authorities)
    packed = certificate.extensions.get(extension.NAME)
    if packed is None:
        raise BadCertificate("the certificate carries no identity: it was not issued by this bastion's API")
    identity = extension.unpack(packed)
    if identity.tenant not in tenants:
        raise BadCertificate("the certificate is of another tenant than the authority that signed it")
    if certificate.valid_principals != [name.encode() for name in identity.principals]:
        raise BadCertificate("the certificate's principals are not those of its identity")
    credential = Credential(
        identity=identity,
        serial=certificate.serial,
        key_id=certificate.key_id.decode("utf-8", "backslashreplace"),
        fingerprint=fingerprint(_blob_of(certificate)),
        blob=blob,
        valid_after=certificate.valid_after,
        valid_before=certificate.valid_before,
    )
    try:
        _check_time(credential, now)
        _check_options(certificate, source)
    except BadCertificate as error:
        raise BadCredential(str(error), credential) from error
    reason = revoked(credential)
    if reason is not None:
        raise BadCredential(f"the certificate is revoked: {reason}", credential)
    return credential


def _parse(blob: bytes) -> SSHCertificate:
    """A user certificate of an accepted key type that carries a principal; its signature is not checked yet."""
    length = int.from_bytes(blob[:4], "big")
    kind = blob[4 : 4 + length].decode("ascii", "replace") if length <= 64 else ""
    if kind in KEY_TYPES or kind in ("ssh-rsa", "ssh-dss"):
        raise BadCertificate("a plain public key is not enough: get a certificate with `bastion cert`")
    if kind.endswith(CERTIFICATE) and kind.removesuffix(CERTIFICATE) not in KEY_TYPES:
        raise BadCertificate(f"certificates for this type of key are not accepted; use {', '.join(KEY_TYPES)}")
    if not kind.endswith(CERTIFICATE) or len(blob) > MAX_CERTIFICATE:
        raise BadCertificate("not an SSH certificate")
    try:
        certificate = load_ssh_public_identity(f"{kind} ".encode() + base64.b64encode(blob))
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise BadCertificate("the certificate can not be read: it is damaged or not of OpenSSH's format") from error
    if not isinstance(certificate, SSHCertificate):
        raise BadCertificate("not an SSH certificate")
    if certificate.type is not SSHCertificateType.USER:
        raise BadCertificate("a host certificate does not log anyone in: a user certificate is needed")
    if not certificate.valid_principals:
        raise BadCertificate("the certificate names no principal, which would make it good for anyone")
    return certificate


def _signed_by(certificate: SSHCertificate, authorities: Mapping[str, Sequence[bytes]]) -> set[str]:
    """The tenants (never none) whose authority signed the certificate, after checking the signature."""
    try:
        signer = certificate.signature_key()
        if not isinstance(signer, ed25519.Ed25519PublicKey):
            raise BadCertificate("the certificate is signed by an unknown authority")
        blob = _blob(signer)
        tenants = {tenant for tenant, blobs in authorities.items() if blob in blobs}
        if not tenants:
            raise BadCertificate("the certificate is signed by an unknown authority")
        certificate.verify_cert_signature()
    except InvalidSignature as error:
        raise BadCertificate("the certificate's signature is wrong: it was altered after it was issued") from error
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise BadCertificate("the certificate's signing key can not be read") from error
    return tenants


def _blob_of(certificate: SSHCertificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise BadCertificate("certificates for this type of key are not accepted")
    return _blob(key)


def _check_time(credential: Credential, now: float) -> None:
    if credential.valid_before - credential.valid_after > MAX_LIFETIME + MAX_SKEW:
        raise BadCertificate(f"the certificate lives longer than {MAX_LIFETIME} seconds, which no certificate may")
    if now < credential.valid_after:
        seconds = int(credential.valid_after - now) + 1
        raise BadCertificate(f"the certificate is not yet valid: {seconds} seconds from now; are the clocks right?")
    if now >= credential.valid_before:
        seconds = int(now - credential.valid_before)
        raise BadCertificate(f"the certificate expired {seconds} seconds ago: renew it with `bastion cert`")


def _check_options(certificate: SSHCertificate, source: str) -> None:
    for name, value in certificate.critical_options.items():
        if name == b"force-command":
            raise BadCertificate("certificates with force-command are not accepted: what may run is policy's to say")
        if name != b"source-address":
            raise BadCertificate("the certificate has a critical option that this bastion does not know")
        try:
            networks = list(map(partial(ipaddress.ip_network, strict=False), value.decode("ascii").split(",")))
            address = ipaddress.ip_address(source)
        except ValueError as error:
            raise BadCertificate("the certificate's source-address can not be compared with the client's") from error
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        if not any((mapped or address) in network for network in networks):
            raise BadCertificate("the certificate may not be used from this address")
