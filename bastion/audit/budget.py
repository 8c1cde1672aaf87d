"""How many events strangers may put into the audit trail: a bucket of tokens for each source, and one for all of them.

A connection that never logs in costs its maker nothing and the trail, which never shrinks, a line on disk. A source may
cause BURST lines at once and RATE a second after that, all sources together ALL_BURST and ALL_RATE: some 150 MB in a
day, or 2 GB where each line is as long as a user's name can make it. What is over is counted, and told in one summary
every PATIENCE seconds for as long as it lasts.

An IPv6 source is its /64: whoever has one address of it has them all.

Limits: strangers from very many addresses can use up what all share, so that the refusal of another stranger is counted
and not told by name. Nothing that a proven identity does is held back here. Memory is bounded: a source takes a place
only with its first token, and gives it back when its bucket is full again, so MAX_SOURCES are never about at once.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass

BURST = 30
RATE = 1.0
"""Events of one source: at once, and a second after that."""
ALL_BURST = 200
ALL_RATE = 5.0
"""The same for all sources together."""
PATIENCE = 10.0
"""Seconds from the first event that was not kept to the summary that tells so."""
MAX_SOURCES = 512
"""More than ALL_BURST and ALL_RATE can fill in the BURST / RATE seconds that an empty bucket takes to be full."""
MAX_NAMED = 256
"""Sources that are counted by name until the next summary; those after them are counted together."""
TOLD = 16
"""Sources that a summary names, the busiest first."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was not kept since the last one: how many events in all, and the busiest sources with the number of each."""

    count: int
    sources: tuple[tuple[str, int], ...]


class _Bucket:
    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate = burst, rate
        self._tokens, self._then = burst, now

    def tokens(self, now: float) -> float:
        """How many there are now. A clock that goes back gives none."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._then) * self._rate)
        self._then = now
        return self._tokens

    def take(self) -> None:
        self._tokens -= 1

    def full(self, now: float) -> bool:
        return self.tokens(now) >= self._burst


class Budget:
    """Pure: `now` is seconds that never go back. `spend` for each event; `summary` when `due` says so."""

    def __init__(self) -> None:
        self._all: _Bucket | None = None
        self._sources: dict[str, _Bucket] = {}
        self._over: Counter[str] = Counter()
        self._count = 0
        self._since = 0.0
        """When the first event was not kept of those that no summary has told of."""

    def __len__(self) -> int:
        """Sources that take up memory."""
        return max(len(self._sources), len(self._over))

    def spend(self, source: str, now: float) -> bool:
        """Whether an event of `source` may be kept; if not, it is counted."""
        place = _network(source)
        bucket = self._sources.get(place)
        if self._all is None:
            self._all = _Bucket(ALL_BURST, ALL_RATE, now)
        if (bucket is not None and bucket.tokens(now) < 1) or self._all.tokens(now) < 1:
            self._refuse(place, now)
            return False
        if bucket is None:
            bucket = self._sources[place] = _Bucket(BURST, RATE, now)
            if len(self._sources) > MAX_SOURCES:
                self._sources = {name: held for name, held in self._sources.items() if not held.full(now)}
                self._sources[place] = bucket
        bucket.take()
        self._all.take()
        return True

    def due(self, now: float) -> float | None:
        """Seconds until a summary is to be told, 0 when it is now; None when there is nothing to tell."""
        return max(0.0, self._since + PATIENCE - now) if self._count else None

    def summary(self) -> Summary | None:
        """What was not kept since the last summary, which this one follows; None when that is nothing."""
        if not self._count:
            return None
        told = Summary(self._count, tuple(self._over.most_common(TOLD)))
        self._count = 0
        self._over.clear()
        return told

    def _refuse(self, place: str, now: float) -> None:
        if not self._count:
            self._since = now
        self._count += 1
        if place in self._over or len(self._over) < MAX_NAMED:
            self._over[place] += 1


def _network(source: str) -> str:
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:  # no address, but what it is counts as one source
        return source[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
