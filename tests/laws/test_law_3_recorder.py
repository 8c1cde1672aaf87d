"""Law 3, fail closed, in the rooms that keep: no recorder or audit log that has failed ever takes a byte again."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from bastion.audit.events import Revoked
from bastion.audit.log import AuditLog
from bastion.errors import NotRecorded
from bastion.recording.recorder import Recorder, Recordings
from tests.core.test_asciicast_encoder import HEAD
from tests.core.test_audit_log import file_limit

CALLS = {
    "output": (0, b"x"),
    "resize": (80, 24),
    "marker": ("m",),
    "finish": (),
    "close": (),
    "begin": (HEAD, 0),
}


def test_every_way_to_write_is_known_here() -> None:
    """A method that is added to the recorder is added to this law, or is one of the two that never raise."""
    public = {name for name, _ in inspect.getmembers(Recorder, inspect.isfunction) if not name.startswith("_")}
    assert public == CALLS.keys() | {"abandon", "flush"}


@pytest.mark.parametrize("call", CALLS)
def test_a_failed_recorder_takes_nothing(tmp_path: Path, call: str) -> None:
    """After one failure each call raises NotRecorded and the file does not grow, though there is room again."""
    recordings = Recordings(tmp_path, flush_seconds=3600)
    recorder = recordings.open(HEAD)
    path = tmp_path / recorder.name
    with file_limit(path.stat().st_size), pytest.raises(NotRecorded):
        recorder.output(0, b"x")
    size = path.stat().st_size
    with pytest.raises(NotRecorded):
        getattr(recorder, call)(*CALLS[call])
    assert path.stat().st_size == size
    recordings.stop()


async def test_a_failed_audit_log_takes_nothing(tmp_path: Path) -> None:
    """After one failure each write raises NotRecorded and the file does not grow, though there is room again."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog.open(path, clock=lambda: 0.0)
    with file_limit(0), pytest.raises(NotRecorded):
        await log.write(Revoked(entry="serial 1", sessions=0))
    for _ in range(3):
        with pytest.raises(NotRecorded):
            await log.write(Revoked(entry="serial 1", sessions=0))
    with pytest.raises(NotRecorded):
        await log.close()
    assert path.stat().st_size == 0
