"""Law 6, nothing lost: after `kill -9` at any moment, what was promised is on disk, and what is on disk is whole."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from bastion.asciicast.reader import read
from bastion.audit.chain import verify
from bastion.audit.log import AuditLog
from bastion.recording.mend import mend

CHANCE = random.Random(6)  # noqa: S311 - it chooses moments to kill at, not a secret
MOMENTS = [CHANCE.randrange(1, 400) for _ in range(6)]


def killed_under_load(kind: str, path: Path, after: int) -> list[str]:
    """Run the load, kill it at the promise number `after` or a little later, and give all that it promised."""
    command = [sys.executable, "-m", "tests.laws.recorded_load", kind, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        promised = [process.stdout.readline().decode().rstrip("\n") for _ in range(after)]
        process.kill()
        rest = process.stdout.read().decode().splitlines()
        assert process.wait() == -9, "the load ended by itself"
    return promised + rest


def test_no_acknowledged_event_is_missing_or_doubled(tmp_path: Path) -> None:
    """Killed and started again and again on one log: every event whose write returned is there, once, in one chain."""
    path = tmp_path / "audit.jsonl"
    promised: Counter[tuple[int, str]] = Counter()
    found: Counter[tuple[int, str]] = Counter()
    seen = 0
    for round_, after in enumerate(MOMENTS):
        promised.update((round_, name) for name in killed_under_load("audit", path, after))
        log = AuditLog.open(path, clock=lambda: 0.0)  # mends what is torn
        asyncio.run(log.close())
        lines = path.read_bytes().splitlines(keepends=True)
        assert verify(lines) == log.head
        records = [orjson.loads(line) for line in lines[seen:]]
        found.update((round_, record["entry"]) for record in records if record["kind"] == "revoked")
        seen = len(lines)
    assert len(promised) > len(MOMENTS)
    assert not promised - found
    assert max(found.values()) == 1


@pytest.mark.parametrize("after", MOMENTS)
def test_everything_that_was_recorded_is_playable(tmp_path: Path, after: int) -> None:
    """Killed under load: after mending, every recording is read strictly and has every output that had returned."""
    promised = killed_under_load("record", tmp_path, after)
    mended = list(mend(tmp_path))
    shown = {}
    for path in tmp_path.rglob("*.cast"):
        _, events = read(path.read_bytes().splitlines(keepends=True))
        shown[path.stem] = "".join(event.data for event in events if event.code == "o")
    assert mended
    assert len(promised) >= after
    for line in promised:
        session, count = line.split()
        assert f"[{count}]" in shown[session]
    for one in mended:
        assert one.cut == 0 or one.size > 0
