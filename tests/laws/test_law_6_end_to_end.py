"""Law 6, with the real bastion: killed again and again under load, no command that was seen to run is untold."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from bastion.asciicast.reader import read
from bastion.audit.chain import verify
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until

ROUNDS = 3
CLIENTS = 4
SEEN_A_ROUND = 8

pytestmark = pytest.mark.system


class Load:
    """Clients that run `echo TOKEN`, each token once, until the bastion is gone; `seen` are those that came back."""

    def __init__(self, bastion: Bastion, folder: Path, name: str) -> None:
        self.seen: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(Client(folder / f"{name}-{number}", bastion), f"{name}-{number}"))
            for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, client: Client, name: str) -> None:
        for count in range(1000):
            token = f"{name}-{count}"
            done = client.run("web-1", f"echo {token}")
            if done.stdout:
                self.seen.append(done.stdout.decode().strip())
            if done.returncode:
                return

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(60)


def test_what_was_seen_was_told_and_recorded(tmp_path: Path) -> None:
    seen: list[str] = []
    with Sshd(tmp_path / "target") as target:
        bastion = Bastion(tmp_path / "bastion", [Target.of("web-1", target)])
        for round_ in range(ROUNDS):
            bastion.start()
            load = Load(bastion, tmp_path, f"r{round_}")
            until(lambda load=load: len(load.seen) >= SEEN_A_ROUND, seconds=60)  # type: ignore[misc]  # the default binds it
            assert bastion.kill() == -9
            load.wait()
            seen += load.seen
        with bastion:  # mends what the last kill tore
            events = bastion.audit()
    verify((bastion.folder / "state" / "audit.jsonl").read_bytes().splitlines(keepends=True))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    told = Counter(event["text"] for event in events if event["kind"] == "command-judged")
    assert len(seen) >= ROUNDS * SEEN_A_ROUND
    assert max(told.values()) == 1
    assert [token for token in seen if f"echo {token}" not in told] == []
    shown = ""
    for path in bastion.recordings():
        _, lines = read(path.read_bytes().splitlines(keepends=True))
        shown += "".join(line.data for line in lines if line.code == "o")
    assert [token for token in seen if token not in shown] == []
    ended = Counter(event["session"] for event in events if event["kind"] in ("session-ended", "recording-mended"))
    assert {event["session"] for event in events if event["kind"] == "command-judged"} <= set(ended)
    assert max(ended.values()) == 1
