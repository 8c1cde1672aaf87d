"""The chain: each line of the trail carries the SHA-256 of the line before it, so that a change shows.

A line is a JSON object on one line of UTF-8, `seq` first (from 1, by one), `previous` second (64 hex digits: the
digest of the previous line's bytes, its newline included; 64 zeros for the first).

What it shows: a line that was altered, taken out, put in or moved. What it does not show: lines cut off the end (only
a copy of a later line, or the head as told elsewhere, does), and a whole chain written anew by someone who holds the
file: it is a chain, not a signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

ORIGIN = "0" * 64


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the number of its last line and that line's digest."""

    seq: int = 0
    digest: str = ORIGIN


class Broken(ValueError):
    """The chain does not hold. `line` counts from 1 within what was given; `reason` is without it."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def link(head: Head, entries: Mapping[str, object]) -> tuple[bytes, Head]:
    """The next line, and where the chain stands after it."""
    line = orjson.dumps({"seq": head.seq + 1, "previous": head.digest, **entries}) + b"\n"
    return line, Head(head.seq + 1, hashlib.sha256(line).hexdigest())


def verify(lines: Iterable[bytes], head: Head | None = Head()) -> Head:
    """Follow the chain over whole lines (newlines included) from `head`, and return where it stands at the end.

    `head` None means that the lines are taken from the middle: the first is believed about what came before it.
    Raises Broken at the first line that does not hold.
    """
    for count, line in enumerate(lines, start=1):
        seq, previous = _read(count, line)
        if head is not None and (seq, previous) != (head.seq + 1, head.digest):
            reason = (
                f"expected seq {head.seq + 1}, found {seq}" if seq != head.seq + 1 else "the line before was altered"
            )
            raise Broken(count, reason)
        head = Head(seq, hashlib.sha256(line).hexdigest())
    return head if head is not None else Head()


def _read(count: int, line: bytes) -> tuple[int, str]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Broken(count, "not JSON") from None
    if not line.endswith(b"\n"):
        raise Broken(count, "the line has no end")
    if not isinstance(record, dict):
        raise Broken(count, "not a JSON object")
    seq, previous = record.get("seq"), record.get("previous")
    if not isinstance(seq, int) or isinstance(seq, bool) or not isinstance(previous, str):
        raise Broken(count, "`seq` or `previous` is missing")
    return seq, previous
