"""The sessions, or the connections, that live now, so that a revocation or a shutdown can end them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from bastion.identity.principal import Credential


class Live(Protocol):
    """One live connection or channel of a proven identity."""

    @property
    def credential(self) -> Credential: ...
    def notice(self, text: str) -> None: ...
    def end(self, reason: str) -> None: ...


class Registry:
    """Holds each live thing from `add` to `remove`; `add` twice or `remove` of a stranger is an error of ours."""

    def __init__(self) -> None:
        self._live: dict[int, Live] = {}
        self._removed = asyncio.Event()

    def add(self, live: Live) -> None:
        self._live[id(live)] = live

    def remove(self, live: Live) -> None:
        del self._live[id(live)]
        self._removed.set()

    def __contains__(self, live: Live) -> bool:
        return id(live) in self._live

    def __iter__(self) -> Iterator[Live]:
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)

    def notify(self, text: str) -> None:
        """Tell everyone one line."""
        for live in self:
            live.notice(text)

    def end(self, why: Callable[[Credential], str | None]) -> Sequence[Live]:
        """End what `why` gives a reason for; those that it did. Each is held until it has wound up: see `gone`."""
        ended = []
        for live in self:
            reason = why(live.credential)
            if reason is not None:
                live.end(reason)
                ended.append(live)
        return ended

    async def gone(self, lives: Sequence[Live]) -> None:
        """Wait until none of `lives` is held any more; the caller bounds the time."""
        while any(live in self for live in lives):
            self._removed.clear()
            await self._removed.wait()
