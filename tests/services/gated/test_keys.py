"""Keys out of bytes: every encoding is named, nothing unknown is inserted, and cuts change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.session.gated.keys import MAX_PASTE, Decoder, Key, Press, Text
from tests.services.gated.strategies import KEYS

CURSOR = ["up", "down", "right", "left", "home", "end", "delete"]


def joined(keys: list[Key]) -> list[Key]:
    """Runs of text that were cut, as one."""
    out: list[Key] = []
    for key in keys:
        last = out[-1] if out else None
        if isinstance(key, Text) and isinstance(last, Text) and key.paste == last.paste:
            out[-1] = Text(last.text + key.text, key.paste)
        else:
            out.append(key)
    return out


@pytest.mark.parametrize(
    ("encoding", "keys"),
    [
        ("xterm", [b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[H", b"\x1b[F", b"\x1b[3~"]),
        ("xterm, application mode", [b"\x1bOA", b"\x1bOB", b"\x1bOC", b"\x1bOD", b"\x1bOH", b"\x1bOF", b"\x1b[3~"]),
        ("Linux console", [b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[1~", b"\x1b[4~", b"\x1b[3~"]),
        ("rxvt", [b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[7~", b"\x1b[8~", b"\x1b[3~"]),
        ("with Shift", [b"\x1b[1;2" + final for final in (b"A", b"B", b"C", b"D", b"H", b"F")] + [b"\x1b[3;2~"]),
    ],
)
def test_cursor_keys_have_one_name_in_every_encoding(encoding: str, keys: list[bytes]) -> None:
    assert [Decoder().feed(key) for key in keys] == [[Press(name)] for name in CURSOR], encoding


def test_every_control_key_has_a_name() -> None:
    named = {byte: Decoder().feed(bytes([byte])) for byte in [*range(32), 127] if byte != 27}
    assert all(len(keys) == 1 and isinstance(keys[0], Press) for keys in named.values())
    assert [named[byte] for byte in (1, 9, 10, 13, 8, 127, 31)] == [
        [Press(name)] for name in ("C-a", "tab", "enter", "enter", "backspace", "backspace", "C-_")
    ]


@given(st.lists(KEYS | st.binary(max_size=8), max_size=20).map(b"".join), st.data())
def test_cut_anywhere_the_same_keys(data: bytes, draw: st.DataObject) -> None:
    whole = joined(Decoder().feed(data))
    cut, bytewise = Decoder(), Decoder()
    at = draw.draw(st.integers(0, len(data)))
    assert joined(cut.feed(data[:at]) + cut.feed(data[at:])) == whole
    assert joined([key for byte in data for key in bytewise.feed(bytes([byte]))]) == whole


@given(st.binary(max_size=100))
def test_no_text_holds_a_control_character(data: bytes) -> None:
    decoder = Decoder()
    for key in decoder.feed(data) + decoder.feed(b"\x1b[200~" + data):
        if isinstance(key, Text):
            assert key.text
            assert not [c for c in key.text if (c < " " and c != "\t") or "\x7f" <= c < "\xa0"]
            assert key.paste or "\t" not in key.text
            key.text.encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=50))
def test_text_comes_out_as_it_was_typed_or_pasted(text: str) -> None:
    pasted = b"\x1b[200~" + text.encode() + b"\x1b[201~"
    assert joined(Decoder().feed(text.encode())) == ([Text(text)] if text else [])
    assert joined(Decoder().feed(pasted)) == ([Text(text, 1)] if text else [])


@given(st.text(st.sampled_from("a\x1b[201~\r\n\t\x9bé"), max_size=30))
def test_nothing_in_a_paste_is_taken_for_typed(text: str) -> None:
    text = text.replace("\x1b[201~", "")
    keys = Decoder().feed(b"\x1b[200~" + text.encode() + b"\x1b[201~")
    assert all(key.paste == 1 for key in keys)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    assert sum(key == Press("enter", 1) for key in keys) == lines


def test_pastes_are_numbered() -> None:
    decoder = Decoder()
    keys = decoder.feed(b"\x1b[200~a\x1b[201~b\x1b[200~c")
    assert keys == [Text("a", 1), Text("b"), Text("c", 2)]
    assert decoder.feed(b"\xe6") == [], "the begin of a character"
    assert decoder.paste == 2
    decoder.drop()
    assert decoder.feed(b"d\x1b[201~e") == [Text("e")]


@pytest.mark.parametrize("piece", [1, 100, MAX_PASTE, 3 * MAX_PASTE])
def test_a_paste_is_bounded_and_its_end_is_seen_all_the_same(piece: int) -> None:
    decoder = Decoder()
    data = b"\x1b[200~" + "é".encode() * MAX_PASTE + b"\r\x1b[201~x"
    keys = joined([key for at in range(0, len(data), piece) for key in decoder.feed(data[at : at + piece])])
    assert keys == [Text("é" * (MAX_PASTE // 2), 1), Press("refused", 1), Text("x")]


@pytest.mark.parametrize("start", [b"\x1b[", b"\x1bO", b"\x1b]0;", b"\x1bP", b"\x1b_", b"\x1b[M"])
def test_a_sequence_without_an_end_swallows_a_bounded_number_of_bytes(start: bytes) -> None:
    decoder = Decoder()
    for _ in range(50):
        decoder.feed(start + b"1" * 1000)
    kept = [value for value in vars(decoder).values() if isinstance(value, str | bytes | list)]
    assert sum(map(len, kept)) < 200
    assert joined(decoder.feed(b"\x03x"))[-2:] == [Press("C-c"), Text("x")]
