"""Numbers that states give to people: the checksum of each where it has one, its ranges where it has none."""

from __future__ import annotations

from bastion.masking.validators.checksums import digits_of, luhn, verhoeff

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_NINO_NEVER = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
_NINO_FIRST = set("ABCEGHJKLMNOPRSTWXYZ")
_NINO_SECOND = set("ABCEGHJKLMNPRSTWXYZ")
_FISCALE_ODD = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)) | dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)
_PESEL = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)


def _letters(secret: bytes) -> str:
    return "".join(letter for letter in secret.decode("latin-1").upper() if letter.isascii() and letter.isalnum())


def _date(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def _weighed(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def us_ssn(secret: bytes) -> bool:
    """The ranges that the Social Security Administration leaves out; it has no checksum."""
    digits = digits_of(secret)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    known = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return len(digits) == 9 and known and digits not in ("123456789", "078051120", "219099999")


def uk_nino(secret: bytes) -> bool:
    """The prefixes that HMRC gives out; it has no checksum."""
    text = _letters(secret)
    if len(text) != 9 or text[:2] in _NINO_NEVER:
        return False
    return text[0] in _NINO_FIRST and text[1] in _NINO_SECOND and text[2:8].isdigit() and text[8] in "ABCD"


def uk_nhs(secret: bytes) -> bool:
    """Modulo 11 over ten digits."""
    digits = digits_of(secret)
    rest = 11 - _weighed(digits[:9], (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return len(digits) == 10 and len(set(digits)) > 1 and rest != 10 and rest % 11 == int(digits[9])


def es_dni(secret: bytes) -> bool:
    """Spain's DNI, and the NIE whose X, Y, Z count as 0, 1, 2: the letter is the number modulo 23."""
    text = _letters(secret)
    number = str("XYZ".find(text[0])) + text[1:8] if text[:1] in ("X", "Y", "Z") else text[:8]
    return len(text) == 9 and number.isdigit() and int(number) > 0 and _DNI[int(number) % 23] == text[8]


def it_codice_fiscale(secret: bytes) -> bool:
    """Italy's codice fiscale: odd and even places have tables of their own, the last letter is their sum."""
    text = _letters(secret)
    if len(text) != 16:
        return False
    odd = sum(_FISCALE_ODD[letter] for letter in text[0:15:2])
    even = sum(int(letter) if letter.isdigit() else ord(letter) - 65 for letter in text[1:15:2])
    return chr(65 + (odd + even) % 26) == text[15]


def fr_nir(secret: bytes) -> bool:
    """France's NIR: the key is 97 less the number modulo 97; 2A and 2B, for Corsica, count as 19 and 18."""
    text = _letters(secret).replace("2A", "19", 1).replace("2B", "18", 1)
    if len(text) != 15 or not text.isdigit() or text[0] not in "12":
        return False
    month = int(text[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42) and 97 - int(text[:13]) % 97 == int(text[13:])


def nl_bsn(secret: bytes) -> bool:
    """The Netherlands' BSN: the eleven test, in which the last digit counts negative."""
    digits = digits_of(secret)
    total = _weighed(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1))
    return len(digits) == 9 and len(set(digits)) > 1 and total % 11 == 0


def pl_pesel(secret: bytes) -> bool:
    """Poland's PESEL: a date whose month tells the century, and a digit that makes the sum a multiple of ten."""
    digits = digits_of(secret)
    if len(digits) != 11 or not _date(int(digits[2:4]) % 20, int(digits[4:6])):
        return False
    return (10 - _weighed(digits, _PESEL) % 10) % 10 == int(digits[10])


def br_cpf(secret: bytes) -> bool:
    """Brazil's CPF: two digits, each modulo 11."""
    digits = digits_of(secret)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(int(digit) * (length + 1 - place) for place, digit in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != int(digits[length]):
            return False
    return True


def in_aadhaar(secret: bytes) -> bool:
    """India's Aadhaar: twelve digits of which the first is 2 to 9, by Verhoeff, and no palindrome."""
    digits = digits_of(secret)
    return len(digits) == 12 and digits[0] >= "2" and digits != digits[::-1] and verhoeff(secret)


def fi_hetu(secret: bytes) -> bool:
    """Finland's HETU: the date and the number, modulo 31, are the last character."""
    text = secret.decode("latin-1").upper()
    if len(text) != 11 or not (text[:6] + text[7:10]).isdigit():
        return False
    return _date(int(text[2:4]), int(text[:2])) and _HETU[int(text[:6] + text[7:10]) % 31] == text[10]


def se_personnummer(secret: bytes) -> bool:
    """Sweden's personnummer: a date (the day 60 higher in a coordination number) and Luhn over the last ten digits."""
    digits = digits_of(secret)[-10:]
    return len(digits) == 10 and _date(int(digits[2:4]), int(digits[4:6]) % 60) and luhn(digits.encode())


def de_steuer_id(secret: bytes) -> bool:
    """Germany's Steuer-ID: ISO 7064 mod 11,10, and of its first ten digits one stands twice or three times."""
    digits = digits_of(secret)
    if len(digits) != 11 or digits[0] == "0" or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        found = (int(digit) + product) % 10 or 10
        product = found * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def be_rijksregister(secret: bytes) -> bool:
    """Belgium's national number: 97 less the number modulo 97; with a 2 before it for those born since 2000."""
    digits = digits_of(secret)
    if len(digits) != 11 or not (int(digits[2:4]) % 20 <= 12 and int(digits[4:6]) <= 31):
        return False
    return int(digits[9:]) in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)
