"""Random tables as each client prints them, cut anywhere: what is named is masked, and nothing else is changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bastion.masking.columns import ColumnMasker
from tests.core.columns import printed
from tests.core.columns.printed import Printed, screen

NAMED = frozenset({"email", "ssn", "*secret*"})
HEADERS = ["email", "ssn", "Secret_note", "id", "city", "note"]
PLANTED = "ΓΔΘΛΞΠΣΦΨΩ"
"""Letters of planted values, and of nothing else: not one of them may be seen."""

Render = Callable[[Printed], str]


def stars(value: bytes, _column: str) -> bytes:
    return b"*" * screen(value.decode())


def label(_value: bytes, column: str) -> bytes:
    return f"[{column.strip('*')}]".encode()


def masked(data: bytes, cuts: list[int], *, terminal: bool = True) -> bytes:
    """What comes out, and at most 4 KiB held on the way. `cuts`: the sizes of pieces, again and again."""
    masker = ColumnMasker(NAMED, stars if terminal else label, terminal)
    out, at, number = bytearray(), 0, 0
    while at < len(data):
        size = cuts[number % len(cuts)]
        out += masker.feed(data[at : at + size])
        assert masker.held <= 4096
        at, number = at + size, number + 1
    return bytes(out + masker.flush())


def hides(name: str) -> bool:
    return name.lower() in ("email", "ssn") or "secret" in name.lower()


def shown(table: Printed) -> Printed:
    """The table with its named cells as stars, line by line."""
    rows = [
        [
            "\n".join("*" * screen(line) for line in cell.split("\n")) if hides(name) else cell
            for name, cell in zip(table.header, row, strict=True)
        ]
        for row in table.rows
    ]
    return replace(table, rows=rows)


@st.composite
def tables(draw: st.DrawFn, *, extra: str = "", lines: bool = False, wide: str = "") -> Printed:
    """`extra`: characters that cells may hold besides letters; `lines`: cells may have several; `wide`: one that
    clients count differently. With five of them in a line the end of the next column may be its own (drawn.py)."""
    header = draw(st.permutations(HEADERS))[: draw(st.integers(2, 5))]
    if not any(map(hides, header)):
        header[draw(st.integers(0, len(header) - 1))] = "email"
    words = "abc 1-" + wide
    plain = st.text(words + extra, max_size=12).map(str.strip)
    secret = (
        st.text(PLANTED + wide + extra, min_size=2, max_size=14)
        .filter(lambda text: not wide or text.count(wide) < 5)
        .map(lambda text: PLANTED[0] + text.strip() + PLANTED[1])
    )
    numbers = frozenset(draw(st.sets(st.integers(0, len(header) - 1), max_size=2)))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row = []
        for at, name in enumerate(header):
            one = draw(st.none() | secret) or "" if hides(name) else draw(plain)
            if lines and at not in numbers and one and draw(st.booleans()):
                one += "\n" + draw(secret if hides(name) else st.text("xyz", min_size=1, max_size=5))
            row.append(one)
        rows.append(row)
    return Printed(header, rows, numbers)


CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=6) | st.just([1])

DRAWN: dict[str, Render] = {
    "psql": lambda table: printed.psql(table),
    "psql unicode": lambda table: printed.psql(table, unicode=True),
    "psql border 2": lambda table: printed.psql(table, border=2),
    "psql unicode border 2": lambda table: printed.psql(table, border=2, unicode=True),
    "psql border 0": lambda table: printed.psql(table, border=0),
}
SEPARATE: dict[str, Render] = {
    "psql unaligned": lambda table: printed.unaligned(table),
    "sqlite list": lambda table: printed.unaligned(table, footer=False),
    "tabs": lambda table: printed.unaligned(table, "\t", footer=False),
    "batch": printed.batch,
    "vertical": printed.vertical,
}


@pytest.mark.parametrize("name", DRAWN)
@given(data=st.data(), cuts=CUTS, before=st.sampled_from(["", "email\n\nsome | text\n", "a, b\n"]))
def test_a_drawn_table_keeps_all_but_the_named_cells(
    name: str, data: st.DataObject, cuts: list[int], before: str
) -> None:
    """Rules within values and values of several lines are no reason to miss one."""
    ruled = "border 0" not in name
    rules = ruled and data.draw(st.booleans())
    table = data.draw(tables(extra="|│+." if rules else ",;", lines=True, wide="" if rules else "王")).sized()
    before = "" if before.startswith("email") else before
    text, wanted = DRAWN[name](table), DRAWN[name](shown(table))
    assert masked((before + text + "b | c\n").encode(), cuts).decode() == before + wanted + "b | c\n"


def emoji_is_one(text: str) -> int:
    return sum(1 if one == "😀" else screen(one) for one in text.replace("\n", "x"))


@given(table=tables(extra=",;", lines=True, wide="王😀"), cuts=CUTS)
def test_a_table_of_mariadb_keeps_rows_that_newlines_break(table: Printed, cuts: list[int]) -> None:
    """MariaDB counts an emoji as one column of the screen, and prints a newline as it is."""
    table = replace(table, count=emoji_is_one).sized_as_one_line()
    text = printed.mariadb(table)
    out = masked(text.encode(), cuts).decode()
    assert not set(out) & set(PLANTED)
    assert out.count("\n") == text.count("\n")
    assert [line for line in out.split("\n") if line.startswith("+")] == [
        line for line in text.split("\n") if line.startswith("+")
    ]
    for row in table.rows:
        for name, cell in zip(table.header, row, strict=True):
            assert hides(name) or cell in out
    if not any("\n" in cell or "😀" in cell for row in table.rows for cell in row):
        assert out == printed.mariadb(shown(table))


@pytest.mark.parametrize("border", [0, 1, 2])
@given(table=tables(extra="+|", lines=True), cuts=CUTS)
def test_an_expanded_record_keeps_all_but_the_named_values(border: int, table: Printed, cuts: list[int]) -> None:
    table = table.sized()
    text = printed.expanded(table, border=border)
    out = masked(text.encode(), cuts).decode()
    assert not set(out) & set(PLANTED)
    assert [screen(line) for line in out.split("\n")] == [screen(line) for line in text.split("\n")]
    if border != 0:
        assert out.replace("*", "").count("|") >= len(table.rows) * len(table.header)


def like_a_record(table: Printed) -> bool:
    """Whether the header may be the first field of a record as well: then the other field's name may be masked."""
    return len(table.header) == 2 and hides(table.header[0]) and not hides(table.header[1])


@pytest.mark.parametrize("name", SEPARATE)
@given(table=tables(extra=",;"), cuts=CUTS)
def test_separate_fields_keep_all_but_the_named_ones(name: str, table: Printed, cuts: list[int]) -> None:
    assume(name not in ("psql unaligned", "sqlite list") or not like_a_record(table))
    text, wanted = SEPARATE[name](table), SEPARATE[name](shown(table))
    assert masked(text.encode(), cuts).decode() == wanted


@given(table=tables(extra="|,", lines=True), cuts=CUTS, separator=st.sampled_from("|\t"))
def test_fields_that_hold_separators_and_newlines_are_masked_in_each_reading(
    table: Printed, cuts: list[int], separator: str
) -> None:
    """Nothing tells how such a line is meant; a value with both at once is the limit that the module tells of."""
    rows = [[cell.replace("|", "") if "\n" in cell else cell for cell in row] for row in table.rows]
    if any("|" in cell for row in rows for cell in row):
        rows = [[cell.replace("\n", "") for cell in row] for row in rows]
    text = printed.unaligned(replace(table, rows=rows), separator)
    out = masked(text.encode(), cuts).decode()
    assert not set(out) & set(PLANTED)
    assert out.count("\n") == text.count("\n")


@pytest.mark.parametrize("terminal", [True, False])
@given(
    table=tables(extra="\",;|'", lines=True),
    cuts=CUTS,
    separator=st.sampled_from(",;"),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_csv_keeps_its_records(terminal: bool, table: Printed, cuts: list[int], separator: str, end: str) -> None:
    """Quoted fields with separators, quotes and newlines; every reader of CSV finds the same other cells."""
    assume(not like_a_record(table))
    out = masked(printed.written(table, separator, end).encode(), cuts, terminal=terminal).decode()
    assert not set(out) & set(PLANTED)
    found = list(csv.reader(io.StringIO(out, newline=""), delimiter=separator))
    assert found[0] == table.header
    assert len(found) == len(table.rows) + 1
    for row, one in zip(table.rows, found[1:], strict=True):
        for name, cell, seen in zip(table.header, row, one, strict=True):
            if not hides(name):
                assert seen == cell
            elif cell and not terminal:
                assert seen == label(b"", next(c for c in NAMED if c.strip("*") in name.lower())).decode()


@pytest.mark.parametrize("form", ["record", "table"])
@given(
    values=st.lists(st.text(PLANTED, min_size=1, max_size=5), min_size=1, max_size=4),
    others=st.lists(st.sampled_from(["Rome", "x y", "1", ""]), min_size=4, max_size=4),
    cuts=CUTS,
    separator=st.sampled_from("|,;"),
    gaps=st.booleans(),
)
def test_two_fields_in_a_line_are_masked_whatever_they_are(
    form: str, values: list[str], others: list[str], cuts: list[int], separator: str, gaps: bool
) -> None:
    """The header of a table and the first field of a record look alike."""
    if form == "table":
        text = f"email{separator}city\n" + "".join(
            f"{value}{separator}{other}\n" for value, other in zip(values, others, strict=False)
        )
    else:
        text = ("\n" if gaps else "").join(
            f"email{separator}{value}\ncity{separator}{other}\n" for value, other in zip(values, others, strict=False)
        )
    out = masked(text.encode(), cuts).decode()
    assert not set(out) & set(PLANTED)
    assert screen(out.replace("\n", "")) == screen(text.replace("\n", ""))


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("render", [printed.json_lines, printed.json_pretty])
@given(table=tables(extra='"\\{}[]:,\n\t'), cuts=CUTS, nested=st.booleans(), depth=st.integers(0, 2))
def test_json_stays_json(
    render: Render, terminal: bool, table: Printed, cuts: list[int], nested: bool, depth: int
) -> None:
    """Also with nested values, and within strings of JSON."""
    text = render(table)
    if nested:
        text = "".join(
            json.dumps(
                {"id": at, "email": {"home": [cell, {"x": [1, True, None]}], cell: 5}, "z": "kept"}, ensure_ascii=False
            )
            + "\n"
            for at, row in enumerate(table.rows)
            for name, cell in zip(table.header, row, strict=True)
            if hides(name) and cell
        )
    for _ in range(depth):
        text = "".join(json.dumps({"log": line}, ensure_ascii=False) + "\n" for line in text.split("\n") if line)
    out = masked(text.encode(), cuts, terminal=terminal).decode()
    assert not set(out) & set(PLANTED)
    assert out.count("\n") == text.count("\n")
    if render is printed.json_lines and not nested and depth == 0:
        for row, line in zip(table.rows, out.splitlines(), strict=True):
            kept = {name: cell for name, cell in zip(table.header, row, strict=True) if not hides(name)}
            assert kept.items() <= json.loads(line).items()
    if nested and depth == 0 and not terminal:
        for at, line in enumerate(out.splitlines()):
            found = json.loads(line)
            assert found["z"] == "kept"
            assert set(found) == {"id", "email", "z"}
            assert at >= 0


@given(table=tables(wide="王"), cuts=CUTS)
def test_columns_without_rules_are_masked_by_their_place(table: Printed, cuts: list[int]) -> None:
    """sqlite3 counts every character as one column of the screen: too much is masked then, and never too little."""
    table = replace(table, count=len).sized()
    text = printed.sqlite_column(table)
    out = masked(text.encode(), cuts).decode()
    assert not set(out) & set(PLANTED)
    assert out.count("\n") == text.count("\n")
    if "王" not in text:
        assert [line.rstrip() for line in out.split("\n")] == [
            line.rstrip() for line in printed.sqlite_column(shown(table)).split("\n")
        ]
