"""A process to be killed: it records and audits as fast as it can, and tells on stdout what it was promised.

python -m tests.laws.recorded_load audit FILE          a line `SEQ` for each event whose write has returned
python -m tests.laws.recorded_load record DIRECTORY    a line `SESSION COUNT` for each output that has returned
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import sys
import time
from pathlib import Path

from bastion.audit.events import ConnectionRefused, Revoked
from bastion.audit.log import AuditLog
from bastion.recording.recorder import Recordings
from tests.core.test_asciicast_encoder import HEAD

SESSIONS = 3


def promise(line: str) -> None:
    """One write to a pipe: there when it returns, whatever becomes of this process."""
    os.write(1, line.encode() + b"\n")


async def audit(path: Path) -> None:
    log = AuditLog.open(path, clock=time.time)

    async def writer(name: str) -> None:
        for number in range(1_000_000):
            log.write_soon(ConnectionRefused(source="192.0.2.1", reason="noise"))
            await log.write(Revoked(entry=f"{name}-{number}", sessions=number))
            promise(f"{name}-{number}")

    await asyncio.gather(*(writer(f"w{number}") for number in range(8)))


def record(directory: Path) -> None:
    recordings = Recordings(directory, flush_seconds=0.01)
    chance = random.Random(os.getpid())  # noqa: S311 - a load, not a secret
    for session in range(1_000_000):
        recorders = [recordings.open(dataclasses.replace(HEAD, session=f"s{session}-{n}")) for n in range(SESSIONS)]
        for count in range(chance.randrange(1, 100)):
            for recorder in recorders:
                recorder.output(count % 2, b"[%d]" % count + b"\xe2\x82\xac" * chance.randrange(5000))
                promise(f"{Path(recorder.name).stem} {count}")
        for recorder in recorders:
            recorder.close()


if __name__ == "__main__":
    if sys.argv[1] == "audit":
        asyncio.run(audit(Path(sys.argv[2])))
    else:
        record(Path(sys.argv[2]))
