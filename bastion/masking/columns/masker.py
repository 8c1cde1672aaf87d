"""The masker of named columns: tables first, then values behind keys in what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bastion.masking.columns.keyed import Keyed
from bastion.masking.columns.names import Names
from bastion.masking.columns.tables import Tables
from bastion.masking.columns.value import Mask


class ColumnMasker:
    """Masks the fields of `columns` in one stream of output. Life: `feed` and `release` in any order, `flush` at
    the end of each command's output and of the stream.

    `replace(value, column)` gives what stands in a value's place; `column` is the name as `columns` has it. On a
    `terminal` a value of several lines is replaced line by line. The replacement is cut or padded where a
    layout needs it.
    """

    def __init__(self, columns: frozenset[str], replace: Callable[[bytes, str], bytes], terminal: bool) -> None:
        mask = Mask(Names(columns), replace, terminal)
        self._on = bool(columns)
        self._tables = Tables(mask)
        self._keyed = Keyed(mask)
        self.counts: Mapping[str, int] = MappingProxyType(mask.counts)
        """How many pieces were replaced, by `column:NAME`."""

    def feed(self, data: bytes) -> bytes:
        """What may pass of the stream so far; the same in sum however it is cut."""
        if not self._on:
            return data
        out = self._tables.feed(data)
        return self._keyed.feed(out) if self._tables.named else self._keyed.passed(out)

    def release(self) -> bytes:
        """All that is held, for a terminal whose time is up, but for an escape or a character that is not whole. What
        may be a named field's is masked, and so is the rest of that value when it comes."""
        return self._keyed.feed(self._tables.release()) + self._keyed.release()

    def flush(self) -> bytes:
        """All that is held, and the end: no table or value goes on behind it."""
        return self._keyed.feed(self._tables.flush()) + self._keyed.flush()

    @property
    def holding(self) -> bool:
        """Whether something is held."""
        return self.held > 0

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return self._tables.holding + self._keyed.holding
