"""The lines that one session has typed, for the arrow keys and the search. In memory only, and gone with the session:
what was typed may hold a secret, and the recording and the audit trail have the commands already."""

from __future__ import annotations

MAX_ENTRIES = 1000
MAX_BYTES = 256 * 1024
"""UTF-8 bytes of all entries together."""


class History:
    """Entries are numbered in the order they came, from 0; a number stays the same when older ones are dropped."""

    def __init__(self) -> None:
        self._entries: dict[int, str] = {}
        self._bytes = 0
        self.first = 0
        """The number of the oldest entry that is left."""

    @property
    def end(self) -> int:
        """One more than the number of the newest entry."""
        return self.first + len(self._entries)

    def add(self, command: str) -> None:
        """Keep a command; one of several lines is one entry. Not kept: what is empty, begins with a blank (as bash's
        `HISTCONTROL=ignoreboth`), repeats the newest entry, or is alone too large."""
        size = len(command.encode("utf-8", "surrogatepass"))
        if not command or command[0] in " \t" or size > MAX_BYTES:
            return
        if self.entry(self.end - 1) == command:
            return
        self._entries[self.end] = command
        self._bytes += size
        while len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._entries.pop(self.first).encode("utf-8", "surrogatepass"))
            self.first += 1

    def entry(self, number: int) -> str | None:
        """The entry of that number; None when there is none, or no longer."""
        return self._entries.get(number)

    def find(self, text: str, number: int, step: int) -> int | None:
        """The number of the first entry that `text` stands in, from `number` on, up (`step` 1) or down (-1)."""
        entries = self._entries
        for near in range(number, self.end if step > 0 else self.first - 1, step):
            if text in entries[near]:
                return near
        return None
