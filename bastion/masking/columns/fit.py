"""A replacement put into the cell of a drawn table, so that what stands behind the cell stays where it was."""

from __future__ import annotations

from bastion.masking.columns.layout import Cell
from bastion.masking.columns.text import ESCAPE, escapes, fitted, plain, width
from bastion.masking.columns.value import Mask

_BROKEN = "+↵…."
"""The marks of psql behind a value that goes on in the next line; the last two also stand before the rest of it."""


def fit(raw: bytes, cell: Cell, mask: Mask, *, ruled: bool, last: bool, exact: bool) -> bytes:
    """The cell with its value replaced: blanks, marks and escapes round it stay, and so does its width.

    `last` is a cell that nothing ends: there a value is cut, and padded only where blanks stood. Between rules the
    width is that of the cell; elsewhere that of what the client printed, who may count in a way of its own: where it
    may have (not `exact`) the value begins where it began.
    """
    column = cell.column
    body = raw.rstrip(b"\r\n")
    end = raw[len(body) :]
    if b"\n" in body:  # MariaDB: the value has lines, and the cell's blanks stand behind the last
        return b"\n".join(put(line, column, mask, _blanks(line)[:1], "") for line in body.split(b"\n")) + end
    text = plain(body)
    room = cell.end - cell.start
    left = text[:1] if ruled and text[:1] in (" ", ".", "…") else ""
    left = left if ruled or exact else _blanks(body)
    right = _right(text, cell, ruled=ruled, last=last)
    if last:
        return put(body, column, mask, left, right, most=room - 2 if ruled else room) + end
    return put(body, column, mask, left, right, whole=room if ruled else None) + end


def _blanks(raw: bytes) -> str:
    text = plain(raw)
    return text[: len(text) - len(text.lstrip(" "))]


def _right(text: str, cell: Cell, *, ruled: bool, last: bool) -> str:
    """What stands behind the value, and is none of it: the cell's last blanks, or a mark in their place."""
    room = cell.end - cell.start
    if not last:
        right = text[len(text) - cell.gap :]
        return right if not right.strip(" " + _BROKEN) else ""
    if (width(text) >= room if ruled else width(text) > room) and text[-1:] in _BROKEN:
        return text[-1:]
    return text[-1:] if text[:1] == " " and text.endswith((" +", " ↵")) else ""


def put(
    raw: bytes, column: str, mask: Mask, left: str, right: str, *, whole: int | None = None, most: int | None = None
) -> bytes:
    """What stands between `left` and `right` replaced. `whole`: the width of the cell; `most`: the width that a value
    may have where it need not be padded; without either it keeps its width."""
    text = plain(raw)
    value = text[len(left) : len(text) - len(right)]
    if not value.strip(" \r"):
        return raw
    bare = ESCAPE.sub(b"", raw)[len(left.encode()) :]
    bare = bare[: len(bare) - len(right.encode())].strip(b" \r")
    new = mask.replaced(bare, column).decode("utf-8", "replace")
    to_right = value.startswith(" ") and not value.endswith(" ")
    if most is not None and not right and not to_right and not value.endswith(" "):
        inner = fitted(new, max(most, width(value))).rstrip(" ")
    else:
        room = width(value) if whole is None else max(0, whole - width(left) - width(right))
        inner = fitted(new, room, right=to_right)
    return (left + inner + right).encode() + escapes(raw)
