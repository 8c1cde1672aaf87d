"""What SQL would do: the vectors, and that no text makes the judge fail or say more than it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bastion.analysis.sql import KINDS, MAX_SQL, judge_sql
from bastion.analysis.sql_clients import CLIENTS

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "vectors" / "sql.yaml").read_text("utf-8"))
DOES = [
    pytest.param(case["client"], text, kinds, id=ascii(f"{case['client']}: {text}"))
    for case in CASES
    for text, kinds in case["does"]
    if kinds is not None
]
UNDECIDABLE = [
    pytest.param(case["client"], text, id=ascii(f"{case['client']}: {text}"))
    for case in CASES
    for text in case.get("undecidable", ())
]

WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "DELETE",
        "UPDATE",
        "SET",
        "INSERT",
        "INTO",
        "VALUES",
        "DROP",
        "TABLE",
        "WITH",
        "AS",
        "t",
        "u",
        "a",
        "id",
        "=",
        "1",
        "'x'",
        '"y"',
        "`z`",
        "[w]",
        "(",
        ")",
        ",",
        ";",
        ".",
        "--",
        "/*",
        "*/",
        "\\",
        "'",
        '"',
        "$$",
        ":",
        "::",
        "@",
        "#",
        "$",
        "{",
        "}",
        "E'\\''",
        "/*!",
        "GO",
        "EXEC",
        "COPY",
        "EXPLAIN",
        "ANALYZE",
        "CASE",
        "WHEN",
        "END",
        "NOT",
        "AND",
        "OR",
        "IN",
        "LIKE",
        "'%'",
        "pg_read_file",
        "load_file",
        "xp_cmdshell",
        "lower",
        "MERGE",
        "USING",
        "ON",
        "\n",
        "é",
        "\x00",
        "\u202e",
        "PRAGMA",
        "BEGIN",
        "CREATE",
        "ALTER",
        "GRANT",
    ]
)
TEXTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(WORDS, max_size=40).map(lambda words: " ".join(words).encode()),
    st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode()),
)


@pytest.mark.parametrize(("client", "text", "kinds"), DOES)
def test_what_is_understood_has_these_kinds_and_no_others(client: str, text: str, kinds: list[str]) -> None:
    """Exactly these kinds, and nothing undecidable."""
    verdict = judge_sql(text.encode(), client)
    assert verdict.undecidable == ()
    assert sorted(verdict.kinds) == sorted(kinds)


@pytest.mark.parametrize(("client", "text"), UNDECIDABLE)
def test_what_two_readers_could_read_differently_is_undecidable(client: str, text: str) -> None:
    """With a reason, and never without."""
    assert judge_sql(text.encode(), client).undecidable


def test_the_vectors_are_many_and_no_text_is_in_them_twice() -> None:
    """A vector that stands twice tests once."""
    texts = [param.values[:2] for param in DOES + UNDECIDABLE]
    assert len(texts) == len(set(texts)) >= 300


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "text", [b"SELECT 1\x00", b"\xff", b"SELECT '\xed\xa0\x80'", b"(" * (1 << 20), b"a" * (MAX_SQL + 1)]
)
def test_bytes_that_are_no_text_and_texts_too_long_are_undecidable(client: str, text: bytes) -> None:
    """A verdict, never a traceback."""
    assert judge_sql(text, client).undecidable


def test_sql_of_an_unknown_client_is_undecidable() -> None:
    """Whatever the text; and the name is told escaped."""
    verdict = judge_sql(b"SELECT 1", "osql\n")
    assert not verdict.kinds
    assert "\n" not in verdict.undecidable[0]


@given(text=TEXTS, client=st.sampled_from(CLIENTS))
def test_every_text_has_a_verdict(text: bytes, client: str) -> None:
    """Never an exception; kinds are of the catalogue; a statement that is counted is told of, one way or the other."""
    verdict = judge_sql(text, client)
    assert verdict.kinds <= KINDS
    assert verdict == judge_sql(text, client)
    if verdict.statements:
        assert verdict.kinds or verdict.undecidable


@given(
    words=st.lists(st.sampled_from(["SELECT", "a", "FROM", "t", "WHERE", "1", "=", "(", ")", ","]), max_size=15),
    client=st.sampled_from(CLIENTS),
)
def test_a_drop_behind_a_semicolon_is_always_seen(words: list[str], client: str) -> None:
    """Whatever stands before it: it is found, or the text is undecidable."""
    verdict = judge_sql((" ".join(words) + "; DROP TABLE t").encode(), client)
    assert "drop" in verdict.kinds or verdict.undecidable


def test_reasons_do_not_quote_the_text() -> None:
    """A password in SQL that can not be read gets into no reason, and so into no log."""
    for client in CLIENTS:
        for text in (
            b"ALTER FROM 'hunter2' (",
            b"SELECT 'hunter2",
            b"FOO 'hunter2'",
            b"SELECT 'hunter2' 'x' FROM FROM",
        ):
            assert "hunter2" not in repr(judge_sql(text, client))
