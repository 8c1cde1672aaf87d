"""Sessions, certificates and recordings: what goes in comes out, and each tenant's are its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bastion.approvals.ports import After
from bastion.approvals.request import State, moved
from bastion.errors import NoSuchRequest
from bastion.kept import Certificate, Recording, Session
from bastion.store.sessions import LOST
from bastion.store.store import Store
from tests.core.approvals_made import NOW, no, person, request
from tests.services.store.test_store_changes import Heard
from tests.services.store.test_store_requests import make, nothing, vote

WHO: dict[str, Any] = {"identity": "agent-7", "issuer": "https://issuer.example.com", "subject": "sub"}
SESSION = Session(
    **WHO,
    tenant="acme",
    id="s1",
    connection="c1",
    principals=("agent-7", "repo:acme/web"),
    serial=2**64 - 1,
    source="192.0.2.7",
    target="web-1",
    account="deploy",
    kind="exec",
    command=b"uptime \xff",
    instance="one",
    started=NOW,
)
CERTIFICATE = Certificate(
    **WHO,
    tenant="acme",
    serial=2**63,
    principals=("agent-7",),
    fingerprint="SHA256:x",
    source="192.0.2.7",
    valid_after=NOW,
    valid_before=NOW + 600,
)
RECORDING = Recording("acme", "s1", "acme/s1.cast", "00" * 32, 2**40, 3, NOW, 1.5)


async def test_a_session_lives_and_ends_once(store: Store) -> None:
    await store.sessions.begin(SESSION)
    assert await store.sessions.find("acme", "s1") == SESSION
    assert await store.sessions.page("acme", True, None, 9) == [SESSION]
    await store.sessions.end("acme", "s1", NOW + 5, 0, "the command ended")
    await store.sessions.end("acme", "s1", NOW + 9, 1, "again", "acme/s1.cast")
    over = replace(SESSION, recording="acme/s1.cast", ended=NOW + 5, status=0, reason="the command ended")
    assert await store.sessions.page("acme", True, None, 9) == []
    assert (
        await store.sessions.page("acme", False, None, 9) == await store.sessions.page("acme", None, None, 9) == [over]
    )
    assert await store.sessions.request_end("acme", "s1", NOW + 9, "late") is False


async def test_somebody_wants_a_session_to_end(store: Store) -> None:
    """The process that has it hears of it, and the first reason stays."""
    heard = Heard(store)
    await store.sessions.begin(SESSION)
    assert await store.sessions.request_end("acme", "s1", NOW + 1, "ended by op@acme")
    assert await store.sessions.request_end("acme", "s1", NOW + 2, "ended by another")
    wanted = replace(SESSION, end_requested=NOW + 1, end_reason="ended by op@acme")
    assert await store.sessions.to_end("one") == [wanted]
    assert await store.sessions.to_end("two") == []
    await store.changes.read()
    assert heard.kinds == {"session", "session-end"}
    await store.sessions.end("acme", "s1", NOW + 3, None, "ended by op@acme")
    assert await store.sessions.to_end("one") == []


async def test_what_a_process_had_that_is_gone_is_over(store: Store) -> None:
    """Not what one has that was seen lately."""
    for name in ("one", "two", "three"):
        await store.sessions.begin(replace(SESSION, id=name, instance=name))
    await store.overview.seen("one", NOW)
    await store.overview.seen("two", NOW)
    assert await store.sessions.lost(NOW + 5, NOW - 10, ["two"]) == 2
    assert [session.id for session in await store.sessions.page("acme", True, None, 9)] == ["one"]
    assert {session.reason for session in await store.sessions.page("acme", False, None, 9)} == {LOST}


async def test_another_tenant_has_no_part_in_it(store: Store) -> None:
    await store.sessions.begin(SESSION)
    await store.certificates.issued(CERTIFICATE)
    await store.recordings.closed(RECORDING)
    for page in (store.sessions.page("rival", None, None, 9), store.certificates.page("rival", None, 9)):
        assert await page == []
    assert await store.recordings.page("rival", None, 9) == []
    assert await store.sessions.find("rival", "s1") is None
    assert await store.certificates.find("rival", CERTIFICATE.serial) is None
    assert await store.recordings.find("rival", "s1") is None
    for change in (
        store.sessions.end("rival", "s1", NOW, 0, "", "rival/s1.cast"),
        store.sessions.request_end("rival", "s1", NOW, ""),
        store.certificates.revoked("rival", CERTIFICATE.serial, NOW, ""),
        store.recordings.verified("rival", "s1", NOW, True),
    ):
        with pytest.raises(NoSuchRequest):
            await change
    assert await store.sessions.find("acme", "s1") == SESSION


async def test_a_certificate_is_revoked_once(store: Store) -> None:
    await store.certificates.issued(CERTIFICATE)
    revoked = replace(CERTIFICATE, revoked=NOW + 1, why="laptop lost")
    assert await store.certificates.revoked("acme", CERTIFICATE.serial, NOW + 1, "laptop lost") == revoked
    assert await store.certificates.revoked("acme", CERTIFICATE.serial, NOW + 2, "again") == revoked
    assert await store.certificates.page("acme", None, 9) == [revoked]


async def test_a_recording_is_in_the_catalogue_once(store: Store) -> None:
    """A mended one takes the place of what it was."""
    await store.recordings.closed(RECORDING)
    mended = replace(RECORDING, sha256="11" * 32)
    await store.recordings.closed(mended)
    await store.recordings.verified("acme", "s1", NOW + 9, True)
    verified = replace(mended, verified=NOW + 9, whole=True)
    assert await store.recordings.page("acme", None, 9) == [verified]
    assert await store.recordings.find("acme", "s1") == verified


async def test_what_was_over_long_ago_is_forgotten(store: Store) -> None:
    """Settled requests with their votes, ended sessions, certificates; not what is open or of later."""
    for id in ("old", "new", "open"):
        await make(store, id=id)
    await vote(store, "old", no(person(), NOW + 1))
    await vote(store, "new", no(person(), NOW + 100))
    for id, ended in (("old", NOW + 1), ("new", NOW + 100), ("live", None)):
        await store.sessions.begin(replace(SESSION, id=id, ended=ended))
    await store.certificates.issued(replace(CERTIFICATE, serial=1, valid_before=NOW + 1))
    await store.certificates.issued(replace(CERTIFICATE, serial=2))
    assert await store.overview.prune(NOW + 50) == 1
    assert {found.id for found in await store.requests.page("acme", State, None, 9)} == {"new", "open"}
    assert {found.id for found in await store.sessions.page("acme", None, None, 9)} == {"new", "live"}
    assert [found.serial for found in await store.certificates.page("acme", None, 9)] == [2]
    assert await make(store, id="old") == request(id="old")


@pytest.mark.parametrize("odd", ["\0", "\ud800"])
async def test_words_that_no_database_keeps_are_kept_as_a_sign(store: Store, odd: str) -> None:
    """What a person, a policy or a target says is no error of the store, whatever stands in it."""
    said = f"lost{odd}laptop"
    kept = "lost\N{REPLACEMENT CHARACTER}laptop"
    await store.certificates.issued(CERTIFICATE)
    assert (await store.certificates.revoked("acme", 2**63, NOW, said)).why == kept
    await store.sessions.begin(SESSION)
    await store.sessions.request_end("acme", "s1", NOW, said)
    (wanted,) = await store.sessions.to_end("one")
    await store.sessions.end("acme", "s1", NOW, 1, said)
    over = await store.sessions.find("acme", "s1")
    assert over is not None
    assert (wanted.end_reason, over.reason) == (kept, kept)
    made = await make(store, reason=said)
    await store.requests.change("acme", made.id, lambda one: After(moved(one, State.ENDED, NOW, said)), nothing)
    found = await store.requests.find("acme", made.id)
    assert found is not None
    assert (found.reason, found.why) == (kept, kept)


async def test_a_process_finds_what_others_took_for_lost(store: Store) -> None:
    """Its own, since then, and not what ended otherwise."""
    for id, instance in (("s1", "one"), ("s2", "one"), ("s3", "two")):
        await store.sessions.begin(replace(SESSION, id=id, instance=instance))
    await store.sessions.end("acme", "s2", NOW + 1, 0, "exit")
    assert await store.sessions.lost(NOW + 20, NOW + 5, ()) == 2
    assert [one.id for one in await store.sessions.taken_for_lost("one", NOW)] == ["s1"]
    assert await store.sessions.taken_for_lost("one", NOW + 21) == []
