"""Real servers as oracles: what the judge calls reading changes nothing, and a WHERE that chooses leaves a row.

SQLite is always there (Python's own). Its authorizer is asked about every act of every statement before it runs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis.sql import judge_sql

LOOKS = frozenset({"select", "show", "several"})
ACTS_OF_READING = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
PRAGMAS_OF_READING = frozenset(
    {"table_info", "table_list", "index_list", "user_version", "journal_mode", "integrity_check"}
)
MANY = settings(max_examples=20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "hunt" else 300, deadline=None)

PIECES = [
    "SELECT",
    "SELECT *",
    "SELECT a",
    "FROM t",
    "FROM u",
    ", t",
    "JOIN u",
    "ON t.id = u.id",
    "WHERE id = 1",
    "WHERE a",
    "UNION SELECT a FROM u",
    "LIMIT 1",
    "ORDER BY 1",
    "GROUP BY a",
    "HAVING 1",
    "DELETE FROM t",
    "UPDATE t SET a = 1",
    "INSERT INTO t VALUES (1, 2, 3)",
    "REPLACE INTO t",
    "DEFAULT VALUES",
    "DROP TABLE t",
    "ALTER TABLE t RENAME TO v",
    "CREATE TABLE v (a)",
    "AS SELECT 1",
    "WITH x AS (SELECT 1)",
    "WITH x AS (",
    "x",
    "RETURNING *",
    "ATTACH ':memory:' AS y",
    "DETACH y",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "PRAGMA table_info(t)",
    "PRAGMA user_version",
    "PRAGMA user_version = 5",
    "PRAGMA user_version(5)",
    "PRAGMA journal_mode",
    "BEGIN",
    "COMMIT",
    "EXPLAIN",
    "EXPLAIN QUERY PLAN",
    "VALUES (1)",
    "(",
    ")",
    ";",
    ",",
    ".",
    "--",
    "-- x\n",
    "/* x */",
    "/*",
    "*/",
    "'",
    '"',
    "`",
    "[",
    "]",
    "'x'",
    "''",
    '"t"',
    "[t]",
    "`t`",
    "'it''s'",
    "1",
    "a",
    "id",
    "\\",
    "\\'",
    "lower(a)",
    "load_extension('x')",
    "(SELECT 1)",
    "CASE WHEN 1 THEN 2 END",
    "IN (1, 2)",
    "x'00'",
    "E'x'",
    "\n",
    "\t",
    "#",
    "$",
    "@",
    "?",
    ":a",
    "AS b",
    'AS "drop"',
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map(" ".join),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join),
)

COLUMNS = st.sampled_from(["id", "a", "name", "t.id", '"a"', "[id]", "(id)", "lower(name)", "CAST(a AS int)", "a + 0"])
VALUES = st.sampled_from(["0", "1", "-1", "'x'", "'%'", "NULL", "'id'", '"id"', "(1)", "1 + 1", "lower('X')", "''"])
OPERANDS = COLUMNS | VALUES
ATOMS = st.one_of(
    st.tuples(OPERANDS, st.sampled_from(["=", "<>", "<", ">", "<=", ">=", "IS", "IS NOT", "==", "!="]), OPERANDS).map(
        " ".join
    ),
    st.tuples(
        OPERANDS, st.sampled_from(["LIKE", "NOT LIKE", "GLOB"]), st.sampled_from(["'%'", "'x%'", "'*'", "'_'"])
    ).map(" ".join),
    st.tuples(
        COLUMNS,
        st.sampled_from(["IN", "NOT IN"]),
        st.sampled_from(["(1)", "(1, id)", "(NULL)", "(SELECT id FROM t)", "(SELECT 5)"]),
    ).map(" ".join),
    st.tuples(
        OPERANDS,
        st.sampled_from(["IS NULL", "IS NOT NULL", "NOTNULL", "ISNULL", "", "BETWEEN 0 AND 1", "NOT BETWEEN 0 AND 1"]),
    ).map(" ".join),
    st.sampled_from(["EXISTS (SELECT 1)", "EXISTS (SELECT 1 FROM t AS x WHERE x.id = t.id)", "1", "NOT 0", "true"]),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(" ".join),
        inner.map("NOT {}".format),
        inner.map("({})".format),
    ),
    max_leaves=4,
)  # fmt: skip


def database() -> sqlite3.Connection:
    """Two tables. Between them, the rows of t hold every value that the conditions above speak of, and others."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript("CREATE TABLE t (id, a, name); CREATE TABLE u (id, a)")
    pool = [None, -99, -1, 0, 1, 2, 5, 99, "", "x", "xy", "abc", "id", "%"]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(i, a, n) for i in pool for a in pool for n in pool])
    return connection


def acts_of(text: str) -> list[tuple[object, ...]]:
    """What SQLite was asked to allow, beside reading; each of them was refused."""
    acts: list[tuple[object, ...]] = []

    def authorize(*asked: object) -> int:
        reads = asked[0] in ACTS_OF_READING or (
            asked[0] == sqlite3.SQLITE_PRAGMA
            and asked[1] in PRAGMAS_OF_READING
            and (asked[2] is None or asked[1] != "user_version")
        )
        if reads and "load_extension" not in asked:
            return sqlite3.SQLITE_OK
        acts.append(asked)
        return sqlite3.SQLITE_DENY

    connection = database_of_two_rows()
    connection.set_authorizer(authorize)
    try:
        connection.executescript(text)
    except (sqlite3.Error, sqlite3.Warning):
        pass  # most generated texts fail, some after a first statement has run: what was asked for is what counts
    finally:
        connection.close()
    return acts


def database_of_two_rows() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        "CREATE TABLE t (id, a, name); CREATE TABLE u (id, a); INSERT INTO t VALUES (1, 2, 3), (4, 5, 6)"
    )
    return connection


def test_the_oracle_sees_acts() -> None:
    """Else the tests below could not fail."""
    assert acts_of("SELECT 1; DELETE FROM t")
    assert acts_of("DROP TABLE t")
    assert acts_of("PRAGMA user_version = 5")
    assert not acts_of("SELECT lower(a) FROM t")


@MANY
@given(text=TEXTS)
@example("SELECT '\\'; DELETE FROM t; --'")
@example("SELECT /* /* */ 1; DELETE FROM t -- */")
def test_what_is_judged_to_read_asks_sqlite_for_nothing_else(text: str) -> None:
    """Every act of every statement is asked about; reading is the only one."""
    verdict = judge_sql(text.encode(), "sqlite3")
    if not verdict.undecidable and verdict.kinds <= LOOKS:
        assert acts_of(text) == []


@MANY
@given(text=TEXTS.map("EXPLAIN {}".format))
def test_what_is_judged_to_explain_changes_nothing(text: str) -> None:
    """The authorizer is asked about what is explained too, so here the database itself is looked at."""
    verdict = judge_sql(text.encode(), "sqlite3")
    if verdict.undecidable or not verdict.kinds <= LOOKS | {"explain"}:
        return
    connection = database_of_two_rows()
    before = list(connection.iterdump())
    with contextlib.suppress(sqlite3.Error, sqlite3.Warning):  # one that fails half way counts as far as it came
        connection.executescript(text)
    assert not connection.in_transaction
    assert list(connection.iterdump()) == before
    connection.close()


ROWS = database()


@MANY
@given(condition=CONDITIONS, verb=st.sampled_from(["DELETE FROM t", "UPDATE t SET a = 'touched'"]))
@example("id = 1 OR id <> 1", "DELETE FROM t")
@example("a IS NOT NULL OR a IS NULL", "DELETE FROM t")
def test_a_where_that_is_judged_to_choose_leaves_a_row(condition: str, verb: str) -> None:
    """Of rows that hold every value there is talk of, at least one is left."""
    verdict = judge_sql(f"{verb} WHERE {condition}".encode(), "sqlite3")
    if verdict.undecidable or verdict.kinds & {"delete-all", "update-all"}:
        return
    try:
        (left,) = ROWS.execute(f"SELECT count(*) FROM t WHERE ({condition}) IS NOT TRUE").fetchone()  # noqa: S608 - its point
    except sqlite3.Error:
        return  # not SQL to SQLite: nothing would be changed
    assert left > 0
