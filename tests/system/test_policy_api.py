"""Policies over the API of a bastion that runs: by a real token, of the policy in force, judged by another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bastion.demo.issuer import DevelopmentIssuer
from tests.system.harness.bastion import TENANT, Bastion
from tests.system.harness.waiting import until

OTHER = "other"
POLICY = "version: 1\nrules: [{id: %s, effect: allow, who: {groups: [agents]}, commands: [uptime]}]\n"


class World:
    def __init__(self, bastion: Bastion, token: str, client: httpx2.AsyncClient) -> None:
        self.bastion = bastion
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    async def post(self, what: str, body: dict[str, Any]) -> httpx2.Response:
        return await self.client.post(f"/v1/policies/{what}", json=body, headers=self.headers, timeout=30)

    def judges(self) -> list[Path]:
        """The processes that the bastion started and that live, by their folders under /proc."""
        listed = Path(f"/proc/{self.bastion.pid}/task/{self.bastion.pid}/children").read_text().split()
        return [Path("/proc") / number for number in listed]


def ended(process: Path) -> bool:
    """Gone, or nothing but an exit status that nobody asked for yet."""
    try:
        return not (process / "cmdline").read_bytes()
    except OSError:
        return True


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    issuer = DevelopmentIssuer({"agent": ("secret", {"groups": ["agents"]})})
    url = await issuer.start()
    bastion = Bastion(tmp_path / "bastion", policy=POLICY % "first", tenants=(TENANT, OTHER))
    bastion.write_policy(POLICY % "of-the-other", tenant=OTHER)
    bastion.settings["tenants"][TENANT]["issuers"] = [
        {
            "issuer": url,
            "audience": ["bastion"],
            "algorithms": ["ES256"],
            "principals": ["{sub}"],
            "groups": ["{groups}"],
        }
    ]
    await asyncio.to_thread(bastion.start)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{bastion.api_port}") as client:
        yield World(bastion, issuer.token("agent"), client)
    await asyncio.to_thread(bastion.stop)
    await issuer.stop()


async def test_the_policy_in_force_answers_and_a_reload_is_heard(world: World) -> None:
    asked = {"command": "uptime", "target": "web-1", "account": "deploy"}
    answer = await world.post("explain", asked)
    assert (answer.status_code, answer.json()["rule"]) == (200, "first")
    assert str(world.bastion.folder) not in answer.text
    world.bastion.write_policy(POLICY % "second")
    await asyncio.to_thread(world.bastion.reloaded, "policy")
    assert (await world.post("explain", asked)).json()["rule"] == "second"


async def test_another_tenants_policy_is_out_of_reach(world: World) -> None:
    for body, query in (({"command": "uptime", "tenant": OTHER}, ""), ({"command": "uptime"}, f"?tenant={OTHER}")):
        answer = await world.post(f"explain{query}", body)
        assert answer.status_code == 401
        assert "of-the-other" not in answer.text


async def test_validating_is_answered_and_the_process_ends_with_the_bastion(world: World) -> None:
    answer = await world.post("validate", {"files": {"a.yaml": "version: 1\nrulse: []\n"}})
    assert [problem["line"] for problem in answer.json()["problems"]] == [2]
    (judge,) = world.judges()
    assert b"bastion.api.judge" in (judge / "cmdline").read_bytes()
    assert await asyncio.to_thread(world.bastion.stop) == 0
    await asyncio.to_thread(until, lambda: ended(judge))


async def test_the_process_ends_with_a_bastion_that_was_killed(world: World) -> None:
    await world.post("validate", {"files": {"a.yaml": "version: 1\n"}})
    (judge,) = world.judges()
    await asyncio.to_thread(world.bastion.kill)
    await asyncio.to_thread(until, lambda: ended(judge))
