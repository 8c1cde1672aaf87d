"""The lines that one session has typed, for the arrow keys and the search. In memory only, and gone with the session:
what was typed may hold a secret, and the recording and the audit trail have the commands already."""

from __future__ import annotations

from collections import deque

MAX_ENTRIES = 1000
MAX_BYTES = 256 * 1024
"""UTF-8 bytes of all entries together."""


class History:
    """Entries are numbered in the order they came, from 0; a number stays the same when older ones are dropped."""

    def __init__(self) -> None:
        self._entries: deque[str] = deque()
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
        if self._entries and self._entries[-1] == command:
            return
        self._entries.append(command)
        self._bytes += size
        while len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._entries.popleft().encode("utf-8", "surrogatepass"))
            self.first += 1

    def entry(self, number: int) -> str | None:
        """The entry of that number; None when there is none, or no longer."""
        return self._entries[number - self.first] if self.first <= number < self.end else None

    def holding(self, text: str) -> list[int]:
        """The numbers of the entries that `text` stands in, oldest first."""
        return [number for number, entry in enumerate(self._entries, self.first) if text in entry]
