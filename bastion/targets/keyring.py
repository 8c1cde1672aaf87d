"""The keys that only the bastion holds: read from files or systemd credentials, unlocked, never shown.

Limits: while a key is in use it is in this process's memory, and whoever may read that memory (root, a core dump)
may read the key. Nothing here locks pages or wipes them: Python can promise neither. What is held is the *place* of a
secret; the secret is read anew each time it is asked for, so that a rotated key is in force at the next connection.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from bastion.document import Node
from bastion.errors import KeyUnusable
from bastion.targets.target import Account, Secret

MAX_SECRET_BYTES = 64 * 1024
MIN_RSA_BITS = 2048

_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,254}\Z")
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_WRONG = "its passphrase is wrong, or the file is damaged"


def secret(node: Node) -> Secret | None:
    """Read `{file: /absolute/path}` or `{credential: name}`, exactly one of the two; None and a problem otherwise."""
    section = node.section()
    file, credential = section.take("file"), section.take("credential")
    section.close()
    if node.kind != "mapping":
        return None
    if file is not None and credential is None:
        path = file.text()
        if path is None:
            return None
        if not Path(path).is_absolute():
            file.problem(f"{path!r} is not an absolute path: secrets are never looked for relative to a folder")
            return None
        return Secret("file", path)
    if credential is None or file is not None:
        section.problem("a secret is {file: /absolute/path} or {credential: name}: give exactly one of the two")
        return None
    name = credential.text()
    if name is None:
        return None
    if not _CREDENTIAL.match(name):
        credential.problem(f"{name!r} is not a credential's name: letters, digits, '_', '.', '@' and '-'")
        return None
    return Secret("credential", name)


class Keyring:
    """Reads secrets. `credentials_directory` is systemd's `$CREDENTIALS_DIRECTORY`, or None when there is none."""

    def __init__(self, credentials_directory: Path | None) -> None:
        self._credentials = credentials_directory

    def __repr__(self) -> str:
        return f"Keyring({self._credentials})"

    def read(self, secret: Secret) -> bytes:
        """The secret's bytes, 1 byte to 64 KiB, as they stand in the file.

        A `file` must belong to root or to this process's user and be closed to group and others. A `credential` is
        guarded by its directory instead: systemd gives the service's user access by an ACL, which shows as group bits.
        Raises KeyUnusable, which names the place and what to do.
        """
        path = self._path(secret)
        try:
            # Not blocking, so that a FIFO in the key's place can not hold up the bastion.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise KeyUnusable(f"{path}: can not be read: {error.strerror}") from error
        try:
            _check(path, os.fstat(descriptor), private=secret.kind == "file")
            content = _read(descriptor)
        finally:
            os.close(descriptor)
        if not content:
            raise KeyUnusable(f"{path}: empty")
        if len(content) > MAX_SECRET_BYTES:
            raise KeyUnusable(f"{path}: larger than {MAX_SECRET_BYTES} bytes: this is not a key")
        return content

    def private_key(self, account: Account) -> bytes:
        """The account's held key, unlocked, as an OpenSSH private key in PEM (no passphrase).

        Blocks, for a key with a passphrase by as much as its key derivation asks (0.1 s and more for what ssh-keygen
        makes): call it in a thread. Raises KeyUnusable, which never says a passphrase or a piece of the key.
        """
        if account.key is None:
            raise KeyUnusable(f"account {account.name!r} has no held key: it is reached by certificate")
        passphrase = None
        if account.passphrase is not None:
            # The newline that an editor leaves at the end is no part of the passphrase.
            passphrase = self.read(account.passphrase).removesuffix(b"\n").removesuffix(b"\r")
        return unlock(self.read(account.key), passphrase, str(self._path(account.key)))

    def _path(self, secret: Secret) -> Path:
        if secret.kind == "file":
            return Path(secret.name)
        if self._credentials is None:
            raise KeyUnusable(
                f"credential {secret.name!r}: no $CREDENTIALS_DIRECTORY here: start by systemd with "
                f"LoadCredential={secret.name}:/path, or name a file instead"
            )
        return self._credentials / secret.name


def _read(descriptor: int) -> bytes:
    """Up to one byte more than a secret may have."""
    content = b""
    while len(content) <= MAX_SECRET_BYTES and (piece := os.read(descriptor, MAX_SECRET_BYTES + 1 - len(content))):
        content += piece
    return content


def _check(path: Path, status: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyUnusable(f"{path}: not a regular file")
    if not private:
        return
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise KeyUnusable(f"{path}: open to others (mode {mode:04o}): chmod 600 {path}")
    if status.st_uid not in (0, os.geteuid()):
        raise KeyUnusable(f"{path}: belongs to user {status.st_uid}, neither root nor the one who runs the bastion")


def unlock(pem: bytes, passphrase: bytes | None, place: str) -> bytes:
    """A private key (OpenSSH, PKCS#8 or PKCS#1 in PEM) without its passphrase, in OpenSSH's form.

    Ed25519, ECDSA on the NIST curves, and RSA of 2048 bits and more. `place` is for the message of KeyUnusable. What
    the library says of a failure is dropped on purpose (`from None`): it could quote what it was given.
    """
    load = load_ssh_private_key if pem.lstrip().startswith(_OPENSSH) else load_pem_private_key
    try:
        key = load(pem, passphrase)
    except TypeError:
        if passphrase is None:
            raise KeyUnusable(f"{place}: needs a passphrase: give the account `passphrase:`") from None
        raise KeyUnusable(f"{place}: has no passphrase, but one is given: take `passphrase:` away") from None
    except UnsupportedAlgorithm:
        raise KeyUnusable(f"{place}: a kind of key that is not supported: use ed25519") from None
    except ValueError:
        raise KeyUnusable(f"{place}: {_WRONG if passphrase else 'not a private key in PEM, or damaged'}") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise KeyUnusable(f"{place}: an RSA key of {key.key_size} bits is weak: at least {MIN_RSA_BITS}, or ed25519")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise KeyUnusable(f"{place}: a kind of key that is not supported: use ed25519")
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
