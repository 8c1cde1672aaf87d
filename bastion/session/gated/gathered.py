"""The client's side of a channel that nobody watches: what a listing prints, kept up to a bound."""

from __future__ import annotations

from bastion.session.channel import STDOUT, Ended


class Gathered:
    """A ClientChannel, and a tape that records nothing: what is asked for completion is not shown as it comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.data = bytearray()

    def write(self, data: bytes, stream: int) -> None:
        if stream == STDOUT:
            self.data += data[: self._limit - len(self.data)]

    def output(self, stream: int, data: bytes) -> None:
        """Not shown, so not recorded."""

    def resize(self, columns: int, rows: int) -> None:
        """It has no size."""

    def write_eof(self) -> None:
        """Nobody waits for it."""

    def pause(self) -> None:
        """Nobody sends."""

    def resume(self) -> None:
        """Nobody sends."""

    def finish(self, ended: Ended) -> None:
        """The relay tells how it ended."""
