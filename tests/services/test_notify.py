"""What systemd is told: the right words on a real datagram socket, and silence without one."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has it, and its name as $NOTIFY_SOCKET tells it."""
    path = str(tmp_path / "notify") if request.param == "path" else f"@bastion-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path.replace("@", "\0", 1) if path.startswith("@") else path)
        receiver.settimeout(10)
        yield receiver, path


def test_every_notice(manager: tuple[socket.socket, str]) -> None:
    """Each call is one datagram with the words of sd_notify(3)."""
    receiver, path = manager
    notifier = Notifier({"NOTIFY_SOCKET": path}, monotonic=lambda: 12.5)
    notifier.ready("2 tenants")
    notifier.ready()
    notifier.reloading()
    notifier.status("policy of acme rejected:\nline 3")
    notifier.watchdog()
    notifier.stopping("draining 3 sessions")
    assert [receiver.recv(4096) for _ in range(6)] == [
        b"READY=1\nSTATUS=2 tenants",
        b"READY=1",
        b"RELOADING=1\nMONOTONIC_USEC=12500000",
        b"STATUS=policy of acme rejected: line 3",
        b"WATCHDOG=1",
        b"STOPPING=1\nSTATUS=draining 3 sessions",
    ]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_happens(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """No socket, or one of another kind: no error, no log."""
    notifier = Notifier(environment)
    notifier.ready("x")
    notifier.watchdog()
    assert caplog.records == []


def test_a_manager_that_is_gone_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A notice that can not be sent is a warning, and the bastion goes on."""
    with caplog.at_level(logging.WARNING):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")
    assert "READY=1" in caplog.text


def test_a_full_socket_does_not_block(tmp_path: Path) -> None:
    """A manager that does not read does not stop the bastion."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path})
        for _ in range(2000):
            notifier.watchdog()


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(environment: dict[str, str], interval: float | None) -> None:
    """Half of what systemd waits, when it watches this very process; None else."""
    assert Notifier(environment, pid=77).watchdog_interval == interval


def test_the_process_is_this_one() -> None:
    """Without a given one, WATCHDOG_PID is compared with our own."""
    environment = {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(environment).watchdog_interval == 1.0
