"""The API on the real store and the real approvals: what waits in one place is decided over HTTP, and every page and
shape fits what is kept."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bastion.errors import NotApproved
from bastion.kept import Certificate, Recording
from bastion.serving import Kept
from tests.adapters.api_house import House, house
from tests.adapters.api_ports import session
from tests.adapters.test_api_streams import Reader, stream
from tests.core.approvals_made import NOW, SRE
from tests.services.store.house import Clock, Process, Trail, asking


@dataclass(slots=True)
class World:
    api: House
    process: Process


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    process = await Process.start(f"sqlite:///{tmp_path / 'store.db'}", Clock(), Trail())
    store = process.store
    kept = Kept(
        sessions=store.sessions,
        recordings=store.recordings,
        certificates=store.certificates,
        deciding=process.approvals,
        pending=store.overview.pending,
    )
    three = (kept.sessions, kept.recordings, kept.certificates)
    async with house(tmp_path, kept=three, deciding=kept.deciding) as api:
        unsubscribe = store.changes.subscribe(api.feed.changed, api.feed.failed)
        changes = asyncio.create_task(store.changes.run())
        yield World(api, process)
        changes.cancel()
        await asyncio.gather(changes, return_exceptions=True)
        unsubscribe()
    await process.stop()


async def next_of(reader: Reader, kind: str) -> str:
    """The id in the next event of a kind."""
    while (event := await reader.next()) is not None:
        if event[0] == kind:
            return str(event[2]["id"])
    raise AssertionError("the stream ended")


async def test_what_waits_appears_and_runs_when_it_is_approved(world: World) -> None:
    async with stream(world.api, "acme:sre", "/v1/events") as changes:
        asked = world.process.ask(asking())
        id = await asked.held()
        assert await next_of(changes, "approval") == id
        _, listed, _ = await world.api.ask("acme:sre", "GET", "/v1/approvals?state=pending")
        assert [(one["id"], one["may_vote"]) for one in listed["items"]] == [(id, True)]
        status, found, _ = await world.api.ask(
            "acme:sre", "POST", f"/v1/approvals/{id}/approve", json={"comment": "go"}
        )
        assert (status, found["state"]) == (200, "approved")
        approved = await asked.task
        assert (approved.by, approved.request) == (("sre@acme",), id)
        _, found, _ = await world.api.ask("acme:sre", "GET", f"/v1/approvals/{id}")
        assert found["state"] == "used"


async def test_what_is_denied_does_not_run_and_says_why(world: World) -> None:
    asked = world.process.ask(asking())
    id = await asked.held()
    for caller, status in (("acme:operators", 403), ("other:sre", 404)):
        assert (await world.api.ask(caller, "POST", f"/v1/approvals/{id}/deny", json={}))[0] == status
    status, found, _ = await world.api.ask("acme:sre", "POST", f"/v1/approvals/{id}/deny", json={"comment": "not now"})
    assert (status, found["state"], found["why"]) == (200, "denied", "not now")
    with pytest.raises(NotApproved, match="not now"):
        await asked.task
    assert (await world.api.ask("acme:sre", "POST", f"/v1/approvals/{id}/approve", json={}))[0] == 403


async def test_a_grant_is_listed_and_its_revocation_ends_what_runs_under_it(world: World) -> None:
    asked = world.process.ask(asking([dataclasses.replace(SRE, grants=1800)]))
    id = await asked.held()
    await world.api.ask("acme:sre", "POST", f"/v1/approvals/{id}/approve", json={"grant": True})
    await asked.task
    _, listed, _ = await world.api.ask("acme:sre", "GET", "/v1/grants?live=true")
    ((grant, live),) = [(one["id"], one["live"]) for one in listed["items"]]
    assert live is True
    assert (await world.api.ask("other:operators", "POST", f"/v1/grants/{grant}/revoke"))[0] == 404
    status, found, _ = await world.api.ask("acme:operators", "POST", f"/v1/grants/{grant}/revoke")
    assert (status, found["live"]) == (200, False)
    assert (await world.api.ask("acme:operators", "POST", f"/v1/grants/{grant}/revoke"))[0] == 404
    _, listed, _ = await world.api.ask("acme:sre", "GET", "/v1/grants?live=true")
    assert listed["items"] == []
    assert [ended for ended, _ in world.process.ended] == ["s1"]


@pytest.mark.parametrize("id", ["x", "abcdefghjk", "ABCDEFGHJK", "a" * 200, "%00", "..%2f"])
async def test_an_id_of_nothing_is_not_there(world: World, id: str) -> None:
    for route in (f"approvals/{id}", f"sessions/{id}", f"recordings/{id}"):
        assert (await world.api.ask("acme:operators", "GET", f"/v1/{route}"))[0] == 404


async def test_every_page_of_what_is_kept_has_all_of_it_once(world: World) -> None:
    store = world.process.store
    for number in range(5):
        for tenant in ("acme", "other"):
            started = NOW + number // 2
            await store.sessions.begin(session(tenant, f"s{number}", started=started))
            path = f"{tenant}/2027/01/15/s{number}.cast"
            await store.recordings.closed(Recording(tenant, f"s{number}", path, "0" * 64, 4, 1, started, 1.0))
            await store.certificates.issued(
                Certificate(tenant, (1 << 53) - number, "agent-1", "i", "s", ("agent-1",), "SHA256:x", "", started, NOW)
            )
    for route, name in (("sessions", "id"), ("recordings", "session"), ("certificates", "serial")):
        found: list[object] = []
        query: str | None = "?limit=2"
        while query is not None:
            _, page, _ = await world.api.ask("acme:auditors", "GET", f"/v1/{route}{query}")
            assert {one["tenant"] for one in page["items"]} == {"acme"}
            found += [one[name] for one in page["items"]]
            query = f"?limit=2&cursor={page['next']}" if page["next"] else None
        assert len(found) == len(set(found)) == 5, route


async def test_an_end_is_asked_for_where_every_process_sees_it(world: World) -> None:
    store = world.process.store
    await store.sessions.begin(session("acme", "s1", instance="another"))
    async with stream(world.api, "acme:viewers", "/v1/events") as changes:
        why = {"reason": "drill"}
        status, found, _ = await world.api.ask("acme:operators", "POST", "/v1/sessions/s1/terminate", json=why)
        assert (status, found["ending"]) == (202, True)
        assert await next_of(changes, "session") == "s1"
    (wanted,) = await store.sessions.to_end("another")
    assert wanted.end_reason == "ended by operators@acme: drill"
    await store.sessions.end("acme", "s1", NOW, 143, "ended")
    assert (await world.api.ask("acme:operators", "POST", "/v1/sessions/s1/terminate", json=why))[0] == 409


async def test_a_certificate_is_revoked_in_the_store_and_in_the_file(world: World) -> None:
    serial = (1 << 53) - 1
    await world.process.store.certificates.issued(
        Certificate("acme", serial, "agent-1", "i", "s", ("agent-1",), "SHA256:x", "", NOW, NOW + 900)
    )
    path, why = f"/v1/certificates/{serial}/revoke", {"reason": "lost"}
    assert (await world.api.ask("other:operators", "POST", path, json=why))[0] == 404
    status, found, _ = await world.api.ask("acme:operators", "POST", path, json=why)
    assert (status, found["serial"], found["why"]) == (200, serial, "lost")
    assert f'"serial":{serial}' in (world.api.folder / "revocations.jsonl").read_text()
