"""Every page: it loads without an error, fits a phone, works in both themes and by keyboard, and can be read."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

from tests.console import answers
from tests.console.conftest import Tab
from tests.console.fake import Fake
from tests.console.pages import Audit, Console, Grants, Policies, Recordings, Sessions

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

PAGES = (
    "approvals", "approvals/k3v9x2m7qd", "sessions", "sessions/s-0001", "recordings", "recordings/s-0002", "audit",
    "policies", "grants",
)  # fmt: skip
READY = {"sessions/s-0001": ".ap-player", "recordings/s-0002": ".ap-player", "approvals/k3v9x2m7qd": ".runs"}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


async def ready(console: Console, place: str) -> None:
    await console.open(place)
    await expect(console.page.locator(READY.get(place, "main h1")).first).to_be_visible()
    await expect(console.page.locator(".loading")).to_have_count(0)


@pytest.mark.parametrize("place", PAGES)
async def test_it_loads_without_error_and_fits_a_phone(tab: Tab, place: str) -> None:
    console = await tab(Console, width=360, height=740)
    await ready(console, place)
    assert not await console.wide()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PAGES)
async def test_all_its_text_has_contrast_enough(tab: Tab, place: str, scheme: str) -> None:
    console = await tab(Console, scheme=scheme)
    await ready(console, place)
    assert await console.page.evaluate(CONTRAST) == []


async def test_the_contrast_is_measured(tab: Tab) -> None:
    """What is measured would be found: text of a colour near its ground."""
    console = await tab(Console)
    await ready(console, "grants")
    await console.page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    assert len(await console.page.evaluate(CONTRAST)) == 1


async def test_the_theme_follows_the_system_until_it_is_chosen(tab: Tab) -> None:
    console = await tab(Console, scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    await ready(console, "grants")
    dark = await console.page.evaluate(ground)
    await console.page.get_by_role("button", name="Colours").click()
    light = await console.page.evaluate(ground)
    assert dark != light
    await console.page.reload()
    await expect(console.page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert await console.page.evaluate(ground) == light


async def test_every_page_is_reached_by_its_number_and_keys_are_told(tab: Tab) -> None:
    console = await tab(Console)
    await ready(console, "approvals")
    for number, title in enumerate(("Approvals", "Sessions", "Recordings", "Audit", "Policies", "Grants"), 1):
        await console.press(str(number))
        await expect(console.page.locator("h1")).to_have_text(title)
    await console.press("?")
    await expect(console.dialog).to_contain_text("next / previous in the list")
    await console.press("Escape")
    await expect(console.dialog).to_have_count(0)


async def test_the_focus_is_seen_wherever_tab_leads(tab: Tab) -> None:
    console = await tab(Console)
    await ready(console, "policies")
    for _ in range(12):
        await console.press("Tab")
        focused = console.page.locator(":focus")
        assert await focused.evaluate("(one) => getComputedStyle(one).outlineStyle") != "none"


async def test_every_field_and_button_has_a_name(tab: Tab) -> None:
    console = await tab(Console)
    for place in PAGES:
        await ready(console, place)
        nameless = await console.page.evaluate(
            "[...document.querySelectorAll('main :is(input, select, textarea, button)')]"
            ".filter((one) => !one.closest('.ap-wrapper') && !one.labels?.length && !one.ariaLabel)"
            ".filter((one) => one.matches('select, input') || !one.textContent.trim()).length"
        )
        assert nameless == 0, place


async def test_a_live_session_is_followed_and_ended(fake: Fake, tab: Tab) -> None:
    console = await tab(Sessions)
    await console.follow("s-0001")
    await expect(console.screen).to_contain_text("hello from the target")
    await console.terminate("it loops")
    assert fake.asked == [("POST", "/v1/sessions/s-0001/terminate", {"reason": "it loops"})]
    await expect(console.main).to_contain_text("The session is over.")
    await expect(console.main).to_contain_text("it loops")


async def test_who_is_no_operator_ends_nothing_and_who_is_no_auditor_follows_nothing(fake: Fake, tab: Tab) -> None:
    fake.me = answers.me(roles=["viewer"])
    console = await tab(Sessions)
    await console.follow("s-0001")
    await expect(console.main).to_contain_text("Auditors and operators may follow")
    await expect(console.page.get_by_role("button", name="Terminate")).to_have_count(0)
    await expect(console.page.locator("nav a")).to_have_text(["Sessions", "Policies"])


async def test_a_recording_is_jumped_through_by_its_commands(tab: Tab) -> None:
    console = await tab(Recordings)
    await console.replay("s-0002")
    await expect(console.commands).to_have_count(3)
    await console.jump("df")
    await expect(console.played).to_contain_text("df")
    await expect(console.screen).to_contain_text("never-steal")
    await expect(console.screen).not_to_contain_text("Filesystem")


async def test_a_recording_that_was_changed_is_told(fake: Fake, tab: Tab) -> None:
    fake.recordings = {"changed-1": answers.recording("changed-1", verified=None, whole=None)}
    fake.sessions["changed-1"] = answers.session("changed-1", live=False)
    fake.casts = {"changed-1": answers.PLAIN_CAST}
    console = await tab(Recordings)
    await console.replay("changed-1")
    await expect(console.main).to_contain_text("not verified yet")
    await console.page.get_by_role("button", name="Verify").click()
    await expect(console.main).to_contain_text("not the one in the audit trail")


async def test_without_the_player_the_page_says_how_to_get_it(fake: Fake, tab: Tab) -> None:
    fake.player = False
    console = await tab(Recordings)
    await console.open("recordings/s-0002")
    await expect(console.main).to_contain_text("npm ci --omit=dev")
    await expect(console.commands).to_have_count(3)
    console.troubles.clear()  # the browser logs what was not found


async def test_recordings_are_filtered(fake: Fake, tab: Tab) -> None:
    fake.recordings["s-0003"] = answers.recording("s-0003", whole=False)
    fake.sessions["s-0003"] = answers.session("s-0003", live=False, target="db-1", identity="repo:acme/billing")
    console = await tab(Recordings)
    await console.open("recordings")
    await expect(console.rows).to_have_count(2)
    await console.press("/")
    await console.type("billing")
    await expect(console.rows).to_have_count(1)
    await expect(console.rows).to_contain_text("db-1")


async def test_the_trail_is_searched_by_keyboard(fake: Fake, tab: Tab) -> None:
    console = await tab(Audit)
    await console.open("audit")
    await expect(console.rows).to_have_count(3)
    await console.search("login-refused")
    await expect(console.rows).to_have_count(1)
    assert fake.searched[-1]["text"] == "login-refused"
    await console.rows.locator("summary").press("Enter")
    await expect(console.rows).to_contain_text("no certificate")


async def test_a_rejected_policy_is_told_and_a_command_explained(fake: Fake, tab: Tab) -> None:
    fake.policy["problems"] = ["look.yaml:3:5: unknown key 'efect'"]
    console = await tab(Policies)
    await console.open("policies")
    await expect(console.main).to_contain_text("look.yaml:3:5: unknown key 'efect'")
    answer = await console.explain("cat /var/log/syslog | tee $out")
    await expect(answer).to_contain_text("needs approval")
    assert fake.asked[-1][2] == {"command": "cat /var/log/syslog | tee $out"}


async def test_a_grant_is_revoked(fake: Fake, tab: Tab) -> None:
    console = await tab(Grants)
    await console.open("grants")
    await console.revoke()
    await expect(console.main).to_contain_text("No grants")
    await console.page.get_by_label("Which").select_option("All")
    await expect(console.rows).to_contain_text("revoked")
    assert fake.asked == [("POST", "/v1/grants/g-1/revoke", {})]


async def test_nothing_to_show_is_said(fake: Fake, tab: Tab) -> None:
    fake.approvals, fake.sessions, fake.recordings, fake.grants, fake.audit = {}, {}, {}, {}, []
    console = await tab(Console)
    for place, words in (
        ("approvals", "Nothing waits for you"),
        ("sessions", "Nobody is connected"),
        ("recordings", "No recordings"),
        ("grants", "No grants"),
        ("audit", "No events"),
        ("nowhere", "No such page"),
    ):
        await console.open(place)
        await expect(console.main).to_contain_text(words)


async def test_an_error_is_told_with_a_way_to_try_again(fake: Fake, tab: Tab) -> None:
    console = await tab(Console)
    await console.open("approvals/none")
    await expect(console.main).to_contain_text("no such request")
    fake.approvals["none"] = answers.approval("none")
    await console.page.get_by_role("button", name="Try again").click()
    await expect(console.main.locator(".runs")).to_be_visible()
    console.troubles.clear()  # the browser logs the answer's status


async def test_who_is_nobody_goes_straight_on_and_comes_back_to_where_they_were(fake: Fake, tab: Tab) -> None:
    fake.me = None
    console = await tab(Console)
    await console.open("approvals/k3v9x2m7qd")
    await expect(console.main.locator(".runs")).to_be_visible()
    assert fake.searched == [{}]
    console.troubles.clear()  # the browser logs the answers' status


async def test_of_several_tenants_one_is_named_by_who_logs_in(fake: Fake, tab: Tab) -> None:
    fake.me, fake.several = None, True
    console = await tab(Console)
    await console.open("approvals/k3v9x2m7qd")
    await expect(console.main.get_by_role("alert")).to_have_text("This bastion has several tenants: say which one.")
    await console.type("acme")
    await console.press("Enter")
    await expect(console.main.locator(".runs")).to_be_visible()
    assert fake.searched == [{}, {"tenant": "acme"}]
    fake.me = None
    await console.open("approvals/k3v9x2m7qd")
    await expect(console.main.locator(".runs")).to_be_visible()
    assert fake.searched[2:] == [{"tenant": "acme"}]  # it is kept
    console.troubles.clear()  # the browser logs the answers' status


async def test_who_logs_out_is_not_led_in_again(fake: Fake, tab: Tab) -> None:
    console = await tab(Console)
    await ready(console, "approvals/k3v9x2m7qd")
    await console.page.locator(".me summary").click()
    await console.page.get_by_role("button", name="Log out").click()
    await expect(console.main.locator("h1")).to_have_text("Log in")
    await expect(console.page.get_by_label("Tenant")).to_have_count(0)
    assert fake.searched == []
    await console.press("Enter")
    await expect(console.main.locator("h1")).to_have_text("Approvals")
    console.troubles.clear()  # the browser logs the answers' status


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("begun", "No login was begun in this browser"),
        ("refused", "did not vouch"),
        ("<b>call 0800</b>", "You are not logged in."),
        ("__proto__", "You are not logged in."),
    ],
)
async def test_a_login_that_failed_is_told_in_our_own_words(fake: Fake, tab: Tab, problem: str, words: str) -> None:
    fake.me = None
    console = await tab(Console)
    await console.page.goto(f"{fake.url}?{urlencode({'problem': problem})}")
    await expect(console.main.get_by_role("alert")).to_contain_text(words)
    assert "0800" not in await console.main.inner_text()
    assert fake.searched == []  # and nobody goes round
    console.troubles.clear()  # the browser logs the answers' status


async def test_a_notices_link_names_its_tenant(fake: Fake, tab: Tab) -> None:
    console = await tab(Console)
    await console.open("approvals/k3v9x2m7qd?tenant=acme")
    await expect(console.main.locator(".runs")).to_be_visible()
    await console.open("approvals/k3v9x2m7qd?tenant=other")
    await expect(console.main).to_contain_text("This is of tenant other, and you are logged in to acme.")
    fake.me = None
    await console.open("approvals/k3v9x2m7qd?tenant=other")
    await expect(console.main).to_contain_text("This is of tenant other")
    assert fake.searched == [{"tenant": "other"}]
    fake.me = None
    await console.open("login/acme")
    await expect(console.page.get_by_label("Tenant")).to_have_value("acme")
    console.troubles.clear()  # the browser logs the answers' status


async def test_who_is_logged_out_elsewhere_is_led_to_the_login(fake: Fake, tab: Tab) -> None:
    console = await tab(Console)
    await ready(console, "approvals/k3v9x2m7qd")
    fake.me, fake.several = None, True
    fake.cut()
    await expect(console.main.locator("h1")).to_have_text("Log in")
    console.troubles.clear()  # the browser logs the answers' status


async def test_a_stream_that_comes_back_at_once_alarms_nobody(fake: Fake, tab: Tab) -> None:
    """But what happened meanwhile is asked for."""
    console = await tab(Console)
    await ready(console, "approvals")
    fake.approvals["new0000001"] = answers.approval("new0000001")
    fake.cut()
    await expect(console.main.locator(".card")).to_have_count(2)
    await expect(console.page.locator("#state")).to_be_empty()


async def test_lists_are_gone_through_by_keyboard_alone(tab: Tab) -> None:
    console = await tab(Recordings)
    await ready(console, "sessions")
    await console.press("j", "Enter")
    await expect(console.page.locator(".ap-player")).to_be_visible()
    await console.press("3")
    await expect(console.rows).to_have_count(1)
    await console.press("j", "Enter")
    await expect(console.commands).to_have_count(3)
    await expect(console.commands.first).to_be_enabled()
    await console.press("j", "j", "Enter")
    await expect(console.played).to_contain_text("shadow")
