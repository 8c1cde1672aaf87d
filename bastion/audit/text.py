"""Text of strangers, made fit for a line of JSON and a terminal, with nothing lost.

Text that is plain UTF-8 stands as it is. Text with a control character, an invisible or direction-changing one, a blank
that only looks like one (see bastion.characters), or bytes that are not UTF-8, is escaped: each such byte as `\\xNN`,
each backslash as `\\\\`, so that the original can be had back byte for byte (`unescape`); the key beside it,
`NAME_escaped`, says that this was done. Text longer than its bound keeps its beginning, and `NAME_whole` tells the
length in bytes and the SHA-256 of all of it.
"""

from __future__ import annotations

import hashlib
import re

from bastion.characters import hidden

_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|\\)")


def told(name: str, value: str | bytes, bound: int) -> dict[str, object]:
    """The entries of a record that tell `value` under `name`. `bound` is in bytes of UTF-8."""
    raw = value if isinstance(value, bytes) else _bytes(value)
    kept = raw if len(raw) <= bound else _cut(raw, bound)
    text, escaped = escape(kept)
    entries: dict[str, object] = {name: text}
    if escaped:
        entries[f"{name}_escaped"] = True
    if kept is not raw:
        entries[f"{name}_whole"] = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    return entries


def escape(raw: bytes) -> tuple[str, bool]:
    """The text, and whether it had to be escaped."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        pass  # what is not UTF-8 is escaped below
    else:
        if not hidden(text):
            return text, False
    pieces = []
    for letter in raw.decode("utf-8", "surrogateescape"):
        if letter == "\\":
            pieces.append("\\\\")
        elif hidden(letter):
            pieces.extend(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))
        else:
            pieces.append(letter)
    return "".join(pieces), True


def unescape(text: str) -> bytes:
    """The bytes that `escape` was given, from text that it did escape."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else b"\\", text.encode())


def _bytes(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")  # a lone surrogate: not UTF-8, so told as bytes


def _cut(raw: bytes, bound: int) -> bytes:
    """The first `bound` bytes, less what would be half a character at the end."""
    end = bound
    while end > bound - 3 and raw[end] & 0xC0 == 0x80:
        end -= 1
    return raw[:end]
