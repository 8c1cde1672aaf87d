"""One browser for all tests of the console, with a context of its own for each; and what it talks to: an API of the
test's own (`fake`, `tab`), or the demo of the module (`demo`, `at`)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.console import answers
from tests.console.fake import PLAYER, Fake
from tests.console.pages import Console
from tests.console.served import Served

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",  # tests also run as root, in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Some = TypeVar("Some", bound=Console)
Tab = Callable[..., Awaitable[Any]]
At = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    if not PLAYER.is_dir():
        pytest.fail("the player is not installed: `make test` does it (npm ci in bastion/api/console)")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def fake() -> AsyncIterator[Fake]:
    """An API with one of everything in it."""
    made = Fake()
    past = answers.session("s-0002", live=False, ended=answers.moment(time.time() - 60), status=0)
    made.ask()
    made.sessions = {"s-0001": answers.session(), "s-0002": past}
    made.recordings = {"s-0002": answers.recording()}
    made.casts = {"s-0002": answers.PLAIN_CAST}
    made.grants = {"g-1": answers.grant()}
    made.live = [[0.5, "o", "hello from the target\r\n"]]
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, fake: Fake) -> AsyncIterator[Tab]:
    """Makes a tab of a kind of page: `await tab(Approvals, width=360)`. What its console said must be nothing, unless a
    test takes it out of `troubles`."""
    contexts = []
    tabs: list[Console] = []

    async def make(kind: type[Some], *, width: int = 1280, height: int = 800, scheme: Any = "light") -> Some:
        context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(10_000)
        contexts.append(context)
        made = kind(await context.new_page(), fake.url)
        tabs.append(made)
        return made

    yield make
    for context in contexts:
        await context.close()
    assert [trouble for one in tabs for trouble in one.troubles] == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo, in a process of its own."""
    served = Served(tmp_path_factory.mktemp("served") / "demo").start()
    yield served
    served.stop()


@pytest.fixture(scope="module")
def cookies() -> dict[str, Any]:
    """Who is logged in at the demo, by their name."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def at(browser: Browser, demo: Served, cookies: dict[str, Any]) -> AsyncIterator[At]:
    """Makes a tab of a kind of page, of someone who is logged in at the demo: `await at(Approvals, "rev@demo")`. What
    its console said must be nothing, unless a test takes it out of `troubles`."""
    contexts = []
    tabs: list[Console] = []

    async def make(kind: type[Some], who: str, *, width: int = 1280, height: int = 800, scheme: Any = "light") -> Some:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, storage_state=cookies.get(who)
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        made = kind(await context.new_page(), demo.url)
        tabs.append(made)
        if who not in cookies:
            await made.log_in(who)
            cookies[who] = await context.storage_state()
        return made

    yield make
    for context in contexts:
        await context.close()
    assert [trouble for one in tabs for trouble in one.troubles] == []
