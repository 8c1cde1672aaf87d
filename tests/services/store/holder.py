"""A process of its own on a store: `python -m tests.services.store.holder URL NAME` holds a session and a request in
it, and tells on standard output, a line of JSON each, what it has and what it hears, with the machine's monotonic time.
It ends when its request is decided and its session is to end."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from bastion.approvals.ports import Change
from bastion.kept import Session
from bastion.store.changes import SESSION_END
from tests.services.store.house import Process, Trail, asking


def tell(**what: object) -> None:
    print(json.dumps({**what, "at": time.monotonic()}), flush=True)


def session(name: str) -> Session:
    asked = asking(session=f"session-{name}").bound
    return Session(
        tenant=asked.tenant,
        id=asked.session,
        connection="c1",
        identity=asked.identity,
        issuer=asked.issuer,
        subject=asked.subject,
        principals=("agent-7",),
        serial=asked.serial,
        source="192.0.2.7",
        target=asked.target,
        account=asked.account,
        kind="exec",
        command=b"systemctl restart web",
        instance=name,
        started=time.time(),
    )


async def main(url: str, name: str) -> None:
    process = await Process.start(url, time.time, Trail(), name)
    wanted = asyncio.Event()

    def changed(changes: Sequence[Change]) -> None:
        if any(change.kind == SESSION_END for change in changes):
            wanted.set()

    process.store.changes.subscribe(changed, lambda error: tell(failed=str(error)))
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(process.store.changes.run()), group.create_task(process.upkeep.run())]
        await process.store.sessions.begin(session(name))
        asked = process.ask(asking(session=f"session-{name}"))
        tell(held=await asked.held())
        approved = await asked.task
        tell(approved=approved.request)
        while not (ends := await process.store.sessions.to_end(name)):
            await wanted.wait()
        tell(end=ends[0].end_reason)
        for task in running:
            task.cancel()
    await process.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
