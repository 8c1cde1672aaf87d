"""Grants: a rule for a fixed time without asking again, listed, and revoked with what runs under it."""

from __future__ import annotations

from typing import Any

import pytest

from bastion.approvals.grant import Grant
from bastion.approvals.request import State
from bastion.errors import Held, MayNotVote, NoSuchRequest, NotApproved, NotRecorded
from bastion.policy.decision import Approval
from tests.core.approvals_made import NOW, SRE, person
from tests.services.store.house import Clock, Process, Trail, asking

GRANTING = (Approval(("sre",), 1, 600, 1800),)


async def granted(process: Process, session: str = "s0", **given: Any) -> Grant:
    """A grant, made by approving a first command."""
    asked = process.ask(asking(GRANTING, session=session, **given))
    await process.approvals.vote(person(), await asked.held(), True, "", grant=True)
    await asked.task
    (grant,) = await process.approvals.grants("acme", None, 9)
    return grant


async def test_a_grant_lets_its_holder_through_until_its_time(process: Process, clock: Clock) -> None:
    """Any command of that rule, on any target, without asking; each is told. The time does not restart by use."""
    grant = await granted(process)
    assert (grant.ends, grant.by) == (NOW + 1800, ("rev@acme",))
    for moment in (NOW + 1, NOW + 1799):
        clock.now = moment
        approved = await process.ask(asking(GRANTING, text=b"'other'", target="web-2", session="s1")).task
        assert (approved.by, approved.grant, approved.request) == (("rev@acme",), grant.id, "")
    assert process.trail.kinds[-2:] == ["grant-used", "grant-used"]
    clock.now = NOW + 1800
    await process.ask(asking(GRANTING, session="s2")).held()
    assert await process.approvals.grants("acme", None, 9) == []
    assert await process.approvals.grants("acme", None, 9, past=True) == [grant]


@pytest.mark.parametrize(
    "other",
    [{"tenant": "rival"}, {"subject": "x"}, {"issuer": "https://x.example.com"}, {"rule": "x"}, {"policy": "v2"}],
    ids=str,
)
async def test_a_grant_is_for_nobody_and_nothing_else(process: Process, other: dict[str, Any]) -> None:
    await granted(process)
    await process.ask(asking(GRANTING, **other)).held()


async def test_a_grant_is_given_only_where_all_say_so(process: Process) -> None:
    """The rule offers it, and each approver asked for it; otherwise the approval is for once."""
    asked = process.ask(asking((Approval(("sre",), 2, 600, 1800),)))
    id = await asked.held()
    await process.approvals.vote(person("a"), id, True, "", grant=True)
    await process.approvals.vote(person("b"), id, True, "", grant=False)
    await asked.task
    once = process.ask(asking([SRE]))
    with pytest.raises(MayNotVote, match="for once"):
        await process.approvals.vote(person(), await once.held(), True, "", grant=True)
    assert await process.approvals.grants("acme", None, 9) == []


async def test_a_revoked_grant_ends_what_runs_under_it(process: Process) -> None:
    """Also the command whose approval gave it; not what was approved by itself, and not what is over."""
    grant = await granted(process, session="first")
    for session in ("second", "over"):
        await process.ask(asking(GRANTING, session=session)).task
    other = process.ask(asking([SRE], session="other", rule="other"))
    await process.approvals.vote(person(), await other.held(), True, "")
    await other.task
    process.approvals.session_ended("over")
    over = await process.approvals.revoke_grant(person("op", "operators"), grant.id, "an incident")
    assert (over.ended, over.why) == (NOW, "revoked by op@acme: an incident")
    reason = f"the grant {grant.id} was revoked: revoked by op@acme: an incident"
    assert sorted(process.ended) == [("first", reason), ("second", reason)]
    assert process.trail.kinds[-1] == "grant-revoked"
    await process.ask(asking(GRANTING, session="third")).held()
    with pytest.raises(NoSuchRequest, match="over"):
        await process.approvals.revoke_grant(person("op"), grant.id)
    with pytest.raises(NoSuchRequest):
        await process.approvals.revoke_grant(person("op", tenant="rival"), grant.id)


async def test_a_grant_that_is_revoked_while_it_is_used_lets_nothing_through(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding it and telling of its use: the revocation finds the session, and the session is refused."""
    grant = await granted(process)
    live = process.store.grants.live

    async def slowly(*given: Any) -> Grant | None:
        found = await live(*given)
        monkeypatch.undo()
        await process.approvals.revoke_grant(person("op"), grant.id)
        return found

    monkeypatch.setattr(process.store.grants, "live", slowly)
    with pytest.raises(NotApproved, match="its grant was revoked"):
        await process.ask(asking(GRANTING, session="s1")).task
    assert "s1" in {session for session, _ in process.ended}


async def test_a_revoked_grant_takes_its_unused_approval_along(process: Process) -> None:
    """In mode return the approval may not have been fetched yet: it is not good for one more command."""
    away = (Approval(("sre",), 1, 600, 1800, "return"),)
    with pytest.raises(Held) as caught:
        await process.ask(asking(away)).task
    await process.approvals.vote(person(), caught.value.request, True, "", grant=True)
    (grant,) = await process.approvals.grants("acme", None, 9)
    await process.approvals.revoke_grant(person("op"), grant.id)
    assert (await process.approvals.request("acme", caught.value.request)).state is State.ENDED
    with pytest.raises(Held):
        await process.ask(asking(away)).task


async def test_a_revocation_in_another_process_ends_it_here(url: str, clock: Clock, trail: Trail) -> None:
    here, there = await Process.start(url, clock, trail, "here"), await Process.start(url, clock, trail, "there")
    grant = await granted(here, session="first")
    await there.approvals.revoke_grant(person("op"), grant.id)
    await here.hear()
    await here.looked()
    assert [session for session, _ in here.ended] == ["first"]
    assert there.ended == []
    await here.stop()
    await there.stop()


async def test_a_changed_policy_ends_grants_and_no_session(process: Process) -> None:
    """What the rule says may have changed with it; what runs was judged by the one before."""
    await granted(process)
    await process.ask(asking(GRANTING, session="s1")).task
    process.approvals.policy_changed("acme", "v2")
    await process.upkeep.tick()
    assert await process.approvals.grants("acme", None, 9) == []
    assert process.trail.kinds[-1] == "grant-revoked"
    await process.hear()
    await process.looked()
    assert process.ended == []


async def test_the_revoked_have_no_grants(process: Process) -> None:
    """By any of the holder's names, which the request that made it knows."""
    await granted(process)
    await process.upkeep.identity_revoked("acme", identity="else")
    assert process.ended == []
    await process.upkeep.identity_revoked("acme", identity="repo:acme/web")
    assert [session for session, _ in process.ended] == ["s0"]
    assert await process.approvals.grants("acme", None, 9) == []


async def test_the_revoked_have_given_no_grants(process: Process) -> None:
    """What runs under one is ended as well."""
    await granted(process)
    await process.upkeep.identity_revoked("acme", identity="rev@acme", issuer="https://other.example.com")
    assert process.ended == []
    await process.upkeep.identity_revoked("acme", identity="sub-rev")
    assert [session for session, _ in process.ended] == ["s0"]
    assert await process.approvals.grants("acme", None, 9) == []


async def test_a_grant_that_the_revoked_gave_lets_nothing_through(process: Process) -> None:
    """Though nobody has swept it away: it is looked at when it is used. Who asks then asks anew, and is not ended."""
    grant = await granted(process)
    process.revoked = {"rev@acme"}
    await process.ask(asking(GRANTING, session="s1")).held()
    assert [session for session, _ in process.ended] == ["s0"]
    (past,) = await process.approvals.grants("acme", None, 9, past=True)
    assert (past.id, past.revoked, past.why) == (grant.id, True, "one who approved it was revoked: ask again")


async def test_a_use_that_can_not_be_told_is_none(process: Process, trail: Trail) -> None:
    """Nor is a grant revoked that the trail can not be told of; and what was not let through is not ended later."""
    grant = await granted(process)
    trail.failing = True
    with pytest.raises(NotRecorded):
        await process.ask(asking(GRANTING, session="s1")).task
    with pytest.raises(NotRecorded):
        await process.approvals.revoke_grant(person("op"), grant.id)
    trail.failing = False
    await process.approvals.revoke_grant(person("op"), grant.id)
    assert [session for session, _ in process.ended] == ["s0"]
