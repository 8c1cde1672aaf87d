"""What real clients print of real databases: every planted value of a named column masked, and the layout whole."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from wcwidth import wcswidth

from bastion.masking.columns import ColumnMasker
from tests.system.harness.databases import Database, MariaDB, PostgreSQL
from tests.system.people import HEADER, NAMED, PEOPLE, PLANTED, statements
from tests.system.terminal import Terminal

SELECT = "SELECT * FROM people ORDER BY id"

PSQL = {
    "aligned": [],
    "border 0": ["-P", "border=0"],
    "border 2": ["-P", "border=2"],
    "unicode": ["-P", "linestyle=unicode"],
    "unicode border 2": ["-P", "linestyle=unicode", "-P", "border=2"],
    "no footer": ["-P", "footer=off"],
    "null shown": ["-P", "null=(null)"],
    "wrapped": ["-P", "format=wrapped", "-P", "columns=100"],
    "wrapped unicode": ["-P", "format=wrapped", "-P", "columns=100", "-P", "linestyle=unicode"],
    "expanded": ["-x"],
    "expanded border 0": ["-x", "-P", "border=0"],
    "expanded border 2": ["-x", "-P", "border=2"],
    "expanded unicode": ["-x", "-P", "linestyle=unicode", "-P", "border=2"],
    "unaligned": ["-A"],
    "unaligned tabs": ["-A", "-F", "\t"],
    "unaligned expanded": ["-A", "-x"],
    "csv": ["--csv"],
    "csv semicolons": ["--csv", "-P", "csv_fieldsep=;"],
    "csv expanded": ["--csv", "-x"],
}
MARIADB = {
    "table": ["-t"],
    "vertical": ["-E"],
    "batch": ["-B"],
    "raw": ["-B", "-r"],
    "xml": ["-X"],
}
SQLITE = ["list", "tabs", "csv", "json", "column", "table", "box", "markdown"]

TERMINAL = [pytest.param(False, id="pipe"), pytest.param(True, id="terminal")]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as database:
        database.run(["-q"], text=statements())
        yield database


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    with MariaDB() as database:
        database.run([], text=statements())
        yield database


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "people.db"
    subprocess.run(["sqlite3", str(path)], input=statements().encode(), check=True, timeout=30)
    return path


def printed(database: Database, arguments: list[str], *, terminal: bool) -> bytes:
    if not terminal:
        return database.run(arguments)
    environment = {**database.environment, "TERM": "xterm-256color"}
    with Terminal([*database.client, *arguments], columns=250, rows=60, environment=environment) as screen:
        assert screen.finish() == 0, screen.seen
        return screen.seen


def stars(value: bytes, _column: str) -> bytes:
    return b"*" * max(0, wcswidth(value.decode()))


def label(_value: bytes, column: str) -> bytes:
    return f"[{column}]".encode()


def masked(data: bytes, *, terminal: bool) -> str:
    """The same in one piece and cut at random, down to single bytes; and something was counted."""
    outs = set()
    for seed in range(6):
        sizes = random.Random(seed)  # noqa: S311 # cuts, no secret
        masker = ColumnMasker(NAMED, stars if terminal else label, terminal)
        out, at = bytearray(), 0
        while at < len(data):
            size = len(data) if seed == 0 else 1 if seed == 1 else sizes.randint(1, 200)
            out += masker.feed(data[at : at + size])
            assert masker.held <= 4096
            at += size
        outs.add(bytes(out + masker.flush()))
        assert masker.counts.keys() <= {f"column:{name}" for name in NAMED}
        assert masker.counts["column:email"] >= len(PEOPLE)
    assert len(outs) == 1, "cut elsewhere, it comes out otherwise"
    return outs.pop().decode()


def all_hidden(out: str) -> None:
    """No planted value is left, nor the greater part of one that a client has wrapped."""
    left = [value for value in PLANTED if value in out]
    assert left == [], out
    parts = [value[at : at + 7] for value in PLANTED for at in range(max(1, len(value) - 6))]
    assert [part for part in parts if part in out] == [], out


def the_rest_is_shown(out: str, *, without: str = "") -> None:
    """All other cells, but for those of rows that hold this."""
    for row in PEOPLE:
        for name, cell in zip(HEADER, row, strict=True):
            if name not in NAMED and cell and not (without and any(without in (one or "") for one in row)):
                assert cell in out
    assert all(name in out for name in HEADER)


def layout_is_whole(text: str, out: str) -> None:
    """As many lines, borders and rules where they were, and no line wider or narrower than it was."""
    before, after = text.splitlines(), out.splitlines()
    assert len(before) == len(after)
    border = re.compile(r"[-+─┼├┤┌┐└┘┬┴|]*|[-─ ]+")
    for old, new in zip(before, after, strict=True):
        if border.fullmatch(old) or "rows)" in old:
            assert new == old


@pytest.mark.parametrize("terminal", TERMINAL)
@pytest.mark.parametrize("form", PSQL)
def test_what_psql_prints(postgresql: PostgreSQL, form: str, terminal: bool) -> None:
    data = printed(postgresql, [*PSQL[form], "-c", SELECT], terminal=terminal)
    text, out = data.decode(), masked(data, terminal=terminal)
    all_hidden(out)
    # Where a client may count an emoji in two ways, or a separator stands in a value, more than need be is masked.
    the_rest_is_shown(out, without={"border 0": "😀", "unaligned": "|"}.get(form, " " if "wrapped" in form else ""))
    if terminal or "csv" not in form:
        layout_is_whole(text, out)
    if (terminal and "csv" not in form) or form in ("aligned", "border 0", "border 2", "unicode border 2"):
        assert [wcswidth(line) for line in out.splitlines()] == [wcswidth(line) for line in text.splitlines()]
    if form.startswith("csv") and "expanded" not in form:
        rows = list(csv.reader(io.StringIO(out, newline=""), delimiter=";" if "semi" in form else ","))
        assert [len(row) for row in rows] == [len(HEADER)] * (len(PEOPLE) + 1)


@pytest.mark.parametrize("terminal", TERMINAL)
@pytest.mark.parametrize("form", MARIADB)
def test_what_mariadb_prints(mariadb: MariaDB, form: str, terminal: bool) -> None:
    data = printed(mariadb, [*MARIADB[form], "-e", SELECT], terminal=terminal)
    text, out = data.decode(), masked(data, terminal=terminal)
    all_hidden(out)
    the_rest_is_shown(out)
    if terminal or form not in ("xml",):
        assert (
            len(out.splitlines()) >= len(text.splitlines()) - text.count("\n\n") * 3
            if not terminal
            else len(out.splitlines()) == len(text.splitlines())
        )
    if form == "table":
        layout_is_whole(text, out)
        size = wcswidth(text.splitlines()[0])
        plain = [line for line in out.splitlines() if line.startswith("|") and line.endswith("|") and "😀" not in line]
        assert {wcswidth(line) for line in plain} == {size}


@pytest.mark.parametrize("terminal", TERMINAL)
@pytest.mark.parametrize("mode", SQLITE)
def test_what_sqlite3_prints(sqlite: Path, mode: str, terminal: bool) -> None:
    done = subprocess.run(
        ["sqlite3", "-header", f"-{mode}", str(sqlite), SELECT], capture_output=True, check=True, timeout=30
    )
    out = masked(done.stdout, terminal=terminal)
    all_hidden(out)
    if mode not in ("column",):
        the_rest_is_shown(out, without="|" if mode == "list" else "")
    if mode in ("table", "box", "markdown"):
        layout_is_whole(done.stdout.decode(), out)
    if mode == "json":
        assert terminal or [row["id"] for row in json.loads(out)] == [int(row[0] or 0) for row in PEOPLE]
    if mode == "csv":
        rows = list(csv.reader(io.StringIO(out, newline="")))
        assert [len(row) for row in rows] == [len(HEADER)] * (len(PEOPLE) + 1)


@pytest.mark.parametrize("terminal", TERMINAL)
def test_a_table_of_one_named_column(postgresql: PostgreSQL, mariadb: MariaDB, terminal: bool) -> None:
    """No separator is there to tell: the header alone is the evidence."""
    one = "SELECT email FROM people ORDER BY id"
    for arguments in ([], ["-P", "border=0"], ["-P", "border=2"], ["-A"], ["--csv"], ["-x"], ["-A", "-x"]):
        data = printed(postgresql, [*arguments, "-c", one], terminal=terminal)
        all_hidden(masked(data, terminal=terminal))
    for arguments in (["-t"], ["-B"], ["-E"], ["-X"]):
        data = printed(mariadb, [*arguments, "-e", one], terminal=terminal)
        all_hidden(masked(data, terminal=terminal))


@pytest.mark.parametrize("terminal", TERMINAL)
def test_json_made_by_a_database(postgresql: PostgreSQL, terminal: bool) -> None:
    for made in ("row_to_json(p)", "jsonb_pretty(to_jsonb(p))", "json_build_object('people', json_agg(p))"):
        select = f"SELECT {made} FROM people p"  # noqa: S608 # of this test's own words
        for arguments in (["-t", "-A"], [], ["-x"]):
            data = printed(postgresql, [*arguments, "-c", select], terminal=terminal)
            all_hidden(masked(data, terminal=terminal))


def test_a_dump_names_its_columns(postgresql: PostgreSQL) -> None:
    """COPY as pg_dump writes it, and with a header of its own."""
    copies = ("COPY people TO STDOUT WITH (FORMAT csv, HEADER)", "COPY people TO STDOUT WITH (FORMAT text, HEADER)")
    for copy in copies:
        all_hidden(masked(postgresql.run(["-c", copy]), terminal=False))
    rows = postgresql.run(["-c", "COPY people TO STDOUT"])
    head = f"COPY public.people ({', '.join(HEADER)}) FROM stdin;\n".encode()
    out = masked(head + rows + b"\\.\n\n-- email is kept here\n", terminal=False)
    all_hidden(out)
    assert out.endswith("\\.\n\n-- email is kept here\n")


def test_a_session_of_psql_in_a_terminal(postgresql: PostgreSQL) -> None:
    """Prompts and what is typed behind a table are as they were, and nothing of them is held."""
    with Terminal(
        [*postgresql.client, "-P", "pager=off"], columns=250, rows=60, environment=postgresql.environment
    ) as screen:
        for line in (
            SELECT,
            "\\x",
            SELECT,
            "\\pset format csv",
            SELECT,
            "\\pset format unaligned",
            SELECT,
            "SELECT 'the end' AS x",
        ):
            screen.wait_for(b"=# ")
            screen.type(line.encode() + (b"\r" if line.startswith("\\") else b";\r"))
        screen.wait_for(b"the end\r\n")
        screen.wait_for(b"=# ")
        screen.type(b"\\q\r")
        assert screen.finish() == 0
    out = masked(screen.seen, terminal=True)
    all_hidden(out)
    text = screen.seen.decode()
    for line in text.splitlines():
        if "=# " in line or "the end" in line:
            assert line in out
