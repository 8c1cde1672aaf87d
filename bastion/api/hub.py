"""What changes, for those who follow it: a ring of events for each tenant, and readers that each know how far they are.

An event says that something changed, and which; what it is now is asked with an ordinary request, which knows best who
may see it. Readers keep no queue: one that is slower than the ring is told so (`reset`) and asks for all anew.

Ids are `EPOCH-NUMBER`, the epoch being this process's. A reader that comes with the id of the last event it had
(Last-Event-ID) gets what it missed; with one that is not known any more it gets `reset`.

Limits: what another bastion process does is told as far as the store tells it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bastion.api.roles import Role

RING = 1000
"""Events of a tenant that are kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event. `role` is who may know of it."""

    number: int
    kind: str
    data: bytes
    role: Role


class Hub:
    """`publish` and `subscribe` at will, in one event loop."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)
        self._rings: dict[str, deque[Told]] = defaultdict(lambda: deque(maxlen=RING))
        self._last: dict[str, int] = defaultdict(int)
        self._readers: dict[Reader, None] = {}

    def publish(self, tenant: str, kind: str, data: Mapping[str, Any], role: Role) -> None:
        """Tell the tenant's readers of that role."""
        self._last[tenant] += 1
        self._rings[tenant].append(Told(self._last[tenant], kind, orjson.dumps(data), role))
        for reader in self._readers:
            if reader.tenant == tenant:
                reader.wake()

    def subscribe(
        self, tenant: str, roles: Callable[[], frozenset[Role]], last: str, wake: Callable[[], None]
    ) -> Reader:
        """A reader of what comes after `last` (an id; empty: after now). `roles` are asked for each time."""
        epoch, _, number = last.partition("-")
        known = epoch == self._epoch and number.isascii() and number.isdigit() and len(number) < 16
        position = int(number) if known else -1 if last else self._last[tenant]
        reader = Reader(self, tenant, roles, position, wake)
        self._readers[reader] = None
        return reader

    def reset(self) -> None:
        """Something may have been missed: every reader is told so."""
        self._epoch = secrets.token_hex(4)
        self._rings.clear()
        for reader in self._readers:
            reader.lose()

    def drop(self, reader: Reader) -> None:
        self._readers.pop(reader, None)

    def after(self, tenant: str, position: int) -> tuple[bool, list[Told], int]:
        """Whether something between is gone, what came since, and where that ends."""
        last = self._last[tenant]
        ring = self._rings[tenant]
        oldest = ring[0].number if ring else last + 1
        if not oldest - 1 <= position <= last:
            return True, [], last
        return False, [told for told in ring if told.number > position], last

    def id(self, number: int) -> str:
        return f"{self._epoch}-{number}"


class Reader:
    """Life: `take` whenever it was woken, `close` once."""

    def __init__(
        self,
        hub: Hub,
        tenant: str,
        roles: Callable[[], frozenset[Role]],
        position: int,
        wake: Callable[[], None],
    ) -> None:
        self.tenant = tenant
        self.wake = wake
        self._hub = hub
        self._roles = roles
        self._position = position

    def take(self) -> list[tuple[str, str, bytes]]:
        """What is new: id, kind and data of each."""
        lost, found, self._position = self._hub.after(self.tenant, self._position)
        if lost:
            return [(self._hub.id(self._position), "reset", b"{}")]
        roles = self._roles()
        return [(self._hub.id(told.number), told.kind, told.data) for told in found if told.role in roles]

    def lose(self) -> None:
        self._position = -1
        self.wake()

    def close(self) -> None:
        self._hub.drop(self)
