"""How often one source may ask: a token bucket a source, of bounded memory.

What this does not do: many sources together are not limited, and clients behind one address share a bucket.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Mapping

from bastion.api.bounds import MAX_SOURCES


class RateLimit:
    """`burst` requests at once and `rate` a second after that. `clock` gives seconds that only go forward."""

    def __init__(
        self,
        burst: int,
        rate: float,
        clock: Callable[[], float],
        purposes: Mapping[str, tuple[int, float]] | None = None,
    ) -> None:
        """`purposes` have a burst and a rate of their own, by name."""
        self._usual = (burst, rate)
        self._purposes = dict(purposes or {})
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, source: str, purpose: str = "") -> float:
        """0 when the request may be served; otherwise the seconds to wait before another try.

        A source has a bucket for each purpose: one that asks after our health does not lose its certificates by it.
        """
        now, name = self._clock(), (purpose, network(source))
        burst, rate = self._purposes.get(purpose, self._usual)
        level, since = self._buckets.pop(name, (float(burst), now))
        level = min(float(burst), level + (now - since) * rate)
        wait = 0.0 if level >= 1 else (1 - level) / rate
        self._buckets[name] = (level if wait else level - 1, now)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return wait


def network(source: str) -> str:
    """An IPv6 client has a whole /64 to choose its address from, so that is the source."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:  # A name of some other transport: itself.
        return source
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return source
