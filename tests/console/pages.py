"""The console's pages, as tests use them: what a person would press and read. Nothing here knows of the fake API, so
the same objects serve tests against a whole bastion."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect


class Console:
    """A browser's tab with the console in it. `troubles` are what its console said: errors, and violations of the
    Content-Security-Policy. Make it before the first page is loaded."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.troubles: list[str] = []
        page.on("console", lambda said: self.troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", lambda dialog: self.troubles.append(f"a dialog: {dialog.message}"))

    async def open(self, place: str = "") -> None:
        """A page of the console by what stands after `#/`, loaded anew."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.url}#/{place}")
        await expect(self.page.locator("main")).not_to_be_empty()

    async def log_in(self, who: str) -> None:
        """By way of the demo's issuer, from the console's own first page."""
        await self.page.goto(self.url)
        await self.page.get_by_role("button", name=who).click()
        await expect(self.page.locator(".me summary")).to_contain_text(who)
        self.troubles.clear()  # the browser logs that nobody was logged in at first

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text)

    @property
    def main(self) -> Locator:
        return self.page.locator("main")

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]")

    @property
    def pending(self) -> Locator:
        """The number in the bar."""
        return self.page.locator("#pending")

    async def wide(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(
            await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )


class Approvals(Console):
    @property
    def cards(self) -> Locator:
        return self.page.locator(".card")

    def card(self, id: str) -> Locator:
        return self.page.locator(f'.card[data-id="{id}"]')

    @property
    def detail(self) -> Locator:
        return self.page.locator(".detail")

    @property
    def runs(self) -> Locator:
        """What will run, of the request in view."""
        return self.detail.locator(".runs > pre.code")

    async def look_at(self, id: str) -> None:
        await self.open(f"approvals/{id}")
        await expect(self.detail.locator(".head")).to_be_visible()

    async def approve(self, comment: str = "") -> None:
        await self._decide("a", comment)

    async def deny(self, comment: str = "") -> None:
        await self._decide("d", comment)

    async def grant(self, comment: str = "") -> None:
        await self._decide("g", comment)

    async def _decide(self, key: str, comment: str) -> None:
        """By keyboard, for the request in view."""
        await self.press(key)
        await self.dialog.get_by_role("textbox").fill(comment)
        await self.dialog.locator("button[type=submit]").press("Enter")
        await expect(self.dialog).to_have_count(0)

    async def expect_state(self, word: str) -> None:
        await expect(self.detail.locator(".head .badge")).to_contain_text(word)


class Sessions(Console):
    @property
    def rows(self) -> Locator:
        return self.page.locator("tbody tr")

    @property
    def screen(self) -> Locator:
        """The text on the terminal."""
        return self.page.locator(".ap-term-text")

    async def follow(self, id: str) -> None:
        await self.open(f"sessions/{id}")

    async def terminate(self, reason: str) -> None:
        await self.page.get_by_role("button", name="Terminate").click()
        await self.dialog.get_by_role("textbox").fill(reason)
        await self.dialog.get_by_role("button", name="Terminate").click()
        await expect(self.dialog).to_have_count(0)


class Recordings(Console):
    @property
    def rows(self) -> Locator:
        return self.page.locator("tbody tr")

    @property
    def screen(self) -> Locator:
        return self.page.locator(".ap-term-text")

    @property
    def commands(self) -> Locator:
        return self.page.locator("button.jump")

    @property
    def played(self) -> Locator:
        """The command that is being played."""
        return self.page.locator('button.jump[aria-current="true"]')

    async def replay(self, session: str) -> None:
        await self.open(f"recordings/{session}")
        await expect(self.page.locator(".ap-player")).to_be_visible()

    async def jump(self, command: str) -> None:
        await self.commands.filter(has_text=command).click()


class Audit(Console):
    @property
    def rows(self) -> Locator:
        return self.page.locator("tbody tr")

    async def search(self, words: str) -> None:
        """From anywhere on the page, by keyboard."""
        await self.press("Escape", "/")  # out of the field of an earlier search
        await self.type(words)
        await self.press("Enter")


class Policies(Console):
    async def explain(self, command: str) -> Locator:
        """The answer."""
        await self.page.get_by_label("Command").fill(command)
        await self.press("Enter")
        answer = self.page.locator(".answer")
        await expect(answer.locator(".verdict")).to_be_visible()
        return answer


class Grants(Console):
    @property
    def rows(self) -> Locator:
        return self.page.locator("tbody tr")

    async def revoke(self, number: int = 0) -> None:
        await self.rows.nth(number).get_by_role("button", name=re.compile("Revoke")).click()
        await self.dialog.get_by_role("button", name="Revoke").click()
        await expect(self.dialog).to_have_count(0)
