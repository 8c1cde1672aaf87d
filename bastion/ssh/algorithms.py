"""The algorithms that the bastion speaks, to clients and to targets, best first.

Key exchange: the hybrid post-quantum mlkem768x25519 first, then elliptic curves; nothing with finite-field groups.
Ciphers: authenticated ones only, so that there is no MAC to negotiate and nothing for Terrapin (CVE-2023-48795) to
cut beside the strict key exchange that asyncssh always offers. No compression: it leaks lengths and invites bombs.

Limit: sntrup761x25519, the older hybrid that OpenSSH 9.2 offers first, is not in asyncssh without a library of its
own; such a client agrees on curve25519. OpenSSH 9.9 and later agree on mlkem768x25519.
"""

from __future__ import annotations

KEY_EXCHANGE = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
)
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
COMPRESSION = ("none",)
SIGNATURES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Signatures of hosts and clients. RSA is for targets' host keys only; certificates of users are never RSA."""
