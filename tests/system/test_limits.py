"""Limits before authentication: who says nothing holds up nobody, and costs little."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence

import pytest

from bastion.audit.budget import ALL_BURST, ALL_RATE
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until

LIMIT = 128
PER_SOURCE = 32
SILENT = 200
LOGIN_SECONDS = 2.0
BYTES_EACH = 256 * 1024
"""Resident memory that one unproven connection may cost."""
TOLD_MOST = ALL_BURST + 60 * ALL_RATE
"""Lines of the audit trail that they all may cost, and those of the logins beside them, in a minute."""


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    served = Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)])
    served.settings["ssh"]["limits"] = {"handshake": "30s", "unauthenticated": LIMIT, "per-source": PER_SOURCE}
    with served:
        yield served


@contextlib.contextmanager
def silent(bastion: Bastion, sources: Sequence[str], says: bytes = b"") -> Iterator[list[socket.socket]]:
    """SILENT connections that never log in, dealt out over the source addresses."""
    held: list[socket.socket] = []
    try:
        for number in range(SILENT):
            source = (sources[number % len(sources)], 0)
            held.append(socket.create_connection(("127.0.0.1", bastion.ssh_port), 10, source))
            if says:
                with contextlib.suppress(ConnectionError):
                    held[-1].sendall(says)
        yield held
    finally:
        for one in held:
            one.close()


def alive(held: Sequence[socket.socket]) -> int:
    """How many of them the bastion still holds open."""
    count = 0
    for one in held:
        one.setblocking(False)
        try:
            while one.recv(65536):
                pass
        except BlockingIOError:
            count += 1
        except ConnectionError:
            pass
    return count


def login_seconds(user: Client) -> float:
    began = time.monotonic()
    done = user.run("web-1", "true")
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def refused(bastion: Bastion) -> int:
    """Connections that never logged in, told one by one or, past the budget of strangers, by their number."""
    dropped: int = sum(event["count"] for event in bastion.audit("events-dropped"))
    return len(bastion.audit("connection-refused")) + dropped


SOURCES = {
    "the same address": ["127.0.0.1"],
    "ten addresses": [f"127.0.0.{last}" for last in range(2, 12)],
    "as many addresses": [f"127.0.{last // 250 + 1}.{last % 250 + 1}" for last in range(SILENT)],
}
SAYS = {
    "nothing": b"",
    "a version": b"SSH-2.0-x\r\n",
    "half a packet": b"SSH-2.0-x\r\n" + (32000).to_bytes(4, "big") + b"\0" * 30000,
}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        *((where, "nothing") for where in SOURCES),
        ("as many addresses", "a version"),
        ("ten addresses", "half a packet"),
    ],
)
def test_others_log_in_as_ever(bastion: Bastion, client: Maker, where: str, said: str) -> None:
    """200 connections that say nothing (or little): no more than the bounds are kept, memory stays, a login is quick.

    The quickest of three counts: the machine has other things to do as well.
    """
    user = client()
    assert user.run("web-1", "true").returncode == 0
    memory, told, before = bastion.resident_bytes(), len(bastion.audit()), refused(bastion)
    sources = SOURCES[where]
    most = min(LIMIT, PER_SOURCE * len(sources))
    with silent(bastion, sources, SAYS[said]) as held:
        until(lambda: alive(held) <= most, told=lambda: str(alive(held)))
        assert min(login_seconds(user) for _ in range(3)) < LOGIN_SECONDS
        assert bastion.resident_bytes() - memory < SILENT * BYTES_EACH
        assert most - 2 <= alive(held) <= most  # those that came last are kept; a login may push out one
    cut = SILENT - most
    until(lambda: refused(bastion) - before >= SILENT, seconds=30)
    reasons = [event.get("reason", "") for event in bastion.audit()[told:]]
    assert sum("too many connections" in reason for reason in reasons) <= cut + 2
    assert len(bastion.audit()) - told < TOLD_MOST


def test_one_address_pushes_out_only_itself(bastion: Bastion) -> None:
    """An honest but slow stranger stays while another address goes past its bound."""
    slow = socket.create_connection(("127.0.0.1", bastion.ssh_port), 10, ("127.0.0.99", 0))
    with slow, silent(bastion, ["127.0.0.1"]) as held:
        until(lambda: alive(held) <= PER_SOURCE)
        assert alive([slow]) == 1


def test_those_that_have_logged_in_are_not_counted(bastion: Bastion, client: Maker) -> None:
    with client().popen("web-1", "cat") as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(b"before\n")
        assert session.stdout.readline() == b"before\n"
        with silent(bastion, ["127.0.0.1"]) as held:
            until(lambda: alive(held) <= PER_SOURCE)
            session.stdin.write(b"after\n")
            assert session.stdout.readline() == b"after\n"
        session.stdin.close()
        assert session.wait(10) == 0
