"""Two tenants of one bastion, each with its person in a browser: neither ever sees anything of the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from bastion.demo.issuer import DevelopmentIssuer
from tests.console.pages import Approvals
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import AGENT, GOOD, Client
from tests.system.harness.sshd import Sshd

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

TENANTS = ("acme", "globex")
POLICY = """\
version: 1
rules:
  - {{id: {tenant}-look, effect: allow, who: {{groups: [agents]}}, commands: ["echo **"]}}
  - id: {tenant}-makes
    effect: approve
    who: {{groups: [agents]}}
    commands: ["printf **"]
    approval: {{by: [sre], within: 10m, grants: 10m}}
"""
PAGES = {
    "sessions": "agent-1",
    "recordings": "agent-1",
    "audit": "{}-makes",
    "policies": "tests.yaml",
    "grants": "{}-makes",
}
"""And what of their own is there."""
ROLES = {"operator": ["sre"], "approver": ["sre"], "auditor": ["sre"]}


@dataclass
class Two:
    bastion: Bastion
    clients: dict[str, Client]
    people: dict[str, Approvals]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.bastion.api_port}/"


@pytest.fixture(scope="module")
def issuers() -> Iterator[dict[str, str]]:
    """One for each tenant, each with a person of the same name in the same group."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = {tenant: DevelopmentIssuer({}, people={"rev": {"groups": ["sre"]}}) for tenant in TENANTS}
    yield {tenant: asyncio.run_coroutine_threadsafe(one.start(), loop).result(20) for tenant, one in made.items()}
    for one in made.values():
        asyncio.run_coroutine_threadsafe(one.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, issuers: dict[str, str]) -> Iterator[Bastion]:
    folder: Path = tmp_path_factory.mktemp("two")
    with Sshd(folder / "target") as target:
        made = Bastion(folder / "bastion", tenants=TENANTS)
        for tenant in TENANTS:
            made.write_policy(POLICY.format(tenant=tenant), tenant=tenant)
            made.settings["tenants"][tenant] |= {
                "issuers": [_issuer(issuers[tenant], tenant)],
                "console": {"issuer": issuers[tenant], "client-id": "console"},
                "roles": ROLES,
            }
        made.write_inventory([Target.of("web-1", target)], tenant=TENANTS[0])
        with Sshd(folder / "other") as other:
            made.write_inventory([Target.of("web-1", other)], tenant=TENANTS[1])
            with made as bastion:
                yield bastion


def _issuer(url: str, tenant: str) -> dict[str, Any]:
    return {
        "issuer": url,
        "audience": [f"bastion-{tenant}"],
        "algorithms": ["ES256"],
        "principals": ["{sub}"],
        "groups": ["{groups}"],
    }


@pytest_asyncio.fixture(loop_scope="session")
async def two(browser: Browser, served: Bastion, tmp_path: Path) -> AsyncIterator[Two]:
    clients = {
        tenant: Client(
            tmp_path / tenant,
            served,
            paper=replace(GOOD, identity=replace(AGENT, tenant=tenant), signer=f"{tenant}-user-ca"),
        )
        for tenant in TENANTS
    }
    made = Two(served, clients, {})
    contexts = []
    for tenant in TENANTS:
        context = await browser.new_context()
        contexts.append(context)
        person = Approvals(await context.new_page(), made.url)
        await person.page.goto(made.url)
        await person.page.get_by_label("Tenant").fill(tenant)
        await person.press("Enter")
        await person.page.get_by_role("button", name="rev").click()
        await expect(person.page.locator(".me summary")).to_contain_text(tenant)
        person.troubles.clear()  # the browser logs that nobody was logged in at first
        made.people[tenant] = person
    yield made
    for context in contexts:
        await context.close()


async def test_each_sees_its_own_and_nothing_of_the_other(two: Two) -> None:
    """Live, and on every page; and the address of what is the other's shows nothing of it."""
    one, other = (two.people[tenant] for tenant in TENANTS)
    for person in (one, other):
        await person.open("approvals")
        await expect(person.main).to_contain_text("Nothing waits for you")
    asking = {tenant: two.clients[tenant].popen("web-1", f"printf only-{tenant}") for tenant in TENANTS}
    for tenant, person in two.people.items():
        await expect(person.page.locator(".card")).to_have_count(1)
        await expect(person.page.locator(".card")).to_contain_text(f"only-{tenant}")
        await expect(person.pending).to_have_text("1")
    (id,) = [one["approval"] for one in two.bastion.audit("approval-requested") if one["tenant"] == TENANTS[1]]
    session = next(one["session"] for one in two.bastion.audit("approval-requested") if one["tenant"] == TENANTS[1])
    for place in (f"approvals/{id}", f"sessions/{session}", f"recordings/{session}"):
        await one.open(place)
        await expect(one.main).to_contain_text("no such")
        await expect(one.main).not_to_contain_text("only-globex")
    await one.open(f"approvals/{id}?tenant=globex")
    await expect(one.main).to_contain_text("This is of tenant globex, and you are logged in to acme.")
    one.troubles.clear()  # the browser logs that there is nothing
    for tenant, person in two.people.items():
        await person.open("approvals")
        await person.page.locator(".card").click()
        await expect(person.page.locator(".runs")).to_be_visible()
        await person.grant("yes")
        out, _ = await asyncio.to_thread(asking[tenant].communicate)
        assert (asking[tenant].returncode, out) == (0, f"only-{tenant}".encode())
    for tenant, person in two.people.items():
        foreign = next(name for name in TENANTS if name != tenant)
        for place, own in PAGES.items():
            await person.open(place)
            if place == "sessions":
                await person.page.get_by_label("Which").select_option("All")
            await expect(person.page.locator(".loading")).to_have_count(0)
            await expect(person.main).to_contain_text(own.format(tenant))
            text = await person.main.inner_text()
            assert f"{foreign}-" not in text
            assert f"only-{foreign}" not in await person.page.content()
        assert person.troubles == []
