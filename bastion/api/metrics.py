"""Metrics as Prometheus reads them (text format 0.0.4): counts of what passed, and how things stand now.

No label names an identity, a target or a session: what is scraped is kept long and seen by many. Counts are of this
process since its start. Refused logins that the trail only counts (`events-dropped`) are not among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from bastion.audit.events import CertificateIssued, CommandJudged, Event, LoginRefused, SessionEnded

TYPE = "text/plain; version=0.0.4; charset=utf-8"
Gauge = Callable[[], float]


class Metrics:
    """`heard` for each event of the audit trail, `text` when asked. `gauges` by name: what it is, and what gives it."""

    def __init__(self, gauges: Mapping[str, tuple[str, Gauge]]) -> None:
        self._gauges = dict(gauges)
        self._verdicts: Counter[tuple[str, str, str]] = Counter()
        self._sessions: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()
        self._certificates: Counter[str] = Counter()
        self._refused = 0

    def heard(self, event: Event) -> None:
        """Count it."""
        match event:
            case CommandJudged():
                self._verdicts[event.tenant, event.request, event.effect] += 1
            case SessionEnded():
                self._sessions[event.tenant, "ok" if event.status == 0 else "other"] += 1
                self._bytes[event.tenant, "received"] += event.received
                self._bytes[event.tenant, "sent"] += event.sent
            case CertificateIssued():
                self._certificates[event.tenant] += 1
            case LoginRefused():
                self._refused += 1

    def text(self) -> str:
        """All of it."""
        lines: list[str] = []
        verdicts = ((("tenant", "request", "effect"), key, count) for key, count in self._verdicts.items())
        lines += _counter("bastion_verdicts_total", "Requests and lines that were judged.", verdicts)
        sessions = ((("tenant", "outcome"), key, count) for key, count in self._sessions.items())
        lines += _counter("bastion_sessions_total", "Sessions that ended, by exit status 0 or not.", sessions)
        octets = ((("tenant", "direction"), key, count) for key, count in self._bytes.items())
        lines += _counter("bastion_client_bytes_total", "Bytes from and to clients, of sessions that ended.", octets)
        issued = ((("tenant",), (tenant,), count) for tenant, count in self._certificates.items())
        lines += _counter("bastion_certificates_total", "Certificates that were issued.", issued)
        lines += _counter("bastion_logins_refused_total", "SSH logins that were refused.", [((), (), self._refused)])
        for name, (about, gauge) in self._gauges.items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge", f"{name} {gauge():g}"]
        return "\n".join(lines) + "\n"


Sample = tuple[tuple[str, ...], tuple[str, ...], int]


def _counter(name: str, about: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} counter"]
    for labels, values, count in samples:
        told = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))
        lines.append(f"{name}{{{told}}} {count}" if told else f"{name} {count}")
    return lines


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
