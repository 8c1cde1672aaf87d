"""The store whole: opened, kept up, and joined to what lives by it: approvals, and what is known of sessions.

Fail closed: a session that the store can not be told of does not begin, and what waits for people is denied when the
store can not be read. Its end is told as far as that can be done; what is missed is marked as lost later.

Processes on one store are told apart by the name of their machine and of their folder of state.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bastion.approvals.asking import Setting
from bastion.approvals.ports import Audit, Change, Notices
from bastion.approvals.request import Person
from bastion.approvals.service import Approvals
from bastion.approvals.upkeep import GONE, Upkeep
from bastion.background import Background
from bastion.config import Config
from bastion.context import Context
from bastion.errors import BastionError, NoSuchRequest, StoreDown
from bastion.identity import revocation
from bastion.identity.issuance import Issued
from bastion.identity.revocation import Revocation
from bastion.kept import Certificate, Recording, Session
from bastion.recording.recorder import Closed
from bastion.store.changes import CERTIFICATE, SESSION_END
from bastion.store.store import Store
from bastion.targets.keyring import Keyring

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two looks for sessions that another process has left behind."""


class Keeping:
    """Life: `open`, `start`; sessions begin and end; `stop` once, when none lives any more."""

    def __init__(
        self,
        store: Store,
        instance: str,
        audit: Audit,
        notices: Notices,
        link: Callable[[str, str], str],
        end: Callable[[str, str], None],
        revoked: Callable[[Person], str | None],
        revocations: Path,
    ) -> None:
        """`revocations` is the file of this process's own, `revoked` says by it why somebody is no longer trusted, or
        None; `end` ends a session of this process, by its id and for a reason; `link` is the address of a request."""
        self.store = store
        self._instance = instance
        self._end = end
        self._revocations = revocations
        self._ending: set[str] = set()
        self._background = Background()
        setting = Setting(instance=instance, clock=time.time, revoked=revoked, link=link)
        self.approvals = Approvals(store.requests, store.grants, store.changes, audit, notices, setting, end)
        self._upkeep = Upkeep(self.approvals, store.overview, setting)
        self._unsubscribe = store.changes.subscribe(self._changed, lambda _: None)

    @classmethod
    async def open(
        cls,
        config: Config,
        keyring: Keyring,
        audit: Audit,
        notices: Notices,
        link: Callable[[str, str], str],
        end: Callable[[str, str], None],
        revoked: Callable[[Person], str | None],
    ) -> Keeping:
        """Raises OperatorError, KeyUnusable, StoreDown."""
        store = await Store.open(config.store.url(keyring))
        folder = hashlib.sha256(str(config.state.resolve()).encode()).hexdigest()[:8]
        return cls(store, f"{socket.gethostname()}-{folder}", audit, notices, link, end, revoked, config.revocations)

    async def start(self) -> None:
        """What an earlier life of this process left open is over. Raises StoreDown, NotRecorded."""
        await self._upkeep.start()
        now = time.time()
        await self.store.sessions.lost(now, now - GONE, (self._instance,))
        self._background.start(self.store.changes.run(), "the store's changes")
        self._background.start(self._upkeep.run(), "the upkeep of approvals")
        self._background.start(self._look(), "sessions of other processes")

    async def stop(self) -> None:
        self._unsubscribe()
        await self.approvals.close()
        await self._background.stop()
        await self.store.close()

    # -- sessions

    async def begin(self, context: Context, session: str, kind: str, command: bytes) -> None:
        """Raises StoreDown: then it may not begin."""
        identity = context.identity
        await self.store.sessions.begin(
            Session(
                tenant=context.tenant,
                id=session,
                connection=context.knock.connection,
                identity=identity.name,
                issuer=identity.issuer,
                subject=identity.subject,
                principals=identity.principals,
                serial=context.credential.serial,
                source=context.knock.source,
                target=context.target.name,
                account=context.account.name,
                kind=kind,
                command=command,
                instance=self._instance,
                started=time.time(),
            )
        )

    async def over(self, context: Context, session: str, status: int | None, reason: str, closed: Closed) -> None:
        """It has ended, and its recording is closed."""
        self.approvals.session_ended(session)
        self._ending.discard(session)
        now = time.time()
        try:
            await self.store.recordings.closed(
                Recording(
                    tenant=context.tenant,
                    session=session,
                    path=closed.name,
                    sha256=closed.sha256,
                    size=closed.size,
                    commands=closed.markers,
                    started=now - closed.duration,
                    duration=closed.duration,
                )
            )
            await self.store.sessions.update(context.tenant, session, now, recording=closed.name)
            await self.store.sessions.end(context.tenant, session, now, status, reason)
        except (StoreDown, NoSuchRequest) as error:
            log.warning("session %s: its end could not be kept: %s", session, error)

    # -- certificates

    async def issued(self, issued: Issued, fingerprint: str, source: str) -> None:
        """It is in the trail, and goes out once it is here. Raises StoreDown."""
        identity = issued.identity
        await self.store.certificates.issued(
            Certificate(
                tenant=identity.tenant,
                serial=issued.serial,
                identity=identity.name,
                issuer=identity.issuer,
                subject=identity.subject,
                principals=identity.principals,
                fingerprint=fingerprint,
                source=source,
                valid_after=issued.valid_after,
                valid_before=issued.valid_before,
            )
        )

    # -- what changes

    def policies(self, versions: Iterable[tuple[str, str]]) -> None:
        """The versions of the tenants' policies that are in force now."""
        for tenant, version in versions:
            self.approvals.policy_changed(tenant, version)

    async def revoked(self, new: Sequence[Revocation]) -> None:
        """What was asked for, or approved, by whoever was revoked is over."""
        for entry in new:
            try:
                if entry.serial is not None:
                    await self._upkeep.identity_revoked(entry.tenant, serial=entry.serial)
                elif entry.identity is not None:
                    await self._upkeep.identity_revoked(entry.tenant, identity=entry.identity, issuer=entry.issuer)
            except BastionError as error:
                log.warning("requests of %s could not be ended yet: %s", entry.name, error)

    def _changed(self, changes: Sequence[Change]) -> None:
        if any(change.kind == SESSION_END for change in changes):
            self._background.start(self._end_wanted(), "ending sessions")
        for change in changes:
            if change.kind == CERTIFICATE:
                self._background.start(self._revoke(change.tenant, change.subject), "a certificate that changed")

    async def _revoke(self, tenant: str, serial: str) -> None:
        """What was revoked at another bastion is revoked here too: in this one's own file, which it reads again."""
        try:
            found = await self.store.certificates.find(tenant, int(serial))
        except StoreDown as error:
            log.error("certificate %s of %s may be revoked elsewhere, and is good here: %s", serial, tenant, error)
            return
        if found is None or found.revoked is None or found.valid_before < time.time():
            return
        entry = Revocation(tenant, found.why or "revoked", revocation.now(time.time), serial=found.serial)
        try:
            await asyncio.to_thread(self._add, entry)
        except BastionError as error:
            log.error("certificate %s of %s was revoked elsewhere, and is good here: %s", serial, tenant, error)

    def _add(self, entry: Revocation) -> None:
        if not any(known.serial == entry.serial for known in revocation.entries(self._revocations, entry.tenant)):
            revocation.add(self._revocations, entry)

    async def _end_wanted(self) -> None:
        """End what somebody wants to end, here or in another process."""
        try:
            for session in await self.store.sessions.to_end(self._instance):
                if session.id not in self._ending:
                    self._ending.add(session.id)
                    self._end(session.id, session.end_reason)
        except StoreDown as error:
            log.warning("sessions that are to end can not be read yet: %s", error)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._end_wanted()
            now = time.time()
            try:
                await self.store.overview.seen(self._instance, now)  # first: this process may have been stopped
                await self.store.sessions.lost(now, now - GONE, ())
            except StoreDown as error:
                log.warning("sessions of other processes can not be looked at: %s", error)
