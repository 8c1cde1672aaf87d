"""Which line is a header, and of which table: the fields of a line that are told apart by a separator.

A line is a header when one of its fields is a named column's name, whatever the others are called, unless it looks like
code or prose: behind a prompt, with a bracket that is closed behind a comma, with an end but one name, or, where a
blank stands behind a separator, with a field of more than three words or one that holds a word of prose. It is a
`plain` one when every field looks like a name (quoted, or a letter first, at most 64 characters); below a header of as
many fields one that is not plain may be a row, so both headers hold for what follows. A line that is nothing but a
named column's name is the header of a table of one column.
"""

from __future__ import annotations

import re

from bastion.masking.columns.delimited import Csv
from bastion.masking.columns.drawn import Drawn
from bastion.masking.columns.ends import Look, look
from bastion.masking.columns.layout import layout
from bastion.masking.columns.loose import Loose
from bastion.masking.columns.records import Records, record
from bastion.masking.columns.table import Table
from bastion.masking.columns.text import line as seen
from bastion.masking.columns.value import Mask

_FIELD = re.compile(r'"[^"\n]{1,64}"|[^\W\d][\w ?.()*$#:/-]{0,63}|\?column\?')
_WORDS = re.compile(r'"[^"\n]{1,256}"|[\w@$#?*(](?:[^\s"]| (?=\S)){0,255}')
_PROSE = re.compile(
    "an?|and|are|as|at|by|for|from|his|her|i|if|import|in|insert|into|is|its?|me|my|not|of|on|or|our|please|select|so|"
    "that|the|their|then|this|to|us|was|we|with|you|your"
)
"""Words that stand in no name that has blanks."""
_NAMED = re.compile(r'"(?:[^"\n]|""){1,128}"|[^"{}\[\]=\n]{1,128}')
"""What may be the name of a named column, whose pattern may match anything."""
_LONGEST = 256
_OPENING, _CLOSING = "([{", ")]}"
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
            table = self._of(copy.group(1).split(", "), "\t", line, copy=True)
            if table is not None:
                table.copy = True
            return table
        separators = [separator for separator in (*_PLAIN, *_QUOTING) if separator in text]
        if not separators:
            return self._of([text], "", line) if _FIELD.fullmatch(text) else None
        if look(line, terminal=True) is Look.END:
            return None
        tables = (self._of(_fields(text, separator), separator, line) for separator in separators)
        return next((table for table in tables if table is not None), None)

    def drawn(self, header: bytes, border: bytes) -> Table | None:
        """The drawn table that these two lines begin."""
        found = layout(header, border, self._mask.names)
        return Drawn(self._mask, found, self.below) if found else None

    def below(self, above: bytes, line: bytes) -> Table | None:
        """The same for a line below another, in a table of fields that are told apart by a separator."""
        table = self.drawn(above, line) if above else None
        return table or self.table(line)

    def _of(self, fields: list[str], separator: str, line: bytes, *, copy: bool = False) -> Table | None:
        columns = [self._mask.names.find(field) if _NAMED.fullmatch(field) else None for field in fields]
        if not any(columns):
            return None
        quoted = any(field.startswith('"') for field in fields) and not copy
        table: Csv | Loose
        if (separator in _QUOTING and separator) or (quoted and len(fields) > 1):
            table = Csv(self._mask, separator.encode(), columns, self.below)
            table.spaced = separator + " " in seen(line)
        else:
            below = None if separator else (lambda border: self.drawn(line, border))
            table = Loose(self._mask, separator.encode(), columns, self.below, below)
        table.plain, table.own = all(map(_FIELD.fullmatch, fields)), line
        return table


def _fields(text: str, separator: str) -> list[str]:
    """The names in a header; empty if the line is none."""
    fields = _split(text, separator) if separator in _QUOTING else text.split(separator)
    if len(fields) < 2 or any(len(field) > _LONGEST for field in fields):
        return []
    if separator in _QUOTING and not all(map(_closed, fields)):
        return []
    bare = [field.strip() for field in fields]
    if bare != fields and (separator not in _QUOTING or not all(map(_name, bare))):
        return []
    alone = separator in _QUOTING and not bare[-1] and len(list(filter(None, bare))) < 2
    return [] if alone else bare


def _split(text: str, separator: str) -> list[str]:
    """Fields of CSV: a separator within quotes is none."""
    fields: list[str] = []
    parts: list[str] = []
    within = False
    for part in text.split(separator):
        parts.append(part)
        within ^= part.count('"') % 2 == 1
        if not within:
            fields.append(separator.join(parts))
            parts = []
    return [*fields, separator.join(parts)] if parts else fields


def _closed(field: str) -> bool:
    """Whether brackets stand in pairs."""
    return all(field.count(one) == field.count(other) for one, other in zip(_OPENING, _CLOSING, strict=True))


def _name(field: str) -> bool:
    """Whether this may be a name where blanks stand behind separators."""
    words = field.lower().split(" ")
    return not field or (
        _WORDS.fullmatch(field) is not None
        and len(words) <= 3
        and not any(map(_PROSE.fullmatch, words))
        and field[-1] not in ":!;"
    )
