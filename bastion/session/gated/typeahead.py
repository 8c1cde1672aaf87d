"""Keys that came too early: behind an Enter, or while completion is asked for. Bounded, and taken in order."""

from __future__ import annotations

from collections import deque

from bastion.session.gated.keys import Key, Press, Text

MAX_PENDING = 64 * 1024
"""Bytes of keys that wait. What does not fit is dropped, and so is all that comes behind it, until none wait: keys with
a gap in them would be another text."""
MAX_KEYS = 8 * 1024
"""Keys that wait, a run of text that came at once being one: each takes some hundred bytes of memory."""


class TypeAhead:
    """Life: `put` and `take` in any order; `drop` or `clear` when they are not wanted any more."""

    def __init__(self) -> None:
        self._keys: deque[Key] = deque()
        self._bytes = 0
        self._full = False

    def __bool__(self) -> bool:
        return bool(self._keys)

    def put(self, key: Key) -> bool:
        """False: dropped."""
        size = _size(key)
        self._full = self._full or self._bytes + size > MAX_PENDING or len(self._keys) == MAX_KEYS
        if not self._full:
            self._keys.append(key)
            self._bytes += size
        return not self._full

    def take(self) -> Key:
        """The oldest; IndexError when there is none."""
        key = self._keys.popleft()
        self._bytes -= _size(key)
        self._full = self._full and bool(self._keys)
        return key

    def drop(self, paste: int) -> int:
        """Throw away what comes first and belongs to this paste; how many lines that was, a last one without an end
        among them."""
        lines = rest = 0
        while self._keys and self._keys[0].paste == paste:
            lines, rest = (lines + 1, 0) if self.take() == Press("enter", paste) else (lines, 1)
        return lines + rest

    def clear(self) -> None:
        self._keys.clear()
        self._bytes, self._full = 0, False


def _size(key: Key) -> int:
    return len(key.text.encode()) if isinstance(key, Text) else 1
