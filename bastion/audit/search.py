"""The trail searched, from its newest line back: so many events, within so many seconds, of one tenant.

A search that runs out of time answers what it has and where it stopped, so that the next one goes on from there. The
file is read in blocks from its end; a block in which a needle of the search does not stand is not cut into lines.

Limits: events that belong to no tenant (starts of the bastion, strangers) are found by nobody here; `bastion audit`
reads the file whole. The chain is not checked (`bastion audit verify` does). What was escaped in the trail is searched
as it stands there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

BLOCK = 1 << 20
MAX_PAGE = 1 << 20
"""Bytes of the lines of one page, but for its last."""
_EXACT = ("kind", "identity", "target", "session")
_CLOSED = ("session-ended", "recording-mended")


@dataclass(frozen=True, slots=True)
class Sought:
    """What an event must have; None for whatever. Times are seconds since 1970: `since` included, `until` not."""

    tenant: str
    kind: str | None = None
    identity: str | None = None
    target: str | None = None
    session: str | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None

    @property
    def needles(self) -> tuple[bytes, ...]:
        """What stands in the line of every event that is sought."""
        found = [_member("tenant", self.tenant)]
        found += [_member(name, value) for name in _EXACT if (value := getattr(self, name)) is not None]
        return tuple(found)

    def has(self, record: Mapping[str, Any], line: str) -> bool:
        """Whether it is one."""
        if record.get("tenant") != self.tenant:
            return False
        if any(getattr(self, name) not in (None, record.get(name)) for name in _EXACT):
            return False
        if self.text is not None and _inside(self.text).lower() not in line.lower():
            return False
        moment = str(record.get("time", ""))
        return (self.since is None or moment >= _stamp(self.since)) and (
            self.until is None or moment < _stamp(self.until)
        )


def search(path: Path, sought: Sought, before: int | None, most: int, seconds: float) -> dict[str, object]:
    """{"events": […], "next": an offset or None, "whole": whether all that was asked for was looked at}."""
    ends = time.monotonic() + seconds
    found: list[object] = []
    size = 0
    place = before
    oldest = None if sought.since is None else _stamp(sought.since)
    for start, line in _lines(path, before, sought.needles):
        place = start
        if line:
            record = _record(line)
            if record is None:
                continue
            if oldest is not None and str(record.get("time", "")) < oldest:
                return {"events": found, "next": None, "whole": True}
            if sought.has(record, line.decode("utf-8", "replace")):
                found.append(record)
                size += len(line)
        if len(found) >= most or size >= MAX_PAGE:
            return {"events": found, "next": place or None, "whole": True}
        if time.monotonic() >= ends:
            return {"events": found, "next": place or None, "whole": not place}
    return {"events": found, "next": None, "whole": True}


def digest(path: Path, tenant: str, session: str, seconds: float) -> dict[str, object]:
    """{"found", "sha256", "size"}: what the trail says of a closed recording. `found` is None when it took too long."""
    ends = time.monotonic() + seconds
    needles = (_member("tenant", tenant), _member("session", session))
    for _, line in _lines(path, None, needles):
        record = _record(line) if line else None
        if record is not None and _tells(record, tenant, session):
            return {"found": True, "sha256": record["sha256"], "size": record.get("size")}
        if time.monotonic() >= ends:
            return {"found": None}
    return {"found": False}


def _tells(record: Mapping[str, Any], tenant: str, session: str) -> bool:
    """Whether it is the event that has this recording's digest."""
    of = (record.get("tenant"), record.get("session"))
    return of == (tenant, session) and record.get("kind") in _CLOSED and isinstance(record.get("sha256"), str)


def _lines(path: Path, before: int | None, needles: tuple[bytes, ...]) -> Iterator[tuple[int, bytes]]:
    """Whole lines that hold all needles, from the last one that ends at `before` back, each with the offset at which it
    begins. A block without one is told as an empty line."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        end = size if before is None else min(before, size)
        rest = b""
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            block = file.read(end - start) + rest
            first = 0 if start == 0 else block.find(b"\n") + 1
            if start and not first:
                rest, end = block, start
                continue
            rest, whole = block[:first], block[first:]
            yield from _matching(start + first, whole, needles)
            yield start + first, b""
            end = start


def _matching(offset: int, whole: bytes, needles: tuple[bytes, ...]) -> Iterator[tuple[int, bytes]]:
    if not all(needle in whole for needle in needles):
        return
    end = len(whole)
    while end > 0:
        start = whole.rfind(b"\n", 0, end - 1) + 1
        line = whole[start:end]
        if line.endswith(b"\n") and all(needle in line for needle in needles):
            yield offset + start, line
        end = start


def _record(line: bytes) -> dict[str, Any] | None:
    """None for what is no event: the trail is another one's to check."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _member(name: str, value: str) -> bytes:
    return b'"%b":%b' % (name.encode(), orjson.dumps(value))


def _inside(text: str) -> str:
    """Text as it stands inside a JSON string."""
    return orjson.dumps(text)[1:-1].decode()


def _stamp(seconds: float) -> str:
    """As the trail writes times: they compare as texts."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
