"""The vectors of tests/vectors/columns.yaml: what comes out, however it is cut."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from bastion.masking.columns import ColumnMasker
from tests.core.columns.printed import screen

VECTORS = yaml.safe_load((Path(__file__).parents[2] / "vectors" / "columns.yaml").read_text())


def label(_value: bytes, column: str) -> bytes:
    return f"[{column}]".encode()


def hashes(value: bytes, _column: str) -> bytes:
    return b"#" * screen(value.decode())


def cut(data: bytes, sizes: random.Random, most: int, *, terminal: bool) -> bytes:
    masker = ColumnMasker(frozenset({"email", "ssn", "*secret*"}), hashes if terminal else label, terminal)
    out, at = bytearray(), 0
    while at < len(data):
        size = sizes.randint(1, most)
        out += masker.feed(data[at : at + size])
        at += size
    return bytes(out + masker.flush())


@pytest.mark.parametrize("entry", VECTORS, ids=lambda entry: entry["title"])
@pytest.mark.parametrize("most", [1, 3, 40, 10_000])
def test_what_comes_out_does_not_hang_on_the_cuts(entry: dict[str, Any], most: int) -> None:
    data = entry["in"].encode()
    for seed in range(1 if most in (1, 10_000) else 20):
        out = cut(data, random.Random(seed), most, terminal=entry.get("terminal", False))  # noqa: S311 # cuts, no secret
        assert out.decode() == entry.get("out", entry["in"])
