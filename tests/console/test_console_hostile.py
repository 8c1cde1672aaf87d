"""What agents, clients and targets wrote is text: it is seen whole, it does nothing, and no terminal but the player's
reads it."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.console import answers
from tests.console.answers import HOSTILE, HOSTILE_CAST, MARKUP, RIGHT_TO_LEFT
from tests.console.conftest import Tab
from tests.console.fake import Fake
from tests.console.harmless import harmless
from tests.console.pages import Approvals, Audit, Console, Recordings, Sessions

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_a_hostile_command_is_shown_whole_and_does_nothing(fake: Fake, tab: Tab) -> None:
    fake.ask(
        id="hostile001",
        text=HOSTILE,
        identity=f"eve{RIGHT_TO_LEFT}{MARKUP}",
        rule=MARKUP,
        reason=HOSTILE,
        written=MARKUP,
    )
    console = await tab(Approvals)
    await console.look_at("hostile001")
    shown = await console.runs.inner_text()
    for seen in (
        MARKUP,
        "\\x1b[31mred",
        "\\x1b]52;c;",
        "\\x1b]8;;",
        "\\u{202e}fdp.exe",
        "\\u{200b}",
        "\\u{2066}",
        "\\x00",
        "\\x9b",
    ):
        assert seen in shown
    await expect(console.runs.locator(".hidden-char").first).to_have_attribute("title", "U+001B escape")
    await harmless(console.page)
    await console.press("a")
    await expect(console.dialog.locator("pre")).to_contain_text("\\u{202e}fdp.exe")
    await harmless(console.page)


async def test_escapes_of_the_api_are_told_from_what_was_written_so(fake: Fake, tab: Tab) -> None:
    fake.ask(id="escaped001", text="echo a\\x0arm '\\u{202e}' \\x1b[2J", escaped=True)
    fake.ask(id="written001", text="printf '\\x41'", escaped=False)
    console = await tab(Approvals)
    await console.look_at("escaped001")
    await expect(console.runs.locator(".hidden-char")).to_have_text(["\\x0a", "\\u{202e}", "\\x1b"])
    assert "\n" in await console.runs.inner_text()
    await console.look_at("written001")
    await expect(console.runs).to_have_text("printf '\\x41'")
    await expect(console.runs.locator(".hidden-char")).to_have_count(0)


async def test_a_very_long_line_is_shown_to_its_end(fake: Fake, tab: Tab) -> None:
    fake.ask(id="long000001", text="echo '" + "x" * (200 << 10) + "' && rm -rf /the-end")
    console = await tab(Approvals, width=360, height=740)
    await console.look_at("long000001")
    await expect(console.runs).to_contain_text("rm -rf /the-end")
    assert not await console.wide()


async def test_a_text_of_nothing_but_hidden_characters_does_not_flood_the_page(fake: Fake, tab: Tab) -> None:
    fake.ask(id="flood00001", text=(RIGHT_TO_LEFT + "a") * 20_000)
    console = await tab(Approvals)
    await console.look_at("flood00001")
    await expect(console.runs).to_contain_text("\\u{202e}a")
    await harmless(console.page)


async def test_names_and_comments_are_text(fake: Fake, tab: Tab) -> None:
    vote = {"person": MARKUP, "approves": True, "comment": HOSTILE, "grant": False, "at": answers.moment(0)}
    fake.approvals["k3v9x2m7qd"] |= {
        "votes": [vote],
        "target": MARKUP,
        "groups": [HOSTILE],
        "why_not": HOSTILE,
        "may_vote": False,
        "may_deny": False,
    }
    console = await tab(Approvals)
    await console.look_at("k3v9x2m7qd")
    await expect(console.detail.locator(".votes")).to_contain_text("onerror=alert(1)")
    await harmless(console.page)


async def test_a_new_request_is_announced_without_what_is_hidden_in_it(fake: Fake, tab: Tab) -> None:
    console = await tab(Approvals)
    await console.open("approvals")
    await expect(console.cards).to_have_count(1)
    fake.ask(id="hostile001", text=HOSTILE, identity=f"eve{RIGHT_TO_LEFT}")
    await expect(console.page.locator("#alerted")).to_contain_text("eve\\u{202e}")
    await harmless(console.page)


async def test_a_hostile_recording_stays_in_its_terminal(fake: Fake, tab: Tab) -> None:
    fake.casts["s-0002"] = HOSTILE_CAST
    console = await tab(Recordings)
    await console.page.context.grant_permissions(["clipboard-read"], origin=fake.url)
    await console.replay("s-0002")
    await expect(console.commands).to_have_count(1)
    await expect(console.commands).to_contain_text("\\u{202e}gpj.exe")
    await console.page.locator(".ap-overlay-start").click()
    await expect(console.screen).to_contain_text("the end")
    assert await console.page.title() == "(1) Recordings · bastion"
    assert await console.page.evaluate("navigator.clipboard.readText()") == ""
    assert await console.page.locator(".ap-wrapper a").count() == 0
    assert "typed-secret" not in await console.page.content()
    await harmless(console.page)
    assert not await console.wide()


async def test_markup_and_directions_on_the_screen_are_text(fake: Fake, tab: Tab) -> None:
    fake.live = [[0.1, "o", f"{MARKUP}\r\n{RIGHT_TO_LEFT}abc\u2066def\u202c\r\n"], [0.2, "m", MARKUP], [0.3, "x", "?"]]
    console = await tab(Sessions)
    await console.follow("s-0001")
    await expect(console.screen).to_contain_text("onerror=alert(1)")
    await expect(console.screen).to_contain_text("abcdef")
    await harmless(console.page)


@pytest.mark.parametrize(
    "cast",
    ["", "{}\n", "[]\n", '{"version": 2, "width": 1e9, "height": 24}\n', answers.PLAIN_CAST + "nonsense\n[1]\n"],
    ids=["empty", "object", "list", "size", "middle"],
)
async def test_what_is_no_recording_is_said_to_be_none(fake: Fake, tab: Tab, cast: str) -> None:
    fake.casts["s-0002"] = cast
    console = await tab(Recordings)
    await console.open("recordings/s-0002")
    await expect(console.main).to_contain_text("It can not be read")


async def test_a_recording_that_is_cut_short_plays(fake: Fake, tab: Tab) -> None:
    fake.casts["s-0002"] = answers.PLAIN_CAST + '[42.0, "o", "cut'
    console = await tab(Recordings)
    await console.replay("s-0002")
    await expect(console.main).to_contain_text("cut short")
    await expect(console.commands).to_have_count(3)


async def test_the_trail_is_text(fake: Fake, tab: Tab) -> None:
    fake.audit = [
        {
            **answers.events()[1],
            "text": json.dumps(HOSTILE),
            MARKUP: MARKUP,
            "effect": "__proto__",
            "problems": [HOSTILE],
        }
    ]
    console = await tab(Audit)
    await console.open("audit")
    await console.rows.locator("summary").click()
    await expect(console.rows).to_contain_text("onerror=alert(1)")
    await harmless(console.page)


async def test_an_address_of_strangers_making_is_text(tab: Tab) -> None:
    console = await tab(Console)
    for place in (f"approvals/{MARKUP}", "%E0%A4%A", "sessions/../../evil", "__proto__"):
        await console.open(place)
        await harmless(console.page)
    console.troubles.clear()  # the browser logs that there are no such requests and sessions


async def test_the_policy_holds_what_the_code_never_does(tab: Tab) -> None:
    """Should a text ever become markup, the policy stops it: tried here from inside."""
    console = await tab(Console)
    await console.open("grants")
    await console.page.evaluate(
        "(markup) => { document.querySelector('main').innerHTML = markup;"
        " const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); }",
        "<img src=x onerror='window.ran = true'><p style='color: red' onclick='1'>x</p><style>p { color: red }</style>",
    )
    await expect(console.main.locator("img")).to_have_count(1)
    assert await console.page.evaluate("window.ran") is None
    assert await console.page.evaluate("getComputedStyle(document.querySelector('main p')).color") != "rgb(255, 0, 0)"
    assert [trouble for trouble in console.troubles if "Content Security Policy" in trouble]
    console.troubles.clear()
