"""Words of clients and authors as a message shows them: one line, nothing hidden, bounded."""

from __future__ import annotations

_SHOWN = 60


def show(text: str | bytes) -> str:
    """At most 60 characters; those that could hide or move something are escaped."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    shown = text
    if not text.isprintable():
        shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
