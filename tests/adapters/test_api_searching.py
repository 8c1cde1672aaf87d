"""The trail searched in a process of its own: what is answered is what stands in it, and nothing here waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.api.aside import AsideFailed
from bastion.api.searching import Searching
from bastion.audit.events import PersonActed
from bastion.audit.log import AuditLog
from bastion.audit.search import Sought
from bastion.recording.recorder import Recordings
from tests.adapters.api_ports import NOW, head


@pytest.fixture
async def searching(tmp_path: Path) -> AsyncIterator[Searching]:
    made = Searching(tmp_path / "audit.jsonl")
    yield made
    await made.stop()


async def test_what_is_written_is_found_while_the_log_is_open(searching: Searching, tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path / "audit.jsonl", clock=lambda: NOW)
    heard: list[str] = []
    log.heard = lambda event: heard.append(event.kind)
    for number in range(5):
        tenant = ("acme", "other")[number % 2]
        await log.write(PersonActed(tenant=tenant, action="follow", on=str(number), source="unix"))
    first = await searching.search(Sought("acme"), None, 2)
    assert [event["on"] for event in first.events] == ["4", "2"]
    second = await searching.search(Sought("acme"), first.next, 2)
    assert ([event["on"] for event in second.events], second.next, second.whole) == (["0"], None, True)
    assert heard == ["person-acted"] * 5
    await log.close()


async def test_markers_and_digests_come_from_there_too(searching: Searching, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_bytes(b"")
    recordings = Recordings(tmp_path / "recordings", flush_seconds=60)
    recorder = recordings.open(head("acme", "s1"))
    recorder.marker("uptime")
    closed = recorder.close()
    recordings.stop()
    found, whole = await searching.commands(recordings.directory, "acme", "s1", closed.name)
    assert ([marker["label"] for marker in found or []], whole) == (["uptime"], True)
    assert await searching.commands(recordings.directory, "other", "s1", closed.name) == (None, False)
    assert await searching.digest("acme", "s1") == (False, "", 0)


async def test_a_trail_that_is_not_there_is_a_failure_and_the_next_search_is_answered(
    searching: Searching, tmp_path: Path
) -> None:
    with pytest.raises(AsideFailed):
        await searching.search(Sought("acme"), None, 2)
    (tmp_path / "audit.jsonl").write_bytes(b"")
    assert (await searching.search(Sought("acme"), None, 2)).events == ()


async def test_the_event_loop_turns_while_a_long_trail_is_searched(searching: Searching, tmp_path: Path) -> None:
    line = b'{"seq":1,"previous":"","time":"2027-01-15T08:00:00.000000Z","kind":"x","tenant":"acme","text":"y"}\n'
    (tmp_path / "audit.jsonl").write_bytes(line * 300_000)
    loop = asyncio.get_running_loop()
    search = asyncio.ensure_future(searching.search(Sought("acme", text="not there"), None, 50))
    worst, last, turns = 0.0, loop.time(), 0
    while not search.done():
        await asyncio.sleep(0)
        worst, last, turns = max(worst, loop.time() - last), loop.time(), turns + 1
    assert search.result().events == ()
    assert turns > 100
    assert worst < 0.5
