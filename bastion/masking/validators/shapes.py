"""Shapes: what a value must look like to be one, and by what it is seen that it is only a name, a type or a blank."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re

from bastion.masking.validators.checksums import digits_of

_PLACEHOLDERS = frozenset(
    b"none null nil true false yes no on off undefined unset empty required optional secret password passwd pass "
    b"token changeme change_me change-me redacted masked hidden removed string str bytes bytearray int integer bool "
    b"boolean float "
    b"object any dict list tuple text type default value example placeholder todo tbd username user name prompt file "
    b"env stdin ask interactive disabled enabled invalid missing incorrect expired unknown self this expected "
    b"same-origin include omit "
    b"{} [] () \"\" ''".split()
)
_REFERENCE = re.compile(
    rb"\$\$|\$[A-Za-z_][A-Za-z0-9_]*|\$\{[^{}]*\}|\$\(.*|%[A-Za-z_][A-Za-z0-9_]*%|%%?\([A-Za-z0-9_]+\)[sdr]|%[sdrvq]\b"
    rb"|\{\{[^{}]*\}\}|#?\{[A-Za-z_][^{}]*\}|<[^<>]*>|<[A-Za-z_ /!-].*|@[A-Za-z_]+@|!(?:Ref|Sub|vault)\b.*"
    rb"|\A[A-Za-z-]{0,4}\.{3,}"
)
"""What stands for a value that is elsewhere. In a value it may stand beside others and signs, not beside letters."""
_BLANK = re.compile(rb"[xX*._ -]*(?:[xX]{3}|\*{3}|\.{3})[xX*._ -]*\Z")
_ASKING = frozenset(
    b"a an and are for from be can enter in is it its must must not of on or please the this to use with your "
    b"key keys password passwords passphrase secret token tokens".split()
)
_NAME = re.compile(rb"[A-Za-z_]+(?:[._:/>-]+[A-Za-z_]+)*[.:]?\Z")
_DOTTED = re.compile(rb"[A-Za-z_]+(?:(?:\.|->|::)[A-Za-z_]+)+\Z")
_CODE = re.compile(rb"[\[{<]|[A-Za-z0-9_.]\(|\(.*\)|[)\]}>;,]\Z|\A[&|!:~^+=)\]}>]|->|::|\A[A-Za-z_.]*=[^=]|==[^=]")
_DATE = re.compile(rb"(?:19|20)[0-9]{2}([-./])[01]?[0-9]\1[0-3]?[0-9]")
_KINDS = tuple(re.compile(kind) for kind in (rb"[0-9]", rb"[A-Z]", rb"[a-z]"))
_ALNUM = re.compile(rb"[0-9A-Za-z\x80-\xff]")
_PORT = re.compile(rb"[0-9]{1,5}/")
_QUAD = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_TLD_NEVER = frozenset(
    b"service socket target mount slice timer path scope device swap automount snapshot conf config js ts go c h cpp "
    b"java html css json yaml yml xml txt log lock png jpg gif svg gz tar deb rpm rb "
    b"whl git patch diff orig rej bak tmp test latest old new frm ibd myd myi db pag".split()
)
"""Endings of files and units that are no country's and no registry's."""
_TLD_FILES = frozenset(b"py so sh pl rs cc md zip".split())
"""Endings of files that are also a country's, or a registry's: an address, unless its name begins with a digit, as in
`logo@2x.py`."""
_ALGORITHMS_OF = frozenset(b"openssh.com libssh.org lysator.liu.se ssh.com libreswan.org matrix.org.invalid".split())


def _decoded(text: bytes) -> bytes:
    """Base 64, with or without padding, of either alphabet; empty where it is none."""
    plain = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def jwt(secret: bytes) -> bool:
    """RFC 7519 and 7515: the first part is a JSON object that names an algorithm."""
    try:
        header = json.loads(_decoded(secret.split(b".", 1)[0]))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def basic(secret: bytes) -> bool:
    """RFC 7617: base 64 of a name, a colon and a password."""
    return b":" in _decoded(secret)


def email(secret: bytes) -> bool:
    """RFC 5322's dot-atom before the sign; after it a domain, and neither a unit of systemd, a file, nor one of SSH's
    names of algorithms (RFC 4251, section 6)."""
    local, _, domain = secret.lower().rpartition(b"@")
    if local.startswith(b".") or local.endswith(b".") or b".." in secret or b"@" in local:
        return False
    name, _, ending = domain.rpartition(b".")
    if ending in _TLD_NEVER or b"-." in domain or b".-" in domain:
        return False
    if ending in _TLD_FILES and 0x30 <= name[0] <= 0x39:
        return False
    return not (domain in _ALGORITHMS_OF and (b"-" in local or any(0x30 <= byte <= 0x39 for byte in local)))


def phone(secret: bytes) -> bool:
    """ITU-T E.164: 7 to 15 digits, not all alike; no date, and no address of a machine."""
    digits = digits_of(secret)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    bare = secret.lstrip(b"+")
    return not _DATE.match(bare) and not _QUAD.match(bare)


def phone_international(secret: bytes) -> bool:
    """The same with its country; without separators it has at least ten digits, or it is a number with a sign. Behind
    the 1 of North America are ten, of which the first is no 0 or 1: a moment in seconds or milliseconds is none."""
    digits = digits_of(secret)
    if digits.startswith("1") and (len(digits) != 11 or digits[1] in "01"):
        return False
    return phone(secret) and (len(digits) >= 10 or not secret[1:].isdigit())


def ipv6(secret: bytes) -> bool:
    """RFC 4291, section 2.2."""
    try:
        ipaddress.IPv6Address(secret.decode("ascii"))
    except ValueError:
        return False
    return len(secret) > 4


def url_password(secret: bytes) -> bool:
    """What stands between colon and @ in a URL; no port, no placeholder."""
    if _PORT.match(secret):
        return False
    return password(secret) or (secret.isalnum() and secret.lower() not in _PLACEHOLDERS)


def password(secret: bytes) -> bool:
    """A value in quotes that is not a placeholder, a reference to something else, or blank."""
    value = secret.strip(b" \"'")
    if len(value) < 3 or value.lower() in _PLACEHOLDERS or _BLANK.match(value) or _is_reference(value):
        return False
    if len(value.split()) > 3 and not _is_phrase(value):
        return False
    return len(set(value)) > 1 and secret[:1] not in (b",", b";", b")", b"]", b"}", b" ")


def _is_reference(value: bytes) -> bool:
    rest = _REFERENCE.sub(b"", value)
    return rest != value and not _ALNUM.search(rest)


def _is_phrase(value: bytes) -> bool:
    """Words as dice give them; a sentence, as programs say it, has others, or signs and capitals."""
    words = value.split()
    return len(words) <= 12 and all(re.fullmatch(rb"[a-z]{3,12}", word) and word not in _ASKING for word in words)


def bare_password(secret: bytes) -> bool:
    """A value without quotes, at the end of its line: also no code, and no word in capitals, as manuals have them."""
    if secret.isalpha() and secret.isupper():
        return False
    return password(secret) and not _CODE.search(secret) and not _DOTTED.match(secret)


def code_password(secret: bytes) -> bool:
    """A value without quotes in the middle of other text, or in code: not a name or a path either, so it has a digit
    or another sign in it."""
    return bare_password(secret) and not _NAME.match(secret)


def cased(secret: bytes) -> bool:
    """Letters of both cases, and ten characters that differ: enough behind a prefix that nothing else has, where random
    text may well be without a digit (16 characters of it in one of 17)."""
    return bool(_KINDS[1].search(secret) and _KINDS[2].search(secret)) and len(set(secret)) >= 10


def mixed(secret: bytes) -> bool:
    """Letters of both cases and digits, as random text of some length has them."""
    return all(kind.search(secret) for kind in _KINDS)
