"""The gate and login shells: who is asked and when, which reading the answer gives, and every failure of asking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bastion.context import Context
from bastion.errors import Denied, NotRecorded, TargetDown
from bastion.policy import loader
from bastion.policy.model import Index
from bastion.targets.inventory import Inventory
from tests.services.gate_house import POLICY, House, asked, target


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def unnamed(house: House) -> Context:
    """Someone let in to an account whose shell the inventory does not say."""
    web = target("web-1")
    accounts = {**web.accounts, "deploy": replace(web.accounts["deploy"], shell="")}
    house.tenant.inventory = Inventory([replace(web, accounts=accounts)])
    return await house.context()


HERE_STRING = b"echo a <<< b"
"""bash has it, and no other shell."""


async def test_a_shell_that_the_inventory_names_is_not_asked_for(house: House) -> None:
    await house.gate.judge(await house.context(), asked())
    assert house.shells.asked == 0


@pytest.mark.parametrize("named", ["", "sh"])
async def test_a_shell_that_it_does_not_name_is_and_reads_the_text(house: House, named: str) -> None:
    """`<<<` is bash's own, so it can be read only where bash answered."""
    web = target("web-1")
    accounts = {**web.accounts, "deploy": replace(web.accounts["deploy"], shell=named)}
    house.tenant.inventory = Inventory([replace(web, accounts=accounts)])
    context = await house.context()
    await house.gate.judge(context, asked(HERE_STRING))
    house.shells.answer = "dash"
    with pytest.raises(Denied, match="here-string"):
        await house.gate.judge(context, asked(HERE_STRING))
    house.shells.kept = "dash"
    with pytest.raises(Denied, match="here-string"):
        await house.gate.judge(context, asked(HERE_STRING))
    assert house.shells.asked == 2


async def test_nobody_is_asked_for_what_is_denied_anyway(house: House) -> None:
    context = await unnamed(house)
    for text in (b"reboot", b"echo $("):
        with pytest.raises(Denied):
            await house.gate.judge(context, asked(text))
    assert house.shells.asked == 0


async def test_a_shell_that_reads_otherwise_denies_also_what_is_only_observed(house: House, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("rules:", "mode: observe\nrules:"))
    house.tenant.policy = loader.load(tmp_path)
    context = await unnamed(house)
    house.shells.answer = Denied("it is fish", rule="login-shell", remedy="chsh")
    with pytest.raises(Denied, match="it is fish") as caught:
        await house.gate.judge(context, asked())
    assert (caught.value.rule, caught.value.remedy) == ("login-shell", "chsh")
    event = house.trail.events[-1]
    assert (event.kind, getattr(event, "effect", ""), getattr(event, "runs", b"")) == ("command-judged", "deny", None)


async def test_a_target_that_gives_no_answer_is_down_and_the_command_is_in_the_trail(house: House) -> None:
    context = await unnamed(house)
    house.shells.answer = TargetDown("no answer within 5 s")
    with pytest.raises(TargetDown):
        await house.gate.judge(context, asked())
    event = house.trail.events[-1]
    assert (event.kind, getattr(event, "effect", ""), getattr(event, "rule", "")) == (
        "command-judged",
        "deny",
        "unjudged",
    )
    house.trail.failing = True
    with pytest.raises(NotRecorded):
        await house.gate.judge(context, asked())


@pytest.mark.parametrize("change", ["revoked", "target removed", "policy"])
async def test_what_changes_while_it_is_asked_is_seen(house: House, change: str) -> None:
    context = await unnamed(house)

    def changed() -> None:
        match change:
            case "revoked":
                house.revoke()
            case "target removed":
                house.tenant.inventory = Inventory([])
            case _:
                house.tenant.policy = replace(house.tenant.policy, index=Index())

    house.shells.meanwhile = changed
    with pytest.raises(Denied):
        await house.gate.judge(context, asked())
