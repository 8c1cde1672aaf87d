"""Approvals: what policy holds waits here until people have decided, and passes at most once.

    wait(asking)          a live grant of this identity and rule lets through at once; otherwise
      mode hold           the request is made durable, told, and waited for: approved by votes, it is taken from
                          approved to used in one step of the store, and who did that step may run the text
      mode return         Held is raised at once, and the same command finds its approval later, once
    vote                  one person's decision
    revoke_grant          what runs under it is ended
    policy_changed        ends what was asked under another version; Upkeep.identity_revoked what the revoked asked for
    session_ended         what waited in it was cancelled, and so taken back, before

Fail closed: whatever goes wrong with the store or the trail denies what waits. Who stops waiting (cancelled: the client
is gone) takes the request back before the cancellation goes on. Times are absolute: nothing here adds to one.

Bounds: `Limits` for each identity; MAX_TEXT of what is asked. One who waits costs a few objects and the text: no task,
thread, timer or connection of its own (see upkeep for what keeps time).

Limits: `mode: return` finds its approval by the certificate's serial too, so a new certificate asks anew. What another
process decides, or revokes, is known here within a second, and not at once. Processes of one store that disagree about
a tenant's policy end each other's requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from bastion.approvals import told
from bastion.approvals.asking import Approved, Asking, Setting, checked, new_id, request_of, same
from bastion.approvals.grant import APPROVER_REVOKED, POLICY_CHANGED, Grant, Holder, ended, grant_of, live
from bastion.approvals.ports import After, Audit, Changes, Cursor, Grants, Named, Notices, Requests, TooMany
from bastion.approvals.request import OPEN, RETURN, Bound, Person, Request, State, Vote, expired, moved, with_vote
from bastion.approvals.running import Running
from bastion.approvals.waiting import Waiting
from bastion.errors import Held, MayNotVote, NoSuchRequest, NotApproved, StoreDown

log = logging.getLogger(__name__)

MAX_TEXT = 128 << 10
"""Bytes of what the client wrote, and of what will run. The analysis bounds both further down."""
_DOWN = "approvals can not be kept now: try again later"
_ROUNDS = 3
_PAGE = 100
_MAX_OWED = 1000


class Approvals:
    """Life: made with its ports; Upkeep.start before the first `wait`; `close` when nobody waits any more."""

    def __init__(
        self,
        requests: Requests,
        grants: Grants,
        changes: Changes,
        audit: Audit,
        notices: Notices,
        setting: Setting,
        end: Callable[[str, str], None],
    ) -> None:
        """`end` ends a session of this process, by its id and for a reason."""
        self._requests = requests
        self._grants = grants
        self._audit = audit
        self._notices = notices
        self._setting = setting
        self._clock = setting.clock
        self._policies: dict[str, str] = {}
        self._owed: dict[Named, str] = {}
        self.waiting = Waiting(requests.find)
        self.running = Running(grants.find, end)
        self._unsubscribe = [
            changes.subscribe(self.waiting.changed, self.waiting.failed),
            changes.subscribe(self.running.changed, lambda _: None),
        ]

    async def close(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        await self.waiting.stop()
        await self.running.stop()

    # -- asking

    async def wait(self, asking: Asking, say: Callable[[str], None]) -> Approved:
        """Returns when `asking.bound` may run; `say` tells the one who waits a line. Raises NotApproved (also Held),
        NotRecorded; CancelledError when the request has been taken back."""
        try:
            self._refuse_at_once(asking)
            request = request_of(asking, self._setting)
            granted = await self._granted(request)
            if granted is not None:
                return granted
            return await (self._return(request) if request.mode == RETURN else self._hold(request, say))
        except TooMany as error:
            raise NotApproved(f"can not be asked for: {error}", rule=asking.bound.rule) from error
        except StoreDown as error:
            log.warning("denied, because %s", error)
            raise NotApproved(_DOWN, rule=asking.bound.rule) from error

    def _refuse_at_once(self, asking: Asking) -> None:
        rule = asking.bound.rule
        if not asking.clauses:
            raise NotApproved("nobody may approve it", rule=rule)
        if max(len(asking.written), len(asking.bound.text)) > MAX_TEXT:
            raise NotApproved("it is too long for anybody to read before approving", rule=rule)
        if self._outdated(asking.bound):
            raise NotApproved(POLICY_CHANGED, rule=rule)

    async def _granted(self, request: Request) -> Approved | None:
        """Let through by a live grant. The session is noted first, so that a revocation finds it whenever it comes."""
        holder, session = Holder.of(request.bound), request.bound.session
        noted = self.running.add(holder, session)
        try:
            grant = await self._grants.live(holder, self._clock())
            if grant is None:
                return None
            if not await self._trusted(grant):
                if noted:
                    self.running.remove(holder, session)  # it has not used it, and is not to end with it
                await self.end_grant(Named(holder.tenant, grant.id), APPROVER_REVOKED)
                return None
            await self._audit.write(told.used(grant, request))
            if not self.running.has(holder, session) or not live(grant, self._clock()):
                raise NotApproved("its grant was revoked", rule=request.bound.rule)
            noted = False
            return Approved(request.bound, grant.by, grant=grant.id)
        finally:
            if noted:
                self.running.remove(holder, session)

    async def _hold(self, request: Request, say: Callable[[str], None]) -> Approved:
        named = Named(request.bound.tenant, request.id)
        settled = False
        with self.waiting.one(named, say) as decided:
            try:
                await self._requests.make(request, self._setting.limits, self._tell_requested)
                for line in told.held(request, self._setting.link(named.tenant, named.id)):
                    say(line)
                self._notice(self._notices.requested, request)
                after = await decided()
                used, after = await self._use(request, after)
                settled = True
            finally:
                if not settled:
                    await self.withdraw(named, "the one who asked is gone")
        if not used:
            raise NotApproved(told.outcome(after), rule=request.bound.rule, request=request.id)
        return Approved(request.bound, _names(after), request=request.id)

    async def _return(self, request: Request) -> Approved:
        rule = request.bound.rule
        for _ in range(_ROUNDS):
            standing = await self._requests.make(request, self._setting.limits, self._tell_requested)
            if standing.id == request.id:
                self._notice(self._notices.requested, request)
            if standing.state is State.PENDING:
                line = told.returned(standing, self._setting.link(request.bound.tenant, standing.id))
                raise Held(line, rule=rule, request=standing.id, ends=standing.ends)
            if standing.state is State.DENIED:
                raise NotApproved(told.outcome(standing), rule=rule, request=standing.id)
            used, after = await self._use(request, standing)
            if used:
                return Approved(request.bound, _names(after), request=standing.id)
        raise NotApproved("it was settled meanwhile: ask again", rule=rule)

    async def _use(self, asked: Request, found: Request) -> tuple[bool, Request]:
        """Take it from approved to used: whether it was this call that did, and what it is now."""
        ours = False

        def step(before: Request) -> After:
            nonlocal ours
            now = self._clock()
            if not before.is_open or before.state is State.PENDING:
                return After(before)
            if not same(asked, before):
                raise StoreDown("an approval in the store is for something else")
            if self._outdated(before.bound):
                return After(moved(before, State.ENDED, now, POLICY_CHANGED))
            if expired(before, now):
                return After(moved(before, State.EXPIRED, now, ""))
            if self._revoked(before):
                return After(moved(before, State.ENDED, now, APPROVER_REVOKED))
            ours = True
            return After(moved(before, State.USED, now, ""))

        if found.state is not State.APPROVED:
            return False, found
        if found.granted:
            # Noted first: a revocation ends the request before its grant, so it finds this one either way.
            self.running.add(Holder.of(asked.bound), asked.bound.session)
        after = await self._step(Named(found.bound.tenant, found.id), step)
        return ours, after

    async def _trusted(self, grant: Grant) -> bool:
        """Whether all who gave it are; not where nobody knows any more who did. Raises StoreDown."""
        given_by = await self._requests.find(grant.holder.tenant, grant.request)
        return given_by is not None and not self._revoked(given_by)

    def _revoked(self, request: Request) -> bool:
        """Whether somebody whose approval counts has been revoked since."""
        return any(self._setting.revoked(person) is not None for person in request.approvers)

    async def withdraw(self, named: Named, why: str) -> None:
        """Nobody waits for it any more. What can not be written now is owed; meanwhile nobody can use it, since only
        who waits for a request does."""
        try:
            await self._settle_if_there(named, State.WITHDRAWN, why)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hide what ended the wait
            if len(self._owed) >= _MAX_OWED:
                log.error("request %s is not taken back, and waits until it expires: %s", named.id, error)
                return
            log.warning("request %s could not be taken back yet: %s", named.id, error)
            self._owed[named] = why

    # -- deciding

    async def vote(self, person: Person, id: str, approves: bool, comment: str, grant: bool = False) -> Request:
        """Raises NoSuchRequest, MayNotVote, StoreDown, NotRecorded."""

        def step(before: Request) -> After:
            now = self._clock()
            if before.is_open and self._outdated(before.bound):
                raise MayNotVote("the policy changed since this was asked")
            after = with_vote(before, Vote(person, approves, comment, now, grant))
            return After(after, grant_of(after, new_id(), now))

        return await self._step(Named(person.tenant, checked(id)), step)

    async def settle(self, named: Named, state: State, why: str) -> Request:
        """End an open request; one that is settled stays as it is. Raises NoSuchRequest, StoreDown, NotRecorded."""

        def step(before: Request) -> After:
            return After(moved(before, state, self._clock(), why) if before.is_open else before)

        return await self._step(named, step)

    def session_ended(self, session: str) -> None:
        """It is over: no revocation has anything to end in it."""
        self.running.forget(session)

    # -- seeing

    async def request(self, tenant: str, id: str) -> Request:
        """Raises NoSuchRequest, StoreDown."""
        found = await self._requests.find(tenant, checked(id))
        if found is None:
            raise NoSuchRequest
        return found

    async def open(self, tenant: str) -> list[Request]:
        """All that are not settled. Raises StoreDown."""
        found: list[Request] = []
        cursor: Cursor | None = None
        while page := await self._requests.page(tenant, OPEN, cursor, _PAGE):
            found += page
            cursor = (page[-1].asked, page[-1].id)
        return found

    async def page(self, tenant: str, states: Iterable[State], before: Cursor | None, limit: int) -> list[Request]:
        """From the newest on. Raises StoreDown."""
        return await self._requests.page(tenant, states, before, limit)

    async def grants(self, tenant: str, before: Cursor | None, limit: int, *, past: bool = False) -> list[Grant]:
        """Live ones, or all, from the newest on. Raises StoreDown."""
        return await self._grants.page(tenant, None if past else self._clock(), before, limit)

    async def grant(self, tenant: str, id: str) -> Grant:
        """One that is in force. Raises NoSuchRequest (also of a grant that is over), StoreDown."""
        found = await self._grants.find(tenant, checked(id))
        if found is None or not live(found, self._clock()):
            raise NoSuchRequest("no such grant, or it is over")
        return found

    # -- ending

    async def revoke_grant(self, person: Person, id: str, why: str = "") -> Grant:
        """Raises NoSuchRequest (also of a grant that is over), StoreDown, NotRecorded."""
        said = f"revoked by {person.name}{f': {why}' if why else ''}"
        return await self._end_grant(Named(person.tenant, checked(id)), said, person)

    async def end_grant(self, named: Named, why: str) -> None:
        """By what changed, and no person; one that is over stays as it is."""
        try:
            await self._end_grant(named, why, None)
        except NoSuchRequest:
            return

    async def _end_grant(self, named: Named, why: str, person: Person | None) -> Grant:
        def step(before: Grant) -> Grant:
            if not live(before, self._clock()):
                raise NoSuchRequest("no such grant, or it is over")
            return ended(before, self._clock(), why)

        async def tell(after: Grant) -> None:
            await self._audit.write(told.revoked(after, person))

        found = await self.grant(named.tenant, named.id)
        await self._settle_if_there(Named(named.tenant, found.request), State.ENDED, why)
        grant = await self._grants.change(named.tenant, named.id, step, tell)
        if grant.revoked:
            self.running.end(grant)
        return grant

    async def _settle_if_there(self, named: Named, state: State, why: str) -> None:
        try:
            await self.settle(named, state, why)
        except NoSuchRequest:
            return

    def policy_changed(self, tenant: str, version: str) -> None:
        """From now on nothing that was asked under another version is approved or run here; Upkeep ends it soon."""
        self._policies[tenant] = version

    @property
    def policies(self) -> dict[str, str]:
        """The versions in force, of the tenants whose policy was told."""
        return dict(self._policies)

    def _outdated(self, bound: Bound) -> bool:
        return self._policies.get(bound.tenant, bound.policy) != bound.policy

    def owed(self) -> list[tuple[Named, str]]:
        """Requests that could not be taken back; the caller does it, and they are owed no more."""
        owed, self._owed = list(self._owed.items()), {}
        return owed

    # -- one step

    async def _step(self, named: Named, step: Callable[[Request], After]) -> Request:
        states: list[State] = []

        async def tell(before: Request, after: Request, grant: Grant | None) -> None:
            # In this order, and one flush to the disk for all.
            await asyncio.gather(*(self._audit.write(event) for event in told.changed(before, after, grant)))
            states.append(before.state)

        after = await self._requests.change(named.tenant, named.id, step, tell)
        self.waiting.settled(after)
        if states and states[0] is not after.state and after.state is not State.USED:
            self._notice(self._notices.settled, after)
        return after

    async def _tell_requested(self, request: Request) -> None:
        await self._audit.write(told.requested(request))

    def _notice(self, notice: Callable[[Request], None], request: Request) -> None:
        """A notice that fails changes nothing about the request."""
        try:
            notice(request)
        except Exception:
            log.exception("a notice of a request failed")

    def remind(self, request: Request) -> None:
        """Half of its time is over."""
        self.waiting.say(Named(request.bound.tenant, request.id), told.reminded(request))
        self._notice(self._notices.reminded, request)


def _names(request: Request) -> tuple[str, ...]:
    return tuple(person.name for person in request.approvers)
