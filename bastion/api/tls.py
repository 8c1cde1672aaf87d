"""TLS for the API: 1.2 and later, from a certificate and a key that never touch a disk.

OpenSSL loads from files only, so both go through an anonymous file in memory (memfd_create(2)) that is gone at once.
"""

from __future__ import annotations

import os
import ssl

from bastion.errors import KeyUnusable


def context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A server's context from a chain and its unencrypted key, both PEM. KeyUnusable when they are not, or no pair."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(key + b"\n" + certificate)
        made.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise KeyUnusable("the API's certificate and key are not a pair in PEM without a passphrase") from error
    finally:
        os.close(descriptor)
    return made


def _no_passphrase() -> str:
    """Called for an encrypted key, for which OpenSSL would ask on the terminal."""
    raise ValueError("the key has a passphrase")
