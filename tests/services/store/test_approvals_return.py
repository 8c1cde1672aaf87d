"""Mode return: who can not wait is sent away with an id, and the same command finds its approval, once and in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bastion.approvals.asking import Approved
from bastion.approvals.ports import Limits
from bastion.approvals.request import State
from bastion.errors import Held, NotApproved
from bastion.policy.decision import Approval
from tests.core.approvals_made import NOW, person
from tests.services.store.house import Clock, Process, Trail, asking

AWAY = (Approval(("sre",), 1, 600, mode="return"),)


async def sent_away(process: Process, **given: Any) -> str:
    """The id that the asking is sent away with."""
    with pytest.raises(Held) as caught:
        await process.ask(asking(AWAY, **given)).task
    assert caught.value.ends == NOW + 600
    assert str(caught.value) == (
        f"waits for approval {caught.value.request} (1 of sre, https://b.example/acme/{caught.value.request}):"
        " ask again before 08:10:00 UTC"
    )
    return caught.value.request


async def test_the_same_command_finds_its_approval_once(process: Process) -> None:
    """In another session; asked a third time it is a new request."""
    id = await sent_away(process, session="s1")
    await process.approvals.vote(person(), id, True, "")
    approved = await process.ask(asking(AWAY, session="s2")).task
    assert approved == Approved(asking(session="s2").bound, ("rev@acme",), request=id)
    assert process.trail.states() == ["approved", "used"]
    assert await sent_away(process, session="s3") != id


async def test_asking_again_before_it_is_decided_asks_nobody_twice(process: Process, clock: Clock) -> None:
    """The same id, the same end: the window does not restart."""
    id = await sent_away(process, session="s1")
    clock.now = NOW + 599
    assert await sent_away(process, session="s2") == id
    assert process.notices.told == [("requested", id)]
    assert process.trail.kinds == ["approval-requested"]


@pytest.mark.parametrize(
    "other",
    [
        {"text": b"'systemctl' 'stop' 'web'"},
        {"target": "web-2"},
        {"account": "root"},
        {"serial": 4712},
        {"subject": "sub-agent-8"},
        {"identity": "agent-8"},
        {"policy": "v2"},
        {"rule": "other"},
        {"kind": "line"},
        {"directory": b"/srv"},
    ],
    ids=str,
)
async def test_an_approval_reaches_nothing_else(process: Process, other: dict[str, Any]) -> None:
    """Another text, place, certificate, identity or policy asks for itself, and leaves the approval where it is."""
    id = await sent_away(process)
    await process.approvals.vote(person(), id, True, "")
    with pytest.raises(Held):
        await process.ask(asking(AWAY, **other)).task
    assert (await process.approvals.request("acme", id)).state is State.APPROVED
    assert (await process.ask(asking(AWAY)).task).request == id


async def test_of_many_who_come_for_one_approval_one_gets_it(process: Process) -> None:
    id = await sent_away(process)
    await process.approvals.vote(person(), id, True, "")
    asked = [process.ask(asking(AWAY, session=f"s{number}")) for number in range(10)]
    outcomes = await asyncio.gather(*(one.task for one in asked), return_exceptions=True)
    assert [outcome.request for outcome in outcomes if isinstance(outcome, Approved)] == [id]
    assert all(isinstance(outcome, Approved | NotApproved) for outcome in outcomes)


async def test_it_is_picked_up_before_its_end(process: Process, clock: Clock) -> None:
    """Absolute, from when it was asked: approved in time and fetched too late, it is asked anew."""
    id = await sent_away(process)
    await process.approvals.vote(person(), id, True, "")
    clock.now = NOW + 600
    with pytest.raises(Held) as caught:
        await process.ask(asking(AWAY)).task
    assert caught.value.request != id
    await process.upkeep.tick()
    assert (await process.approvals.request("acme", id)).state is State.EXPIRED


async def test_a_denial_is_told_to_who_asks_again(process: Process, clock: Clock) -> None:
    """With its comment, and for as long as it could have been approved; approvers are not asked again meanwhile."""
    id = await sent_away(process)
    await process.approvals.vote(person(), id, False, "not today")
    for _ in range(2):
        with pytest.raises(NotApproved, match="denied by rev@acme: not today"):
            await process.ask(asking(AWAY)).task
    clock.now = NOW + 600
    with pytest.raises(Held):
        await process.ask(asking(AWAY)).task


async def test_it_lives_through_a_restart_and_the_end_of_its_session(url: str, clock: Clock, trail: Trail) -> None:
    """Nobody waits for it, so nobody's end ends it; what was decided meanwhile holds."""
    first = await Process.start(url, clock, trail)
    id = await sent_away(first)
    first.approvals.session_ended("s1")
    await first.die()
    second = await Process.start(url, clock, trail)
    clock.now = NOW + 60
    await second.upkeep.tick()
    await second.approvals.vote(person(), id, True, "")
    await second.stop()
    third = await Process.start(url, clock, trail)
    assert (await third.ask(asking(AWAY, session="s9")).task).request == id
    await third.stop()


async def test_a_policy_that_changed_ends_it(process: Process) -> None:
    """Also one that was approved already."""
    id = await sent_away(process)
    await process.approvals.vote(person(), id, True, "")
    process.approvals.policy_changed("acme", "v2")
    with pytest.raises(NotApproved, match="policy changed"):
        await process.ask(asking(AWAY)).task
    await process.upkeep.tick()
    assert (await process.approvals.request("acme", id)).state is State.ENDED


async def test_requests_of_who_does_not_wait_are_bounded_too(url: str, clock: Clock, trail: Trail) -> None:
    process = await Process.start(url, clock, trail, limits=Limits(open=2))
    for number in range(2):
        await sent_away(process, text=b"%d" % number)
    with pytest.raises(NotApproved, match="2 requests of this identity wait already"):
        await process.ask(asking(AWAY, text=b"another")).task
    await process.stop()
