"""The HTTP side, whole: the API's parts made out of the configuration, and joined to what they ask.

What the store keeps (`Kept`) may be left out; then the routes that need it are not served. The local socket is there
whenever the bastion runs, also without the section `api`.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bastion.api import files
from bastion.api.acted import Acted
from bastion.api.approvals import Approvals, Deciding
from bastion.api.callers import Callers
from bastion.api.certificates import Certificates
from bastion.api.certificates import Kept as KeptCertificates
from bastion.api.changes import Changes, Feed
from bastion.api.condition import Condition
from bastion.api.guard import Handler
from bastion.api.hub import Hub
from bastion.api.judging import Judging
from bastion.api.limits import RateLimit
from bastion.api.login import Login
from bastion.api.logins import Logins
from bastion.api.metrics import Metrics
from bastion.api.overview import Overview
from bastion.api.policies import Policies
from bastion.api.recordings import Catalogue, Recordings
from bastion.api.roles import Roles
from bastion.api.searching import Searching
from bastion.api.server import BUCKETS, Api
from bastion.api.sessions import Kept as KeptSessions
from bastion.api.sessions import Live, Sessions
from bastion.api.site import Site
from bastion.api.streams import Streams
from bastion.api.trail import Trail
from bastion.api.unix import NAME
from bastion.audit.events import Event
from bastion.config import Config
from bastion.config.people import for_people
from bastion.errors import StoreDown
from bastion.identity.code_flow import CodeFlow, Web
from bastion.identity.issuance import Issuance
from bastion.identity.oidc import Verifier
from bastion.identity.revocation import Revocations
from bastion.policy.model import Policy
from bastion.targets.keyring import Keyring
from bastion.verdicts import Tenant

BURST = 30
RATE = 2.0
"""Requests that one source may make to the API at once, and a second after that, where routes have no rate of their
own (see api.server)."""
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
log = logging.getLogger(__name__)


class Audit(Protocol):
    """The audit trail. NotRecorded when an event can not be made durable."""

    async def write(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the store keeps, and who decides on requests; `pending` is how many of them wait, in these tenants."""

    sessions: KeptSessions
    recordings: Catalogue
    certificates: KeptCertificates
    deciding: Deciding
    pending: Callable[[Iterable[str]], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the bastion is: what keeps it from serving, its line for people, what was wrong with a tenant's files when
    they were last read (without their folders), and gauges by name."""

    problems: Callable[[], Sequence[str]]
    status: Callable[[], str]
    rejected: Callable[[str], Sequence[str]]
    gauges: Mapping[str, tuple[str, Callable[[], float]]]


class Serving:
    """Life: `start`, `revoked` at will, `stop`. `feed` hears of every event of the trail, and of what the store tells
    of its changes. `link` is right once this has started."""

    def __init__(
        self,
        config: Config,
        keyring: Keyring,
        web: Web,
        issuance: Issuance,
        host_ca: str,
        audit: Audit,
        revocations: Revocations,
        tenants: Mapping[str, Tenant],
        live: Live,
        told: Told,
        kept: Kept | None = None,
    ) -> None:
        self._config = config
        self._tenants = tenants
        self._revocations = revocations
        self._kept, self._pending = kept, 0.0
        self._site = Site(None if config.api is None else config.api.public)
        self._streams, hub = Streams(), Hub()
        self._logins = Logins(time.monotonic, self._streams.wake)
        self.feed = Feed(hub, metrics := Metrics({**told.gauges, **self._gauges()}))
        roles = Roles({name: tenant.roles for name, tenant in config.tenants.items()}, self._policy)
        revoked = revocations.identity_revoked
        callers = Callers(issuance, self._logins, roles, self._site, tuple(tenants), revoked, time.time)
        self._judged = Policies(callers, self._policy, Judging())
        self._searching = Searching(config.audit)
        login = Login(_flows(config, keyring, web), self._logins, self._site, audit.write, revoked, time.time)
        handlers: dict[str, Handler] = {
            **login.handlers(),
            **Trail(self._searching).handlers(),
            **self._overview(told).handlers(),
            **Condition(told.problems, told.status, metrics, self._count).handlers(),
            **Changes(hub, self._streams).handlers(),
            **({} if kept is None else self._of_store(kept, live, Acted(audit))),
        }
        self._api = Api(
            issuance,
            host_ca,
            config.ssh.names,
            RateLimit(BURST, RATE, time.monotonic, BUCKETS),
            told.problems,
            self._judged,
            callers=callers,
            handlers=handlers,
            observers=_observers(config),
            streams=self._streams,
            site=self._site,
            console=files.read({"/": files.CONSOLE, "/player/": files.PLAYER}),
        )

    async def start(self, tls: ssl.SSLContext | None) -> tuple[str, int] | None:
        """Listen; where, if the settings have an API. OperatorError when an address can not be had."""
        await self._api.start_socket(self._config.state / NAME)
        api = self._config.api
        return None if api is None else await self._api.start(api.listen.host, api.listen.port, tls)

    async def stop(self) -> None:
        """Listen no more, and end what runs aside."""
        await self._api.stop()
        await self._judged.stop()
        await self._searching.stop()

    def revoked(self) -> None:
        """Somebody was: their browsers' sessions and their streams end now."""
        self._logins.end_all(lambda identity: self._revocations.identity_revoked(identity) is not None)
        self._api.revoked()

    # -- inside

    def link(self, tenant: str, approval: str) -> str:
        """Where people see a request for approval."""
        return f"{self._site.url}/#/approvals/{approval}?tenant={tenant}" if self._site.url else ""

    def _policy(self, tenant: str) -> Policy:
        return self._tenants[tenant].policy

    def _gauges(self) -> Mapping[str, tuple[str, Callable[[], float]]]:
        return {
            "bastion_approvals_pending": ("Requests that wait for people.", lambda: self._pending),
            "bastion_api_streams": ("Answers of the API that go on.", lambda: len(self._streams)),
            "bastion_api_logins": ("Browsers that are logged in.", lambda: len(self._logins)),
        }

    def _overview(self, told: Told) -> Overview:
        return Overview(
            lambda name: self._tenants[name].inventory.targets,
            self._policy,
            told.rejected,
        )

    def _of_store(self, kept: Kept, live: Live, acted: Acted) -> Mapping[str, Handler]:
        config, clock, streams = self._config, time.time, self._streams
        return {
            **Sessions(kept.sessions, live, streams, acted, clock).handlers(),
            **Recordings(kept.recordings, config.recordings, self._searching, streams, acted, clock).handlers(),
            **Approvals(kept.deciding, self._searching, acted, clock).handlers(),
            **Certificates(kept.certificates, config.revocations, acted, clock).handlers(),
        }

    async def _count(self) -> None:
        """How many requests wait, in all tenants; not a number while nobody knows."""
        if self._kept is None:
            return
        try:
            self._pending = float(await self._kept.pending(self._config.tenants))
        except StoreDown as error:
            log.warning("how many requests wait is not known: %s", error)
            self._pending = math.nan


def _flows(config: Config, keyring: Keyring, web: Web) -> dict[str, CodeFlow]:
    """How the people of each tenant log in, where they do."""
    flows: dict[str, CodeFlow] = {}
    for name, tenant in config.tenants.items():
        console = tenant.console
        if console is None:
            continue
        secret = None if console.secret is None else keyring.read(console.secret).decode().strip()
        verifier = Verifier(for_people(console, tenant.issuers), web, time.time, time.monotonic)
        flows[name] = CodeFlow(name, console.issuer, console.client_id, secret, console.scopes, web, verifier)
    return flows


def _observers(config: Config) -> Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    api = config.api
    if api is None:
        return ()
    if api.observers is not None:
        return api.observers
    return _LOOPBACK if api.public is None else ()
