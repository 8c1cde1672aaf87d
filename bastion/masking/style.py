"""What stands where a secret stood.

- `stars`: as many stars as the secret has characters, so that tables and screens keep their shape;
- `label`: the detector's, such as `[card]`;
- `last-four`: stars, but for the last four of a card or an account number, by which people tell theirs;
- `hash`: a keyed hash, `[card:5f0c31ab9d27]`, the same for the same value, so that rows can still be joined.

On a terminal everything is of the secret's width: stars, and the last four where that is the style.

Limits: stars tell how long a secret is. A hash tells which values are equal, and whoever has the key can try values;
blanks and dashes in numbers, and upper and lower case in addresses, do not count for it. A character that is two
columns wide becomes one star.
"""

from __future__ import annotations

import enum
import hashlib
import hmac

from bastion.masking.detector import Detector

HASH_DIGITS = 12
"""Hexadecimal digits of a hash: 48 bits, with which two of a million values are alike once in 500 times."""

_CONTINUATION = bytes(range(0x80, 0xC0))
_STARS = bytes(byte if byte < 0x20 else ord("*") for byte in range(256))
_LAST = 4
_ENOUGH_FOR_LAST = 12


class Style(enum.StrEnum):
    STARS = "stars"
    LABEL = "label"
    LAST_FOUR = "last-four"
    HASH = "hash"


def stars(secret: bytes) -> bytes:
    """One star a character of UTF-8, or a byte of anything else. Line ends and tabs stay."""
    return secret.translate(_STARS, _CONTINUATION)


def of_width(detector: Detector, secret: bytes, style: Style) -> bytes | None:
    """The replacement that has the secret's width; None where the style has another."""
    if style is Style.LAST_FOUR and "payment" in detector.families and len(secret) >= _ENOUGH_FOR_LAST:
        return stars(secret[:-_LAST]) + secret[-_LAST:]
    return stars(secret) if style in (Style.STARS, Style.LAST_FOUR) else None


def hashed(name: str, value: bytes, key: bytes) -> bytes:
    """`[NAME:…]`, the same for the same value under one key."""
    digest = hmac.new(key, name.encode() + b"\0" + value, hashlib.sha256).hexdigest()
    return f"[{name}:{digest[:HASH_DIGITS]}]".encode()


def label(detector: Detector, secret: bytes, style: Style, key: bytes) -> bytes:
    """The replacement of the styles that do not keep the width."""
    if style is not Style.HASH:
        return detector.label.encode()
    value = secret.translate(None, b" -").lower() if detector.families & {"payment", "personal"} else secret
    name = detector.label.strip("[]")
    digest = hmac.new(key, name.encode() + b"\0" + value, hashlib.sha256).hexdigest()
    return f"[{name}:{digest[:HASH_DIGITS]}]".encode()
