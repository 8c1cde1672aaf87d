"""What keeps time for approvals: expiry, reminders, what other processes left behind, and forgetting.

One look at the store every TICK for all who wait, and no timer for each. Deciding and using check the time by
themselves, so that a late look lets nothing through.

A process tells the store that it is alive. What one held that was not seen for GONE, or that had this process's name
before it, is withdrawn: nobody waits for it any more. So the clocks of processes on one store must agree by less than
that (NTP); where they do not, requests are withdrawn that somebody waited for.

A reminder is told at most once: it is marked as told first. The process in which somebody waits tells it; when that
dies meanwhile, the request is withdrawn anyway. Limit: of a request in mode return, which any process may take, the
reminder is lost when that one dies, or can not read the request, between marking and telling.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from bastion.approvals.asking import Setting
from bastion.approvals.grant import APPROVER_REVOKED, POLICY_CHANGED
from bastion.approvals.ports import Cursor, Named, Overview
from bastion.approvals.request import Request, State
from bastion.approvals.service import Approvals
from bastion.background import Trouble, each, forever
from bastion.errors import NoSuchRequest

TICK = 0.5
SEEN_EVERY = 5.0
GONE = 15.0
PRUNE_EVERY = 3600.0
KEPT = 90 * 86400.0
"""All in seconds."""
_PAGE = 100
_NOBODY = "the bastion that held it is gone"


class Upkeep:
    """Life: `start` once, before anybody waits; `run`, which ends when it is cancelled."""

    def __init__(self, approvals: Approvals, overview: Overview, setting: Setting, *, kept: float = KEPT) -> None:
        self._approvals = approvals
        self._overview = overview
        self._clock = setting.clock
        self._instance = setting.instance
        self._kept = kept
        self._seen = self._back = self._pruned = float("-inf")
        self._policies: dict[str, str] = {}
        self.trouble = Trouble("the upkeep of approvals", TICK)

    async def start(self) -> None:
        """Whatever this process held in an earlier life is withdrawn. Raises StoreDown, NotRecorded."""
        self._seen = self._back = now = self._clock()
        await self._overview.seen(self._instance, now)
        await self._settle(await self._overview.orphans(0.0, (self._instance,)), State.WITHDRAWN, _NOBODY)

    async def run(self) -> None:
        """For ever. What goes wrong is told, and fails those who wait: their time is not kept."""
        await forever(self._round, self.trouble)

    async def _round(self) -> None:
        try:
            await self.tick()
        except Exception as error:
            self._approvals.waiting.failed(error)
            raise

    async def tick(self) -> None:
        """One look. Raises StoreDown, NotRecorded; what fails for one request keeps no other from anything."""
        now = self._clock()
        alone = await self._alive(now)
        for named, why in self._approvals.owed():
            await self._approvals.withdraw(named, why)
        looks = (self._expire, self._policies_changed, self._remind, *((self._abandon,) if alone else ()), self._prune)
        await each(looks, lambda look: look(now))

    async def _expire(self, now: float) -> None:
        await self._settle(await self._overview.due(now), State.EXPIRED, "")

    async def _remind(self, now: float) -> None:
        await each(await self._overview.remind(self._instance, now), self._reminded)

    async def _reminded(self, named: Named) -> None:
        with contextlib.suppress(NoSuchRequest):  # settled and forgotten meanwhile
            self._approvals.remind(await self._approvals.request(named.tenant, named.id))

    async def _abandon(self, now: float) -> None:
        """What processes held that were not seen for GONE."""
        await self._settle(await self._overview.orphans(now - GONE, ()), State.WITHDRAWN, _NOBODY)

    async def _prune(self, now: float) -> None:
        if now - self._pruned >= PRUNE_EVERY:
            await self._overview.prune(now - self._kept)
            self._pruned = now

    async def _alive(self, now: float) -> bool:
        """Tell the store that this process lives, now and then. Whether it is time to look for others that do not: not
        for GONE after this one began, or could not tell, since the others may have been kept from the store as well."""
        if now - self._seen < SEEN_EVERY:
            return False
        await self._overview.seen(self._instance, now)
        if now - self._seen >= GONE / 2:
            self._back = now
        self._seen = now
        return now - self._back >= GONE

    async def identity_revoked(
        self, tenant: str, *, serial: int | None = None, identity: str | None = None, issuer: str | None = None
    ) -> None:
        """A certificate (by `serial`) or an identity (a principal or subject, of one `issuer` or of any) is no longer
        good: what it asked for is over, and so are an identity's grants; and so is what an identity has approved.
        Raises StoreDown, NotRecorded."""

        def hit(request: Request) -> bool:
            bound = request.bound
            names = (bound.subject, bound.identity, *request.principals)
            whose = identity in names and issuer in (None, bound.issuer)
            return whose if identity is not None else serial == bound.serial

        def approved(request: Request) -> bool:
            return identity is not None and any(
                identity in (person.subject, *person.principals) and issuer in (None, person.issuer)
                for person in request.approvers
            )

        waiting = await self._approvals.open(tenant)
        asked = [Named(tenant, found.id) for found in waiting if hit(found)]
        await self._settle(asked, State.ENDED, "the one who asked was revoked")
        await self._settle(
            [Named(tenant, found.id) for found in waiting if approved(found)], State.ENDED, APPROVER_REVOKED
        )
        cursor: Cursor | None = None
        while identity is not None and (page := await self._approvals.grants(tenant, cursor, _PAGE)):
            for grant in page:
                try:
                    made_by = await self._approvals.request(tenant, grant.request)
                except NoSuchRequest:
                    continue
                if hit(made_by):
                    await self._approvals.end_grant(Named(tenant, grant.id), "its holder was revoked")
                elif approved(made_by):
                    await self._approvals.end_grant(Named(tenant, grant.id), APPROVER_REVOKED)
            cursor = (page[-1].made, page[-1].id)

    async def _policies_changed(self, now: float) -> None:
        for tenant, version in self._approvals.policies.items():
            if self._policies.get(tenant) == version:
                continue
            while any(found := await self._overview.outdated(tenant, version, now)):
                requests, grants = found
                await self._settle(requests, State.ENDED, POLICY_CHANGED)
                for named in grants:
                    await self._approvals.end_grant(named, POLICY_CHANGED)
            self._policies[tenant] = version

    async def _settle(self, which: Iterable[Named], state: State, why: str) -> None:
        async def settle(named: Named) -> None:
            with contextlib.suppress(NoSuchRequest):
                await self._approvals.settle(named, state, why)

        await each(which, settle)
