"""Pages of long lists: at most so many members, and a cursor for what comes after them.

A cursor is opaque: the place where a page ended, in base64url. It is no secret and proves nothing; whoever makes one
up gets a page of what they may see anyway, since every query names the tenant first.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from bastion.api.problems import BadRequest

DEFAULT = 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
Cursor = tuple[float, str]
Member = TypeVar("Member")


def limit(query: Mapping[str, Any]) -> int:
    return int(query.get("limit", DEFAULT))


def before(query: Mapping[str, Any]) -> Cursor | None:
    """Where the page before ended: a time and an id. BadRequest."""
    match _read(query):
        case None:
            return None
        case [float() | int() as time, str(id)] if not isinstance(time, bool) and abs(time) < 1e15 and _ID.match(id):
            return float(time), id
    raise BadRequest(_WRONG)


def offset(query: Mapping[str, Any]) -> int | None:
    """The same for lists that are numbered."""
    match _read(query):
        case None:
            return None
        case [int(number)] if 0 <= number < 1 << 53 and not isinstance(number, bool):
            return number
    raise BadRequest(_WRONG)


def name(query: Mapping[str, Any]) -> str | None:
    """The same for lists that are in the order of names."""
    match _read(query):
        case None:
            return None
        case [str(name)]:
            return name
    raise BadRequest(_WRONG)


async def page(
    found: Sequence[Member], most: int, told: Callable[[Member], Mapping[str, Any]], place: Callable[[Member], Cursor]
) -> dict[str, Any]:
    """The answer, of one member more than fit, if there are more. Others have their turn between two members: the texts
    of strangers take a while to be made fit for people."""
    items = []
    for member in found[:most]:
        items.append(told(member))
        await asyncio.sleep(0)
    return {"items": items, "next": write(*place(found[most - 1])) if len(found) > most else None}


def write(*place: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


_WRONG = "'cursor' must be the `next` of an earlier page"


def _read(query: Mapping[str, Any]) -> object:
    text = query.get("cursor")
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        value: object = orjson.loads(raw)
    except (ValueError, binascii.Error):
        raise BadRequest(_WRONG) from None
    if value is None:
        raise BadRequest(_WRONG)
    return value
