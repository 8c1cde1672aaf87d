"""What policy holds waits at the gate for people: on the printed text, once, and only while all is as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bastion.asked import REASON
from bastion.errors import Denied, Held, NotApproved
from bastion.policy import loader
from bastion.policy.decision import Approval
from bastion.targets.inventory import Inventory
from tests.services.gate_house import Client, House, asked

POLICY = """\
version: 1
approval: {by: [duty]}
undecidable: approve
rules:
  - {id: look, effect: allow, commands: ["echo **"]}
  - {id: restarts, effect: approve, commands: ["systemctl restart *"], approval: {by: [sre], within: 5m}}
  - {id: drops, effect: approve, commands: ["dropdb *"], env: [LANG], approval: {by: [dba], count: 2}}
  - {id: asks, effect: approve, commands: ["psql **"], interactive: true, approval: {by: [dba]}}
  - {id: shells, effect: approve, shell: gated, approval: {by: [sre]}}
  - {id: never, effect: deny, commands: ["rm **"]}
  - {id: fire, effect: allow, commands: ["systemctl **", "reboot", "scp **"], break-glass: true, interactive: true}
mask:
  - {id: cards, detectors: [payment]}
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    made.tenant.policy = loader.load(tmp_path)
    made.tenant.hash_key = b"k" * 32
    return made


async def held(house: House, text: bytes, **more: Any) -> tuple[Any, Client]:
    client = Client()
    return await house.gate.judge(await house.context(), asked(text, client=client, **more)), client


async def test_people_are_asked_about_the_text_that_will_run(house: House) -> None:
    """The printed one; and it is told as held, and then as allowed by them."""
    allowed, client = await held(house, rb"systemctl restart ng\inx")
    (asking,) = house.people.asked
    assert asking.bound.text == allowed.runs == b"'systemctl' 'restart' 'nginx'"
    assert asking.written == rb"systemctl restart ng\inx"
    assert (asking.bound.rule, asking.bound.serial, asking.bound.policy) == ("restarts", 7, house.tenant.policy.version)
    assert asking.clauses == (Approval(("sre",), 1, 300),)
    assert client.told == ["held"]
    told = [(event.effect, event.approval) for event in house.trail.events if event.kind == "command-judged"]  # type: ignore[attr-defined]  # of that kind
    assert told == [("approve", None), ("allow", "r2345abcde")]
    assert allowed.decision.reason == "approved by rev"


@pytest.mark.parametrize(("text", "takes"), [(b"systemctl restart web", False), (b"psql shop", True)])
async def test_people_are_told_of_what_takes_commands_itself(house: House, text: bytes, takes: bool) -> None:
    await held(house, text)
    (asking,) = house.people.asked
    assert asking.takes_commands is takes


async def test_what_several_rules_hold_waits_for_the_people_of_each(house: House) -> None:
    await held(house, b"dropdb x && systemctl restart y; echo z")
    (asking,) = house.people.asked
    assert set(asking.bound.rule.split("+")) == {"drops", "restarts"}
    assert {clause.by for clause in asking.clauses} == {("sre",), ("dba",)}


async def test_a_shell_can_wait_too(house: House) -> None:
    allowed, _ = await held(house, b"", kind="shell", terminal=True)
    assert (allowed.kind, allowed.shell, allowed.runs) == ("gated", "bash", None)
    assert house.people.asked[0].bound.text == b""


@pytest.mark.parametrize(
    "answer",
    [
        NotApproved("rev denied it: not today", rule="restarts"),
        Held("asked", rule="restarts", request="r2345abcde", ends=1.0),
    ],
)
async def test_what_is_not_approved_is_raised(house: House, answer: Exception) -> None:
    house.people.answer = answer
    with pytest.raises(NotApproved) as caught:
        await held(house, b"systemctl restart x")
    assert caught.value is answer
    assert caught.value.status == 125


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda house: house.revoke(), NotApproved),
        (lambda house: setattr(house, "now", house.now + 601), NotApproved),
        (lambda house: setattr(house.tenant, "inventory", Inventory([])), NotApproved),
        (lambda house: setattr(house.tenant, "policy", replace(house.tenant.policy, version="other")), NotApproved),
    ],
    ids=["revoked", "expired", "target gone", "policy changed"],
)
async def test_an_approval_is_no_use_where_something_changed_meanwhile(
    house: House, change: Any, error: type[Exception]
) -> None:
    house.people.meanwhile = lambda: change(house)
    with pytest.raises(error):
        await held(house, b"systemctl restart x")
    told = [event.effect for event in house.trail.events if event.kind == "command-judged"]  # type: ignore[attr-defined]  # of that kind
    assert told == ["approve", "deny"]


async def test_nobody_waits_who_can_not_be_told(house: House) -> None:
    """Completion asks for nobody's approval."""
    with pytest.raises(NotApproved, match="nobody could be told"):
        await house.gate.judge(await house.context(), asked(b"systemctl restart x", kind="completion"))
    assert not house.people.asked


async def test_what_can_not_be_read_is_not_put_to_people(house: House) -> None:
    """There is no text that would run; a program that is not known can be."""
    with pytest.raises(Denied, match="can not be judged") as caught:
        await held(house, b"echo 'unfinished")
    assert not isinstance(caught.value, NotApproved)
    assert not house.people.asked


async def test_what_is_masked_is_bound_and_not_shown(house: House) -> None:
    """People see the label; two cards have two seals, so that an approval of one is none of the other."""
    seen = []
    for card in (b"4111 1111 1111 1111", b"5500 0055 5555 5559"):
        allowed, _ = await held(house, b"systemctl restart '%s'" % card)
        assert card in allowed.runs
        asking = house.people.asked.pop()
        assert card not in asking.bound.text + asking.written
        assert b"[card]" in asking.bound.text
        seen.append(asking.bound.text)
    assert seen[0] != seen[1]
    assert not [event for event in house.trail.events if b"4111" in repr(event).encode()]


async def test_the_variables_of_an_approved_command_pass_as_its_rule_says(house: House) -> None:
    allowed, _ = await held(house, b"dropdb x", environment={b"LANG": b"C", b"X": b"1"})
    assert allowed.environment == {"LANG": "C"}


async def test_the_glass_is_broken_with_a_reason_and_told_loudly(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Past what waits for approval and past what no rule allows, never past a deny rule; and without one it waits."""
    why = {REASON: b"db on fire \x1b[31m"}
    allowed, _ = await held(house, b"systemctl restart x", environment=why)
    assert (allowed.decision.rule, allowed.environment, house.people.asked) == ("fire", {}, [])
    assert (await held(house, b"reboot", environment=why))[0].decision.rule == "fire"
    told = [event for event in house.trail.events if event.kind == "break-glass"]
    assert [event.reason for event in told] == ["db on fire \\x1b[31m"] * 2  # type: ignore[attr-defined]  # of that kind
    assert "broke the glass" in caplog.text
    with pytest.raises(Denied, match="forbids"):
        await held(house, b"systemctl restart x; rm x", environment=why)
    with pytest.raises(Denied):
        await held(house, b"reboot")
    await held(house, b"systemctl restart x")
    assert len(house.people.asked) == 1
