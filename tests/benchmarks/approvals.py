"""How long from a vote to the one who waits, on both stores: decided in the process that holds it, and in another one;
and what five hundred who wait at once cost. The audit trail is a real one, so every step has its fsync, and PostgreSQL
runs durably. The other process is another store, with its own connections, in this one.

Approvals alone: what ssh and the target add is measured with the sessions. BENCH_VOTES (100) makes it shorter or
longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bastion.approvals.asking import Asking, Setting
from bastion.approvals.request import Request
from bastion.approvals.service import Approvals
from bastion.audit.log import AuditLog
from bastion.policy.decision import Approval
from bastion.store.store import Store
from tests import postgres
from tests.benchmarks import measure
from tests.core.approvals_made import bound, person

VOTES = int(os.environ.get("BENCH_VOTES", "100"))
HELD = 500
MARKS = {"sqlite": 0.3, "postgresql": 0.2}
"""Seconds from approval to the command's first byte, of which this is a part."""
_SRE = (Approval(("sre",), 1, 3600),)
_TEXT = b"'systemctl' 'restart' 'web'"


@dataclass
class Figures:
    """Seconds, but for `each`: bytes of memory for each who waits; `making`: until all are held, together."""

    here: Sequence[float]
    there: Sequence[float]
    crowded: Sequence[float]
    making: float
    each: float
    threads: int


class _Quiet:
    """Notices that go nowhere."""

    def requested(self, _: Request) -> None: ...
    def reminded(self, _: Request) -> None: ...
    def settled(self, _: Request) -> None: ...


@dataclass
class _Process:
    store: Store
    approvals: Approvals

    async def held(self, number: int) -> tuple[str, asyncio.Task[float]]:
        """A request of an identity of its own, once it is held; and when it was let through."""
        told: list[str] = []
        held = asyncio.Event()

        def say(line: str) -> None:
            told.append(line)
            held.set()

        who = bound(subject=f"agent-{number}", session=f"s{number}", text=_TEXT * 10)
        asking = Asking(
            who, b"systemctl restart web", "a restart", _SRE, (f"agent-{number}",), ("agents",), "192.0.2.7"
        )

        async def wait() -> float:
            await self.approvals.wait(asking, say)
            return time.perf_counter()

        task = asyncio.create_task(wait())
        await held.wait()
        return told[0].split()[3], task


@asynccontextmanager
async def _process(url: str, trail: AuditLog, name: str) -> AsyncIterator[_Process]:
    store = await Store.open(url)
    setting = Setting(name, time.time, lambda _: None)
    approvals = Approvals(
        *(store.requests, store.grants, store.changes, trail, _Quiet(), setting), lambda _session, _why: None
    )
    running = asyncio.create_task(store.changes.run())
    try:
        yield _Process(store, approvals)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await approvals.close()
        await store.close()


async def figures(url: str, folder: Path) -> Figures:
    trail = AuditLog.open(folder / "audit.log", clock=time.time)
    async with _process(url, trail, "here") as here, _process(url, trail, "there") as there:
        alone = [await _decided(here, here, number) for number in range(VOTES + 5)][5:]
        across = [await _decided(here, there, number) for number in range(1000, 1000 + VOTES)]
        gc.collect()
        before, threads, begin = _resident(), threading.active_count(), time.perf_counter()
        crowd = await asyncio.gather(*(here.held(number) for number in range(2000, 2000 + HELD)))
        making = time.perf_counter() - begin
        gc.collect()
        each = (_resident() - before) / HELD
        threads = threading.active_count() - threads
        crowded = [await _decided(here, here, number) for number in range(3000, 3000 + VOTES)]
        for _, task in crowd:
            task.cancel()
        await asyncio.gather(*(task for _, task in crowd), return_exceptions=True)
    await trail.close()
    return Figures(alone, across, crowded, making, each, threads)


async def _decided(holds: _Process, decides: _Process, number: int) -> float:
    id, task = await holds.held(number)
    begin = time.perf_counter()
    vote = asyncio.create_task(decides.approvals.vote(person(), id, True, ""))
    end = await task
    await vote
    return end - begin


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def both() -> Mapping[str, Figures]:
    with tempfile.TemporaryDirectory(prefix="bastion-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = {"sqlite": asyncio.run(figures(f"sqlite:///{folder}/store.db", folder))}
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(postgres.server(folder / "pg", durable=True))
            url = asyncio.run(server.create("bench"))
            (folder / "second").mkdir()
            found["postgresql"] = asyncio.run(figures(url, folder / "second"))
        return found


def table(found: Mapping[str, Figures] | None = None) -> str:
    """The section for the report; measured now when left out."""
    found = found or both()
    lines = [
        f"| from vote to the one who waits ({VOTES} each) | p50 | p99 | mark, to the first byte |",
        "|---|---|---|---|",
    ]
    for name, figure in found.items():
        for what, seconds in (
            ("decided here", figure.here),
            ("decided in another process", figure.there),
            (f"decided here, {HELD} held", figure.crowded),
        ):
            high, mark = measure.quantile(seconds, 0.99), MARKS[name]
            missed = "" if high <= mark else " (missed)"
            middle = f"{measure.median(seconds) * 1000:.1f} ms"
            lines.append(f"| {name}, {what} | {middle} | {high * 1000:.1f} ms{missed} | {mark * 1000:.0f} ms |")
    lines += ["", f"| {HELD} held at once | all held after | memory each | threads more |", "|---|---|---|---|"]
    for name, figure in found.items():
        each = f"{figure.each / 1024:.1f} KiB"
        lines.append(f"| {name} | {figure.making:.1f} s | {each} | {figure.threads} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
