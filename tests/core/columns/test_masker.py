"""Bounds, release, echo and counts of the masker of named columns."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bastion.masking.columns import ColumnMasker
from bastion.masking.columns.names import Names
from bastion.masking.columns.text import torn
from tests.core.columns.printed import screen

NAMED = frozenset({"email", "ssn"})


def label(_value: bytes, column: str) -> bytes:
    return f"[{column}]".encode()


def stars(value: bytes, _column: str) -> bytes:
    return b"*" * screen(value.decode())


def terminal() -> ColumnMasker:
    return ColumnMasker(NAMED, stars, True)


SINGLE = "email ssn id a , ; | \" { } [ ] : \\ 王 😀 │ ─ ┼ - -- + ( ) 1 2 * < > = # . ' x@y"
PIECES = [
    *SINGLE.split(" "),
    *("\n", "\r\n", "\r", "\t", " ", "\x1b[1m", "\x1b", "\n---+---\n", "\n+---+\n", "| email | id |", " email | id "),
    *("id email\n", "-- -----\n", "-[ RECORD 1 ]-\n", "* Record 1\n", "***** 1. row *****\n", "(2 rows)\n", "x=> "),
    *('"email": ', "id,email\n", "id|email\n", "email\n", "<field name=", "1 row in set", "email|", "email,"),
]
"""What tables and what ends them are made of."""

HEAD = {
    "csv": b"id,email\n1,",
    "quoted csv": b'id,email\n1,"',
    "a quoted field of another column": b'email,id\na,"',
    "unaligned": b"id|email\n1|",
    "one column": b"email\n",
    "psql": b" id | email \n----+-------\n  1 | ",
    "mariadb": b"+----+---------+\n| id | email   |\n+----+---------+\n|  1 | ",
    "no rules": b"id email\n-- -----\n 1 ",
    "expanded": b"-[ RECORD 1 ]-\nemail | ",
    "vertical": b"*************************** 1. row ***************************\nemail: ",
    "unaligned record": b"id|1\nemail|",
    "json": b'{"email": "',
    "json number": b'{"email": 1',
    "nested json": b'{"email": {"a": ["',
    "json in json": b'{"a": "{\\"email\\": \\"',
    "xml": b'<field name="email">',
}


@pytest.mark.parametrize("head", HEAD.values(), ids=HEAD.keys())
@pytest.mark.parametrize("on_terminal", [True, False])
@pytest.mark.parametrize("fill", [b"7", "王".encode(), b"\\", b"7 ", b"\x1b[31m7"])
def test_an_endless_value_is_held_up_to_4_kib_and_then_masked_as_it_passes(
    head: bytes, on_terminal: bool, fill: bytes
) -> None:
    if head.endswith(b": 1") and fill not in (b"7", "王".encode()):
        fill = b"71"  # a blank, a backslash or an escape ends a number
    outs = []
    for size in (1000, 7):
        masker = ColumnMasker(NAMED, stars if on_terminal else label, on_terminal)
        out = bytearray(masker.feed(head))
        data = fill * (12_000 // len(fill))
        for at in range(0, len(data), size):
            out += masker.feed(data[at : at + size])
            assert masker.held <= 4096
        assert len(out) > len(head) or fill == b"\\" or b"email,id" in head
        outs.append(bytes(out + masker.flush()))
        assert not masker.holding
    assert outs[0] == outs[1]
    shown = outs[0][len(head) :]
    if b"email,id" not in head:
        assert b"7" not in shown
        assert "王".encode() not in shown


def test_a_header_without_end_grows_nothing_without_bound() -> None:
    masker = terminal()
    for _ in range(40):
        assert masker.feed(b"id,email," * 2000) == b"id,email," * 2000
        assert masker.held == 0


@pytest.mark.parametrize("head", HEAD.values(), ids=HEAD.keys())
def test_what_is_released_is_masked_and_so_is_the_rest_of_the_value(head: bytes) -> None:
    """A terminal's time is up in the midst of a value."""
    masker = terminal()
    out = masker.feed(head + b"12") + masker.release()
    assert not masker.holding
    out += masker.feed(b"34") + masker.release() + masker.feed(b"56") + masker.flush()
    if b"email,id" not in head:
        assert not set(out[len(head) - 1 :]) & set(b"23456")


@given(
    data=st.binary(max_size=300)
    | st.lists(st.sampled_from(PIECES), max_size=60).map(lambda pieces: "".join(pieces).encode()),
    when=st.integers(1, 9),
)
@example(data=b"email|\r\x00", when=1)
@example(data=b"email\x1b\x1b", when=1)
@example(data=b"email\t\x1b\x00", when=1)
@example(data=b"\x1b[1;31memail;\x1b[0mx y\n", when=3)
def test_any_bytes_come_out_the_same_however_they_are_cut(data: bytes, when: int) -> None:
    """And a release at any time breaks nothing and leaves nothing held but an escape or a character that is torn."""
    whole = terminal()
    out = whole.feed(data) + whole.flush()
    single = terminal()
    assert b"".join(single.feed(data[at : at + 1]) for at in range(len(data))) + single.flush() == out
    released = terminal()
    for at in range(0, len(data), when):
        released.feed(data[at : at + when])
        released.release()
        assert released.held <= torn(data[: at + when])


@given(st.text("abcxyz ,|;:=()-+\"'{}[]\t\n", max_size=300))
def test_text_without_a_name_passes_at_once(text: str) -> None:
    """Typed echo is never late, and nothing is changed."""
    masker = terminal()
    for character in text.encode():
        assert masker.feed(bytes([character])) == bytes([character])
    assert masker.flush() == b""


def test_typed_echo_with_a_name_is_never_held() -> None:
    masker = terminal()
    for line in (
        "select id, email from people where ssn like '1%';\r\n",
        '{"email"',
        " echo email | ssn",
        'grep "ssn: ',
    ):
        for character in line.encode():
            assert masker.feed(bytes([character])) == bytes([character])
            assert not masker.holding


def test_other_cells_of_a_table_pass_at_once() -> None:
    masker = ColumnMasker(NAMED, stars, False)
    masker.feed(b"id,email,city\n")
    assert masker.feed(b"x2") == b"x2"
    assert masker.feed(b"3,") == b"3,"
    assert masker.feed(b"a@b") == b""
    assert masker.feed(b",Ro") == b"***,Ro"


def test_pieces_are_counted_by_column() -> None:
    masker = ColumnMasker(NAMED, label, False)
    masker.feed(b"id,email,ssn\n1,a,b\n2,c,\n3,,\n")
    masker.flush()
    masker.feed(b'{"ssn": "1"}')
    assert dict(masker.counts) == {"column:email": 2, "column:ssn": 2}


def test_a_flush_ends_the_table() -> None:
    masker = ColumnMasker(NAMED, label, False)
    assert masker.feed(b"email\na@b\n") + masker.flush() == b"email\n[email]\n"
    assert masker.feed(b"kept\n") == b"kept\n"


def test_without_columns_nothing_is_looked_at() -> None:
    masker = ColumnMasker(frozenset(), label, False)
    assert masker.feed(b'email\na@b\n{"email": "x"}\xff\x1b') == b'email\na@b\n{"email": "x"}\xff\x1b'
    assert masker.flush() == b""


def test_a_replacement_breaks_no_row() -> None:
    """Whatever the caller gives."""
    masker = ColumnMasker(NAMED, lambda _value, _column: b'a"\n\\b', False)
    assert masker.feed(b'id,email\n1,"x"\n') == b'id,email\n1,"a"" \\b"\n'
    masker.flush()
    assert masker.feed(b'{"email": "x"}') == b'{"email": "a\' /b"}'


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("email", "email"),
        (" EMAIL ", "email"),
        ('"Email"', "email"),
        ("emails", None),
        ("x_token", "*_token"),
        ("token", None),
        ("STRASSE", "straße"),
        ("a.b", "a.b"),
        ("axb", None),
        ("", None),
    ],
)
def test_names_compare_without_case(name: str, column: str | None) -> None:
    names = Names({"email", "*_token", "straße", "a.b"})
    assert names.find(name) == column
