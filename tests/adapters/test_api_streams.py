"""Answers that go on: what changes, and what live sessions show; each ends when whoever has it may not any more, and
none takes a place, or time, from ordinary requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bastion.api import bounds, hub
from bastion.api.callers import COOKIE
from bastion.api.roles import Role
from bastion.approvals.ports import Change
from bastion.audit.events import PolicyRejected, PolicyReloaded
from bastion.errors import NotRecorded, StoreDown
from bastion.recording import follow
from tests.adapters.api_house import House, house
from tests.adapters.api_ports import NOW, head, person

SECONDS = 20
Event = tuple[str, str, Any]
"""Kind, id and data."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


class Reader:
    """Events as a browser's EventSource sees them. `beats` counts comments."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.beats = 0

    async def next(self) -> Event | None:
        """None at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(SECONDS):
            while line := (await self.answer.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line == ":\n":
                    self.beats += 1
                elif line != "\n":
                    fields[name] = value
                elif "data" in fields:
                    return fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])
                else:
                    fields = {}
        return None

    async def all(self) -> list[Event]:
        found = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found


@asynccontextmanager
async def stream(api: House, caller: str, path: str, **headers: str) -> AsyncIterator[Reader]:
    told = {"Authorization": f"Bearer {caller}", **headers}
    async with api.client.get(path, headers=told) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Reader(answer)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  (a counter: there is no event to wait for)
            await asyncio.sleep(0)


def change(number: int, tenant: str, kind: str, subject: str) -> Change:
    return Change(number, tenant, kind, subject)


# -- what changes


async def test_who_follows_is_told_what_changed_in_their_tenant_and_role(api: House) -> None:
    async with stream(api, "acme:viewers", "/v1/events") as viewer, stream(api, "acme:sre", "/v1/events") as approver:
        await until(lambda: len(api.streams) == 2)
        api.feed.changed([change(1, "other", "session", "s0"), change(2, "acme", "request", "r1")])
        api.feed.changed([change(3, "acme", "recording", "s1"), change(4, "acme", "session", "s1")])
        api.feed.heard(PolicyReloaded(tenant="acme", policy="v2", mode="enforce"))
        api.feed.heard(PolicyRejected(tenant="acme", problems=("a", "b")))
        policy = [("policy", {"version": "v2"}), ("policy", {"problems": 2})]
        seen = [await viewer.next() for _ in range(3)]
        assert [(event[0], event[2]) for event in seen if event] == [("session", {"id": "s1"}), *policy]
        seen = [await approver.next() for _ in range(4)]
        expected = [("approval", {"id": "r1"}), ("session", {"id": "s1"}), *policy]
        assert [(event[0], event[2]) for event in seen if event] == expected


async def test_who_comes_back_gets_what_they_missed(api: House) -> None:
    async with stream(api, "acme:viewers", "/v1/events") as first:
        await until(lambda: len(api.streams) == 1)
        for number in range(3):
            api.feed.changed([change(number, "acme", "session", f"s{number}")])
        event = await first.next()
    assert event is not None
    async with stream(api, "acme:viewers", "/v1/events", **{"Last-Event-ID": event[1]}) as second:
        missed = [await second.next() for _ in range(2)]
        assert [one[2]["id"] for one in missed if one] == ["s1", "s2"]


@pytest.mark.parametrize("last", ["x", "0-0", "00000000-1", "é", "-1", "9" * 200])
async def test_who_comes_back_with_what_is_not_known_is_told_to_ask_anew(api: House, last: str) -> None:
    async with stream(api, "acme:viewers", "/v1/events", **{"Last-Event-ID": last}) as reader:
        event = await reader.next()
        assert event is not None
        assert event[0] == "reset"


def test_a_reader_that_is_slower_than_the_ring_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "RING", 5)
    ring = hub.Hub()
    reader = ring.subscribe("acme", lambda: frozenset(Role), "", lambda: None)
    for number in range(5):
        ring.publish("acme", "session", {"id": number}, Role.VIEWER)
    assert len(reader.take()) == 5
    for number in range(6):
        ring.publish("acme", "session", {"id": number}, Role.VIEWER)
    ((_, kind, _),) = reader.take()
    assert (kind, reader.take()) == ("reset", [])
    ring.reset()
    ((_, kind, _),) = reader.take()
    assert (kind, reader.take()) == ("reset", [])
    ring.publish("acme", "session", {"id": 1}, Role.VIEWER)
    assert [kind for _, kind, _ in reader.take()] == ["session"]


def test_while_the_store_is_down_readers_are_told_once(api: House) -> None:
    """And once more when it is back."""
    reader = api.hub.subscribe("acme", lambda: frozenset(Role), "", lambda: None)
    for expected in (["reset"], [], []):
        api.feed.failed(StoreDown("down"))
        assert [kind for _, kind, _ in reader.take()] == expected
    api.feed.restored()
    assert [kind for _, kind, _ in reader.take()] == ["reset"]
    api.feed.failed(StoreDown("down"))
    assert [kind for _, kind, _ in reader.take()] == ["reset"]


async def test_a_stream_with_nothing_to_say_says_so(api: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HEARTBEAT", 0.01)
    async with stream(api, "acme:viewers", "/v1/events") as reader:
        api.feed.changed([])
        waiting = asyncio.ensure_future(reader.next())
        await until(lambda: reader.beats >= 3)
        api.feed.changed([change(1, "acme", "session", "s1")])
        assert (await waiting) is not None


# -- live sessions


async def test_a_live_session_is_seen_from_its_beginning_to_its_end(api: House) -> None:
    recorder = api.files.open(head("acme", "live-acme"))
    recorder.output(0, b"before \x1b[31m\n")
    async with stream(api, "acme:auditors", "/v1/sessions/live-acme/live") as reader:
        first = await reader.next()
        assert first is not None
        assert (first[0], set(first[2])) == ("header", {"version", "width", "height", "timestamp", "title"})
        seen = [await reader.next() for _ in range(2)]  # the empty event that every recording begins with
        assert [event[2][1:] for event in seen if event][1] == ["o", "before \x1b[31m\r\n"]
        recorder.output(0, b"during")
        recorder.marker("uptime")
        seen = [await reader.next() for _ in range(2)]
        assert [event[2][1:] for event in seen if event] == [["o", "during"], ["m", "uptime"]]
        recorder.output(0, b"last")
        await asyncio.to_thread(recorder.close)
        assert [(kind, data[2] if kind == "message" else data) for kind, _, data in await reader.all()] == [
            ("message", "last"),
            ("end", {}),
        ]
    assert [(one["action"], one["on"]) for one in api.audit.told] == [("follow", "live-acme")]
    await until(lambda: len(api.streams) == 0)


async def test_who_is_too_slow_for_a_session_is_told_of_the_gap(api: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "MAX_PAST", 300)
    recorder = api.files.open(head("acme", "live-acme"))
    for number in range(100):
        recorder.output(0, b"line %d" % number)
    async with stream(api, "acme:auditors", "/v1/sessions/live-acme/live") as reader:
        events = [await reader.next() for _ in range(2)]
        assert [event[0] for event in events if event] == ["header", "gap"]
        assert events[1] is not None
        assert events[1][2]["bytes"] > 0
    recorder.abandon()


@pytest.mark.parametrize("session", ["past-acme", "live-acme"])
async def test_what_does_not_live_here_can_not_be_followed(api: House, session: str) -> None:
    """The one is over; of the other nothing is recorded in this process."""
    status, answer, _ = await api.ask("acme:auditors", "GET", f"/v1/sessions/{session}/live")
    assert (status, answer["status"]) == (409, 409)
    assert api.audit.told == []


async def test_nobody_follows_what_can_not_be_told_in_the_trail(api: House) -> None:
    recorder = api.files.open(head("acme", "live-acme"))
    api.audit.error = NotRecorded("the disk is full")
    assert (await api.ask("acme:auditors", "GET", "/v1/sessions/live-acme/live"))[0] == 503
    assert recorder.tap._followers == []
    recorder.abandon()


# -- their bounds


async def test_a_stream_of_one_who_is_revoked_ends_at_once(api: House) -> None:
    async with stream(api, "acme:viewers", "/v1/events") as reader, stream(api, "acme:sre", "/v1/events") as other:
        await until(lambda: len(api.streams) == 2)
        api.tokens.revoked["viewers@acme"] = "left"
        api.api.revoked()
        assert await reader.all() == []
        api.feed.changed([change(1, "acme", "session", "s1")])
        assert await other.next() is not None


async def test_a_stream_ends_with_its_token(api: House) -> None:
    """Also while nothing happens: whoever waits looks up when the time is over, long before the next sign of life."""
    recorder = api.files.open(head("acme", "live-acme"))
    api.tokens.ends = NOW + 0.05
    live = "/v1/sessions/live-acme/live"
    async with stream(api, "acme:viewers", "/v1/events") as changes, stream(api, "acme:auditors", live) as session:
        await until(lambda: len(api.streams) == 2)
        api.now[0] = 0.05
        assert await changes.all() == []
        assert [event[0] for event in await session.all()][:1] == ["header"]
    recorder.abandon()


async def test_a_stream_ends_with_the_browsers_session(api: House) -> None:
    cookie = api.logins.begin(person("acme", "viewers"))
    headers = {"Cookie": f"{api.site.cookie(COOKIE)}={cookie}"}
    async with api.client.get("/v1/events", headers=headers) as answer:
        await until(lambda: len(api.streams) == 1)
        api.logins.end(cookie)
        assert await Reader(answer).all() == []


async def test_a_stream_ends_with_the_role_that_it_takes_and_tells_no_more_than_the_roles_that_are_left(
    api: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy in force names others as approvers from now on, say."""
    recorder = api.files.open(head("acme", "live-acme"))
    roles = frozenset(Role)
    monkeypatch.setattr("bastion.api.roles.Roles.of", lambda *_: roles)
    live = "/v1/sessions/live-acme/live"
    async with stream(api, "acme:sre", "/v1/events") as changes, stream(api, "acme:sre", live) as session:
        await until(lambda: len(api.streams) == 2)
        roles = frozenset({Role.VIEWER})
        api.feed.changed([change(1, "acme", "request", "r1"), change(2, "acme", "session", "s1")])
        event = await changes.next()
        assert event is not None
        assert event[0] == "session"
        recorder.output(0, b"not for them")
        api.streams.wake()
        assert "not for them" not in str(await session.all())
    recorder.abandon()


async def test_a_person_and_a_tenant_have_so_many_streams_and_others_still_get_theirs(
    api: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_STREAMS_A_PERSON", 2)
    monkeypatch.setattr(bounds, "MAX_STREAMS_A_TENANT", 3)
    async with (
        stream(api, "acme:viewers", "/v1/events"),
        stream(api, "acme:viewers", "/v1/events"),
    ):
        status, told, answer = await api.ask("acme:viewers", "GET", "/v1/events")
        assert (status, answer.headers["Retry-After"]) == (429, "5")
        assert told["detail"].startswith("too many streams are open, of you or of your tenant")
        async with stream(api, "acme:sre", "/v1/events"):
            assert (await api.ask("acme:operators", "GET", "/v1/events"))[0] == 429
            assert (await api.ask("acme:operators", "GET", "/v1/sessions"))[0] == 200
            async with stream(api, "other:sre", "/v1/events"):
                pass
    await until(lambda: len(api.streams) == 0)
    async with stream(api, "acme:viewers", "/v1/events"):
        assert len(api.streams) == 1


async def test_a_client_that_is_gone_gives_its_place_back_at_once(api: House) -> None:
    reader, writer = await asyncio.open_connection(*api.address)
    writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer acme:viewers\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert len(api.streams) == 1
    writer.transport.abort()
    await until(lambda: len(api.streams) == 0)


async def test_a_client_that_does_not_read_is_cut(api: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "STREAM_WRITE", 0.2)
    recorder = api.files.open(head("acme", "live-acme"))
    _, writer = await asyncio.open_connection(*api.address, limit=1)
    request = b"GET /v1/sessions/live-acme/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer acme:auditors\r\n\r\n"
    writer.write(request)
    await until(lambda: len(api.streams) == 1)
    async with asyncio.timeout(SECONDS):
        while len(api.streams):
            recorder.output(0, b"x" * 60_000)
            await asyncio.sleep(0)
    recorder.abandon()
    writer.close()


async def test_streams_take_no_place_from_requests(api: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are not cut after the time that an ordinary request has."""
    for connections in api.api._connections:
        connections._per_source = 2
        connections._whole = 0.5
    async with (
        stream(api, "acme:viewers", "/v1/events") as first,
        stream(api, "acme:sre", "/v1/events"),
        stream(api, "acme:operators", "/v1/events"),
    ):
        for _ in range(5):
            assert (await api.ask("acme:viewers", "GET", "/v1/sessions"))[0] == 200
        monkeypatch.setattr(bounds, "HEARTBEAT", 0.2)
        waiting = asyncio.ensure_future(first.next())
        api.streams.wake()
        await until(lambda: first.beats >= 4)  # longer than half a second
        api.feed.changed([change(1, "acme", "session", "s1")])
        assert (await waiting) is not None


async def test_an_old_stream_ends_and_its_client_proves_anew_who_it_is(
    api: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stream(api, "acme:viewers", "/v1/events") as reader:
        await until(lambda: len(api.streams) == 1)
        monkeypatch.setattr(bounds, "STREAM_AGE", 0.0)
        api.streams.wake()
        assert await reader.all() == []


async def test_a_bastion_that_stops_does_not_wait_for_streams(tmp_path: Path) -> None:
    async with house(tmp_path) as made, stream(made, "acme:viewers", "/v1/events") as reader:
        await until(lambda: len(made.streams) == 1)
        async with asyncio.timeout(4):
            await made.api.stop()
        assert await reader.all() == []
