"""A client whose ssh keeps one connection for all its commands (ControlMaster)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.harness.bastion import Bastion
from tests.system.harness.client import Client
from tests.system.harness.waiting import until


@contextmanager
def mastered(folder: Path, bastion: Bastion) -> Iterator[Client]:
    """The client, its master up. It is asked to end: a signal may come while ssh is about to sleep, and wait there."""
    control = folder / "control"
    client = Client(folder / "agent", bastion, options=[f"ControlPath {control}"])
    master = client.popen("-M", "-N", "web-1")
    until(lambda: control.exists() or master.poll() is not None)
    assert master.poll() is None, master.communicate()
    try:
        yield client
    finally:
        client.run("-O", "exit", "web-1")
        master.communicate(timeout=20)
