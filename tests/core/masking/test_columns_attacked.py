"""What was found by attack in named columns: names in another encoding, time that passes within a character."""

from __future__ import annotations

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
