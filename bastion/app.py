"""Builds the bastion out of its parts, starts it, and ends it: the only file that names every concrete class.

Order: configuration, keys, policies and inventories are read first, so that nothing listens unless all of them are
good; then the audit trail is opened and torn recordings are mended; then the servers listen; then READY is said.
The end runs backwards: no new connections, a notice to open sessions, `drain` seconds, the rest is ended, the
recordings are closed, and the audit trail is the last to go.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bastion import __version__
from bastion.api import tls
from bastion.audit.events import BastionStarted, BastionStopping, RecordingMended
from bastion.audit.log import AuditLog
from bastion.background import Background
from bastion.config import Config, apart
from bastion.errors import OperatorError
from bastion.gate import Gate
from bastion.identity import revocation
from bastion.identity.authority import Authority
from bastion.identity.fetch import HttpFetch
from bastion.identity.issuance import Issuance, random_serial
from bastion.identity.oidc import Verifier
from bastion.identity.revocation import Revocation, Revocations
from bastion.keeping import Keeping
from bastion.notify import Notifier
from bastion.policy import loader
from bastion.recording.follow import Follower
from bastion.recording.mend import mend
from bastion.recording.recorder import Recordings
from bastion.reload import Files, Reload
from bastion.serving import Kept, Serving, Told
from bastion.session.ending import Ending
from bastion.session.login_shells import LoginShells
from bastion.session.registry import Registry
from bastion.session.service import Sessions
from bastion.sinks.signature import key_of
from bastion.sinks.webhook import Hook, Webhook
from bastion.ssh.hostkeys import HostKeys
from bastion.ssh.jump import House
from bastion.ssh.listener import Limits, Listener
from bastion.ssh.logins import Logins
from bastion.ssh.upstream import Keys, Settings, Upstreams
from bastion.targets.keyring import Keyring
from bastion.targets.target import Secret
from bastion.verdicts import Tenant

log = logging.getLogger(__name__)

SETTLE = 5
"""Seconds that sessions have to close their recordings once they are ended."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the bastion listens, once it does."""

    ssh: tuple[tuple[str, int], ...]
    api: tuple[str, int] | None


class App:
    """Life: `start`, `reload` at will, `stop`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        self._keyring = Keyring(Path(directory) if directory else None)
        self._background = Background()
        self._notifier = Notifier()
        self._registry = Registry()
        self._connections = Registry()
        for folder in (config.state, config.audit.parent, config.revocations.parent):
            _private_folder(folder)
        self._tenants, self._authorities, self._target_authorities = self._read_tenants()
        _file_of_revocations(config)
        self._revocations = Revocations.load(config.revocations)
        self._host_ca = self._authority(config.ssh.host_ca, "host-ca")
        self._audit = AuditLog.open(config.audit, clock=time.time)
        self._recordings = Recordings(config.recordings)

    # -- building

    def _read_tenants(self) -> tuple[dict[str, Tenant], dict[str, Authority], dict[str, Authority]]:
        config = self._config
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        self._secrets = apart.Secrets(config, Path(directory) if directory else None)
        host_key = apart.public_blob(self._keyring.read(config.ssh.host_key), "host-key")
        keys = {"host-key": host_key, "host-ca": self._authority(config.ssh.host_ca, "host-ca").public_blob}
        tenants, users, targets = {}, {}, {}
        for name, settings in config.tenants.items():
            users[name] = self._authority(settings.user_ca, f"{name}-user-ca")
            keys[f"the user-ca of tenant {name!r}"] = users[name].public_blob
            if settings.target_ca is not None:
                targets[name] = self._authority(settings.target_ca, f"{name}-target-ca")
                keys[f"the target-ca of tenant {name!r}"] = targets[name].public_blob
            tenants[name] = Tenant(
                name,
                (users[name].public_blob,),
                loader.load(settings.policies),
                self._secrets.load(settings.inventory, name),
                users[name].secret_for("mask"),
            )
            tenants[name].prepare(tenants[name].policy)
        apart.refuse_same(keys)
        return tenants, users, targets

    def _authority(self, secret: Secret, name: str) -> Authority:
        return Authority.load(self._keyring.read(secret), None, name)

    def _hooks(self) -> dict[str, list[Hook]]:
        """Who is told of requests for approval, by tenant."""
        return {
            name: [
                Hook(notice.url, key_of(self._keyring.read(notice.secret)), notice.slack) for notice in tenant.notices
            ]
            for name, tenant in self._config.tenants.items()
        }

    def _link(self, tenant: str, request: str) -> str:
        return self._serving.link(tenant, request)

    async def _open_store(self) -> Keeping:
        """The store; what it asks of the other parts it asks later, when they are made."""
        return await Keeping.open(
            self._config,
            self._keyring,
            self._audit,
            self._notices,
            self._link,
            lambda session, reason: self._sessions.end_here(session, reason),
            self._revocations.identity_revoked,
        )

    def _build(self) -> None:
        config, clock = self._config, time.time
        upstream = config.ssh.upstream
        logins = Logins(self._keyring, self._target_authorities, random_serial)
        keys = Keys(logins.held, logins.minted)
        self._upstreams = Upstreams(keys, Settings(upstream.connect, upstream.keep, upstream.sessions))
        self._shells = LoginShells(self._upstreams, self._audit)
        self._gate = Gate(
            self._tenants, self._audit, self._revocations.revoked, clock, self._shells, self._keeping.approvals
        )
        self._sessions = Sessions(
            self._gate, self._recordings, self._upstreams, self._audit, self._registry, self._keeping
        )
        limits = config.ssh.limits
        host_keys = HostKeys(
            self._keyring.read(config.ssh.host_key),
            self._host_ca,
            config.ssh.names,
            limits.handshake,
            clock,
            random_serial,
        )
        host_keys.outer()  # made now, so that a key that can not be used is found before anything listens
        house = House(
            self._gate,
            self._sessions,
            self._connections,
            host_keys.inner,
            limits.attempts,
            limits.channels,
            limits.connections,
        )
        self._listener = Listener(
            house, host_keys.outer, Limits(limits.handshake, limits.unauthenticated, limits.per_source)
        )
        self._ending = Ending(self._revocations, self._registry, self._connections, self._upstreams, self._audit)
        files = {name: Files(tenant.policies, tenant.inventory) for name, tenant in config.tenants.items()}
        self._reload = Reload(
            self._tenants,
            files,
            self._revocations,
            config.revocations,
            self._audit,
            self._end_revoked,
            self._reloaded,
            load=self._secrets.load,
        )
        self._build_api()

    def _build_api(self) -> None:
        config, clock = self._config, time.time
        self._fetch = HttpFetch()
        issuers = [issuer for tenant in config.tenants.values() for issuer in tenant.issuers]
        verifier = Verifier(issuers, self._fetch, clock, time.monotonic)
        issuance = Issuance(verifier, self._authorities, self._audit, self._revocations, clock, self._keeping)
        told = Told(
            problems=self._unable,
            status=self._status,
            rejected=self._reload.problems_of,
            gauges={
                "bastion_sessions": ("Sessions that live now.", lambda: len(self._registry)),
                "bastion_connections": ("SSH connections that live now.", lambda: len(self._connections)),
                "bastion_audit_failed": (
                    "1 when the trail can not be written.",
                    lambda: self._audit.failed is not None,
                ),
            },
        )
        live = _Live(self._sessions, self._recordings)
        self._serving = Serving(
            config,
            self._keyring,
            self._fetch,
            issuance,
            self._host_ca.public,
            self._audit,
            self._revocations,
            self._tenants,
            live,
            told,
            Kept(
                sessions=self._keeping.store.sessions,
                recordings=self._keeping.store.recordings,
                certificates=self._keeping.store.certificates,
                deciding=self._keeping.approvals,
                pending=self._keeping.store.overview.pending,
            ),
        )
        feed = self._serving.feed
        self._audit.heard = feed.heard
        self._keeping.store.changes.subscribe(feed.changed, feed.failed, feed.restored)

    # -- life

    async def start(self) -> Bound:
        """Everything listens when this returns. OperatorError when something can not."""
        config = self._config
        self._notices = Webhook(self._hooks(), self._link, time.time)
        self._keeping = await self._open_store()
        self._build()
        await self._mend()
        self._reloaded()
        await self._keeping.start()
        self._reload.start()
        try:
            ssh = await self._listener.start([(place.host, place.port) for place in config.ssh.listen])
        except OSError as error:
            raise OperatorError(f"the SSH side can not listen: {error.strerror}") from error
        api = await self._serving.start(self._tls())
        listen = tuple(f"{host}:{port}" for host, port in ssh)
        await self._audit.write(BastionStarted(version=__version__, tenants=tuple(self._tenants), listen=listen))
        if self._notifier.watchdog_interval is not None:
            self._background.start(self._watchdog(self._notifier.watchdog_interval), "watchdog")
        self._notifier.ready(self._status())
        return Bound(tuple(ssh), api)

    async def reload(self) -> None:
        """Read policies, inventories and revocations again (SIGHUP)."""
        self._notifier.reloading()
        await self._reload.now()
        self._notifier.ready(self._status())

    async def stop(self, reason: str) -> None:
        """End, giving open sessions `drain` seconds."""
        drain = self._config.drain
        self._notifier.stopping(f"ending {len(self._registry)} session(s)")
        await self._audit.write(BastionStopping(reason=reason, sessions=len(self._registry)))
        await self._listener.stop()
        await self._serving.stop()
        if len(self._registry):
            self._registry.notify(f"the bastion is stopping; this session ends in {drain} s")
            await self._settled(drain)
            self._registry.end(lambda _: "the bastion is stopping")
            await self._settled(SETTLE)
        await self._listener.close()
        await self._sessions.stop()
        await self._shells.stop()
        await self._upstreams.close()
        await self._reload.stop()
        await self._background.stop()
        await self._fetch.close()
        await self._keeping.stop()
        await self._notices.stop()
        await asyncio.to_thread(self._recordings.stop)
        await self._audit.close()

    # -- inside

    async def _mend(self) -> None:
        """Recordings that the last run left open are closed, told, and kept like others."""
        found = mend(self._config.recordings)
        while (mended := await asyncio.to_thread(next, found, None)) is not None:
            event = RecordingMended(
                tenant=mended.tenant,
                session=mended.session,
                recording=mended.recording,
                cut=mended.cut,
                size=mended.size,
                sha256=mended.sha256,
            )
            await self._audit.write(event)
            await self._keeping.mended(mended)

    def _unable(self) -> list[str]:
        """What keeps the bastion from serving; strangers are told no more than that."""
        unable = ["the audit trail can not be written"] if self._audit.failed else []
        return unable + self._keeping.problems + (["changes of files are not noticed"] if self._reload.ended else [])

    async def _end_revoked(self, new: Sequence[Revocation]) -> None:
        self._serving.revoked()
        self._keeping.revoked(new)
        await self._ending.revoked(new)

    def _reloaded(self) -> None:
        """Files were read again: what waits under another policy is over."""
        self._keeping.policies((name, tenant.policy.version) for name, tenant in self._tenants.items())
        self._notifier.status(self._status())

    def _status(self) -> str:
        if self._audit.failed:
            return f"letting nobody in: {self._audit.failed}"
        if self._reload.ended:
            return f"restart it: {self._reload.ended}"
        observed = sorted(tenant.name for tenant in self._tenants.values() if tenant.policy.observe)
        more = f"; observing, which denies nothing: {', '.join(observed)}" if observed else ""
        problems = self._reload.problems
        if problems:
            return f"not in force: {problems[0].splitlines()[0]}{more}"
        return f"serving {len(self._tenants)} tenant(s){more}"

    async def _watchdog(self, interval: float) -> None:
        """Tell systemd that the event loop still turns."""
        while True:
            self._notifier.watchdog()
            await asyncio.sleep(interval)

    async def _settled(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._sessions.settle(), seconds)
        except TimeoutError:
            log.info("%d sessions are still open", len(self._registry))

    def _tls(self) -> ssl.SSLContext | None:
        api = self._config.api
        if api is None or api.certificate is None or api.key is None:
            return None
        return tls.context(self._keyring.read(api.certificate), self._keyring.read(api.key))


@dataclass(frozen=True, slots=True)
class _Live:
    """The sessions of this process, as the API sees them."""

    sessions: Sessions
    recordings: Recordings

    def follow(self, tenant: str, session: str, wake: Callable[[], None]) -> Follower | None:
        return self.recordings.follow(tenant, session, wake)

    def end(self, tenant: str, session: str, reason: str) -> None:
        self.sessions.end(tenant, session, reason)


def _file_of_revocations(config: Config) -> None:
    """Made at the first start, so that a later one without it is known to have lost it: nobody knows who was revoked.

    The sign of an earlier start is an audit trail with something in it.
    """
    path = config.revocations
    if os.path.lexists(path):
        return
    if config.audit.exists() and config.audit.stat().st_size:
        raise OperatorError(
            f"{path}: the file of revocations is gone (this bastion ran before, says {config.audit}), and without it "
            "whoever was revoked would be let in. Put it back, or, if nobody was revoked, make an empty one"
        )
    revocation.make(path)


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{folder} can not be made: {error.strerror}") from error
