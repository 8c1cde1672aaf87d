"""The console against the whole demo, with stock ssh at the other end: what a person sees, and what then happens."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.console.conftest import At
from tests.console.pages import Approvals, Audit, Grants, Policies, Recordings, Sessions
from tests.console.served import Served, ended, until
from tests.system.terminal import Terminal

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_what_is_held_appears_is_approved_by_keyboard_and_runs(demo: Served, at: At) -> None:
    console = await at(Approvals, "rev@demo")
    await console.open("approvals")
    await expect(console.main).to_contain_text("Nothing waits for you")
    asking = await demo.ask("ps -o pid,args -p 1")
    await expect(console.cards).to_have_count(1)
    await expect(console.pending).to_have_text("1")
    await console.press("j")
    await expect(console.runs).to_have_text("'ps' '-o' 'pid,args' '-p' '1'")
    assert asking.returncode is None
    await console.press("a")
    await expect(console.dialog).to_contain_text("'ps' '-o' 'pid,args' '-p' '1'")
    await console.press("Enter")
    found = await ended(asking)
    assert (found.status, found.out.splitlines()[0].split()) == (0, ["PID", "COMMAND"])
    await console.expect_state("ran")
    (settled,) = [one for one in demo.audit("approval-settled") if one["state"] == "approved"]
    assert [one["person"] for one in demo.audit("approval-voted") if one["approval"] == settled["approval"]] == [
        "rev@demo"
    ]


async def test_a_no_tells_the_agent_why(demo: Served, at: At, tmp_path: Path) -> None:
    canary = Path("/tmp", f"{tmp_path.parent.name}-{tmp_path.name}")  # noqa: S108  (where the demo lets it)
    console = await at(Approvals, "rev@demo")
    await console.open("approvals")
    asking = await demo.ask(f"touch {canary}")
    await console.cards.click()
    await expect(console.runs).to_have_text(f"'touch' '{canary}'")
    await console.deny("not on a Friday")
    found = await ended(asking)
    assert (found.status, found.out) == (125, "")
    assert "not on a Friday" in found.err
    await console.expect_state("denied")
    assert not canary.exists()


async def test_a_grant_lets_through_until_an_operator_revokes_it(demo: Served, at: At) -> None:
    console, operator = await at(Approvals, "rev@demo"), await at(Grants, "ops@demo")
    await console.open("approvals")
    asking = await demo.ask("ps -p 1")
    await console.cards.click()
    await expect(console.runs).to_be_visible()
    await console.grant("for this afternoon")
    assert (await ended(asking)).status == 0
    assert (await demo.run("ps -p 1 -o pid")).status == 0
    await operator.open("grants")
    await expect(operator.rows).to_have_count(1)
    await expect(operator.rows).to_contain_text("see-processes")
    await operator.revoke()
    await expect(operator.main).to_contain_text("No grants")
    again = await demo.ask("ps -p 1")
    await expect(console.cards.filter(has_text="left")).to_have_count(1)
    again.terminate()
    await ended(again)
    await expect(console.pending).to_be_hidden()


async def test_who_owns_the_agent_may_not_decide(demo: Served, at: At) -> None:
    console = await at(Approvals, "ops@demo")
    await console.open("approvals")
    asking = await demo.ask("ps -p 1")
    await console.cards.click()
    await expect(console.detail).to_contain_text("You may not approve this")
    await expect(console.detail.locator(".decision button")).to_have_count(0)
    asking.terminate()
    await ended(asking)
    await console.expect_state("withdrawn")


async def test_a_live_shell_is_followed_and_ended(demo: Served, at: At) -> None:
    console = await at(Sessions, "ops@demo")
    await console.open("sessions")
    with Terminal(demo.ssh("-tt", "-q", "demo")) as person:
        await asyncio.to_thread(person.wait_for, b"$ " if b"$ " in person.seen else b"# ")
        await expect(console.rows.filter(has_text="agent@demo")).to_have_count(1)
        await console.rows.filter(has_text="agent@demo").get_by_role("link").first.click()
        person.type(b"echo typed-'by'-hand\r")
        await asyncio.to_thread(person.wait_for, b"\r\ntyped-by-hand")
        await expect(console.screen).to_contain_text("typed-by-hand")
        await console.terminate("enough for today")
        assert await asyncio.to_thread(person.finish) != 0
        assert b"enough for today" in person.seen
    await expect(console.main).to_contain_text("The session is over.")
    await expect(console.main).to_contain_text("enough for today")


async def test_a_recording_is_replayed_jumped_through_and_verified(demo: Served, at: At) -> None:
    with Terminal(demo.ssh("-tt", "-q", "demo")) as person:
        for command, shown in (
            (b"echo fi'r'st", b"\r\nfirst"),
            (b"rm -rf /x", b"never-destroy"),
            (b"seq 3 5", b"\r\n5"),
        ):
            await asyncio.to_thread(person.wait_for, b"# ")
            person.type(command + b"\r")
            await asyncio.to_thread(person.wait_for, shown)
        await asyncio.to_thread(person.wait_for, b"# ")
        person.type(b"exit\r")
        assert await asyncio.to_thread(person.finish) == 0
    session = demo.session_of("seq 3 5")
    console = await at(Recordings, "rev@demo")
    await console.replay(session)
    await expect(console.commands).to_have_count(5)  # with the shell itself
    await console.jump("rm")
    await expect(console.played).to_contain_text("rm")
    await expect(console.screen).to_contain_text("first")
    await expect(console.screen).not_to_contain_text("seq 3 5")
    await console.page.get_by_role("button", name="Verify").click()
    await expect(console.main.locator(".head .badge, .badge").first).to_contain_text(
        re.compile("verified|whole", re.IGNORECASE)
    )
    (file,) = (demo.folder / "recordings").rglob(f"{session}.cast")
    kept = file.read_bytes()
    file.write_bytes(kept.replace(b"first", b"other"))
    await console.page.get_by_role("button", name="Verify").click()
    await expect(console.main).to_contain_text("not the one in the audit trail")
    file.write_bytes(kept)


async def test_the_trail_is_searched_for_a_session(demo: Served, at: At) -> None:
    await demo.run("rm -rf /not-there-at-all")
    await demo.run("uptime")
    session = demo.session_of("not-there-at-all")
    console = await at(Audit, "rev@demo")
    await console.open("audit")
    await console.search("not-there-at-all")
    await expect(console.rows).to_have_count(1)
    await expect(console.rows).to_contain_text("never-destroy")
    await console.search(session)
    await expect(console.rows.filter(has_text="session-ended")).to_have_count(1)


async def test_what_came_of_a_reload_shows_by_itself(demo: Served, at: At) -> None:
    console = await at(Policies, "rev@demo")
    await console.open("policies")
    await expect(console.main).to_contain_text("taken")
    demo.write_policy("later.yaml", "version: 1\nrules: [{id: x, efect: allow}, {id: x}]\n")
    problems = console.main.get_by_role("alert").locator("li")
    await expect(problems.filter(has_text="unknown key 'efect'")).to_have_text(re.compile(r"^later\.yaml:2:17: "))
    await expect(problems.filter(has_text="a second rule 'x'")).to_have_count(1)
    assert (await demo.run("uptime")).status == 0
    demo.write_policy("later.yaml", 'version: 1\nrules: [{id: later, effect: allow, commands: ["nproc"]}]\n')
    await expect(console.main.get_by_role("alert")).to_have_count(0)
    answer = await console.explain("nproc")
    await expect(answer).to_contain_text("later")
    assert (await demo.run("nproc")).status == 0
    (demo.folder / "policies" / "demo" / "later.yaml").unlink()
    await until(lambda: len(demo.audit("policy-reloaded")) == 2)
