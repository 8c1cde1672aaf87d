"""What was found by attack: time that passes in the middle of a table, and tables that are made to be slow."""

from __future__ import annotations

import time

import pytest

from bastion.masking.columns import ColumnMasker

TABLES = {
    "psql aligned": " id | email \n----+-------\n  1 | Zk9\n(1 row)\n",
    "mariadb vertical": "*************************** 1. row ***************************\n   id: 1\nemail: Zk9\n",
    "vertical, the named field first": "*************************** 1. row ***************************\nemail: Zk9\n",
    "psql records, border 0": "* Record 1\nid    1\nemail Zk9\n",
}


def stars(value: bytes, _column: str) -> bytes:
    return b"#" * len(value)


def masker(*, terminal: bool) -> ColumnMasker:
    return ColumnMasker(frozenset({"email"}), stars, terminal)


@pytest.mark.parametrize("name", TABLES)
def test_a_pause_at_any_place_shows_no_value_and_loses_no_byte(name: str) -> None:
    """A terminal gives out what is held after 20 ms, wherever a client's write has ended."""
    text = TABLES[name].encode()
    wrong = []
    for at in range(1, len(text)):
        one = masker(terminal=True)
        shown = one.feed(text[:at]) + one.release() + one.feed(text[at:]) + one.flush()
        if b"k9" in shown or len(shown) != len(text):
            wrong.append((text[:at][-12:], shown[-24:]))
    assert wrong == []


def cost(text: bytes) -> float:
    one = masker(terminal=False)
    begin = time.process_time()
    one.feed(text)
    return time.process_time() - begin


def rows(fields: int) -> bytes:
    """A header of so many fields, one line with more separators that have blanks beside them, and a row."""
    header = "\t".join(["id"] * (fields // 2) + ["email"] * (fields // 2))
    lines = [header, " a \t" * (fields * 5 // 4), " a \t" * (fields // 4), "x\t" * 30]
    return "\n".join([*lines, ""]).encode()


def test_a_wide_table_takes_time_in_proportion_to_its_bytes() -> None:
    """One target must not stall all sessions: 20 KB may not take seconds."""
    small, large = rows(150), rows(600)
    assert cost(large) / cost(small) < 4 * len(large) / len(small)


def test_a_wide_table_without_rules_does_too() -> None:
    small, large = (("email " * n + "\n" + "----- " * n + "\n" + "\u00e9    " * n + "\n").encode() for n in (200, 1600))
    assert cost(large) / cost(small) < 4 * len(large) / len(small)
