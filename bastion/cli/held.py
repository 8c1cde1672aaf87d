"""The key and certificate that this machine holds, in one folder.

Fast to import, and what only writing needs is imported then: `ssh` waits for this on every start.

    bastion_ed25519            the private key, 0600; made here, replaced once a day
    bastion_ed25519-cert.pub   its certificate, replaced whenever it is renewed
    bastion_known_hosts        one @cert-authority line: the bastion's host authority
    .bastion.lock              held while renewing, so that ten `ssh` at once renew once; says whose the others are

The names are none that OpenSSH uses, so the folder may be ~/.ssh itself. Files of these names in a folder without the
lock are somebody else's: they are left as they are, with an error.

Every file is replaced whole (rename), never written in place. While a certificate is good its key stays the same, so
that an `ssh` that has read the one file finds the other to match.
"""

from __future__ import annotations

import fcntl
import os
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bastion.errors import OperatorError

KEY = "bastion_ed25519"
KEY_AGE = 86400
"""Seconds after which a key is replaced at the next renewal."""
LEAST = 30
"""Seconds of life below which a certificate is renewed, however short it lives."""

_KIND = b"ssh-ed25519-cert-v01@openssh.com"


class Held:
    """One folder. It need not exist before `locked` or `save`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / KEY
        self.certificate = folder / f"{KEY}-cert.pub"
        self.known_hosts = folder / "bastion_known_hosts"
        self._lock = folder / ".bastion.lock"

    def fresh(self, now: float) -> bool:
        """Whether the certificate is good for more than a third of its life (and LEAST seconds) and fits the key."""
        times = self.validity()
        if times is None or not self.known_hosts.exists():
            return False
        begins, ends = times
        return begins <= now and ends - now > max((ends - begins) / 3, LEAST)

    def good(self, now: float) -> bool:
        """Whether the certificate can be used at all."""
        times = self.validity()
        return times is not None and times[0] <= now < times[1] and self.known_hosts.exists()

    def validity(self) -> tuple[int, int] | None:
        """(valid_after, valid_before) of the certificate, or None when there is none that fits the key."""
        try:
            line = self.certificate.read_bytes()
            pem = self.key.read_bytes()
            times = read_validity(b64decode(line.split()[1]))
            body = b64decode(b"".join(pem.split(b"\n")[1:-2]))
        except (OSError, ValueError, IndexError):
            # Missing or damaged: a new one is made, which is all that could be done about it.
            return None
        return None if times is None or times[0] not in body else times[1:]

    def keep_key(self, now: float) -> bool:
        """Whether the key stays for the next certificate."""
        return self.good(now) and now - self.key.stat().st_mtime < KEY_AGE

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else renews in this folder meanwhile. Waits for as long as another does."""
        self._make()
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def save(self, private_key: bytes | None, certificate: str, known_hosts: str) -> None:
        """Put the files in place, the certificate last. `private_key` None keeps the one that is there."""
        self._make()
        if private_key is not None:
            self.certificate.unlink(missing_ok=True)
            _replace(self.key, private_key)
        _replace(self.known_hosts, known_hosts.encode())
        _replace(self.certificate, certificate.encode() + b"\n")

    def _make(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = self.folder.stat()
            if about.st_uid != os.geteuid() or about.st_mode & 0o022:
                raise OperatorError(f"{self.folder}: not yours alone to write; choose another --out, or chmod 700 it")
            # In this order: who makes the lock makes it before the others.
            taken = [path for path in (self.key, self.certificate, self.known_hosts) if os.path.lexists(path)]
            if taken and not self._lock.exists():
                raise OperatorError(f"{taken[0]}: in the way, and not made by this command; choose another --out")
            self._lock.touch(mode=0o600)
        except OSError as error:
            raise OperatorError(f"{self.folder}: can not be used: {error.strerror}") from error


def read_validity(blob: bytes) -> tuple[bytes, int, int] | None:
    """(public key, valid_after, valid_before) of an ed25519 certificate (PROTOCOL.certkeys), or None. ValueError."""
    fields: list[bytes] = []
    at = 0
    # type, nonce, key; then serial (8 bytes) and kind (4); then key id, principals
    for number in range(5):
        if number == 3:
            at += 12
        size = int.from_bytes(blob[at : at + 4], "big")
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    if fields[0] != _KIND or at + 16 > len(blob):
        return None
    return fields[2], int.from_bytes(blob[at : at + 8], "big"), int.from_bytes(blob[at + 8 : at + 16], "big")


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename. The file is 0600 from its first byte."""
    import tempfile

    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OperatorError(f"{path}: can not be written: {error.strerror}") from error
