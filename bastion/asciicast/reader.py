"""asciicast v2, read as strictly as the strictest player does: what this takes, each of them plays.

The input is whole lines (see mend for a torn end). Every refusal is a BadRecording that names the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

CODES = ("o", "i", "r", "m")


class BadRecording(ValueError):
    """Not asciicast v2. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. `bastion` is what this project adds (text by name), empty in other recordings."""

    width: int
    height: int
    timestamp: int | None
    title: str
    env: Mapping[str, str]
    bastion: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """`time` in seconds since the begin; `code` is `o` output, `i` input, `r` resize (`80x24`) or `m` marker."""

    time: float
    code: str
    data: str


def read(lines: Iterable[bytes]) -> tuple[Header, Iterator[Event]]:
    """The header, and the events as they are asked for; both raise BadRecording."""
    rest = iter(lines)
    first = next(rest, None)
    if first is None:
        raise BadRecording(1, "the file is empty")
    return header(first), _events(rest)


def header(line: bytes) -> Header:
    """The first line of a recording."""
    values = _json(1, line)
    if not isinstance(values, dict) or values.get("version") != 2:
        raise BadRecording(1, "not the header of an asciicast v2")
    width, height = _side(values, "width"), _side(values, "height")
    timestamp = values.get("timestamp")
    if timestamp is not None and type(timestamp) is not int:
        raise BadRecording(1, "`timestamp` must be a whole number")
    title = values.get("title", "")
    if not isinstance(title, str):
        raise BadRecording(1, "`title` must be text")
    return Header(width, height, timestamp, title, _texts(values, "env"), _texts(values, "bastion"))


def event(number: int, line: bytes) -> Event:
    """One later line; `number` is told in errors."""
    values = _json(number, line)
    if not isinstance(values, list) or len(values) != 3:
        raise BadRecording(number, "an event is a list of three")
    time, code, data = values
    if type(time) not in (int, float) or time < 0:
        raise BadRecording(number, "an event begins with its time, a number from 0")
    if code not in CODES or not isinstance(data, str):
        raise BadRecording(number, "an event is of kind o, i, r or m, and holds text")
    if code == "r" and not _is_size(data):
        raise BadRecording(number, "a resize is COLUMNSxROWS")
    return Event(float(time), code, data)


def _events(lines: Iterator[bytes]) -> Iterator[Event]:
    last = 0.0
    number = 1
    for number, line in enumerate(lines, start=2):
        found = event(number, line)
        if found.time < last:
            raise BadRecording(number, f"time goes back, from {last} to {found.time}")
        last = found.time
        yield found
    if number == 1:
        raise BadRecording(2, "no event: the web player refuses such a file")


def _is_size(text: str) -> bool:
    columns, cross, rows = text.partition("x")
    return bool(cross) and all(
        len(part) <= 5 and part.isascii() and part.isdigit() and 0 < int(part) <= 0xFFFF for part in (columns, rows)
    )


def _side(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if type(value) is not int or not 0 < value <= 0xFFFF:
        raise BadRecording(1, f"`{name}` must be a whole number from 1 to 65535")
    return value


def _texts(values: Mapping[str, Any], name: str) -> Mapping[str, str]:
    found = values.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadRecording(1, f"`{name}` must hold text by name")
    return found


def _json(number: int, line: bytes) -> object:
    if not line.endswith(b"\n") or len(line) == 1:
        raise BadRecording(number, "a line without an end, or an empty one")
    try:
        found: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadRecording(number, "not JSON") from None
    return found
