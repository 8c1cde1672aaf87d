"""A person decides, in a browser, on exactly what will run."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.console import answers
from tests.console.conftest import Tab
from tests.console.fake import Fake
from tests.console.pages import Approvals

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

ID = "k3v9x2m7qd"


async def test_a_request_appears_without_reload_and_is_announced(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.open("approvals")
    await expect(console.cards).to_have_count(1)
    fake.ask(id="new0000001", text="'rm' '-r' '/srv/cache'")
    await expect(console.cards).to_have_count(2)
    await expect(console.pending).to_have_text("2")
    await expect(console.page.locator("#alerted")).to_contain_text("'rm' '-r' '/srv/cache'")
    await expect(console.page).to_have_title(re.compile(r"\(2\)"))


async def test_everything_that_is_needed_to_decide_is_shown(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    await expect(console.runs).to_have_text(fake.approvals[ID]["text"])
    for told in (
        "repo:acme/shop", "agent-7", "agents", "10.2.0.17", "deploy@web-1", "4211", "restarts", "a restart drops live",
        "stops-service", "T1489", "dev@acme", "sha256:4be1f04be1f0", "left", "ends at", "uptime", "never-steal",
        "one person of sre",
    ):  # fmt: skip
        await expect(console.detail).to_contain_text(told)


async def test_what_takes_commands_itself_is_said_to(fake: Fake, tab: Tab) -> None:
    """Beside what runs, and once more where the vote is given."""
    console = await tab(Approvals)
    await console.look_at(ID)
    await expect(console.detail).not_to_contain_text("takes commands itself")
    fake.approvals[ID] |= {"takes_commands": True}
    await console.open("approvals")
    await console.look_at(ID)
    await expect(console.detail).to_contain_text("takes commands itself")
    await console.press("a")
    await expect(console.dialog).to_contain_text("takes commands itself")


async def test_approving_takes_the_keyboard_alone(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.open("approvals")
    await expect(console.cards).to_have_count(1)
    await console.press("j")
    await expect(console.runs).to_be_visible()
    await console.press("a")
    await expect(console.dialog).to_be_visible()
    await console.press("Enter")
    await console.expect_state("approved")
    assert fake.asked == [("POST", f"/v1/approvals/{ID}/approve", {"comment": ""})]
    await expect(console.pending).to_be_hidden()


async def test_one_key_decides_nothing(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    for key in ("a", "d", "g"):
        await console.press(key)
        await expect(console.dialog).to_be_visible()
        await console.press("Escape")
        await expect(console.dialog).to_have_count(0)
    assert fake.asked == []


async def test_denying_tells_the_agent_why(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    await console.deny("not during the sale\nask again tomorrow")
    await console.expect_state("denied")
    assert fake.asked == [("POST", f"/v1/approvals/{ID}/deny", {"comment": "not during the sale\nask again tomorrow"})]
    await expect(console.detail.locator("blockquote")).to_contain_text("not during the sale")


async def test_a_grant_is_offered_where_the_rule_grants(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    await console.grant("for the migration")
    await console.expect_state("approved")
    assert fake.asked[0][2] == {"comment": "for the migration", "grant": True}


async def test_no_grant_is_offered_where_the_rule_is_for_once(fake: Fake, tab: Tab) -> None:
    fake.approvals[ID]["grants"] = 0
    console = await tab(Approvals)
    await console.look_at(ID)
    await console.press("g")
    await expect(console.dialog).to_have_count(0)
    await expect(console.detail.get_by_role("button", name=re.compile("Approve for"))).to_have_count(0)


async def test_who_may_not_vote_is_told_why_and_offered_nothing(fake: Fake, tab: Tab) -> None:
    fake.approvals[ID] |= {
        "may_vote": False,
        "may_deny": False,
        "why_not": "nobody decides on what they asked for themselves",
    }
    console = await tab(Approvals)
    await console.look_at(ID)
    await expect(console.detail).to_contain_text("nobody decides on what they asked for themselves")
    await expect(console.detail.locator(".decision button")).to_have_count(0)
    await console.press("a", "d", "g")
    await expect(console.dialog).to_have_count(0)


async def test_a_refused_vote_is_told_in_its_dialog(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    await console.press("a")
    fake.approvals[ID]["state"] = "expired"
    await console.press("Enter")
    await expect(console.dialog.locator(".trouble")).to_have_text("the request is expired already")
    console.troubles.clear()  # the browser logs the answer's status


async def test_what_arrives_never_takes_the_place_of_what_is_looked_at(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    await console.press("a")
    fake.ask(id="new0000001", text="'rm' '-r' '/'")
    await expect(console.cards).to_have_count(2)
    await console.press("Enter")
    await console.expect_state("approved")
    assert [path for _, path, _ in fake.asked] == [f"/v1/approvals/{ID}/approve"]
    assert fake.approvals["new0000001"]["state"] == "pending"


async def test_a_decision_elsewhere_shows_here(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    fake.approvals[ID] |= {"state": "denied", "why": "no", "settled": answers.moment(1.0)}
    fake.tell("approval", ID)
    await console.expect_state("denied")
    await expect(console.detail.locator(".decision")).to_have_count(0)


async def test_the_clients_own_spelling_is_beside_it_and_said_never_to_run(tab: Tab) -> None:
    console = await tab(Approvals)
    await console.look_at(ID)
    written = console.detail.locator(".runs details")
    await expect(written).to_contain_text("It never runs.")
    await expect(written.locator("pre")).to_be_hidden()


async def test_a_lost_connection_is_told_and_made_up_for(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.open("approvals")
    await expect(console.cards).to_have_count(1)
    await fake.stop()
    await expect(console.page.locator("#state")).to_contain_text("Connection lost")
    fake.approvals["new0000001"] = answers.approval("new0000001")
    await fake.start()
    await expect(console.cards).to_have_count(2)
    await expect(console.page.locator("#state")).to_be_empty()
    console.troubles.clear()  # the browser logs that nobody answered


async def test_the_time_that_is_left_is_told_by_the_bastions_clock(tab: Tab) -> None:
    console = await tab(Approvals)
    await console.page.clock.install(time="2020-01-01T00:00:00Z")
    await console.look_at(ID)
    await console.page.clock.run_for(2000)
    await expect(console.detail.locator(".deadline")).to_contain_text(re.compile(r"^8 min \d+ s left"))


async def test_nobody_approves_what_is_not_shown_whole(fake: Fake, tab: Tab) -> None:
    fake.approvals[ID] |= {"cut": True, "text": "echo …"}
    console = await tab(Approvals)
    await console.look_at(ID)
    await expect(console.detail.locator(".decision button")).to_have_text([re.compile("Deny")])
    await console.press("a", "g")
    await expect(console.dialog).to_have_count(0)
    await console.deny("shorter, please")
    await console.expect_state("denied")
