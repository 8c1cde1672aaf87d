"""When a rule holds: hours, days and networks, and what becomes of it where they are not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bastion.analysis.shell import analyse
from bastion.policy.decision import Request
from bastion.policy.engine import decide, reachable
from bastion.policy.loader import load
from bastion.policy.model import Policy
from tests.core.test_policy_engine import SUBJECT

BERLIN = ZoneInfo("Europe/Berlin")


def policy(folder: Path, when: str, effect: str = "allow") -> Policy:
    everything = "  - {id: all, effect: allow, commands: ['**']}\n" if effect == "deny" else ""
    rule = f"  - {{id: timed, effect: {effect}, commands: [ls], when: {when}}}\n"
    (folder / "p.yaml").write_text(f"version: 1\nrules:\n{everything}{rule}")
    return load(folder)


def applies(policy: Policy, source: str = "", at: str = "") -> bool:
    """Whether the rule `timed` decides; `at` is Berlin's time."""
    moment = datetime.fromisoformat(at).replace(tzinfo=BERLIN).timestamp() if at else None
    subject = replace(SUBJECT, source=source, moment=moment)
    return decide(policy, subject, Request("exec", analyse(b"ls"))).rule == "timed"


@pytest.mark.parametrize(
    ("when", "at", "holds"),
    [
        ("{hours: '08:00-18:00', zone: Europe/Berlin}", "2026-07-01T08:00", True),
        ("{hours: '08:00-18:00', zone: Europe/Berlin}", "2026-01-01T08:00", True),
        ("{hours: '08:00-18:00', zone: Europe/Berlin}", "2026-07-01T07:59", False),
        ("{hours: '08:00-18:00', zone: Europe/Berlin}", "2026-07-01T18:00", False),
        ("{hours: '08:00-18:00'}", "2026-07-01T19:59", True),
        ("{hours: '22:00-06:00', zone: Europe/Berlin}", "2026-07-01T23:00", True),
        ("{hours: '22:00-06:00', zone: Europe/Berlin}", "2026-07-01T05:59", True),
        ("{hours: '22:00-06:00', zone: Europe/Berlin}", "2026-07-01T06:00", False),
        ("{hours: '18:00-24:00', zone: Europe/Berlin}", "2026-07-01T23:59", True),
        ("{days: [mon, fri], zone: Europe/Berlin}", "2026-07-03T00:00", True),
        ("{days: [mon, fri], zone: Europe/Berlin}", "2026-07-04T00:00", False),
        ("{hours: '22:00-06:00', days: [fri], zone: Europe/Berlin}", "2026-07-04T05:00", True),
        ("{hours: '22:00-06:00', days: [fri], zone: Europe/Berlin}", "2026-07-03T05:00", False),
    ],
)
def test_hours_and_days_are_those_of_the_zone(when: str, at: str, holds: bool, tmp_path: Path) -> None:
    """Summer time included; a night belongs to the day on which it begins."""
    assert applies(policy(tmp_path, when), at=at) is holds


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("fe80::1%eth0", False),
        ("192.0.2.7", False),
    ],
)
def test_networks_are_the_clients(source: str, holds: bool, tmp_path: Path) -> None:
    """An address of a mapped kind is the one that it maps."""
    assert applies(policy(tmp_path, "{networks: [10.0.0.0/8, '2001:db8::/32']}"), source) is holds


@pytest.mark.parametrize("when", ["{hours: '08:00-18:00'}", "{networks: [10.0.0.0/8]}"])
def test_what_is_not_known_allows_nothing_and_holds_back(when: str, tmp_path: Path) -> None:
    """Without a time or an address the stricter reading holds, for allow rules and deny rules alike."""
    assert not applies(policy(tmp_path, when))
    assert applies(policy(tmp_path, when, effect="deny"))


def test_a_target_is_there_also_outside_the_hours(tmp_path: Path) -> None:
    """Who may come back later is told why not now, rather than that there is no such target."""
    assert reachable(policy(tmp_path, "{networks: [10.0.0.0/8]}"), replace(SUBJECT, source="192.0.2.7"))
