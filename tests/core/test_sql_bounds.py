"""No text takes long: counted in the parser's steps, and timed on the shapes that were its worst."""

from __future__ import annotations

import time

import pytest

from bastion.analysis.sql import MAX_BRACKETS, MAX_DEPTH, MAX_TOKENS, judge_sql
from bastion.analysis.sql_clients import CLIENTS

SECONDS = 0.25
"""Five times the bound that was measured on a quiet machine (50 ms): a run of tests is no quiet machine, and what these
shapes took before the parser's steps were counted was seconds to minutes."""

# Each took the parser exponential, cubic or quadratic time in its length.
NESTED = [
    ("date (", ")"),
    ("struct(", ")"),
    ("array[", "]"),
    ("map(", ")"),
    ("(", ")"),
    ("(select * from ", ") x"),
    ("case when a then ", " end"),
    ("cast(", " as int)"),
    ("x in (", ")"),
    ("exists (select 1 where ", ")"),
]
REPEATED = [
    "join t ",
    "[1]",
    "NOT ",
    "all ",
    "a,",
    "cast(a as int),",
    "1+",
    "(a,b),",
    "a:=1,",
    "'x' ",
    "interval ",
    "@",
    "- ",
    "from a ",
]
BEFORE = [
    "SELECT ",
    "SELECT * FROM ",
    "DELETE FROM t WHERE ",
    "UPDATE t SET a=",
    "MERGE INTO t USING ",
    "WITH x AS (SELECT 1) SELECT ",
]


def slowest(texts: list[str]) -> float:
    return max(seconds(text, client) for text in texts for client in ("psql", "mysql", "clickhouse-client"))


def seconds(text: str, client: str) -> float:
    """Of this process's own time, the least of three: a busy neighbour or the collector of garbage is no part of it."""
    least = float("inf")
    for _ in range(3):
        begun = time.process_time()
        judge_sql(text.encode(), client)
        least = min(least, time.process_time() - begun)
        if least < SECONDS / 2:
            break
    return least


@pytest.mark.parametrize("nest", NESTED, ids=lambda nest: str(nest[0]))
def test_nesting_to_the_bound_is_quick(nest: tuple[str, str]) -> None:
    """Whole and torn."""
    opening, closing = nest
    texts = [
        before + opening * depth + inside + closing * (depth - torn)
        for before in BEFORE for depth in (MAX_DEPTH // 2, MAX_DEPTH) for torn in (0, 1) for inside in ("1", "")
    ]  # fmt: skip
    assert slowest(texts) < SECONDS


@pytest.mark.parametrize("unit", REPEATED)
def test_repetition_to_the_bound_is_quick(unit: str) -> None:
    """As many as there may be tokens, and as many as there may be brackets."""
    assert slowest([before + unit * count for before in BEFORE for count in (MAX_BRACKETS, 590)]) < SECONDS


def test_many_statements_are_quick() -> None:
    """Each statement has steps of its own."""
    assert slowest(["SELECT date (date (1));" * 64, "SELECT join t;" * 64]) < SECONDS


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_past_a_bound_is_undecidable(client: str) -> None:
    """One more than the bound; and the bound itself is read."""
    assert judge_sql(b"SELECT " + b"(" * (MAX_DEPTH + 1) + b"1" + b")" * (MAX_DEPTH + 1), client).undecidable
    assert not judge_sql(b"SELECT " + b"(" * (MAX_DEPTH - 4) + b"1" + b")" * (MAX_DEPTH - 4), client).undecidable
    assert judge_sql(b"SELECT 1" + b",1" * MAX_TOKENS, client).undecidable
    assert judge_sql(b"SELECT 1;" * 65, client).undecidable
    assert judge_sql(b"SELECT " + b"NOT " * 500 + b"1", client).statements == 1
