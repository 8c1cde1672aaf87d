"""Requests for approval and their votes, in tables. What a step may do is decided in bastion.approvals.request; here it
is made one step: read under a lock, changed only from the state that was read, and told before it is durable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from sqlalchemy import RowMapping, and_, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.grant import Grant
from bastion.approvals.ports import After, Cursor, Limits, TooMany
from bastion.approvals.request import OPEN, RETURN, Bound, Person, Request, State, Vote
from bastion.errors import NoSuchRequest, StoreDown
from bastion.policy.decision import Approval
from bastion.store import changes
from bastion.store.changes import Changes
from bastion.store.database import Database
from bastion.store.grants import add
from bastion.store.schema import REQUESTS, VOTES, listed, members

_HOUR = 3600
_LISTS = ("categories", "techniques", "owners", "principals", "groups")
_AS_THEY_ARE = (
    *("id", "written", "reason", "source", "takes_commands", "asked", "ends", "mode", "instance", "settled", "why"),
)
_OPEN = sorted(state.value for state in OPEN)

Told = Callable[[Request, Request, Grant | None], Awaitable[None]]


class Requests:
    """The port `Requests` of approvals."""

    def __init__(self, database: Database, changed: Changes) -> None:
        self._database = database
        self._changes = changed

    async def make(self, request: Request, limits: Limits, told: Callable[[Request], Awaitable[None]]) -> Request:
        async def work(connection: AsyncConnection) -> Request:
            await _alone(connection, request.bound)
            standing = await _standing(connection, request) if request.mode == RETURN else None
            if standing is not None:
                return standing
            await _refuse_too_many(connection, request, limits)
            await connection.execute(insert(REQUESTS).values(_row(request)))
            await told(request)
            await changes.note(connection, request.bound.tenant, changes.REQUEST, request.id, request.asked)
            return request

        made = await self._database.write(work)
        self._changes.wake()
        return made

    async def change(self, tenant: str, id: str, step: Callable[[Request], After], told: Told) -> Request:
        async def work(connection: AsyncConnection) -> Request:
            before = await _find(connection, tenant, id, for_update=True)
            if before is None:
                raise NoSuchRequest
            after = step(before)
            if after.request == before:
                return before
            await _store(connection, before, after.request)
            at = max((after.request.settled or 0.0, *(vote.at for vote in after.request.votes)))
            made = after.grant is not None and await add(connection, after.grant)
            await told(before, after.request, after.grant if made else None)
            if after.grant is not None and made:
                await changes.note(connection, tenant, changes.GRANT, after.grant.id, at)
            await changes.note(connection, tenant, changes.REQUEST, id, at)
            return after.request

        changed = await self._database.write(work)
        self._changes.wake()
        return changed

    async def find(self, tenant: str, id: str) -> Request | None:
        return await self._database.read(lambda connection: _find(connection, tenant, id))

    async def page(self, tenant: str, states: Iterable[State], before: Cursor | None, limit: int) -> list[Request]:
        wanted = [state.value for state in states]

        async def work(connection: AsyncConnection) -> list[Request]:
            query = select(REQUESTS).where(REQUESTS.c.tenant == tenant, REQUESTS.c.state.in_(wanted))
            if before is not None:
                query = query.where(tuple_(REQUESTS.c.asked, REQUESTS.c.id) < before)
            query = query.order_by(REQUESTS.c.asked.desc(), REQUESTS.c.id.desc()).limit(limit)
            return await _requests(connection, tenant, (await connection.execute(query)).mappings().all())

        return await self._database.read(work)


async def _alone(connection: AsyncConnection, bound: Bound) -> None:
    """One identity asks for one thing at a time, so that counting and finding hold until the end. SQLite's writers are
    alone anyway."""
    if connection.dialect.name == "postgresql":
        holder = listed((bound.tenant, bound.issuer, bound.subject))
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:holder, 0))")
        await connection.execute(lock, {"holder": holder})


async def _standing(connection: AsyncConnection, request: Request) -> Request | None:
    """The request for the very same whose time is not over: approved before denied before pending. What was denied is
    not asked again until then."""
    query = select(REQUESTS).where(
        REQUESTS.c.tenant == request.bound.tenant,
        REQUESTS.c.digest_anywhere == request.bound.digest_anywhere(),
        REQUESTS.c.mode == RETURN,
        REQUESTS.c.state.in_([*_OPEN, State.DENIED.value]),
        REQUESTS.c.ends > request.asked,
    )
    query = query.order_by(REQUESTS.c.state, REQUESTS.c.asked).limit(1)
    found = await _requests(connection, request.bound.tenant, (await connection.execute(query)).mappings().all())
    return found[0] if found else None


async def _refuse_too_many(connection: AsyncConnection, request: Request, limits: Limits) -> None:
    bound = request.bound
    theirs = select(func.count()).where(
        REQUESTS.c.tenant == bound.tenant, REQUESTS.c.issuer == bound.issuer, REQUESTS.c.subject == bound.subject
    )
    still = (REQUESTS.c.state.in_(_OPEN), REQUESTS.c.ends > request.asked)
    if (await connection.execute(theirs.where(*still))).scalar_one() >= limits.open:
        raise TooMany(f"{limits.open} requests of this identity wait already")
    if (await connection.execute(theirs.where(REQUESTS.c.asked > request.asked - _HOUR))).scalar_one() >= limits.hourly:
        raise TooMany(f"this identity has made {limits.hourly} requests within an hour")


async def _find(connection: AsyncConnection, tenant: str, id: str, *, for_update: bool = False) -> Request | None:
    query = select(REQUESTS).where(REQUESTS.c.tenant == tenant, REQUESTS.c.id == id)
    if for_update:
        query = query.with_for_update()  # SQLite has no such words, and a writer there is alone
    found = await _requests(connection, tenant, (await connection.execute(query)).mappings().all())
    return found[0] if found else None


async def _store(connection: AsyncConnection, before: Request, after: Request) -> None:
    here = and_(REQUESTS.c.tenant == before.bound.tenant, REQUESTS.c.id == before.id)
    moved = update(REQUESTS).where(here, REQUESTS.c.state == before.state.value)
    done = await connection.execute(moved.values(state=after.state.value, settled=after.settled, why=after.why))
    if done.rowcount != 1:
        raise StoreDown("the store let a request change while it was locked")
    for number in range(len(before.votes), len(after.votes)):
        await connection.execute(insert(VOTES).values(_vote_row(after, number)))


# -- rows


async def _requests(connection: AsyncConnection, tenant: str, rows: Sequence[RowMapping]) -> list[Request]:
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    query = select(VOTES).where(VOTES.c.tenant == tenant, VOTES.c.request.in_(ids)).order_by(VOTES.c.number)
    votes: dict[str, list[Vote]] = {}
    for row in (await connection.execute(query)).mappings():
        votes.setdefault(row["request"], []).append(_vote(row))
    return [request_of(row, tuple(votes.get(row["id"], ()))) for row in rows]


def _row(request: Request) -> dict[str, Any]:
    bound = request.bound
    row = {field.name: getattr(bound, field.name) for field in fields(bound)}
    row |= {"serial": str(bound.serial), "digest": bound.digest(), "digest_anywhere": bound.digest_anywhere()}
    row |= {name: getattr(request, name) for name in _AS_THEY_ARE}
    row |= {name: listed(getattr(request, name)) for name in _LISTS}
    row |= {"clauses": orjson.dumps([asdict(clause) for clause in request.clauses]).decode()}
    return {**row, "state": request.state.value, "reminded": None}


def request_of(row: RowMapping, votes: tuple[Vote, ...]) -> Request:
    """Raises StoreDown when the row was altered: its digest is no longer that of what it is bound to."""
    bound = Bound(**{field.name: row[field.name] for field in fields(Bound)} | {"serial": int(row["serial"])})
    if bound.digest() != row["digest"]:
        raise StoreDown("a request in the store was altered")
    plain: dict[str, Any] = {name: row[name] for name in _AS_THEY_ARE}
    plain |= {name: members(row[name]) for name in _LISTS}
    return Request(
        bound=bound,
        clauses=tuple(Approval(**clause | {"by": tuple(clause["by"])}) for clause in orjson.loads(row["clauses"])),
        state=State(row["state"]),
        votes=votes,
        **plain,
    )


def _vote_row(request: Request, number: int) -> dict[str, Any]:
    vote = request.votes[number]
    return {
        "tenant": request.bound.tenant,
        "request": request.id,
        "number": number,
        "issuer": vote.person.issuer,
        "subject": vote.person.subject,
        "principals": listed(vote.person.principals),
        "groups": listed(sorted(vote.person.groups)),
        "owners": listed(vote.person.owners),
        "approves": vote.approves,
        "comment": vote.comment,
        "at": vote.at,
        "grants": vote.grant,
    }


def _vote(row: RowMapping) -> Vote:
    who = Person(
        tenant=row["tenant"],
        issuer=row["issuer"],
        subject=row["subject"],
        principals=members(row["principals"]),
        groups=frozenset(members(row["groups"])),
        owners=members(row["owners"]),
    )
    return Vote(who, row["approves"], row["comment"], row["at"], row["grants"])
