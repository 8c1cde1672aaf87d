"""The end: SIGTERM drains, recordings are closed, the audit trail is the last to go, and systemd is told all along."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.asciicast.reader import read
from bastion.audit.chain import verify
from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until


@pytest.fixture
def bastion(tmp_path: Path, target: Sshd) -> Iterator[Bastion]:
    """Not started: each test has its own settings, and ends it."""
    served = Bastion(tmp_path / "b", [Target.of("web-1", target)])
    yield served
    served.kill()


def running(client: Client, *options: str) -> subprocess.Popen[bytes]:
    process = client.popen(*options, "web-1", "cat")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"begun\n")
    assert process.stdout.readline() == b"begun\n"
    return process


def test_open_sessions_get_a_notice_and_their_time(bastion: Bastion, tmp_path: Path) -> None:
    """One that ends by itself in that time ends well; the other is ended, with 255; both recordings are closed."""
    bastion.settings["drain"] = "3s"
    bastion.start()
    client = Client(tmp_path / "c", bastion)
    with running(client) as quick, running(client) as slow:
        bastion.send_signal(signal.SIGTERM)
        for process in (quick, slow):
            assert process.stderr is not None
            notice = process.stderr.readline()
            assert notice == b"bastion: the bastion is stopping; this session ends in 3 s\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", bastion.ssh_port), 5)
        assert quick.stdin is not None
        quick.stdin.write(b"last words\n")
        quick.stdin.close()
        assert quick.wait(10) == 0
        assert quick.stdout is not None
        assert quick.stdout.read() == b"last words\n"
        assert slow.wait(10) == 255
        assert b"session ended: the bastion is stopping" in slow.stderr.read()  # type: ignore[union-attr]  # a pipe, as asserted
    assert bastion.stop() == 0
    events = bastion.audit()
    assert [event["kind"] for event in events[-3:]] == ["bastion-stopping", "session-ended", "session-ended"]
    assert (events[-3]["reason"], events[-3]["sessions"]) == ("SIGTERM", 2)
    assert [event.get("status") for event in events[-2:]] == [0, 255]
    for event in events[-2:]:
        path = bastion.recordings_folder / event["recording"]
        _, lines = read(path.read_bytes().splitlines(keepends=True))
        assert any("is stopping" in line.data for line in lines)
        assert path.stat().st_size == event["size"]
    verify((bastion.folder / "state" / "audit.jsonl").read_bytes().splitlines(keepends=True))
    assert "Traceback" not in bastion.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_nobody_there_it_ends_at_once(bastion: Bastion, number: signal.Signals) -> None:
    bastion.settings["drain"] = "1h"
    bastion.verbose = False
    bastion.start()
    with socket.create_connection(("127.0.0.1", bastion.ssh_port), 5) as silent:
        assert silent.recv(4) == b"SSH-"
        bastion.send_signal(number)
        assert bastion.stop() == 0
    assert bastion.audit()[-1]["kind"] in ("bastion-stopping", "connection-refused")
    assert bastion.log == ""


def test_a_second_signal_does_no_harm(bastion: Bastion, tmp_path: Path) -> None:
    bastion.start()
    with running(Client(tmp_path / "c", bastion)) as process:
        for _ in range(3):
            bastion.send_signal(signal.SIGTERM)
        assert process.wait(15) == 255
    assert bastion.stop() == 0
    assert bastion.audit()[-1]["kind"] == "session-ended"


class Systemd:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self.told: list[str] = []

    def heard(self, text: str) -> bool:
        """Whether it was told a line so far."""
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return any(line.startswith(text) for message in self.told for line in message.splitlines())

    def wait(self, text: str) -> None:
        until(lambda: self.heard(text), told=lambda: str(self.told))

    def forget(self) -> None:
        self.heard("")
        self.told.clear()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    one = Systemd(tmp_path)
    yield one
    one.close()


def test_systemd_is_told_what_goes_on(bastion: Bastion, systemd: Systemd) -> None:
    bastion.start({"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "200000"})
    systemd.wait("READY=1")
    systemd.wait("STATUS=serving 1 tenant(s)")
    systemd.wait("WATCHDOG=1")
    systemd.forget()
    bastion.send_signal(signal.SIGHUP)
    systemd.wait("RELOADING=1")
    systemd.wait("MONOTONIC_USEC=")
    systemd.wait("READY=1")
    systemd.forget()
    bastion.write_policy("rules: 7\n")
    systemd.wait(f"STATUS=not in force: policy of {TENANT}: ")
    bastion.write_policy("version: 1\nrules: []\n")
    systemd.wait("STATUS=serving 1 tenant(s)")
    systemd.wait("WATCHDOG=1")
    assert bastion.stop() == 0
    systemd.wait("STOPPING=1")
    systemd.wait("STATUS=ending 0 session(s)")
