"""The store, joined to sessions: none begins that it does not know of, and what it is told of reaches them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.approvals.request import Person
from bastion.errors import StoreDown
from bastion.identity import revocation
from bastion.keeping import TAKEN_FOR_GONE, Keeping
from bastion.kept import Certificate
from bastion.recording.mend import Mended
from bastion.recording.recorder import Closed
from bastion.store.sessions import LOST
from bastion.store.store import Store
from tests.services.gate_house import House, Trail
from tests.services.store.house import Notices

CLOSED = Closed("acme/2026/01/31/5e55.cast", "ab" * 32, 100, 3, 1.5, 2)


def nobody(_: Person) -> None:
    """Who is revoked."""


def kept(store: Store, folder: Path, end: Callable[[str, str], None] = lambda _session, _reason: None) -> Keeping:
    return Keeping(store, "here", Trail(), Notices(), lambda _tenant, _id: "", end, nobody, folder / "r.jsonl")


class Place:
    """A store in a file, and the sessions that were ended."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self.ended: asyncio.Queue[tuple[str, str]] = asyncio.Queue()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")

    def end(session: str, reason: str) -> None:
        made.ended.put_nowait((session, reason))

    made = Place(kept(store, tmp_path, end))
    await made.keeping.start()
    yield made
    await made.keeping.stop()


async def test_a_session_is_known_from_its_begin_to_its_end(place: Place, tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    context = await House(tmp_path / "house").context()
    sessions = place.keeping.store.sessions
    await place.keeping.begin(context, "5e55", "exec", b"uptime")
    (live,) = await sessions.page("acme", True, None, 10)
    assert (live.id, live.identity, live.target, live.command, live.instance) == (
        *("5e55", "agent-1", "web-1"),
        *(b"uptime", "here"),
    )
    await place.keeping.over(context, "5e55", 3, "exit", CLOSED)
    assert await sessions.page("acme", True, None, 10) == []
    (past,) = await sessions.page("acme", False, None, 10)
    assert (past.status, past.reason, past.recording) == (3, "exit", CLOSED.name)
    (recording,) = await place.keeping.store.recordings.page("acme", None, 10)
    assert (recording.sha256, recording.commands, recording.path) == (CLOSED.sha256, 2, CLOSED.name)


async def test_who_wants_a_session_to_end_reaches_it(place: Place, tmp_path: Path) -> None:
    """Also from another process on the same store; once."""
    (tmp_path / "house").mkdir()
    context = await House(tmp_path / "house").context()
    await place.keeping.begin(context, "5e55", "shell", b"")
    other = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    try:
        assert await other.sessions.request_end("acme", "5e55", 1.0, "enough")
        async with asyncio.timeout(5):
            assert await place.ended.get() == ("5e55", "enough")
        assert await other.sessions.request_end("acme", "5e55", 2.0, "again")
    finally:
        await other.close()
    assert place.ended.empty()


async def test_what_an_earlier_life_had_open_is_over(place: Place, tmp_path: Path) -> None:
    """A process that comes back under its name finds none of its sessions alive."""
    (tmp_path / "house").mkdir()
    context = await House(tmp_path / "house").context()
    await place.keeping.begin(context, "5e55", "shell", b"")
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    again = kept(store, tmp_path)
    await again.start()
    (past,) = await store.sessions.page("acme", False, None, 10)
    assert "gone" in past.reason
    await again.stop()


async def test_what_was_mended_is_in_the_catalogue(place: Place, tmp_path: Path) -> None:
    """With the session that it is of, which is over; a torn one is not, nor is the store told of what it never knew."""
    (tmp_path / "house").mkdir()
    await place.keeping.begin(await House(tmp_path / "house").context(), "5e55", "exec", b"uptime")
    found = Mended("acme", "5e55", CLOSED.name, 7, CLOSED.size, CLOSED.sha256, 1_800_000_000, 1.5, 2)
    torn = Mended("acme", "70aa", "acme/2026/01/31/70aa.cast.torn", 7, 0, "")
    for mended in (found, torn, replace(found, session="0def")):
        await place.keeping.mended(mended)
    (past,) = await place.keeping.store.sessions.page("acme", False, None, 10)
    assert (past.id, past.status, past.reason, past.recording) == ("5e55", None, LOST, CLOSED.name)
    recordings = await place.keeping.store.recordings.page("acme", None, 10)
    assert {recording.session for recording in recordings} == {"5e55", "0def"}
    assert (recordings[0].path, recordings[0].sha256) == (CLOSED.name, CLOSED.sha256)
    assert (recordings[0].started, recordings[0].duration, recordings[0].commands) == (1_800_000_000.0, 1.5, 2)


async def test_without_the_store_nothing_begins(place: Place, tmp_path: Path) -> None:
    """Law 3; and an end that can not be kept is no failure of what has ended."""
    (tmp_path / "house").mkdir()
    context = await House(tmp_path / "house").context()
    with sqlite3.connect(tmp_path / "store.db") as broken:
        broken.execute("DROP TABLE sessions")
    broken.close()
    with pytest.raises(StoreDown):
        await place.keeping.begin(context, "5e55", "exec", b"uptime")
    await place.keeping.over(context, "5e55", 0, "exit", CLOSED)


async def test_a_certificate_that_is_revoked_elsewhere_is_revoked_here(place: Place, tmp_path: Path) -> None:
    """Once, in the file that this process reads its revocations from."""
    revocation.make(tmp_path / "r.jsonl")
    other = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    later = time.time() + 600
    certificate = Certificate("acme", 7, "agent-1", "i", "s", ("agent-1",), "SHA256:x", "192.0.2.1", 0.0, later)
    try:
        await other.certificates.issued(certificate)
        await other.certificates.revoked("acme", 7, time.time(), "lost")
        async with asyncio.timeout(5):
            while not (found := revocation.entries(tmp_path / "r.jsonl", "acme")):
                await place.keeping.store.changes.read()
        await other.certificates.revoked("acme", 7, time.time(), "lost again")
    finally:
        await other.close()
    assert [(entry.serial, entry.reason) for entry in found] == [(7, "lost")]


async def test_what_was_revoked_elsewhere_while_this_one_did_not_run_is_revoked_here(tmp_path: Path) -> None:
    revocation.make(tmp_path / "r.jsonl")
    other = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    later = time.time() + 600
    for serial, until in ((7, later), (8, time.time() - 1), (9, later)):
        await other.certificates.issued(
            Certificate("acme", serial, "agent-1", "i", "s", ("agent-1",), "SHA256:x", "192.0.2.1", 0.0, until)
        )
    for serial in (7, 8):
        await other.certificates.revoked("acme", serial, time.time(), "lost")
    keeping = kept(other, tmp_path)
    await keeping.start()
    async with asyncio.timeout(5):
        while not (found := revocation.entries(tmp_path / "r.jsonl", "acme")):
            await other.changes.read()
    await keeping.stop()
    assert [(entry.serial, entry.reason) for entry in found] == [(7, "lost")]


async def test_what_is_not_foreseen_is_told_and_ends_no_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bastion.keeping.LOOK_EVERY", "bastion.background.LONGEST"):
        monkeypatch.setattr(name, 0.01)
    keeping = kept(await Store.open(f"sqlite:///{tmp_path / 'store.db'}"), tmp_path)
    await keeping.start()
    assert keeping.problems == []

    async def odd(*_: object) -> int:
        raise ValueError("odd")

    async with asyncio.timeout(10):
        with monkeypatch.context() as broken:
            broken.setattr(keeping.store.sessions, "taken_for_lost", odd)
            broken.setattr(keeping.store.certificates, "revoked_live", odd)
            while keeping.problems != ["looking after sessions fails", "learning what other bastions revoke fails"]:
                await keeping.store.changes.read()
        while keeping.problems:
            await keeping.store.changes.read()
    await keeping.stop()


async def test_one_that_stood_still_ends_what_others_took_for_lost(place: Place, tmp_path: Path) -> None:
    """And takes none of them for gone at once, who may have been kept from the store as well."""
    (tmp_path / "house").mkdir()
    context = await House(tmp_path / "house").context()
    keeping = place.keeping
    for session in ("5e55", "5e56"):
        await keeping.begin(context, session, "shell", b"")
    await keeping.over(context, "5e56", 0, "exit", CLOSED)
    other = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    try:
        now = time.time()
        await other.overview.seen("there", now)
        assert await other.sessions.lost(now, now + 1, ()) == 1
        (found,) = await other.sessions.page("acme", False, None, 1)
        await other.sessions.begin(replace(found, id="there", instance="there", started=now, ended=None, reason=""))
        await other.overview.seen("there", now - 60)
    finally:
        await other.close()
    keeping._seen = now - 60
    await keeping._look()
    assert place.ended.get_nowait() == ("5e55", TAKEN_FOR_GONE)
    assert place.ended.empty()
    assert [one.id for one in await keeping.store.sessions.page("acme", True, None, 9)] == ["there"]
    keeping._back = now - 60
    await keeping._look()
    assert await keeping.store.sessions.page("acme", True, None, 9) == []


async def test_what_the_revoked_asked_for_is_ended_however_often_it_fails(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, in whatever order."""
    ended: list[int] = []
    done = asyncio.Event()
    failing = [StoreDown("down"), ValueError("odd"), StoreDown("down")]

    async def revoked(_: str, *, serial: int) -> None:
        if failing:
            raise failing.pop()
        ended.append(serial)
        if len(ended) == 2:
            done.set()

    monkeypatch.setattr(place.keeping._upkeep, "identity_revoked", revoked)
    for serial in (7, 8):
        entry = revocation.Revocation("acme", "lost", "2026-01-31T12:00:00Z", serial=serial)
        place.keeping.revoked([entry])
    async with asyncio.timeout(10):
        while place.keeping._hit:
            place.keeping._more_hit.set()
            await place.keeping.store.changes.read()
        await done.wait()
    assert sorted(ended) == [7, 8]


async def test_an_end_that_could_not_be_kept_is_kept_later(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "house").mkdir()
    context = await House(tmp_path / "house").context()
    sessions = place.keeping.store.sessions
    await place.keeping.begin(context, "5e55", "exec", b"uptime")
    with monkeypatch.context() as broken:

        async def down(*_: object) -> None:
            raise StoreDown("down")

        broken.setattr(sessions, "end", down)
        await place.keeping.over(context, "5e55", 3, "exit", CLOSED)
    assert len(await sessions.page("acme", True, None, 10)) == 1
    async with asyncio.timeout(10):
        while await sessions.page("acme", True, None, 10):
            await place.keeping.store.changes.read()
    (past,) = await sessions.page("acme", False, None, 10)
    assert (past.status, past.reason) == (3, "exit")
