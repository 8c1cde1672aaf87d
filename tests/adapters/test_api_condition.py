"""How the bastion is, for those who may ask: the socket, and networks that the settings name."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bastion.api.metrics import Metrics
from bastion.audit.events import CertificateIssued, CommandJudged, LoginRefused, SessionEnded
from tests.adapters.api_house import house

IN_SESSION: dict[str, Any] = {
    "tenant": 'ac"me', "identity": "agent-1", "issuer": "i", "subject": "s", "serial": 1, "source": "192.0.2.1",
    "connection": "c", "target": "web-1", "account": "deploy", "session": "s1",
}  # fmt: skip


@pytest.mark.parametrize(("networks", "status"), [([], 404), (["10.0.0.0/8"], 404), (["127.0.0.0/8", "::1"], 200)])
@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
async def test_observers_are_who_the_settings_say(
    tmp_path: Path, networks: Sequence[str], status: int, path: str
) -> None:
    observers = [ipaddress.ip_network(network) for network in networks]
    async with house(tmp_path, observers=observers) as api:
        for caller in ("nobody", "acme:operators"):
            headers = {"X-Forwarded-For": "127.0.0.1"}
            assert (await api.ask(caller, "GET", path, headers=headers))[0] == status
        async with api.by_socket() as client, client.get(path) as answer:
            assert answer.status == 200


async def test_metrics_are_as_prometheus_reads_them(tmp_path: Path) -> None:
    async with house(tmp_path) as api, api.by_socket() as client, client.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "\nbastion_sessions 2\n" in await answer.text()


def test_what_passes_is_counted_and_nobody_is_named() -> None:
    metrics = Metrics({})
    for effect in ("allow", "deny", "deny"):
        metrics.heard(
            CommandJudged(
                **IN_SESSION, request="exec", text=b"ls", runs=None, effect=effect, rule="r", reason="", policy="v"
            )
        )
    metrics.heard(SessionEnded(**IN_SESSION, reason="exit", status=0, received=3, sent=5))
    metrics.heard(SessionEnded(**IN_SESSION, reason="exit", status=1, received=1, sent=1))
    metrics.heard(LoginRefused(source="192.0.2.1", connection="c", user="x", reason="no"))
    metrics.heard(
        CertificateIssued(
            tenant="acme", identity="agent-1", issuer="i", subject="s", serial=1, source="192.0.2.1", fingerprint="f",
            principals=(), groups=(), valid_after=0, valid_before=1,
        )
    )  # fmt: skip
    text = metrics.text()
    for line in (
        'bastion_verdicts_total{tenant="ac\\"me",request="exec",effect="deny"} 2',
        'bastion_sessions_total{tenant="ac\\"me",outcome="ok"} 1',
        'bastion_client_bytes_total{tenant="ac\\"me",direction="sent"} 6',
        "bastion_logins_refused_total 1",
        'bastion_certificates_total{tenant="acme"} 1',
    ):
        assert line in text.splitlines()
    for secret in ("agent-1", "192.0.2.1", "web-1", "s1"):
        assert secret not in text
    assert all(line.startswith("#") or line.rpartition(" ")[2].isdigit() for line in text.splitlines())
