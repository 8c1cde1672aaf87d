"""The store whole: opened, kept up, and joined to what lives by it: approvals, and what is known of sessions.

Fail closed: a session that the store can not be told of does not begin, and what waits for people is denied when the
store can not be read. An end that can not be told is told later; what a process that died has missed is marked as lost.
What is done again and again (background.forever) no error ends: it is logged, told in `problems`, and tried again.

Processes on one store are told apart by the name of their machine and of their folder of state. One that was stopped
(SIGSTOP), or could not use the store, for longer than GONE beside others is taken for gone by them: what it had is
marked as lost, and nobody could see or end it any more. So when it goes on it ends what of that still lives, which the
audit trail has as the end of each; and since the others may have been kept from the store as it was, it takes none of
them for gone for another GONE.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bastion.approvals.asking import Setting
from bastion.approvals.ports import Audit, Change, Notices
from bastion.approvals.request import Person
from bastion.approvals.service import Approvals
from bastion.approvals.upkeep import GONE, Upkeep
from bastion.background import Background, Trouble, each, forever
from bastion.config import Config
from bastion.context import Context
from bastion.errors import NoSuchRequest, StoreDown
from bastion.identity import revocation
from bastion.identity.issuance import Issued
from bastion.identity.revocation import Revocation
from bastion.kept import Certificate, Recording, Session
from bastion.recording.mend import Mended
from bastion.recording.recorder import Closed
from bastion.store.changes import CERTIFICATE, SESSION_END
from bastion.store.sessions import LOST
from bastion.store.store import Store
from bastion.targets.keyring import Keyring

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two looks for what other processes have left behind, and for what is owed to the store."""
TAKEN_FOR_GONE = "this bastion stood still, and others took it for gone: connect again"
_MAX_OWED = 10_000
"""Ends that could not be kept yet; of what ends beyond that the store is not told until this process starts anew."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """Of a session; without a recording where it could not be recorded to its end."""

    tenant: str
    session: str
    recording: Recording | None
    at: float
    status: int | None
    reason: str


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
        self._seen = self._back = self._away = 0.0
        """When the store was last told that this process lives; when it was again after a gap (or at the start), and
        since when it had not been then. In seconds since 1970."""
        self._certificates = asyncio.Event()  # set when some have changed
        self._hit: deque[Revocation] = deque()  # those whose requests and grants are still to be ended
        self._more_hit = asyncio.Event()
        self._owed: deque[_End] = deque()
        self._looking = Trouble("looking after sessions", LOOK_EVERY)
        self._learning = Trouble("learning what other bastions revoke", LOOK_EVERY)
        self._hitting = Trouble("ending what the revoked asked for", LOOK_EVERY)
        self._learned: set[tuple[str, int]] = set()
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
        await self.store.sessions.lost(now, 0.0, (self._instance,))
        self._seen = self._back = self._away = now
        self._background.start(self.store.changes.run(), "the store's changes")
        self._background.start(self._upkeep.run(), "the upkeep of approvals")
        self._background.start(forever(self._look, self._looking), "sessions of other processes")
        learn = forever(self._learn, self._learning, partial(_until, self._certificates))
        self._background.start(learn, "what other processes revoke")
        hit = forever(self._end_asked, self._hitting, partial(_until, self._more_hit))
        self._background.start(hit, "what the revoked asked for")

    async def stop(self) -> None:
        self._unsubscribe()
        await self.approvals.close()
        await self._background.stop()
        await self.store.close()

    @property
    def problems(self) -> list[str]:
        """What can not be done as of the last time that it was tried, each once and in words for strangers; empty while
        all can."""
        troubles = (self._looking, self._learning, self._hitting, self._upkeep.trouble, self.store.changes.trouble)
        down = "the store can not be used"
        failing = [trouble for trouble in troubles if trouble.error is not None]
        return list(dict.fromkeys(down if isinstance(one.error, StoreDown) else f"{one.name} fails" for one in failing))

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

    async def over(
        self, context: Context, session: str, status: int | None, reason: str, closed: Closed | None
    ) -> None:
        """It has ended, and its recording is closed; None where it could not be recorded."""
        self.approvals.session_ended(session)
        self._ending.discard(session)
        now = time.time()
        recording = None if closed is None else _recording(context.tenant, session, closed, now)
        await self._keep_end(_End(context.tenant, session, recording, now, status, reason))

    async def mended(self, mended: Mended) -> None:
        """What a crash left open is closed, and its session over; before `start`. One without a header is none."""
        if mended.sha256:
            recording = Recording(
                tenant=mended.tenant,
                session=mended.session,
                path=mended.recording,
                sha256=mended.sha256,
                size=mended.size,
                commands=mended.commands,
                started=float(mended.began),
                duration=mended.duration,
            )
            await self._keep_end(_End(mended.tenant, mended.session, recording, time.time(), None, LOST))

    async def _keep_end(self, end: _End) -> None:
        """Raises nothing: what fails is owed. It can be done again, as far as it was done."""
        try:
            await self._end_in_store(end)
        except Exception as error:  # noqa: BLE001 (the session is over; whatever it is, the end is tried again)
            if len(self._owed) >= _MAX_OWED:
                log.error("session %s: its end is not kept, as so many others are owed: %s", end.session, error)
                return
            log.warning("session %s: its end could not be kept yet: %s", end.session, error)
            self._owed.append(end)

    async def _end_in_store(self, end: _End) -> None:
        """Raises StoreDown."""
        path = ""
        if end.recording is not None:
            await self.store.recordings.closed(end.recording)
            path = end.recording.path
        try:
            await self.store.sessions.end(end.tenant, end.session, end.at, end.status, end.reason, path)
        except NoSuchRequest as error:
            log.warning("session %s: its end could not be kept: %s", end.session, error)

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

    def revoked(self, new: Sequence[Revocation]) -> None:
        """What was asked for, or approved, by whoever was revoked is over: soon, and what fails is tried again. None of
        it lets anything through until then, since that is asked about when it is used."""
        self._hit.extend(new)
        self._more_hit.set()

    async def _end_asked(self) -> None:
        """Raises StoreDown, NotRecorded."""
        await _worked_off(self._hit, self._end_of)

    async def _end_of(self, entry: Revocation) -> None:
        if entry.serial is not None:
            await self._upkeep.identity_revoked(entry.tenant, serial=entry.serial)
        elif entry.identity is not None:
            await self._upkeep.identity_revoked(entry.tenant, identity=entry.identity, issuer=entry.issuer)

    def _changed(self, changes: Sequence[Change]) -> None:
        if any(change.kind == SESSION_END for change in changes):
            self._background.start(self._end_wanted(), "ending sessions")
        if any(change.kind == CERTIFICATE for change in changes):
            self._certificates.set()

    async def _learn(self) -> None:
        """What was revoked at another bastion is revoked here too, also what was while this one did not run: in this
        one's own file, which it reads again. Raises what one of them failed with: it is good here until then."""
        revoked = await self.store.certificates.revoked_live(time.time())
        live = {(found.tenant, found.serial): found for found in revoked}
        self._learned &= live.keys()

        async def learn(name: tuple[str, int]) -> None:
            await asyncio.to_thread(self._add, _revocation(live[name]))
            self._learned.add(name)

        await each(live.keys() - self._learned, learn)

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
        now = time.time()
        await self.store.overview.seen(self._instance, now)  # first: this process may have been stopped
        if now - self._seen >= GONE / 2:
            self._away, self._back = self._seen, now
        if now - self._back < GONE:
            for session in await self.store.sessions.taken_for_lost(self._instance, self._away - GONE):
                self._end(session.id, TAKEN_FOR_GONE)
        else:
            await self.store.sessions.lost(now, now - GONE, ())
        self._seen = now
        await self._end_wanted()
        await _worked_off(self._owed, self._end_in_store)


def _recording(tenant: str, session: str, closed: Closed, now: float) -> Recording:
    return Recording(
        tenant=tenant,
        session=session,
        path=closed.name,
        sha256=closed.sha256,
        size=closed.size,
        commands=closed.markers,
        started=now - closed.duration,
        duration=closed.duration,
    )


def _revocation(found: Certificate) -> Revocation:
    return Revocation(found.tenant, found.why or "revoked", revocation.now(time.time), serial=found.serial)


async def _worked_off(owed: deque[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Each in turn. Raises what one of them failed with, which is the last to be tried again then."""
    while owed:
        try:
            await work(owed[0])
        except Exception:
            owed.rotate(-1)
            raise
        owed.popleft()


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for it, or for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()
