"""What was found by attack: time that passes in the middle of a table, and tables that are made to be slow."""

from __future__ import annotations

import time

import pytest

from bastion.masking.columns import ColumnMasker

TABLES = {
    "psql aligned": " id | email \n----+-------\n  1 | Zk9\n(1 row)\n",
    "mariadb vertical": "*************************** 1. row ***************************\n   id: 1\nemail: Zk9\n",
    "vertical, the named field first": "*************************** 1. row ***************************\nemail: Zk9\n",
    "psql records": "-[ RECORD 1 ]\nid    | 1\nemail | Zk9\n\n",
    "unaligned records": "id|1\nemail|Zk9\nid|2\nemail|Yk9\n",
    "unaligned records, the named field first": "email|Zk9\nid|1\n\nemail|Yk9\nid|2\n",
    "two fields": "email|id\nZk9|1\nY@k9|2\n(2 rows)\n",
    "unaligned": "id|email\n1|Zk9\n(1 row)\n",
    "csv": 'id,email\n1,Zk9\n2,"Y,k9"\n',
    "batch": "id\temail\n1\tZk9\n2\tYk9\n",
    "mariadb": "+-------+\n| email |\n+-------+\n| Zk9   |\n+-------+\n1 row in set (0.00 sec)\n\n",
    "a notice": " id | email \n----+-------\n  1 | Zk9\nNOTICE:  x\n  2 | Yk9\n(2 rows)\n",
    "json": '{"id": 1, "em\\u0061il": "Zk9"}\n',
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


HOSTILE = {
    "fields with blanks in a wide table": rows(3000) + b"x\t\n" * 2000,
    "empty lines in a wide table": rows(3000) + b"\n" * 20_000,
    "more fields than any table has": rows(8000),
    "a border of many columns": ("id email " * 3000 + "\n" + "-- ----- " * 3000 + "\n" + "\u00e9    " * 3000).encode(),
    "bytes of no width that is known": b"id email email\n-- ----- -----\n" + b"\xff" * 60_000,
    "rules that may stand anywhere": b" id | email | ssn\n----+-------+-----\n" + b" \xff\xff\xff\xff|\xff|" * 8000,
    "keys without an end": b'"email' * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_64_kib_of_hostile_text_take_half_a_second_at_most(name: str) -> None:
    text = HOSTILE[name]
    assert cost(text) < 0.5 * max(1, len(text) / 65_536)


def test_a_table_of_more_fields_than_readings_are_told_apart_shows_none() -> None:
    one = masker(terminal=True)
    header = b"\t".join([b"id"] * 5000 + [b"email"]) + b"\n"
    assert one.feed(header + b"Zk9\tx\n") + one.flush() == header + b"###\t#\n"


def test_a_character_that_may_stand_far_away_passes_many_columns_at_once() -> None:
    """Behind bytes that no client counts alike."""
    one = masker(terminal=True)
    text = b"id id " + b"email " * 3000 + b"\n-- -- " + b"----- " * 3000 + b"\n" + b"\xff" * 4000 + b"aaaZk9\n"
    assert b"Zk9" not in one.feed(text) + one.flush()
