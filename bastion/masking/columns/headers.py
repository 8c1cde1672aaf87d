"""Which line is a header, and of which table: the fields of a line that are told apart by a separator.

A line is a header when every field of it could be a column's name (quoted, or a letter first, at most 64 characters),
and one is a named column's. Where a blank stands behind a separator, as in prose, all of them must be single words. A
line that is nothing but a named column's name is the header of a table of one column.
"""

from __future__ import annotations

import re

from bastion.masking.columns.delimited import Csv
from bastion.masking.columns.drawn import Drawn
from bastion.masking.columns.layout import layout
from bastion.masking.columns.loose import Loose
from bastion.masking.columns.records import Records, record
from bastion.masking.columns.table import Table
from bastion.masking.columns.text import line as seen
from bastion.masking.columns.value import Mask

_FIELD = re.compile(r'"[^"\n]{1,64}"|[^\W\d][\w ?.()*$#:/-]{0,63}|\?column\?')
_WORD = re.compile(r'"[^"\n]{1,64}"|[^\W\d][\w?.()*$#:/-]{0,63}')
_QUOTING = ",;"
_PLAIN = "\t|^~\x1f\x1e\x01"
_COPY = re.compile(r'COPY (?:"[^"]*"|[^\s"])+ \((.+)\) FROM stdin;')


class Headers:
    """Reads lines, without their ends, for one mask."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def table(self, line: bytes) -> Table | None:
        """The table that begins below this line."""
        style = record(line)
        if style is not None:
            return Records(self._mask, style)
        return self.delimited(line)

    def delimited(self, line: bytes) -> Table | None:
        """The same for tables whose fields are told apart by a separator."""
        if not self._mask.names.hit(line.lower()):
            return None
        text = seen(line)
        if text.startswith("\ufeff"):
            text = text[1:]
        copy = _COPY.fullmatch(text)
        if copy is not None:
            table = self._of(copy.group(1).split(", "), "\t", line)
            if table is not None:
                table.copy = True
            return table
        for separator in (*_PLAIN, *_QUOTING):
            if separator in text:
                fields = _fields(text, separator)
                return self._of(fields, separator, line) if fields else None
        return self._of([text], "", line) if _FIELD.fullmatch(text) else None

    def drawn(self, header: bytes, border: bytes) -> Table | None:
        """The drawn table that these two lines begin."""
        found = layout(header, border, self._mask.names)
        return Drawn(self._mask, found) if found else None

    def _of(self, fields: list[str], separator: str, line: bytes) -> Table | None:
        columns = [self._mask.names.find(field) for field in fields]
        if not any(columns):
            return None
        quoted = any(field.startswith('"') for field in fields)
        if (separator in _QUOTING and separator) or (quoted and len(fields) > 1):
            return Csv(self._mask, separator.encode(), columns, self.delimited)
        below = None if separator else (lambda border: self.drawn(line, border))
        return Loose(self._mask, separator.encode(), columns, self.delimited, below)


def _fields(text: str, separator: str) -> list[str] | None:
    """The names in a header; None if one of them can not be a name."""
    fields = text.split(separator)
    spaced = any(field != field.strip() for field in fields)
    if spaced and separator not in _QUOTING:
        return None
    form = _WORD if spaced else _FIELD
    return fields if all(form.fullmatch(field.strip() if spaced else field) for field in fields) else None
