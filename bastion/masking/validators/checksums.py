"""Checksums of numbers and tokens. Everything that is no digit (or letter, where those count) is a separator."""

from __future__ import annotations

import hashlib

_GROUPS = 4

# Issuer prefixes of ISO/IEC 7812: first and last of a range, and the lengths in use. Visa's of 13 and 19 digits are
# left out: they are hardly in use, and many numbers of 64 bits look like them.
_ISSUERS = (
    ("4", "4", (16,)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14,)),
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("6011", "6011", (16,)),
    ("644", "649", (16,)),
    ("65", "65", (16,)),
    ("3528", "3589", (16,)),
    ("62", "62", (16,)),
    ("621", "623", (19,)),
    ("2200", "2204", (16,)),
    ("50", "50", (16,)),
    ("56", "58", (16,)),
    ("6304", "6304", (16,)),
    ("6759", "6763", (16,)),
)
_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_IBAN = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_NO_DIGITS = bytes(byte for byte in range(256) if not 0x30 <= byte <= 0x39)
_BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def digits_of(secret: bytes) -> str:
    """Its digits, without what is between them."""
    return secret.translate(None, _NO_DIGITS).decode("ascii")


def luhn(secret: bytes) -> bool:
    """ISO/IEC 7812-1, annex B."""
    digits = digits_of(secret)
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return bool(digits) and (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def card(secret: bytes) -> bool:
    """A payment card's number: an issuer's prefix, one of its lengths, Luhn, and not all one digit. Of five or six
    groups of four one card is enough (a date or a code follows it); of more each is one, or it is a dump. So it is of
    several of American Express, which have three groups."""
    digits, groups = digits_of(secret), len(secret.split())
    if digits[:1] == "3" and groups % 3 == 0 and len(digits) % 15 == 0:
        return all(_one_card(digits[at : at + 15]) for at in range(0, len(digits), 15))
    if groups <= _GROUPS:
        return _one_card(digits)
    if groups <= _GROUPS + 2:
        return any(_one_card(digits[at : at + 16]) for at in range(0, len(digits) - 15, 4))
    return len(digits) % 16 == 0 and all(_one_card(digits[at : at + 16]) for at in range(0, len(digits), 16))


def _one_card(digits: str) -> bool:
    issued = any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _ISSUERS)
    return issued and len(set(digits)) > 1 and luhn(digits.encode())


def mod97(secret: bytes) -> bool:
    """ISO 7064 mod 97-10 as ISO 13616 uses it for IBAN: the first four characters count last."""
    text = "".join(letter for letter in secret.decode("latin-1").upper() if letter.isascii() and letter.isalnum())
    if len(text) < 15:
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def iban(secret: bytes) -> bool:
    """An IBAN: a country that has them, its length there (the registry of ISO 13616), and mod 97."""
    text = "".join(chr(byte) for byte in secret if byte != 0x20)
    return len(text) == _IBAN.get(text[:2], 0) and mod97(secret)


def verhoeff(secret: bytes) -> bool:
    """Verhoeff's check over the dihedral group D5."""
    found = 0
    digits = digits_of(secret)
    for place, digit in enumerate(reversed(digits)):
        found = int(_DIHEDRAL[found][int(_PERMUTED[place % 8][int(digit)])])
    return bool(digits) and found == 0


def base58check(secret: bytes) -> bool:
    """Base 58 as Bitcoin has it: the last four bytes are the beginning of SHA-256, twice, of what is before them."""
    number = 0
    for byte in secret:
        digit = _BASE58.find(byte)
        if digit < 0:
            return False
        number = number * 58 + digit
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return len(raw) > 4 and hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def routing_number(secret: bytes) -> bool:
    """A bank's routing number in the USA: nine digits, weights 3, 7, 1, and a Federal Reserve district."""
    digits = digits_of(secret)
    weighed = sum(int(digit) * (3, 7, 1)[place % 3] for place, digit in enumerate(digits))
    district = int(digits[:2] or "99")
    known = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
    return len(digits) == 9 and weighed > 0 and weighed % 10 == 0 and known
