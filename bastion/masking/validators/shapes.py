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
    b"{} [] () \"\" ''".split()
)
_REFERENCE = re.compile(
    rb"\$[A-Za-z_({]|\$\$|%[A-Za-z_(]|%%|\{\{|<[A-Za-z_ /!-]|\*{3}|[xX]{3,}\Z|\.{3}|#\{|@[A-Za-z_]+@"
    rb"|!(?:Ref|Sub|vault)\b"
)
_NAME = re.compile(rb"[A-Za-z_]+(?:[._:/>-]+[A-Za-z_]+)*[.:]?\Z")
_DOTTED = re.compile(rb"[A-Za-z_]+(?:(?:\.|->|::)[A-Za-z_]+)+\Z")
_CODE = re.compile(rb"[(\[{<=]|[)\]}>;,]\Z|\A[&|!:~^+=)\]}>]|->|::")
_DATE = re.compile(rb"(?:19|20)[0-9]{2}([-./])[01]?[0-9]\1[0-3]?[0-9]")
_PORT = re.compile(rb"[0-9]{1,5}/")
_QUAD = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_TLD_NEVER = frozenset(
    b"service socket target mount slice timer path scope device swap automount snapshot conf config py js ts so sh "
    b"rb pl go rs c h cc cpp java html css json yaml yml xml txt md log lock png jpg gif svg gz zip tar deb rpm "
    b"whl git patch diff orig rej bak tmp test patch latest old new frm ibd myd myi".split()
)
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
    if domain.rpartition(b".")[2] in _TLD_NEVER or b"-." in domain or b".-" in domain:
        return False
    return not (domain in _ALGORITHMS_OF and (b"-" in local or any(0x30 <= byte <= 0x39 for byte in local)))


def phone(secret: bytes) -> bool:
    """ITU-T E.164: 7 to 15 digits, not all alike; no date, and no address of a machine."""
    digits = digits_of(secret)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    return not _DATE.match(secret) and not _QUAD.match(secret)


def phone_international(secret: bytes) -> bool:
    """The same with its country; without separators it has at least ten digits, or it is a number with a sign."""
    return phone(secret) and (len(digits_of(secret)) >= 10 or not secret[1:].isdigit())


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
    if len(value) < 3 or value.lower() in _PLACEHOLDERS or _REFERENCE.search(value) or len(value.split()) > 3:
        return False
    return len(set(value)) > 1 and secret[:1] not in (b",", b";", b")", b"]", b"}", b" ")


def bare_password(secret: bytes) -> bool:
    """A value without quotes, at the end of its line: also no code, and no word in capitals, as manuals have them."""
    if secret.isalpha() and secret.isupper():
        return False
    return password(secret) and not _CODE.search(secret) and not _DOTTED.match(secret)


def code_password(secret: bytes) -> bool:
    """A value without quotes in the middle of other text, or in code: not a name or a path either, so it has a digit
    or another sign in it."""
    return bare_password(secret) and not _NAME.match(secret)


def mixed(secret: bytes) -> bool:
    """Letters of both cases and digits, as random text of some length has them."""
    return (
        any(0x30 <= byte <= 0x39 for byte in secret)
        and any(0x41 <= byte <= 0x5A for byte in secret)
        and any(0x61 <= byte <= 0x7A for byte in secret)
    )
