"""The session's markers, found in the output of the target's terminal; all else there is output.

    fifo      ESC ] 7777 ; NONCE ; fifo ; PATH BEL
    refused   ESC ] 7777 ; NONCE ; refused ; REASON BEL
    prompt    ESC ] 7777 ; NONCE ; prompt ; NUMBER ; STATUS BEL  directory  …at BEL  prompt  …end BEL
              where `…` is ESC ] 7777 ; NONCE ; and directory and prompt are bytes as they come

Whether a prompt's number is that of what runs is the reader's to look at: dash tells each twice, and whoever knows the
nonce can print any. What has another nonce, or is not whole after 1 MiB, is output like everything else.

Limits: a terminal that adds carriage returns adds them to a directory's name that has newlines, and to a prompt's. What
a background program prints between two pieces of a marker becomes part of the directory or the prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from bastion.session.gated.boot import BEL, OSC, check

MAX_MARKER = 1 << 20
"""Bytes of one marker."""
MAX_NUMBER = 999_999_999
"""The number of the last unit of a session."""


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes for the client, as the target's terminal gave them. Never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fifo:
    """Where the feeder must write to."""

    path: bytes


@dataclass(frozen=True, slots=True)
class Prompt:
    """The shell waits for a command: the unit `number` has ended with `status` (0 to 255) in `directory`."""

    number: int
    status: int
    directory: bytes
    prompt: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """There will be no gated shell; the target says why. It is the target's text: show it escaped."""

    reason: str


Seen: TypeAlias = Output | Fifo | Prompt | Refused
_Marker: TypeAlias = Fifo | Prompt | Refused


_VERBS = (b"fifo;", b"refused;", b"prompt;")
_FIRST = re.compile(rb"(?:(?:fifo|refused);[^\x00-\x1f\x7f]+|prompt;[0-9]{1,9};[0-9]{1,3})\Z")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class _NoMarker(ValueError):
    """It only began like one."""


class Markers:
    """Life: `feed` what comes, then `flush` when no more will."""

    def __init__(self, nonce: str) -> None:
        self._begin = OSC + check(nonce) + b";"
        self._held = b""

    def feed(self, data: bytes) -> list[Seen]:
        """What `data` adds, in order: neighbouring outputs are one. Holds back what may still become a marker."""
        buffer = self._held + data
        seen: list[Seen] = []
        sent = at = 0  # what of the buffer is in `seen`, and how far it was looked at
        output = b""
        while (at := self._next(buffer, at)) < len(buffer):
            try:
                found = self._marker(buffer, at)
            except _NoMarker:
                at += 1
                continue
            if found is None:
                break
            output += buffer[sent:at]
            marker, sent = found
            at = sent
            seen += [Output(output)] if output else []
            seen.append(marker)
            output = b""
        output += buffer[sent:at]
        self._held = buffer[at:]
        return seen + ([Output(output)] if output else [])

    def flush(self) -> bytes:
        """What is held, given up as a marker: the terminal has ended, or has been silent for so long that it shows."""
        held, self._held = self._held, b""
        return held

    def _next(self, buffer: bytes, at: int) -> int:
        """Where a marker begins or, at the end, may begin; the buffer's end where none does."""
        found = buffer.find(self._begin, at)
        if found >= 0:
            return found
        at = max(at, len(buffer) - len(self._begin) + 1)
        while (at := buffer.find(b"\x1b", at)) >= 0:
            if self._begin.startswith(buffer[at:]):
                return at
            at += 1
        return len(buffer)

    def _marker(self, buffer: bytes, at: int) -> tuple[_Marker, int] | None:
        """The marker at `at` and where it ends, or None when that can not be told yet. Raises _NoMarker."""
        found = self._read(buffer, at)
        if (len(buffer) if found is None else found[1]) - at > MAX_MARKER:
            raise _NoMarker
        return found

    def _read(self, buffer: bytes, at: int) -> tuple[_Marker, int] | None:
        first = self._piece(buffer, at, _FIRST)
        if first is None:
            return None
        text, end = first
        verb, _, rest = text.partition(b";")
        if verb == b"fifo":
            return Fifo(rest), end
        if verb == b"refused":
            return Refused(rest.decode("utf-8", "backslashreplace")), end
        number, _, status = rest.partition(b";")
        directory = self._between(buffer, end, b"at")
        if directory is None:
            return None
        prompt = self._between(buffer, directory[1], b"end")
        if prompt is None:
            return None
        return Prompt(int(number), int(status), directory[0], prompt[0]), prompt[1]

    def _between(self, buffer: bytes, at: int, name: bytes) -> tuple[bytes, int] | None:
        """The bytes from `at` to the piece `name`, which must be the next one of this session."""
        start = buffer.find(self._begin, at)
        if start < 0:
            return None
        piece = self._piece(buffer, start, re.compile(name + rb"\Z"), (name,))
        return None if piece is None else (buffer[at:start], piece[1])

    def _piece(
        self, buffer: bytes, at: int, form: re.Pattern[bytes], verbs: tuple[bytes, ...] = _VERBS
    ) -> tuple[bytes, int] | None:
        """What stands between the nonce and the BEL, and where that ends; None when it may still come."""
        start = at + len(self._begin)
        end = buffer.find(BEL, start, start + MAX_MARKER)
        if end >= 0:
            if not form.match(buffer, start, end):
                raise _NoMarker
            return buffer[start:end], end + 1
        text = buffer[start : start + MAX_MARKER]
        if _CONTROL.search(text) or not any(text.startswith(verb[: len(text)]) for verb in verbs):
            raise _NoMarker
        return None
