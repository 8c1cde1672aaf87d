"""A command that is held: it waits, people decide, exactly it runs, once; whatever goes wrong denies it. On both
stores."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from bastion.approvals.asking import Approved
from bastion.approvals.ports import Limits, Named
from bastion.approvals.request import Request, State
from bastion.errors import MayNotVote, NoSuchRequest, NotApproved, NotRecorded, StoreDown
from bastion.policy.decision import Approval
from bastion.store.database import READERS
from tests.core.approvals_made import DBA, NOW, SRE, bound, person
from tests.services.store.house import Asked, Clock, Process, Trail, asking

TWO = Approval(("sre",), 2, 600)


async def refusal(asked: Asked) -> str:
    with pytest.raises(NotApproved) as caught:
        await asked.task
    assert caught.value.rule == "restarts"
    return str(caught.value)


async def test_what_is_approved_runs_once(process: Process) -> None:
    """It is told what it waits for; the trail tells each step before it took effect; it is used up by running."""
    asked = process.ask(asking())
    id = await asked.held()
    voted = await process.approvals.vote(person(), id, True, "go on")
    approved = await asked.task
    assert approved == Approved(bound(), ("rev@acme",), request=id)
    assert (voted.state, (await process.approvals.request("acme", id)).state) == (State.APPROVED, State.USED)
    assert process.trail.kinds == ["approval-requested", "approval-voted", "approval-settled", "approval-settled"]
    assert process.trail.states() == ["approved", "used"]
    assert asked.lines == [
        f"held for approval {id} by restarts: a restart drops live requests",
        f"it takes 1 of sre: https://b.example/acme/{id}",
        "waiting until 08:10:00 UTC (10m); end it by Ctrl-C",
    ]
    assert process.notices.told == [("requested", id), ("approved", id)]
    assert len(process.approvals.waiting) == 0


async def test_a_deny_ends_it_at_once_with_its_comment(process: Process) -> None:
    """The one who asked reads who and why; escape sequences in it are shown, not obeyed."""
    asked = process.ask(asking([TWO]))
    id = await asked.held()
    await process.approvals.vote(person("a"), id, True, "")
    await process.approvals.vote(person("b"), id, False, "the canary\x1b[2J first")
    assert await refusal(asked) == r"denied by b@acme: the canary\x1b[2J first"
    assert process.trail.states() == ["denied"]


async def test_nobody_who_may_not_decides(process: Process) -> None:
    """Each is refused, nothing of it is in the trail, and the request waits on."""
    asked = process.ask(asking([TWO]))
    id = await asked.held()
    await process.approvals.vote(person("a"), id, True, "")
    for who in (
        person("agent", principals=("agent-7",)),
        person("agent", principals=("repo:acme/web",)),
        person("agent", subject="sub-agent-7"),
        person("owner"),
        person("x", "agents"),
        person("a"),
        person("z", issuer="https://other.example.com", principals=("A@acme",)),
    ):
        with pytest.raises(MayNotVote):
            await process.approvals.vote(who, id, True, "")
    with pytest.raises(NoSuchRequest, match=r"^no such request$"):
        await process.approvals.vote(person("b", tenant="rival"), id, False, "")
    assert process.trail.kinds == ["approval-requested", "approval-voted"]
    assert not asked.task.done()
    await process.approvals.vote(person("b"), id, True, "")
    assert (await asked.task).by == ("a@acme", "b@acme")


@pytest.mark.parametrize("id", ["", "x", "abcdefghjk' --", "a\0cdefghjk", "é" * 10, "abcdefghjk"])
async def test_an_id_that_is_none_is_no_request(process: Process, id: str) -> None:
    with pytest.raises(NoSuchRequest):
        await process.approvals.vote(person(), id, True, "")
    with pytest.raises(NoSuchRequest):
        await process.approvals.request("acme", id)
    with pytest.raises(NoSuchRequest):
        await process.approvals.revoke_grant(person(), id)


async def test_two_clauses_need_two_people(process: Process) -> None:
    asked = process.ask(asking([SRE, DBA]))
    id = await asked.held()
    await process.approvals.vote(person("both", "sre", "dba"), id, True, "")
    assert not asked.task.done()
    await process.approvals.vote(person("d", "dba"), id, True, "")
    assert (await asked.task).by == ("both@acme", "d@acme")


async def test_it_expires_at_a_fixed_time(process: Process, clock: Clock) -> None:
    """Half of it is told once; a vote moves nothing; a vote at the end is too late, also before anybody looked."""
    asked = process.ask(asking([TWO]))
    id = await asked.held()
    clock.now = NOW + 300
    await process.upkeep.tick()
    await process.upkeep.tick()
    assert asked.lines[3:] == [f"approval {id} is still waited for, until 08:10:00 UTC"]
    await process.approvals.vote(person("a"), id, True, "")
    clock.now = NOW + 599.9
    await process.upkeep.tick()
    assert not asked.task.done()
    clock.now = NOW + 600
    with pytest.raises(MayNotVote, match="time for it is over"):
        await process.approvals.vote(person("b"), id, True, "")
    await process.upkeep.tick()
    assert await refusal(asked) == f"not approved in time: approval {id} ended at 08:10:00 UTC"
    assert process.notices.told == [("requested", id), ("reminded", id), ("expired", id)]


async def test_a_request_that_can_not_be_settled_keeps_no_other_from_it(
    process: Process, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row that can not be read, say: those behind it expire, and what another policy asked for ends."""
    long = Approval(("sre",), 1, 3600)
    bad, good, other = process.ask(asking()), process.ask(asking()), process.ask(asking([long], policy="v0"))
    ids = [await asked.held() for asked in (bad, good, other)]
    real = process.approvals.settle

    async def settle(named: Named, state: State, why: str) -> Request:
        if named.id == ids[0]:
            raise StoreDown("a row that can not be read")
        return await real(named, state, why)

    monkeypatch.setattr(process.approvals, "settle", settle)
    process.approvals.policy_changed("acme", bound().policy)
    clock.now = NOW + 600
    with pytest.raises(StoreDown):
        await process.upkeep.tick()
    states = [(await process.approvals.request("acme", id)).state for id in ids]
    assert states == [State.PENDING, State.EXPIRED, State.ENDED]


async def test_a_reminder_is_told_where_somebody_waits(process: Process, url: str, clock: Clock, trail: Trail) -> None:
    """Whichever process looks first."""
    other = await Process.start(url, clock, trail, "two")
    asked = process.ask(asking())
    id = await asked.held()
    clock.now = NOW + 300
    for one in (process, other):
        await one.store.overview.seen(one.name, clock.now)
    await other.upkeep.tick()
    assert other.notices.told == []
    await process.upkeep.tick()
    assert process.notices.told == [("requested", id), ("reminded", id)]
    assert len(asked.lines) == 4
    await other.stop()


async def test_what_was_approved_too_late_to_run_does_not(process: Process, clock: Clock) -> None:
    """An approval is good until its end, whatever kept the one who waits from using it."""
    asked = process.ask(asking())
    id = await asked.held()
    clock.now = NOW + 599
    await process.approvals.vote(person(), id, True, "")
    clock.now = NOW + 600
    assert "not approved in time" in await refusal(asked)
    assert process.trail.states() == ["approved", "expired"]


async def test_who_stops_waiting_takes_it_back(process: Process) -> None:
    """Before the cancellation goes on: nobody can approve what nobody waits for."""
    asked = process.ask(asking())
    id = await asked.held()
    asked.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked.task
    assert process.trail.states() == ["withdrawn"]
    with pytest.raises(MayNotVote, match="withdrawn already"):
        await process.approvals.vote(person(), id, True, "")


async def test_it_is_taken_back_however_early_and_often_it_is_cancelled(process: Process) -> None:
    """At any moment of being made, and again while it is taken back, nothing pending stays behind."""
    for moments in range(12):
        asked = process.ask(asking(session=f"s{moments}"))
        for _ in range(moments):
            await asyncio.sleep(0)
        for _ in range(3):
            asked.task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await asked.task
    assert await process.approvals.page("acme", [State.PENDING, State.APPROVED], None, 50) == []


async def test_cancelled_while_it_is_approved_it_does_not_run(process: Process) -> None:
    asked = process.ask(asking())
    id = await asked.held()
    vote = asyncio.create_task(process.approvals.vote(person(), id, True, ""))
    await asyncio.sleep(0)
    asked.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked.task
    await asyncio.gather(vote, return_exceptions=True)
    assert not (await process.approvals.request("acme", id)).is_open


async def test_a_policy_that_changed_ends_it(process: Process) -> None:
    """Nobody can approve it from that moment on, and it is over with the next look; another tenant's is not."""
    asked = process.ask(asking())
    rival = process.ask(asking(tenant="rival"))
    id, _ = await asked.held(), await rival.held()
    process.approvals.policy_changed("acme", "v2")
    with pytest.raises(MayNotVote, match="policy changed"):
        await process.approvals.vote(person(), id, True, "")
    await process.upkeep.tick()
    assert await refusal(asked) == "not approved: the policy changed meanwhile: ask again"
    assert not rival.task.done()
    assert "policy changed" in await refusal(process.ask(asking()))
    await process.ask(asking(policy="v2")).held()


async def test_a_policy_that_changes_between_vote_and_use_stops_it(process: Process) -> None:
    asked = process.ask(asking())
    id = await asked.held()
    await process.approvals.vote(person(), id, True, "")
    process.approvals.policy_changed("acme", "v2")
    assert "policy changed" in await refusal(asked)
    assert process.trail.states() == ["approved", "ended"]


@pytest.mark.parametrize(
    "who",
    [{"serial": 4711}, {"identity": "repo:acme/web"}, {"identity": "sub-agent-7", "issuer": bound().issuer}],
    ids=str,
)
async def test_what_the_revoked_asked_for_is_over(process: Process, who: dict[str, Any]) -> None:
    asked = process.ask(asking())
    await asked.held()
    await process.upkeep.identity_revoked("acme", serial=1)
    await process.upkeep.identity_revoked("acme", identity="else")
    await process.upkeep.identity_revoked("acme", identity="agent-7", issuer="https://other.example.com")
    await process.upkeep.identity_revoked("rival", **who)
    assert not asked.task.done()
    await process.upkeep.identity_revoked("acme", **who)
    assert await refusal(asked) == "not approved: the one who asked was revoked"


async def test_what_the_revoked_approved_is_over(process: Process) -> None:
    """One of two had approved it; another's request goes on."""
    both = (Approval(("sre",), 2, 600, 0),)
    asked, other = process.ask(asking(both, session="s1")), process.ask(asking(both, session="s2"))
    await process.approvals.vote(person("a"), await asked.held(), True, "")
    await process.approvals.vote(person("b"), await other.held(), True, "")
    await process.upkeep.identity_revoked("acme", identity="a@acme")
    assert "one who approved it was revoked" in await refusal(asked)
    assert not other.task.done()


async def test_a_vote_of_the_revoked_lets_nothing_through(process: Process) -> None:
    """Though nobody has swept it away: votes are looked at when they are used."""
    asked = process.ask(asking((Approval(("sre",), 2, 600, 0),)))
    await process.approvals.vote(person("a"), await asked.held(), True, "")
    process.revoked = {"a@acme"}
    await process.approvals.vote(person("b"), await asked.held(), True, "")
    assert "one who approved it was revoked" in await refusal(asked)
    assert process.trail.states()[-1] == "ended"


# -- fail closed


async def test_what_nobody_may_approve_is_refused(process: Process) -> None:
    assert await refusal(process.ask(asking([]))) == "nobody may approve it"
    assert "too long" in await refusal(process.ask(asking(text=b"x" * (128 * 1024 + 1))))
    assert "too long" in await refusal(process.ask(asking(written=b"x" * (128 * 1024 + 1))))
    assert process.trail.events == []


async def test_an_identity_may_have_so_many_waiting(url: str, clock: Clock, trail: Trail) -> None:
    process = await Process.start(url, clock, trail, limits=Limits(open=1))
    first = process.ask(asking())
    await first.held()
    assert "1 requests of this identity wait already" in await refusal(process.ask(asking(session="s2")))
    assert not first.task.done()
    await process.stop()


async def test_a_trail_that_can_not_be_written_denies(process: Process, trail: Trail) -> None:
    """A request is not made, a vote does not count, an approval is not used: nothing happens that nobody is told of."""
    trail.failing = True
    with pytest.raises(NotRecorded):
        await process.ask(asking()).task
    trail.failing = False
    asked = process.ask(asking())
    id = await asked.held()
    trail.failing = True
    with pytest.raises(NotRecorded):
        await process.approvals.vote(person(), id, True, "")
    assert (await process.approvals.request("acme", id)).state is State.PENDING
    trail.failing = False
    assert [found.id for found in await process.approvals.page("acme", State, None, 9)] == [id]


async def test_a_store_that_throws_denies_what_waits(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its word of changes fails, when it fails the upkeep, and when it can not make the request; what could not
    be taken back then is taken back once it can."""
    asked = process.ask(asking())
    id = await asked.held()

    async def down(*_: object, **__: object) -> Any:
        raise StoreDown("the store can not be used: OperationalError")

    with monkeypatch.context() as broken:
        broken.setattr(process.store.requests, "change", down)
        broken.setattr(process.store.requests, "make", down)
        process.approvals.waiting.failed(StoreDown("lost"))
        assert await refusal(asked) == "approvals can not be kept now: try again later"
        assert await refusal(process.ask(asking(session="s2"))) == "approvals can not be kept now: try again later"
    assert (await process.approvals.request("acme", id)).state is State.PENDING
    await process.upkeep.tick()
    assert (await process.approvals.request("acme", id)).state is State.WITHDRAWN


async def test_upkeep_that_fails_denies_what_waits(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits without anybody to keep their time; the next look is made all the same."""
    asked = process.ask(asking())
    await asked.held()
    looks = 0
    looked = asyncio.Event()

    async def down(_: float) -> Any:
        nonlocal looks
        looks += 1
        if looks == 2:
            looked.set()
        raise StoreDown("the store can not be used") if looks == 1 else RuntimeError("a bug")

    monkeypatch.setattr(process.store.overview, "due", down)
    monkeypatch.setattr("bastion.approvals.upkeep.TICK", 0)
    running = asyncio.create_task(process.upkeep.run())
    assert "try again later" in await refusal(asked)
    await looked.wait()
    running.cancel()


async def test_a_notice_that_fails_changes_nothing(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: object) -> None:
        raise RuntimeError("no network")

    for name in ("requested", "settled"):
        monkeypatch.setattr(process.notices, name, failing)
    asked = process.ask(asking())
    await process.approvals.vote(person(), await asked.held(), True, "")
    assert (await asked.task).by == ("rev@acme",)


async def test_many_who_wait_cost_no_thread_task_or_connection_each(process: Process) -> None:
    """And of them one vote wakes the right one alone."""
    first = process.ask(asking(subject="agent-0", session="s0"))
    await first.held()
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    asked = [process.ask(asking(subject=f"agent-{number}", session=f"s{number}")) for number in range(1, 100)]
    ids = [await one.held() for one in asked]
    assert threading.active_count() <= threads + READERS  # the pool's, however many wait
    assert len(asyncio.all_tasks()) == tasks + len(asked)  # the very tasks that ask, which are sessions' own
    await process.approvals.vote(person(), ids[41], True, "")
    assert (await asked[41].task).request == ids[41]
    await process.hear()
    await process.looked()
    assert [number for number, one in enumerate(asked) if one.task.done()] == [41]
