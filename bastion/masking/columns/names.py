"""The names of the columns that are masked: compared without case, `*` is a run of characters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

ESCAPED = rb"\\u[0-9a-f]"
"""How the escape of a character begins in JSON; lower-cased."""
_KEPT = 4096
"""Names whose answer is remembered: a stranger's headers must not grow memory."""


class Names:
    """Built once for a set of columns. Blanks and quotes round a name that is asked for do not count."""

    def __init__(self, columns: Collection[str]) -> None:
        self._patterns = [(column, _pattern(column)) for column in sorted(columns)]
        self._known: dict[str, str | None] = {}
        self.literals = tuple({_literal(column) for column in columns})
        """One of these stands in the lower-cased bytes of every line that may hold a name."""
        self._anywhere = re.compile(b"|".join((*map(re.escape, sorted(self.literals)), ESCAPED)))

    def find(self, name: str) -> str | None:
        """The column, as the policy has it, that masks a field of this name."""
        name = name.strip().strip('"`')
        if name not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            folded = name.casefold()
            self._known[name] = next((column for column, one in self._patterns if name and one.fullmatch(folded)), None)
        return self._known[name]

    def hit(self, lowered: bytes) -> bool:
        """Whether a name may stand in these lower-cased bytes."""
        return any(literal in lowered for literal in self.literals)

    def places(self, lowered: bytes, at: int) -> Iterator[int]:
        """Where a name or an escape of JSON may stand in these lower-cased bytes, from `at` on, in order."""
        return (found.start() for found in self._anywhere.finditer(lowered, at))


def _pattern(column: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part.casefold()) for part in column.split("*")), re.DOTALL)


def _literal(column: str) -> bytes:
    """The longest ASCII run of a name: bytes are lowered without knowing of other letters."""
    runs: list[str] = re.findall(r"[\x00-\x7f]*", column.replace("*", "\u2217").lower())
    return max(runs, key=len).encode()
