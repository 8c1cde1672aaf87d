"""When a rule holds: hours and days in a time zone, and the networks that the client comes from.

    when: {hours: "08:00-18:00", days: [mon, tue], zone: Europe/Berlin, networks: [10.0.0.0/8, "2001:db8::/32"]}

Of what is told, everything must hold. Hours that end before they begin go over midnight; their days are those on which
they begin. The zone is UTC where none is told (names of the IANA time zone database).

Limits: the clock is the bastion's. The address is the one that the connection to the bastion came from, which behind a
proxy or a network's gateway is that one's.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from bastion.document import Node
from bastion.policy.decision import Subject

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)\Z")
_DAY_MINUTES = 24 * 60

_NO_DAYS: tuple[int, ...] = ()

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NO_NETWORKS: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """`hours` are minutes of the day, from and to (exclusive), None for any; empty `days` and `networks` are any."""

    hours: tuple[int, int] | None
    days: frozenset[int]
    zone: tzinfo
    networks: tuple[Network, ...]

    def holds(self, subject: Subject, unknown: bool) -> bool:
        """Whether it holds for this request; `unknown` where the time or the address is not known."""
        if self.hours is not None or self.days:
            if subject.moment is None:
                return unknown
            if not self._time(datetime.fromtimestamp(subject.moment, self.zone)):
                return False
        if not self.networks:
            return True
        try:
            address = ipaddress.ip_address(subject.source.partition("%")[0])
        except ValueError:
            return unknown
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address.version == network.version and address in network for network in self.networks)

    def _time(self, now: datetime) -> bool:
        if self.hours is None:
            return now.weekday() in self.days
        begins, ends = self.hours
        minute = now.hour * 60 + now.minute
        if begins < ends:
            return begins <= minute < ends and self._day(now)
        if minute >= begins:
            return self._day(now)
        return minute < ends and self._day(now - timedelta(days=1))

    def _day(self, day: datetime) -> bool:
        return not self.days or day.weekday() in self.days


def read_when(node: Node) -> When:
    """The key `when` of a rule. Problems are noted at their places."""
    section = node.section()
    if section.empty and node.kind == "mapping":
        node.problem("an empty mapping: leave the key out, or say when")
    zone: tzinfo = UTC
    when = When(
        hours=section.read("hours", _hours, None),
        days=frozenset(section.read("days", _days, _NO_DAYS)),
        zone=section.read("zone", _zone, zone),
        networks=section.read("networks", _networks, _NO_NETWORKS),
    )
    section.close()
    return when


def _hours(node: Node) -> tuple[int, int] | None:
    text = node.text()
    found = None if text is None else _HOURS.match(text)
    if found is not None:
        begins, ends = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
        if begins != ends and ends <= _DAY_MINUTES:
            return begins, ends
    if text is not None:
        node.problem(f"{text!r} is not a time of day such as 08:00-18:00 (or 22:00-06:00, over midnight)")
    return None


def _days(node: Node) -> tuple[int, ...]:
    return tuple(DAYS.index(day) for day in node.filled(lambda item: item.choice(*DAYS)))


def _zone(node: Node) -> tzinfo | None:
    text = node.text()
    if text is None:
        return None
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        node.problem(f"{text!r} is no time zone that this machine knows, such as Europe/Berlin")
        return None


def _networks(node: Node) -> tuple[Network, ...]:
    return node.filled(_network)


def _network(node: Node) -> Network | None:
    text = node.text()
    if text is None:
        return None
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        node.problem(f"{text!r} is no network such as 10.0.0.0/8: {error}")
        return None
