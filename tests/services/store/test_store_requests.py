"""Requests and grants in tables: what goes in comes out, one step at a time, each tenant its own; on both stores."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bastion.approvals.grant import Grant, Holder, ended, grant_of
from bastion.approvals.ports import After, Limits, TooMany
from bastion.approvals.request import OPEN, Request, State, moved, with_vote
from bastion.errors import MayNotVote, NoSuchRequest, NotRecorded
from bastion.policy.decision import Approval
from bastion.store.store import Store
from tests.core.approvals_made import DBA, NOW, SRE, no, person, request, yes

GRANTING = Approval(("sre",), 1, 600, 1800)


async def nothing(*_: object) -> None:
    """Told to nobody."""


async def make(store: Store, **given: Any) -> Request:
    return await store.requests.make(request(**given), Limits(), nothing)


async def vote(store: Store, id: str, *votes: Any) -> Request:
    def step(before: Request) -> After:
        after = before
        for one in votes:
            after = with_vote(after, one)
        return After(after, grant_of(after, f"g-{id}", NOW + 1))

    return await store.requests.change("acme", id, step, nothing)


async def test_a_request_comes_back_as_it_went_in(store: Store) -> None:
    """Every field, also bytes that are no text, the largest serial, and 64 KiB of it."""
    odd = await make(
        store,
        text=bytes(range(256)) * 256,
        written=b"\xff\x00",
        serial=2**64 - 1,
        clauses=(SRE, Approval(("dba", "leads"), 2, 60, 30, "return")),
        directory=b"/srv",
        source="",
        categories=(),
        reason="zwölf \u202e",
        takes_commands=True,
    )
    assert await store.requests.find("acme", odd.id) == odd
    voted = await vote(store, odd.id, yes(person(), comment="so be it\n"), no(person("d", "dba"), NOW + 2, "no: é"))
    assert await store.requests.find("acme", odd.id) == voted
    assert (voted.state, voted.why, len(voted.votes)) == (State.DENIED, "no: é", 2)


async def test_what_a_step_refuses_is_not_done(store: Store) -> None:
    """Nor what the trail could not be told of: nothing of it is in the store."""
    made = await make(store)
    with pytest.raises(MayNotVote):
        await vote(store, made.id, yes(person("x", "others")))

    async def failing(*_: object) -> None:
        raise NotRecorded("the disk is full")

    with pytest.raises(NotRecorded):
        await store.requests.change("acme", made.id, lambda before: After(with_vote(before, yes(person()))), failing)
    with pytest.raises(NotRecorded):
        await store.requests.make(request(id="another"), Limits(), failing)
    assert await store.requests.find("acme", made.id) == made
    assert await store.requests.find("acme", "another") is None


async def test_it_is_told_before_it_is_done(store: Store) -> None:
    """While the trail is written, nobody sees the change yet."""
    made = await make(store)
    seen: list[Request | None] = []

    async def told(before: Request, after: Request, grant: Grant | None) -> None:
        assert (before.state, after.state, grant) == (State.PENDING, State.APPROVED, None)
        seen.append(await store.requests.find("acme", made.id))

    await store.requests.change("acme", made.id, lambda before: After(with_vote(before, yes(person()))), told)
    assert seen == [made]


async def test_of_many_steps_at_once_one_is_first(store: Store) -> None:
    """Twenty use one approval: one does. Twenty vote on one request that needs two: two count."""
    made = await make(store)
    await vote(store, made.id, yes(person()))

    async def use() -> Request:
        return await store.requests.change(
            "acme", made.id, lambda before: After(moved(before, State.USED, NOW + 2, "")), nothing
        )

    outcomes = await asyncio.gather(*(use() for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, Request) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes} == {Request, ValueError}

    two = await make(store, id="second", clauses=(Approval(("sre",), 2, 600),))
    outcomes = await asyncio.gather(
        *(vote(store, two.id, yes(person(f"p{number}"))) for number in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Request) for outcome in outcomes) == 2
    found = await store.requests.find("acme", two.id)
    assert found is not None
    assert (found.state, len(found.votes)) == (State.APPROVED, 2)


async def test_a_tenant_has_no_part_in_another(store: Store) -> None:
    """The same id in two tenants is two requests; one is not found, listed or changed under the other's name."""
    ours, theirs = await make(store), await make(store, tenant="rival")
    assert ours.id == theirs.id
    await vote(store, ours.id, yes(person()))
    assert await store.requests.find("rival", theirs.id) == theirs
    assert await store.requests.page("rival", State, None, 10) == [theirs]
    await make(store, id="only-ours")
    assert await store.requests.find("rival", "only-ours") is None
    with pytest.raises(NoSuchRequest):
        await store.requests.change("rival", "only-ours", lambda before: After(before), nothing)
    with pytest.raises(NoSuchRequest, match="no such grant"):
        await store.grants.change("rival", "g", lambda before: before, nothing)


async def test_those_that_wait_are_counted(store: Store) -> None:
    """Of the tenants that are asked about, and none that is settled."""
    for number in range(3):
        await make(store, id=f"waits{number}", tenant="acme" if number else "rival")
    settled = await make(store, id="settled")
    await vote(store, settled.id, no(person()))
    assert await store.overview.pending(["acme"]) == 2
    assert await store.overview.pending(["acme", "rival"]) == 3
    assert await store.overview.pending([]) == 0


async def test_pages_go_from_the_newest_on_and_miss_nothing(store: Store) -> None:
    """Also where several were asked at the same moment."""
    for number in range(7):
        await make(store, id=f"r{number}", asked=NOW + number // 3)
    seen: list[str] = []
    cursor = None
    while page := await store.requests.page("acme", OPEN, cursor, 2):
        seen += [found.id for found in page]
        cursor = (page[-1].asked, page[-1].id)
    assert seen == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]
    assert await store.requests.page("acme", [State.DENIED], None, 2) == []


async def test_an_identity_has_so_many_requests_and_no_more(store: Store) -> None:
    """Open ones at once, and in an hour; others of the tenant, and the same name in another, are not counted."""
    limits = Limits(open=2, hourly=3)

    async def another(id: str, **given: Any) -> Request:
        return await store.requests.make(request(id=id, **given), limits, nothing)

    await another("a")
    await another("b")
    with pytest.raises(TooMany, match="2 requests of this identity wait already"):
        await another("c")
    await another("d", subject="sub-other")
    await another("e", tenant="rival")
    await vote(store, "a", no(person()))
    await another("c")
    await vote(store, "b", no(person()))
    with pytest.raises(TooMany, match="3 requests within an hour"):
        await another("f")
    await another("f", asked=NOW + 3600, ends=NOW + 4000)


async def test_the_bound_holds_for_many_at_once(store: Store) -> None:
    made = await asyncio.gather(
        *(store.requests.make(request(id=f"r{number}"), Limits(open=5), nothing) for number in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Request) for one in made) == 5


async def test_the_same_asked_again_in_mode_return_is_the_same_request(store: Store) -> None:
    """While it is open and in time, whatever session asks, and however many do at once. Any other text is another."""

    async def again(id: str, **given: Any) -> str:
        return (await store.requests.make(request(id=id, mode="return", **given), Limits(), nothing)).id

    first = set(await asyncio.gather(*(again(f"r{number}", session=f"s{number}") for number in range(10))))
    assert len(first) == 1
    (id,) = first
    assert await again("text", text=b"'rm'") == "text"
    assert await again("serial", serial=1) == "serial"
    assert (await store.requests.make(request(id="hold"), Limits(), nothing)).id == "hold"
    await vote(store, id, yes(person()))
    assert await again("later", asked=NOW + 599) == id
    assert await again("too-late", asked=NOW + 600, ends=NOW + 1200) == "too-late"


# -- grants


async def test_a_grant_is_made_with_its_approval_and_found_by_its_holder(store: Store) -> None:
    made = await make(store, clauses=(GRANTING,))
    await vote(store, made.id, yes(person(), grant=True))
    holder = Holder.of(made.bound)
    grant = await store.grants.live(holder, NOW + 1)
    assert grant is not None
    assert (grant.request, grant.ends, grant.by) == (made.id, NOW + 1801, ("rev@acme",))
    assert await store.grants.live(holder, NOW + 1801) is None
    for name in ("tenant", "issuer", "subject", "rule", "policy"):
        assert await store.grants.live(replace(holder, **{name: "x"}), NOW + 1) is None
    assert await store.grants.page("acme", NOW + 1, None, 5) == [grant]
    assert await store.grants.page("acme", NOW + 1801, None, 5) == []
    assert await store.grants.page("acme", None, None, 5) == [grant]
    assert await store.grants.page("rival", None, None, 5) == []


async def test_a_live_grant_is_never_made_longer(store: Store) -> None:
    """A second approval of the same rule makes none beside it; once the first is over or revoked it may."""
    told: list[str | None] = []

    async def tell(_: Request, __: Request, grant: Grant | None) -> None:
        told.append(None if grant is None else grant.id)

    async def approve(id: str, at: float) -> None:
        await make(store, id=id, clauses=(GRANTING,), asked=at, ends=at + 600)

        def step(before: Request) -> After:
            after = with_vote(before, yes(person(), at, grant=True))
            return After(after, grant_of(after, id, at))

        await store.requests.change("acme", id, step, tell)

    await approve("g1", NOW)
    await approve("g2", NOW + 900)
    await approve("g3", NOW + 1800)
    revoked = await store.grants.change("acme", "g3", lambda grant: ended(grant, NOW + 1900, "enough"), nothing)
    await approve("g4", NOW + 1900)
    assert told == ["g1", None, "g3", "g4"]
    assert (revoked.ended, revoked.why) == (NOW + 1900, "enough")
    all_of_them = await store.grants.page("acme", None, None, 9)
    assert [(grant.id, grant.ended) for grant in all_of_them] == [("g4", None), ("g3", NOW + 1900), ("g1", NOW + 1800)]


async def test_clauses_of_another_group_are_kept_apart(store: Store) -> None:
    """What the pure part says of several clauses holds for what comes back from the store."""
    made = await make(store, clauses=(SRE, DBA))
    once = await vote(store, made.id, yes(person("both", "sre", "dba")))
    assert once.state is State.PENDING
    assert (await vote(store, made.id, yes(person("d", "dba"), NOW + 2))).state is State.APPROVED
