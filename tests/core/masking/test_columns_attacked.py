"""What was found by attack in named columns: names in another encoding, time that passes within a character."""

from __future__ import annotations

import time

import pytest

from bastion.masking.columns import ColumnMasker


def stars(value: bytes, _column: str) -> bytes:
    return b"#" * len(value)


def masker(*, terminal: bool = False) -> ColumnMasker:
    return ColumnMasker(frozenset({"ssn", "email", "*_password"}), stars, terminal)


def masked(*pieces: bytes, terminal: bool = False) -> bytes:
    one = masker(terminal=terminal)
    return b"".join(map(one.feed, pieces)) + one.flush()


def vertical(*fields: tuple[bytes, bytes]) -> bytes:
    """A record as MariaDB and MySQL print it under `\\G`: names are padded by their bytes."""
    size = max(len(name) for name, _ in fields)
    lines = [name.rjust(size) + b": " + value for name, value in fields]
    return b"\n".join([b"*" * 27 + b" 1. row " + b"*" * 27, *lines, b""])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-16-be"])
@pytest.mark.parametrize("value", [b"Zk", b"a1:Zk:Zk k", b": Zk"])
def test_a_name_that_is_not_ascii_moves_no_value_of_a_record(encoding: str, value: bytes) -> None:
    for name in ("pr\u00e9nom", "cl\u00e9\u00e9_password", "\u00e9\u00e9\u00e9\u00e9", "\u6f22"):
        if encoding == "latin-1" and name == "\u6f22":
            continue
        for hidden in (b"ssn", "cl\u00e9\u00e9_password".encode("utf-8" if encoding == "utf-16-be" else encoding)):
            text = vertical((b"id", b"1"), (name.encode(encoding), b"Jean"), (hidden, value), (b"x", b"shown"))
            shown = masked(text)
            assert b"k" not in shown, text
            assert shown.endswith(b"shown\n")
            assert len(shown) == len(text)


def test_a_coloured_name_of_a_record_leaves_its_value_whole() -> None:
    for name in (b"\x1b[38:5:1memail\x1b[0m", b"\x1b[1mcl\xe9_password\x1b[m"):
        assert masked(vertical((name, b"\x1b[1mZk:k\x1b[m"))).endswith(b": ####\x1b[1m\x1b[m\n")


def test_the_last_character_of_a_value_at_a_frame_is_no_blank() -> None:
    text = b"+-[ RECORD 1 ]---+\n| email | Zkk\xe9|\n| id    | 1  |\n"
    assert masked(text) == text.replace(b"Zkk\xe9", b"####")


TORN = {
    "coloured json": '\x1b[1;39m{\n  \x1b[0m\x1b[34;1m"email"\x1b[0m\x1b[1;39m:\x1b[0m \x1b[0;32m"Zk9"\x1b[0m\n}\n',
    "a coloured list": '{"email"\x1b[0m:\x1b[1m [\x1b[32m"Zk9"\x1b[0m,\x1b[32m"Yk9"\x1b[0m, \x1b[1;39m1k9\x1b[m]}\n',
    "a coloured number": '{\n  \x1b[34;1m"ssn"\x1b[0m\x1b[1;39m: \x1b[0m\x1b[0;39m1k9\x1b[0m\n}\n',
    "a key with letters of two bytes": '{"\u00e9\u00e9_password": "\u00e9k9\u00e9k9"}\n',
    "box": "┌────┬───────┐\n│ id │ email │\n├────┼───────┤\n│ 1  │ Zék9  │\n│ 2  │ 漢k9  │\n└────┴───────┘\n",
    "coloured box": "┌────┬───────┐\n│ id │ \x1b[1memail\x1b[0m │\n├────┼───────┤\n│ 1  │ \x1b[32mk9\x1b[m    │\n",
    "vertical": f"{'*' * 27} 1. row {'*' * 27}\n   id: 1\n\x1b[1memail\x1b[0m: \x1b[1mék9\n",
    "records": "-[ RECORD 1 ]\nid    │ 1\n\x1b[1memail\x1b[m │ ék9\n\n",
    "coloured csv": "\x1b[31mid\x1b[m,\x1b[32memail\x1b[m,x\n1,\x1b[32mék9\x1b[m,y\n",
}


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", TORN)
def test_a_pause_within_an_escape_or_a_character_shows_no_value(name: str, *, terminal: bool) -> None:
    text = TORN[name].encode()
    wrong = []
    for at in range(1, len(text)):
        for more in (1, len(text)):
            one = masker(terminal=terminal)
            shown = one.feed(text[:at]) + one.release() + one.feed(text[at : at + more]) + one.release()
            shown += one.feed(text[at + more :]) + one.flush()
            if b"k9" in shown:
                wrong.append((text[:at][-12:], more, shown[-40:]))
    assert wrong == []


def test_what_is_kept_behind_a_pause_is_short_and_comes_at_the_end() -> None:
    one = masker()
    for torn in (b"\x1b[0;1", b"\x1b[" + b"1;" * 29, b"\xf0\x9f\x98"):
        assert one.feed(b"a" + torn) + one.release() == b"a"
        assert one.flush() == torn
    long = b"\x1b[" + b"1;" * 60
    assert one.feed(long) == long


REPEATED = [
    b"ssn",
    b'"a',
    b"ssn\r",
    b"ssn,b",
    b"ssn|b",
    b"b\tssn",
    b"ssn\n9",
    b'b,ssn\n1,"2\n3"',
    b"-[ RECORD 1 ]\nssn | 4",
]


@pytest.mark.parametrize("line", REPEATED)
def test_lines_that_are_the_same_are_masked_as_each_of_them_alone(line: bytes) -> None:
    for times in (2, 5, 40):
        text = b"ssn,b\nssn,b\n" + (line + b"\n") * times + b"1\t2\n3|4,5\n" * times
        whole, bytewise = masker(), masker()
        shown = b"".join(bytewise.feed(text[at : at + 1]) for at in range(len(text))) + bytewise.flush()
        assert whole.feed(text) + whole.flush() == shown
        assert whole.counts == bytewise.counts


@pytest.mark.parametrize("line", [b"ssn\n", b"ssn,b\n", b"ssn|b\n", b"\x1b[1mssn\x1b[m\n"])
def test_a_header_again_and_again_takes_no_time_to_speak_of(line: bytes) -> None:
    """`yes ssn` must not stall other sessions: a piece of output took a fifth of a second."""
    text = (line * 32768)[:32768]
    took = []
    for _ in range(5):
        one = masker()
        begin = time.process_time()
        one.feed(text)
        took.append(time.process_time() - begin)
    assert min(took) < 0.03


@pytest.mark.parametrize(
    "text",
    [
        b'{"email": "a\\"b, "ssn": [1, 2]}\n',
        b'{"ssn"email": "Zk"}\n',
        b'{"email": 5"ssn": "Zk"}\n',
        b'{"email": ["a", "b, "ssn": [1, 2]]}\n',
        b'{"' + b"e" * 110 + b"_password" + b" " * 110 + b'": "Zk"}\n',
    ],
)
def test_a_key_that_begins_with_the_end_of_a_value_is_one_however_it_is_cut(text: bytes) -> None:
    whole = masked(text)
    assert b"Zk" not in whole
    assert [at for at in range(1, len(text)) if masked(text[:at], text[at:]) != whole] == []
    assert masked(*(text[at : at + 1] for at in range(len(text)))) == whole


def test_a_key_in_a_line_that_is_held_at_first_is_one_however_it_is_cut() -> None:
    text = b'ssn, }], {"email": "Zk"}\n'
    assert b"Zk" not in masked(text)
    assert [at for at in range(1, len(text)) if masked(text[:at], text[at:]) != masked(text)] == []
