"""People at the demo: a browser logs in by way of the demo's issuer and sees what their role may; the local operator
comes by the socket; and what they do is in the audit trail."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bastion.api.unix import NAME
from bastion.demo.demo import Demo
from bastion.identity import revocation

pytestmark = pytest.mark.system


@dataclass(slots=True)
class Place:
    demo: Demo
    url: str
    browser: aiohttp.ClientSession

    async def log_in(self, who: str) -> dict[str, Any]:
        """The whole dance, as a browser follows it; who one is then."""
        answer = await self.browser.get(f"{self.url}/v1/login")
        form = dict(re.findall(r'<input type=hidden name=(\w+) value="([^"]*)">', await answer.text()))
        answer = await self.browser.post(str(answer.url).partition("?")[0], data={**form, "person": who})
        assert (answer.status, str(answer.url)) == (200, f"{self.url}/")
        found: dict[str, Any] = await (await self.browser.get(f"{self.url}/v1/me")).json()
        return found

    async def get(self, path: str) -> tuple[int, Any]:
        answer = await self.browser.get(f"{self.url}{path}")
        return answer.status, await answer.json()

    def trail(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.demo.folder / "audit.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    demo = Demo(tmp_path / "demo")
    bound = await demo.start()
    assert bound.api is not None
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        yield Place(demo, f"http://{bound.api[0]}:{bound.api[1]}", browser)
    await demo.stop()


async def test_an_approver_logs_in_and_sees_what_their_role_may(place: Place) -> None:
    assert (await place.get("/v1/targets"))[0] == 401
    me = await place.log_in("rev@demo")
    assert (me["identity"], me["roles"], me["how"]) == ("rev@demo", ["approver", "auditor", "viewer"], "cookie")
    status, targets = await place.get("/v1/targets")
    assert (status, [target["name"] for target in targets["items"]]) == (200, ["demo"])
    status, policy = await place.get("/v1/policies/current")
    assert (status, policy["problems"], policy["mode"]) == (200, [], "enforce")
    assert all("/" not in name for name in policy["files"])
    status, events = await place.get("/v1/audit?kind=person-acted")
    assert (status, [event["action"] for event in events["items"]]) == (200, ["login"])
    assert [event["identity"] for event in place.trail("person-acted")] == ["rev@demo"]


async def test_a_file_with_a_mistake_is_told_without_its_folder(place: Place) -> None:
    policies = place.demo.folder / "policies" / "demo"
    await place.log_in("ops@demo")
    async with place.browser.get(f"{place.url}/v1/events") as events:
        (policies / "broken.yaml").write_text("version: 1\nrules: [{id: x}]\n")
        while b"event: policy" not in (line := await events.content.readline()):
            assert line, "the stream ended"
    _, found = await place.get("/v1/policies/current")
    assert "broken.yaml:2:" in found["problems"][0]
    assert str(place.demo.folder) not in found["problems"][0]


async def test_the_local_operator_comes_by_the_socket(place: Place) -> None:
    socket = place.demo.folder / "bastion" / "state" / NAME
    connector = aiohttp.UnixConnector(str(socket))
    async with aiohttp.ClientSession("http://bastion", connector=connector) as client:
        me = await (await client.get("/v1/me")).json()
        assert (me["how"], me["tenant"], "operator" in me["roles"]) == ("socket", "demo", True)
        assert "bastion_sessions 0" in await (await client.get("/metrics")).text()
        assert (await (await client.get("/readyz")).json())["ready"] is True


async def test_a_revoked_person_is_out_at_once(place: Place) -> None:
    await place.log_in("rev@demo")
    async with place.browser.get(f"{place.url}/v1/events") as events:
        file = place.demo.folder / "bastion" / "state" / "revocations" / "revocations.jsonl"
        entry = revocation.Revocation("demo", "left", "2026-01-31T12:00:00Z", identity="rev@demo")
        revocation.add(file, entry)
        assert b"event:" not in await events.content.read()  # to its end
    assert (await place.get("/v1/me"))[0] == 401
