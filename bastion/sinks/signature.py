"""Standard Webhooks (https://www.standardwebhooks.com), the sender's half: what proves that a message is ours.

    webhook-id          of the message, the same each time it is sent again
    webhook-timestamp   seconds since 1970, of this attempt
    webhook-signature   v1,BASE64(HMAC-SHA256(key, ID.TIMESTAMP.BODY))

The key is written `whsec_` and base64, of 24 to 64 bytes, as the receiver has it. A receiver that checks the timestamp
takes no message twice for long; which ids it has had it must keep itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from bastion.errors import KeyUnusable

PREFIX = b"whsec_"
LEAST, MOST = 24, 64
"""Bytes of a key."""


def key_of(secret: bytes) -> bytes:
    """The key that a secret spells. KeyUnusable, which does not tell what stood there."""
    spelled = secret.strip()
    try:
        if not spelled.startswith(PREFIX):
            raise ValueError("another prefix")
        bare = spelled.removeprefix(PREFIX).rstrip(b"=")
        key = base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise KeyUnusable("a webhook's secret is `whsec_` and base64, as `openssl rand -base64 32` prints it") from None
    if not LEAST <= len(key) <= MOST:
        raise KeyUnusable(f"a webhook's secret has {LEAST} to {MOST} bytes, and not {len(key)}")
    return key


def headers(key: bytes, id: str, seconds: float, body: bytes) -> Mapping[str, str]:
    """What is sent with one attempt."""
    stamp = str(int(seconds))
    signed = hmac.new(key, b".".join((id.encode(), stamp.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
