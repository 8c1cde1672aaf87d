"""The audit log on disk: durable before acknowledged, whole after any end, shut after the first failure."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bastion.audit import budget
from bastion.audit import log as log_module
from bastion.audit.budget import BURST, PATIENCE
from bastion.audit.chain import verify
from bastion.audit.events import AdmissionRefused, ConnectionRefused, Event, LoginRefused, Revoked
from bastion.audit.log import MAX_SOON, AuditLog
from bastion.errors import NotRecorded
from tests.system.harness.waiting import until

NOW = 1_800_000_000.25


def event(number: int) -> Event:
    return Revoked(entry=f"serial {number}", sessions=number)


def noise(number: int) -> Event:
    return ConnectionRefused(source="192.0.2.1", reason=f"garbage {number}")


def refusal(number: int) -> Event:
    """Also written soon, but by someone who proved who they are: no budget holds it back."""
    who: dict[str, Any] = {"tenant": "acme", "identity": "a", "issuer": "i", "subject": "s", "serial": 1}
    place: dict[str, Any] = {"source": "192.0.2.1", "connection": "c0ffee", "target": "none", "account": ""}
    return AdmissionRefused(**who, **place, reason=f"no such target {number}")


def opened(path: Path, monotonic: Callable[[], float] = lambda: 0.0) -> AuditLog:
    return AuditLog.open(path, clock=lambda: NOW, monotonic=monotonic)


def records(path: Path) -> list[dict[str, Any]]:
    """All lines, their chain verified."""
    lines = path.read_bytes().splitlines(keepends=True)
    verify(lines)
    return [orjson.loads(line) for line in lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.jsonl"


@contextlib.contextmanager
def file_limit(size: int) -> Iterator[None]:
    """The operating system takes no byte of any file past `size` (EFBIG; Python ignores SIGXFSZ)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_an_event_is_in_the_file_when_write_returns(path: Path) -> None:
    """One line an event, chained, with its time; the file is private."""
    log = opened(path)
    await log.write(event(1))
    first, *rest = records(path)
    assert not rest
    assert first["kind"] == "revoked"
    assert first["time"] == "2027-01-15T08:00:00.250000Z"
    assert first["seq"] == log.head.seq == 1
    await log.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_durable_before_acknowledged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write` does not return before the disk has said that it has the line."""
    may_go, asked = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(fd: int) -> None:
        asked.set()
        assert may_go.wait(60)
        real(fd)

    log = opened(path)
    monkeypatch.setattr(os, "fdatasync", slow)
    writing = asyncio.ensure_future(log.write(event(1)))
    await asyncio.to_thread(asked.wait, 60)
    assert not writing.done()
    may_go.set()
    await writing
    await log.close()


async def test_many_writers_share_an_fsync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand events at once keep their order, and take a few fsyncs, not a thousand."""
    calls = []
    real = os.fdatasync

    def counted(fd: int) -> None:
        calls.append(fd)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", counted)
    log = opened(path)
    await asyncio.gather(*(log.write(event(number)) for number in range(1000)))
    await log.close()
    assert [record["sessions"] for record in records(path)] == list(range(1000))
    assert len(calls) < 50


async def test_a_second_run_goes_on(path: Path) -> None:
    """Numbers and chain continue over restarts."""
    for run in range(3):
        log = opened(path)
        await log.write(event(run))
        await log.close()
    assert [record["seq"] for record in records(path)] == [1, 2, 3]


async def test_a_cancelled_writer_harms_nobody(path: Path) -> None:
    """Who stops waiting does not take the event back, and the next is written."""
    log = opened(path)
    writing = asyncio.ensure_future(log.write(event(1)))
    await asyncio.sleep(0)
    writing.cancel()
    await log.write(event(2))
    await log.close()
    assert [record["sessions"] for record in records(path)] == [1, 2]


async def test_short_writes_are_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operating system that takes a few bytes at a time gets them all."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:7])))
    log = opened(path)
    await asyncio.gather(*(log.write(event(number)) for number in range(20)))
    await log.close()
    assert len(records(path)) == 20


# -- failures ----------------------------------------------------------------------------------------------------------


async def test_a_full_disk_shuts_the_log(path: Path) -> None:
    """The event that does not fit raises NotRecorded, as does every one after it, also when there is room again."""
    log = opened(path)
    await log.write(event(1))
    with file_limit(path.stat().st_size + 10), pytest.raises(NotRecorded, match="File too large"):
        await log.write(event(2))
    with pytest.raises(NotRecorded, match="File too large"):
        await log.write(event(3))
    log.write_soon(noise(1))
    assert log.failed is not None
    with pytest.raises(NotRecorded):
        await log.close()


async def test_after_a_full_disk_the_log_is_mended(path: Path) -> None:
    """What a failed write left is set aside at the next start, told in the trail, and the chain goes on."""
    log = opened(path)
    await log.write(event(1))
    with file_limit(path.stat().st_size + 10), pytest.raises(NotRecorded):
        await log.write(event(2))
    with pytest.raises(NotRecorded):
        await log.close()
    log = opened(path)
    await log.close()
    assert [(record["kind"], record.get("size")) for record in records(path)] == [
        ("revoked", None),
        ("audit-mended", 10),
    ]
    assert path.with_name("audit.jsonl.torn").read_bytes() == b'{"seq":2,"\n'


async def test_a_disk_that_can_not_keep_shuts_the_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An fsync that fails acknowledges nothing, to all who waited for it, and is not tried again."""
    log = opened(path)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", broken)
    outcomes = await asyncio.gather(*(log.write(event(number)) for number in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, NotRecorded) for outcome in outcomes)
    monkeypatch.undo()
    with pytest.raises(NotRecorded, match="Input/output error"):
        await log.write(event(9))
    with pytest.raises(NotRecorded):
        await log.close()


async def test_those_who_wait_behind_a_failure_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that were still in the queue when the log failed raise too: nobody waits for ever."""
    may_go, asked = threading.Event(), threading.Event()

    def broken(_: int) -> None:
        asked.set()
        assert may_go.wait(60)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log = opened(path)
    monkeypatch.setattr(os, "fdatasync", broken)
    first = asyncio.ensure_future(log.write(event(1)))
    await asyncio.to_thread(asked.wait, 60)
    second = asyncio.ensure_future(log.write(event(2)))
    await asyncio.sleep(0)
    may_go.set()
    outcomes = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 60)
    assert [type(outcome) for outcome in outcomes] == [NotRecorded, NotRecorded]
    with pytest.raises(NotRecorded):
        await log.close()


async def test_a_fault_of_the_writer_shuts_the_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a fault that nobody thought of leaves nobody waiting, and nobody believing."""
    log = opened(path)
    monkeypatch.setattr(log_module, "link", lambda *_: 1 / 0)
    with pytest.raises(NotRecorded, match="ZeroDivisionError"):
        await log.write(event(1))
    with pytest.raises(NotRecorded):
        await log.close()


@pytest.mark.parametrize("harm", ["removed", "replaced", "cut", "added"])
async def test_a_file_that_others_change_shuts_the_log(path: Path, harm: str) -> None:
    """Lines written to a file that nobody will find, or that someone changed, are not acknowledged."""
    log = opened(path)
    await log.write(event(1))
    match harm:
        case "removed":
            path.unlink()
        case "replaced":
            path.rename(path.with_name("moved"))
            path.write_bytes(b"")
        case "cut":
            os.truncate(path, 0)
        case "added":
            with path.open("ab") as file:
                file.write(b"{}\n")
    with pytest.raises(NotRecorded):
        await log.write(event(2))
    with pytest.raises(NotRecorded):
        await log.close()


async def test_a_bad_event_fails_its_caller_only(path: Path) -> None:
    """An event that can not be told raises at once, and the log goes on."""
    log = opened(path)
    wrong: Any = object()
    with pytest.raises(TypeError):
        await log.write(Revoked(entry=wrong, sessions=1))
    await log.write(event(1))
    await log.close()
    assert len(records(path)) == 1


async def test_nothing_is_written_after_close(path: Path) -> None:
    """A closed log refuses, and what waited before is kept."""
    log = opened(path)
    log.write_soon(noise(1))
    await log.close()
    with pytest.raises(NotRecorded, match="stopping"):
        await log.write(event(1))
    assert [record["kind"] for record in records(path)] == ["connection-refused"]


async def test_who_listens_hears_what_is_kept_and_nothing_else(path: Path) -> None:
    """Metrics and the console's events live by it: also what strangers cause."""
    log, heard = opened(path), []
    log.heard = lambda event: heard.append(event.kind)
    await log.write(event(1))
    log.write_soon(noise(1))
    await log.close()
    log.write_soon(noise(2))
    assert heard == [record["kind"] for record in records(path)]


# -- the events of strangers -------------------------------------------------------------------------------------------


async def test_a_flood_is_bounded_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past 1,024 waiting events of strangers more are dropped, a later line counts them, and no other event is lost."""
    may_go, asked = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(fd: int) -> None:
        asked.set()
        assert may_go.wait(60)
        real(fd)

    log = opened(path)
    monkeypatch.setattr(os, "fdatasync", slow)
    log.write_soon(refusal(0))
    await asyncio.to_thread(asked.wait, 60)
    for number in range(MAX_SOON + 100):
        log.write_soon(refusal(number))
    writing = asyncio.ensure_future(log.write(event(1)))
    await asyncio.sleep(0)
    may_go.set()
    await writing
    await log.close()
    kinds = [record["kind"] for record in records(path)]
    assert kinds.count("admission-refused") == 1 + MAX_SOON
    assert kinds.count("revoked") == 1
    assert [record["count"] for record in records(path) if record["kind"] == "events-dropped"] == [100]


async def test_a_source_has_a_budget_and_what_is_over_is_told(path: Path) -> None:
    """Strangers cost the trail a bounded number of lines; those who proved who they are lose none by it."""
    now = 0.0
    log = opened(path, lambda: now)
    for number in range(1000):
        log.write_soon(noise(number))
    log.write_soon(LoginRefused(source="192.0.2.1", connection="c0ffee", user="x", reason="expired"))
    log.write_soon(refusal(1))
    await log.write(event(1))
    kinds = [record["kind"] for record in records(path)]
    assert kinds == ["connection-refused"] * BURST + ["admission-refused", "revoked"]
    now = PATIENCE
    await log.write(event(2))
    dropped = [record for record in records(path) if record["kind"] == "events-dropped"]
    assert [(record["count"], record["sources"]) for record in dropped] == [(971, ["192.0.2.1 971"])]
    await log.close()
    assert len(records(path)) == BURST + 4


async def test_what_is_over_is_told_when_nothing_else_happens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread wakes by itself when the summary is due: a flood that has calmed does not stay untold."""
    monkeypatch.setattr(budget, "PATIENCE", 0.2)
    log = opened(path, time.monotonic)
    for number in range(BURST + 500):
        log.write_soon(noise(number))
    await asyncio.to_thread(until, lambda: b"events-dropped" in path.read_bytes())
    await log.close()


async def test_what_is_over_is_told_at_the_end(path: Path) -> None:
    log = opened(path)
    for number in range(BURST + 5):
        log.write_soon(noise(number))
    await log.close()
    last = records(path)[-1]
    assert (last["kind"], last["count"], last["sources"]) == ("events-dropped", 5, ["192.0.2.1 5"])
