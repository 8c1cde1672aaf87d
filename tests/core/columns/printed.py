"""Tables as clients print them: psql, MariaDB, sqlite3, and those who write CSV and JSON. The oracle of the tests.

A table is a header and rows of text; `widths` are those of its columns, so that a masked table can be printed as wide
as the one that it was made from. A cell that is too wide is cut.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from wcwidth import wcswidth

Count = Callable[[str], int]


def screen(text: str) -> int:
    """Columns of the screen; these tests have no character that has none."""
    return wcswidth(text)


@dataclass(frozen=True)
class Printed:
    """`numbers`: the columns that are put to the right. `count`: how the client counts columns of the screen."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    count: Count = screen
    widths: Sequence[int] = ()

    def sized(self) -> Printed:
        columns = zip(self.header, *self.rows, strict=True)
        sizes = [max(self.count(line) for cell in column for line in cell.split("\n")) for column in columns]
        return replace(self, widths=sizes)

    def sized_as_one_line(self) -> Printed:
        """MariaDB counts bytes of the whole cell, and shows fewer columns of the screen than that."""
        columns = zip(self.header, *self.rows, strict=True)
        return replace(self, widths=[max(len(cell.encode()) for cell in column) for column in columns])


def _pad(text: str, size: int, count: Count, *, right: bool = False, centre: bool = False) -> str:
    while count(text) > size:
        text = text[:-1]
    blanks = size - count(text)
    if centre:
        return " " * (blanks // 2) + text + " " * (blanks - blanks // 2)
    return " " * blanks + text if right else text + " " * blanks


def psql(table: Printed, *, border: int = 1, unicode: bool = False) -> str:
    line, cross, rule, mark = ("─", "┼", "│", "↵") if unicode else ("-", "+", "|", "+")
    between, edge = (" ", "") if border == 0 else (rule, " ")
    frame = rule if border == 2 else ""
    out = []
    across = cross.join(line * (size + 2) for size in table.widths)
    if border == 0:
        across = " ".join(line * size for size in table.widths)
    if border == 2:
        corners = {"top": "┌┬┐", "mid": "├┼┤", "low": "└┴┘"} if unicode else dict.fromkeys(("top", "mid", "low"), "+++")
        drawn = {
            where: c[0] + c[1].join(line * (size + 2) for size in table.widths) + c[2] for where, c in corners.items()
        }
        out.append(drawn["top"])
        across = drawn["mid"]
    names = [_pad(name, size, table.count, centre=True) for name, size in zip(table.header, table.widths, strict=True)]
    out += [
        frame + between.join(f"{edge}{name} " for name in names).removesuffix(" ") + (" " + frame if frame else " "),
        across,
    ]
    if border == 0:
        out[-2] = " ".join(names) + " "
    for row in table.rows:
        cells = [cell.split("\n") for cell in row]
        for at in range(max(map(len, cells))):
            line_ = ""
            for column, lines in enumerate(cells):
                last = column == len(cells) - 1
                text = lines[at] if at < len(lines) else ""
                goes_on = at < len(lines) - 1
                right = column in table.numbers
                padded = _pad(text, table.widths[column], table.count, right=right)
                if last and not frame and not goes_on and not right:
                    padded = padded.rstrip(" ") if text.strip() else ""
                tail = mark if goes_on else ("" if last and not frame else " ")
                line_ += edge + padded + tail + (between if border and (not last or frame) else "")
            out.append(frame + line_)
    if border == 2:
        out.append(drawn["low"])
    return "\n".join([*out, f"({len(table.rows)} rows)", "", ""])


def mariadb(table: Printed) -> str:
    across = "+" + "+".join("-" * (size + 2) for size in table.widths) + "+"
    out = [across]
    for number, row in enumerate([table.header, *table.rows]):
        cells = [
            _pad(cell, size, table.count, right=at in table.numbers and number > 0)
            for at, (cell, size) in enumerate(zip(row, table.widths, strict=True))
        ]
        out.append("".join(f"| {cell} " for cell in cells) + "|")
        if number == 0:
            out.append(across)
    return "\n".join([*out, across, ""])


def sqlite_column(table: Printed) -> str:
    rows = [table.header, ["-" * size for size in table.widths], *table.rows]
    return "".join(
        "  ".join(_pad(cell, size, table.count) for cell, size in zip(row, table.widths, strict=True)) + "\n"
        for row in rows
    )


def expanded(table: Printed, *, border: int = 1) -> str:
    left = max(map(table.count, table.header))
    right = max(table.widths) + 1
    out = []
    for number, row in enumerate(table.rows, 1):
        begin = f"* Record {number} " if border == 0 else f"-[ RECORD {number} ]" + "-" * (left + right)
        out.append(f"+{begin}+" if border == 2 else begin)
        for name, cell in zip(table.header, row, strict=True):
            lines = cell.split("\n")
            for at, text in enumerate(lines):
                shown = _pad(name if at == 0 else "", left, table.count)
                goes_on = at < len(lines) - 1
                padded = _pad(text, right - 1, table.count) + ("+" if goes_on else " ")
                if border == 2:
                    out.append(f"| {shown} | {padded}|")
                    continue
                value = padded.replace("+", " +") if goes_on and "+" not in text else text
                out.append(f"{shown} {value}" if border == 0 else f"{shown} | {value}")
    return "\n".join([*out, "", ""])


def vertical(table: Printed) -> str:
    left = max(map(len, table.header))
    stars = "*" * 27
    out = []
    for number, row in enumerate(table.rows, 1):
        out.append(f"{stars} {number}. row {stars}")
        out += [f"{name:>{left}}: {cell}" for name, cell in zip(table.header, row, strict=True)]
    return "\n".join([*out, ""])


def unaligned(table: Printed, separator: str = "|", *, footer: bool = True) -> str:
    rows = [separator.join(row) for row in [table.header, *table.rows]]
    return "\n".join([*rows, *([f"({len(table.rows)} rows)"] if footer else []), ""])


def batch(table: Printed) -> str:
    """MariaDB escapes what would break a row."""
    plain = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t"})
    return unaligned(
        replace(table, rows=[[cell.translate(plain) for cell in row] for row in table.rows]), "\t", footer=False
    )


def written(table: Printed, separator: str = ",", end: str = "\n") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerows([table.header, *table.rows])
    return out.getvalue()


def objects(table: Printed) -> list[dict[str, str]]:
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


def json_lines(table: Printed) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects(table))


def json_pretty(table: Printed) -> str:
    return json.dumps(objects(table), indent=2) + "\n"
