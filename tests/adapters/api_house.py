"""An API with ports of the tests' own: two tenants, one of everything in each, and callers of every role.

Tokens are `TENANT:GROUP`, as in `acme:viewers`; who has one is `GROUP@TENANT`. Real HTTP over loopback, and the real
socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bastion.api.acted import Acted
from bastion.api.approvals import Approvals
from bastion.api.callers import Callers
from bastion.api.certificates import Certificates
from bastion.api.changes import Changes, Feed
from bastion.api.condition import Condition
from bastion.api.files import File
from bastion.api.hub import Hub
from bastion.api.limits import RateLimit
from bastion.api.login import Flow, Login
from bastion.api.logins import Logins
from bastion.api.metrics import Metrics
from bastion.api.overview import Overview
from bastion.api.recordings import Recordings as RecordingRoutes
from bastion.api.roles import Roles
from bastion.api.server import Api
from bastion.api.sessions import Sessions
from bastion.api.site import Site
from bastion.api.streams import Streams
from bastion.api.trail import Trail
from bastion.api.unix import NAME
from bastion.identity import revocation
from bastion.kept import Certificate, Recording
from bastion.policy import loader
from bastion.policy.model import Policy
from bastion.recording.recorder import Recordings
from tests.adapters.api_ports import (
    GROUPS,
    NOW,
    POLICY,
    TENANTS,
    Audit,
    Deciding,
    KeptCertificates,
    KeptRecordings,
    KeptSessions,
    Live,
    Searches,
    Tokens,
    session,
    target,
)


@dataclass(slots=True)
class House:
    """What a test looks at, and asks with."""

    folder: Path
    address: tuple[str, int]
    api: Api
    site: Site
    client: aiohttp.ClientSession
    tokens: Tokens
    audit: Audit
    sessions: KeptSessions
    recordings: KeptRecordings
    certificates: KeptCertificates
    deciding: Deciding
    searches: Searches
    live: Live
    files: Recordings
    logins: Logins
    streams: Streams
    hub: Hub
    feed: Feed
    now: list[float]
    """Seconds of the clock of browsers' sessions."""
    rejected: dict[str, list[str]] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.folder / NAME

    async def ask(self, caller: str, method: str, path: str, **words: Any) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, JSON (None where it is none) and the answer, by `TENANT:GROUP`, or `nobody`."""
        headers = {**words.pop("headers", {})}
        if not caller.endswith("nobody"):
            headers["Authorization"] = f"Bearer {caller}"
        async with self.client.request(method, path, headers=headers, allow_redirects=False, **words) as answer:
            stream = answer.content_type == "text/event-stream"
            body = await answer.json() if not stream and "json" in answer.content_type else None
            return answer.status, body, answer

    def by_socket(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession("http://bastion", connector=aiohttp.UnixConnector(str(self.socket)))


def policy(folder: Path) -> Policy:
    (folder / "policy").mkdir(exist_ok=True)
    (folder / "policy" / "a.yaml").write_text(POLICY)
    return loader.load(folder / "policy")


@asynccontextmanager
async def house(
    folder: Path, flows: dict[str, Flow] | None = None, site: Site | None = None, **words: Any
) -> AsyncIterator[House]:
    """Everything runs. `kept` (sessions, recordings, certificates), `deciding` and `searches` stand in for the tests'
    own; other `words` go to Api."""
    now = [0.0]
    site = site or Site()
    tokens, audit, hub, streams = Tokens(), Audit(), Hub(), Streams()
    policies = {tenant: policy(folder) for tenant in TENANTS}
    rejected: dict[str, list[str]] = {}
    logins = Logins(lambda: now[0], streams.wake)
    roles = Roles(dict.fromkeys(TENANTS, GROUPS), policies.get)
    callers = Callers(tokens, logins, roles, site, TENANTS, tokens.revoked_why, lambda: NOW + now[0])
    files = Recordings(folder / "recordings", flush_seconds=60)
    sessions, recordings, certificates = words.pop("kept", None) or _kept(folder)
    deciding, searches, live = words.pop("deciding", Deciding()), words.pop("searches", Searches()), Live(files)
    acted, clock = Acted(audit), lambda: NOW
    login = Login(flows or {}, logins, site, audit.write, tokens.revoked_why, lambda: NOW + now[0])
    metrics = Metrics({"bastion_sessions": ("Sessions that live now.", lambda: 2)})
    revocations = folder / "revocations.jsonl"
    revocation.make(revocations)
    handlers = {
        **login.handlers(),
        **Sessions(sessions, live, streams, acted, clock).handlers(),
        **RecordingRoutes(recordings, folder / "recordings", searches, streams, acted, clock).handlers(),
        **Approvals(deciding, searches, acted, clock).handlers(),
        **Trail(searches).handlers(),
        **Certificates(certificates, revocations, acted, clock).handlers(),
        **Overview(
            lambda tenant: [target(tenant)], policies.__getitem__, lambda tenant: rejected.get(tenant, [])
        ).handlers(),
        **Condition(tuple, lambda: "serving 2 tenant(s)", metrics).handlers(),
        **Changes(hub, streams).handlers(),
    }
    console = words.pop("console", {"/": File(b"<!doctype html>", "text/html; charset=utf-8")})
    limit = RateLimit(10_000, 10_000, lambda: 0.0)
    api = Api(
        tokens, "ssh-ed25519 AAAA", ["bastion"], limit, callers=callers, handlers=handlers, streams=streams, site=site,
        console=console, **words,
    )  # fmt: skip
    address = await api.start("127.0.0.1", 0, None)
    await api.start_socket(folder / NAME)
    url = f"http://{address[0]}:{address[1]}"
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield House(
            folder, address, api, site, client, tokens, audit, sessions, recordings, certificates, deciding, searches,
            live, files, logins, streams, hub, Feed(hub, metrics), now, rejected,
        )  # fmt: skip
    await api.stop()
    files.stop()


def _kept(folder: Path) -> tuple[KeptSessions, KeptRecordings, KeptCertificates]:
    sessions, recordings, certificates = [], [], []
    for tenant in TENANTS:
        past = f"past-{tenant}"
        path = f"{tenant}/2027/01/15/{past}.cast"
        place = folder / "recordings" / path
        place.parent.mkdir(parents=True)
        place.write_bytes(b"cast")
        sessions += [
            session(tenant, f"live-{tenant}"),
            session(tenant, past, started=NOW - 60, ended=NOW - 30, status=0, reason="exit", recording=path),
        ]
        recordings.append(Recording(tenant, past, path, "0" * 64, 4, 1, NOW - 60, 30.0))
        certificates.append(
            Certificate(tenant, 4711 if tenant == "acme" else 4712, "agent-1", "https://i.example.com", "agent-1",
                        ("agent-1",), "SHA256:x", "192.0.2.1", NOW - 60, NOW + 840)
        )  # fmt: skip
    return (
        KeptSessions(sessions, "started", "id"),
        KeptRecordings(recordings, "started", "session"),
        KeptCertificates(certificates, "valid_after", "serial"),
    )
