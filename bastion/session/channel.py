"""What a session sees of the two channels it joins, in values and ports; no SSH library is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

STDOUT = 0
STDERR = 1
SIGNALS = frozenset(
    ["ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2"]
)
"""The names of RFC 4254, section 6.10; others are passed on in neither direction."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A pseudo-terminal as asked for by `pty-req` (RFC 4254, section 6.2): sizes in characters and in pixels (0 where
    unknown), `modes` by opcode (section 8)."""

    kind: str
    columns: int
    rows: int
    width: int
    height: int
    modes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client asks one channel to be. `kind` is `exec`, `shell` or `subsystem`; `text` is the command or the
    subsystem's name as it was sent; `environment` what it would set, as it was sent."""

    kind: str
    text: bytes
    terminal: Terminal | None
    environment: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: with a status (0 to 255), or by a signal (RFC 4254, section 6.10)."""

    status: int | None
    signal: str | None = None
    core_dumped: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal for the command, by the names of RFC 4254, section 6.9 (`INT`, `TERM`, …)."""

    name: str


@dataclass(frozen=True, slots=True)
class Resize:
    """The terminal has another size (RFC 4254, section 6.7)."""

    columns: int
    rows: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Break:
    """A break of so many milliseconds (RFC 4335)."""

    milliseconds: int


Control = Signal | Resize | Break


class ClientChannel(Protocol):
    """The client's channel. `pause` and `resume` are about reading from it; `finish` sends the end and closes it.

    After the client has gone each call does nothing.
    """

    def write(self, data: bytes, stream: int) -> None: ...
    def write_eof(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def finish(self, ended: Ended) -> None: ...


class TargetChannel(Protocol):
    """The target's channel. `pause` and `resume` are about reading from it. After it has closed each call does
    nothing."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    def tell(self, control: Control) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...
