"""What an agent asks for and what its programs print, made to deceive or to do harm, through the whole demo: it is seen
as what it is, and does nothing."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.console.conftest import At
from tests.console.harmless import harmless
from tests.console.pages import Approvals, Audit, Console, Recordings, Sessions
from tests.console.served import Served, ended
from tests.system.terminal import Terminal

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

MARKUP = "<img src=x onerror=alert(1)></pre><script>alert(2)</script>"
SPELT = r"\x1b]52;c;Y3VybCBldmls\x07 \u{202e} \x00 %1b%5b2J &lt;b&gt;"
"""What looks like the escapes of the API, of addresses and of HTML, and is only a text."""
HEBREW = "safe.\u05d0\u05d1\u05d2/1/2.exe"
"""Letters of a script that runs from right to left: nothing hidden, so it may run, and is drawn in its order."""
PRINTS = (
    r"printf '\033]0;evil\007\033]52;c;Y3VybCBldmls\007\033]8;;https://evil.example/\007click\033]8;;\007"
    r"\033]8;;javascript:alert(3)\007here\033]8;;\007"
    "<img src=x onerror=alert(1)><script>alert(2)</script>"
    r"\342\200\256abc\342\201\246def\033P+q544e\033\\\033[6n\033[?1000h\000\r\nthe end\r\n'"
)
"""A title, the clipboard, links, markup, directions, questions to the terminal, the mouse, and a NUL."""


async def test_a_held_command_line_is_shown_as_text(demo: Served, at: At) -> None:
    console = await at(Approvals, "rev@demo")
    await console.open("approvals")
    asking = await demo.ask(f"ps '{MARKUP}' '{SPELT}' '{HEBREW}' $'two\\nlines'")
    await expect(console.page.locator("#alerted")).to_contain_text("onerror=alert(1)")
    await console.cards.click()
    shown = await console.runs.inner_text()
    assert f"'{MARKUP}' '{SPELT}' '{HEBREW}'" in shown
    places = await console.runs.evaluate(
        "(block) => { const found = []; const walk = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);"
        " const range = document.createRange();"
        " while (walk.nextNode()) for (let i = 0; i < walk.currentNode.data.length; i += 1)"
        " if (/[\\u05d0-\\u05d2]/.test(walk.currentNode.data[i])) {"
        " range.setStart(walk.currentNode, i); range.setEnd(walk.currentNode, i + 1);"
        " found.push(range.getBoundingClientRect().left); } return found; }"
    )
    assert len(places) == 3
    assert places == sorted(places)  # drawn from left to right, as it is read
    await harmless(console.page)
    await console.deny(MARKUP)
    found = await ended(asking)
    assert (found.status, MARKUP in found.err) == (125, True)
    await harmless(console.page)


@pytest.mark.parametrize(
    "hidden", ["\x1b[31m", "\u202e", "\x9b2J", "\u200b"], ids=["escape", "bidi", "c1", "invisible"]
)
async def test_what_can_not_be_seen_is_never_held_and_is_in_the_trail_as_text(
    demo: Served, at: At, hidden: str
) -> None:
    console = await at(Audit, "rev@demo")
    mark = f"mark{ord(hidden[0])}"
    found = await demo.run(f"ps '{mark}{hidden}{MARKUP}'")
    assert found.status == 126
    assert hidden not in found.err
    await console.open("audit")
    await console.search(mark)
    await expect(console.rows).to_have_count(1)
    await expect(console.rows).to_contain_text("onerror=alert(1)")
    await console.rows.locator("summary").click()
    await harmless(console.page)


async def test_a_hostile_recording_is_replayed_harmlessly(demo: Served, at: At) -> None:
    assert (await demo.run(PRINTS)).status == 0
    console = await at(Recordings, "rev@demo")
    await console.page.context.grant_permissions(["clipboard-read"], origin=demo.url)
    await console.replay(demo.session_of("evil.example"))
    await expect(console.commands).to_have_count(1)
    await console.page.locator(".ap-overlay-start").click()
    await expect(console.screen).to_contain_text("the end")
    await expect(console.screen).to_contain_text("<script>alert(2)</script>")
    await untouched(console, demo)


async def test_a_hostile_program_is_followed_harmlessly(demo: Served, at: At) -> None:
    console = await at(Sessions, "ops@demo")
    await console.page.context.grant_permissions(["clipboard-read"], origin=demo.url)
    await console.open("sessions")
    with Terminal(demo.ssh("-tt", "-q", "demo")) as person:
        await asyncio.to_thread(person.wait_for, b"# ")
        await console.rows.filter(has_text="agent@demo").get_by_role("link").first.click()
        await expect(console.main).to_contain_text("Following.")
        person.type(PRINTS.encode() + b"\r")
        await expect(console.screen).to_contain_text("<script>alert(2)</script>")
        await expect(console.screen).to_contain_text("the end")
        await untouched(console, demo)


async def untouched(console: Console, demo: Served) -> None:
    page = console.page
    assert "evil" not in await page.title()
    assert await page.evaluate("navigator.clipboard.readText()") == ""
    assert await page.locator(".ap-wrapper a").count() == 0
    assert page.url.startswith(demo.url)
    assert len(page.context.pages) == 1
    await harmless(page)
