"""From the claims of a verified token to an Identity: pure, by the templates of the issuer's settings.

A template is text with `{claim}` in it. A claim is looked up by its whole name first, then as a way down through
mappings (`{kubernetes.io/serviceaccount/name}`). A claim that is a list makes one value an item, and may stand only
alone in a template of `groups` or `owner`. A claim that is missing refuses the token, but for `{claim?}` in those two,
which then makes no name. `{{` and `}}` stand for braces.

What this does not do: it trusts the issuer for the claims it signs. A template that joins claims which their subject
can choose (`{name}:{city}`) lets that subject choose the whole; use what the issuer alone decides. Where look-alike
letters are told from others, and where not, is in bastion.characters.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bastion.characters import hidden, mixed
from bastion.errors import BadToken

MAX_NAME = 256
"""Characters of a principal or a group."""
MAX_CLAIM = 1024
"""Characters of a kept claim."""
MAX_GROUPS = 200
MAX_OWNERS = 20

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}?]+)(\?)?\}|[{}]")


def check_template(template: str) -> None:
    """ValueError for a template that can not be read; the settings call this once."""
    if not template or len(template) > MAX_NAME:
        raise ValueError(f"a template has 1 to {MAX_NAME} characters")
    for piece in _PIECE.finditer(template):
        if piece[0] in ("{", "}"):
            raise ValueError(f"the template {template!r} has a lone {piece[0]!r}: write it twice to mean it")


def principals(claims: Mapping[str, Any], templates: Sequence[str]) -> tuple[str, ...]:
    """The names for an identity, one a template, each once. BadToken when a claim is missing or a value is unsafe."""
    names = (_filled(template, claims) for template in templates)
    return tuple(dict.fromkeys(_safe(name, "principal", blanks=False) for name in names))


def groups(claims: Mapping[str, Any], templates: Sequence[str]) -> frozenset[str]:
    """The groups of an identity, lists expanded. BadToken as for principals, or when there are more than MAX_GROUPS."""
    found = frozenset(_safe(name, "group", blanks=True) for name in _group_names(claims, templates))
    if len(found) > MAX_GROUPS:
        raise BadToken(f"the token names {len(found)} groups, more than {MAX_GROUPS}: map fewer of them")
    return found


def owners(claims: Mapping[str, Any], template: str) -> tuple[str, ...]:
    """The principals of an agent's owners, a list expanded, each once. BadToken as for principals, or when there are
    more than MAX_OWNERS."""
    found = (_safe(name, "owner", blanks=False) for name in _group_names(claims, [template] if template else []))
    names = tuple(dict.fromkeys(found))
    if len(names) > MAX_OWNERS:
        raise BadToken(f"the token names {len(names)} owners, more than {MAX_OWNERS}")
    return names


def kept(claims: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The claims that an identity keeps, as text; a list or a mapping as JSON. Those that are missing are left out."""
    texts = {}
    for name in names:
        found, value = _lookup(claims, name)
        if found:
            text = as_text(value)
            texts[name] = json.dumps(value, sort_keys=True, separators=(",", ":")) if text is None else text
            if len(texts[name]) > MAX_CLAIM or hidden(texts[name]):
                raise BadToken(f"the token's claim {name!r} is too long or has characters that can not be shown")
    return texts


def check_required(claims: Mapping[str, Any], require: Mapping[str, Sequence[str]]) -> None:
    """BadToken unless each named claim has (as text, or among its items) one of the values required of it."""
    for name, allowed in require.items():
        found, value = _lookup(claims, name)
        items = value if isinstance(value, list) else [value]
        if not found or not any(as_text(item) in allowed for item in items):
            raise BadToken(f"the token's claim {name!r} is not one that is required here")


def as_text(value: Any) -> str | None:
    """A claim of one piece as text (a truth value as `true` or `false`), or None for a list, a mapping or null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return None


def _group_names(claims: Mapping[str, Any], templates: Sequence[str]) -> Iterator[str]:
    for template in templates:
        alone = _PIECE.fullmatch(template)
        if alone is None or alone[1] is None:
            yield _filled(template, claims)
            continue
        found, value = _lookup(claims, alone[1])
        if not found and alone[2]:
            continue
        for item in value if isinstance(value, list) else [value]:
            yield _one(alone[1], found, item)


def _filled(template: str, claims: Mapping[str, Any]) -> str:
    def fill(piece: re.Match[str]) -> str:
        if piece[1] is None:
            return piece[0][0]
        return _one(piece[1], *_lookup(claims, piece[1]))

    return _PIECE.sub(fill, template)


def _one(name: str, found: bool, value: Any) -> str:
    if not found:
        raise BadToken(f"the token has no claim {name!r}, which this bastion needs to know who you are")
    text = as_text(value)
    if not text:
        raise BadToken(f"the token's claim {name!r} is empty or not a single text, so no name can be made of it")
    return text


def _lookup(claims: Mapping[str, Any], name: str) -> tuple[bool, Any]:
    """(found, value): by the whole name, else step by step between slashes."""
    if name in claims:
        return claims[name] is not None, claims[name]
    value: Any = claims
    for step in name.split("/"):
        if not isinstance(value, Mapping) or step not in value:
            return False, None
        value = value[step]
    return value is not None, value


def _safe(name: str, what: str, *, blanks: bool) -> str:
    """The name, if it looks like what it is wherever it is shown and can not be taken for two names."""
    plain = name.replace(" ", "") if blanks and name == name.strip() else name
    if not 0 < len(name) <= MAX_NAME:
        raise BadToken(f"the token makes a {what} of {len(name)} characters; 1 to {MAX_NAME} are accepted")
    unsafe = hidden(plain) or mixed(name) or unicodedata.normalize("NFKC", name) != name
    if unsafe or " " in plain or "," in plain:
        raise BadToken(f"the token makes a {what} with blanks, commas, control or look-alike characters: {name!a}")
    return name
