"""asciicast v2 (docs.asciinema.org/manual/asciicast/v2), written: values in, whole lines out.

Kept to what every player takes: integer sizes and timestamp, text values in `env`, no blank line, no comment, at
least one event, times that never go back, six decimals, no exponent. Input is never written as events: what is typed
where nothing is echoed is a secret.

The streams of one channel are decoded apart, so a character cut in two by the network is whole again; both are `o`
events in the order in which they came, as a terminal would have shown them. Bytes that are not UTF-8 become U+FFFD:
a recording is what was to be read on a screen, not a copy of binary data. In a piece of a kibibyte or more that is
plainly binary (not UTF-8, and more than one in 32 a control character that no text has) every byte from 0x80 up does,
which is three times as fast.

Texts that people read in a player (the title, markers) or that are names have their hidden characters escaped (see
bastion.characters). `command` under `bastion` is the client's text as it was, for programs that judge it again: whoever
shows it to a person escapes it.

Calls in order: `begin` once; `output`, `resize`, `marker` at will; `finish` once.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from bastion.characters import shown

DEFAULT_SIZE = (80, 24)
MAX_COLUMNS = 4096
MAX_ROWS = 4096
MAX_PIECE = 64 << 10
"""Bytes of output in one event, so that a line has a bound too (players hold a line whole)."""

MAX_TITLE = 200
MAX_TEXT = 16 << 10
MAX_LABEL = 1 << 10
"""Characters of a text in the header, and of a marker, before what is hidden is escaped; longer ones end in `…` (the
audit trail has the digest)."""

_ZEROS = "\0" * 64
_RUN = re.compile("(\0{64,})")
_ZERO = b"\\u0000"
_BINARY_FROM = 1024
_BINARY_SHARE = 32
_BINARY = bytes(code for code in range(32) if code not in b"\a\b\t\n\v\f\r\x1b")
_BINARY_TABLE = "".join(chr(code) if code < 0x80 else "\ufffd" for code in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the first line tells. `command` is the client's text as far as it can be shown; `kind` is `exec`, `shell`,
    `subsystem` or `forward`; `columns` and `rows` are 0 without a terminal.

    `judged` is what policy looked at besides (the source, all principals, groups, claims, the target's labels), so that
    it can be asked again later (`bastion policy diff`): text, or values that JSON has, which are written as its text.
    One of more than MAX_TEXT characters is left out."""

    session: str
    connection: str
    tenant: str
    identity: str
    issuer: str
    subject: str
    target: str
    account: str
    command: str
    kind: str
    columns: int = 0
    rows: int = 0
    term: str = ""
    shell: str = ""
    judged: Mapping[str, object] = field(default_factory=dict)


def size(columns: int, rows: int) -> tuple[int, int]:
    """The size to write: 80x24 for what no terminal has (zero, negative, more than 4096)."""
    if 0 < columns <= MAX_COLUMNS and 0 < rows <= MAX_ROWS:
        return columns, rows
    return DEFAULT_SIZE


class Encoder:
    """One recording's lines. Times are in seconds since its begin; one that goes back is written as the last one."""

    def __init__(self) -> None:
        self.events = 0
        """Events so far."""
        self._last = 0.0
        self._pending: dict[int, bytes] = {}
        self._newline = "\n"
        """How a line's end is written: players play on a raw terminal, where a bare LF only goes down."""

    def begin(self, head: Head, timestamp: int) -> bytes:
        """The header line, and an empty first event so that no crash leaves a file that players refuse.

        `timestamp` is in seconds since 1970.
        """
        width, height = size(head.columns, head.rows)
        self._newline = "\n" if head.term else "\r\n"
        names = ("session", "connection", "tenant", "identity", "issuer", "subject", "target", "account")
        env = {name: value for name, value in (("TERM", head.term), ("SHELL", head.shell)) if value}
        title = f"{head.identity} as {head.account} on {head.target}: {head.command or head.kind}"
        header = {
            "version": 2,
            "width": width,
            "height": height,
            "timestamp": int(timestamp),
            "title": _shown(title, MAX_TITLE),
            "env": {name: _shown(value, MAX_LABEL) for name, value in env.items()},
            "bastion": {
                **{name: _shown(getattr(head, name), MAX_TEXT) for name in (*names, "kind")},
                "command": _plain(head.command, MAX_TEXT),
                **dict(_judged(head.judged)),
            },
        }
        return orjson.dumps(header) + b"\n" + self._event(0.0, b"o", "")

    def output(self, time: float, stream: int, data: bytes) -> bytes:
        """Lines for bytes of one stream: one event for each 64 KiB, or none while there is but half a character."""
        if len(data) > MAX_PIECE:
            pieces = (data[start : start + MAX_PIECE] for start in range(0, len(data), MAX_PIECE))
            return b"".join(self.output(time, stream, piece) for piece in pieces)
        pending = self._pending.pop(stream, b"")
        if pending:
            data = pending + data
        text, consumed = _decode(data)
        if consumed != len(data):
            self._pending[stream] = data[consumed:]
        if self._newline != "\n":
            text = text.replace("\n", self._newline)
        return self._event(time, b"o", text) if text else b""

    def resize(self, time: float, columns: int, rows: int) -> bytes:
        """The window has changed; a size that no terminal has is passed over."""
        if (columns, rows) != size(columns, rows):
            return b""
        return self._event(time, b"r", f"{columns}x{rows}")

    def marker(self, time: float, label: str) -> bytes:
        """A place to jump to."""
        return self._event(time, b"m", _shown(label, MAX_LABEL))

    def finish(self, time: float) -> bytes:
        """What is left: half a character is U+FFFD now."""
        left, self._pending = self._pending, {}
        return b"".join(self._event(time, b"o", left[stream].decode("utf-8", "replace")) for stream in sorted(left))

    def _event(self, time: float, code: bytes, text: str) -> bytes:
        self._last = max(time, self._last)
        self.events += 1
        return b'[%.6f, "%b", %b]\n' % (self._last, code, _json(text))


def _judged(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        if len(text) <= MAX_TEXT:
            yield name, text


def _cut(text: str, bound: int) -> str:
    return text if len(text) <= bound else text[: bound - 1] + "…"


def _shown(text: str, bound: int) -> str:
    """Text for people: what is hidden is escaped."""
    return shown(_cut(text, bound), bound)


def _plain(text: str, bound: int) -> str:
    """Text that JSON can hold: a lone surrogate becomes `?`."""
    return _cut(text, bound).encode("utf-8", "replace").decode()


def _json(text: str) -> bytes:
    """The text in quotes. Long runs of NUL (zeros from a disk, say) are six bytes each, and are not escaped singly."""
    if _ZEROS not in text:
        return orjson.dumps(text)
    parts = []
    for part in _RUN.split(text):
        parts.append(_ZERO * len(part) if part.startswith(_ZEROS) else orjson.dumps(part)[1:-1])
    return b'"' + b"".join(parts) + b'"'


def _decode(data: bytes) -> tuple[str, int]:
    """The text, and how many bytes it took: half a character at the end is left."""
    try:
        return codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        if len(data) >= _BINARY_FROM:
            controls = len(data) - len(data.translate(None, _BINARY))
            if controls * _BINARY_SHARE > len(data):
                return codecs.charmap_decode(data, "strict", _BINARY_TABLE)
        return codecs.utf_8_decode(data, "replace", False)
