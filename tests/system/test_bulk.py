"""Much data: byte-exact each way, through rekeys, and in bounded memory however slow or hostile a reader is."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.system.asyncssh_client import options, outer
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.harness.waiting import until
from tests.system.oracle import Programs

MIB = 1 << 20
SIZE = 64
"""MiB."""
GROWTH = 32 * MIB
"""How much the bastion's memory may grow while a reader is stuck."""
HUGE = 2**31
BLOCK = b"".join(b"%015d\n" % number for number in range(65536))
DIGEST = hashlib.sha256(BLOCK * SIZE).hexdigest()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=programs.policy) as served:
        yield served


@pytest.fixture(scope="module", autouse=True)
def warm(bastion: Bastion, tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> None:
    """One transfer beforehand, so that what is measured is what a stuck reader adds."""
    client = Client(tmp_path_factory.mktemp("warm"), bastion)
    assert len(client.run("web-1", programs / "flood", "8").stdout) == 8 * MIB


def feed(process: subprocess.Popen[bytes], blocks: int) -> threading.Thread:
    """Write so many blocks to its stdin, then the end, beside the test."""

    def run() -> None:
        assert process.stdin is not None
        for _ in range(blocks):
            process.stdin.write(BLOCK)
        process.stdin.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def digest(process: subprocess.Popen[bytes]) -> str:
    """Of its stdout, read to the end."""
    assert process.stdout is not None
    return hashlib.file_digest(process.stdout, "sha256").hexdigest()  # type: ignore[arg-type]  # a pipe is read as well


def ended(process: subprocess.Popen[bytes]) -> int:
    """Its status, its pipes closed; nothing was left in them."""
    with process:
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            assert stream.read() == b""
        return process.wait(10)


def stuck(bastion: Bastion) -> tuple[int, int]:
    """The most memory the bastion had until a second passed with nothing written; what was written by then."""
    most, last, same = 0, -1, 0
    pause = threading.Event()
    while same < 10:
        pause.wait(0.1)
        most = max(most, bastion.resident_bytes())
        now = written(bastion)
        same = same + 1 if now == last else 0
        last = now
    return most, last


def written(bastion: Bastion) -> int:
    """Bytes in recordings: what the bastion has taken from targets."""
    return sum(path.stat().st_size for path in bastion.recordings())


@pytest.mark.parametrize("option", ["RekeyLimit=default none", "RekeyLimit=1M"], ids=["plain", "rekeys"])
def test_down(client: Maker, programs: Programs, option: str) -> None:
    """64 MiB from the target arrive as they were; with a rekey at each MiB too."""
    process = client().popen("-o", option, "web-1", programs / "flood", str(SIZE))
    assert digest(process) == DIGEST
    assert (process.communicate()[1], process.returncode) == (b"", 0)


@pytest.mark.parametrize("option", ["RekeyLimit=default none", "RekeyLimit=1M"], ids=["plain", "rekeys"])
def test_up(client: Maker, bastion: Bastion, option: str) -> None:
    """64 MiB to the target arrive as they were; with a rekey at each MiB too. The trail has counted them."""
    before = len(bastion.audit("session-ended"))
    process = client().popen("-o", option, "web-1", "sha256sum")
    writer = feed(process, SIZE)
    assert process.stdout is not None
    assert process.stdout.read().split()[0].decode() == DIGEST
    writer.join()
    assert ended(process) == 0
    assert bastion.audit("session-ended")[before]["received"] == SIZE * MIB


def test_both_ways_at_once(client: Maker) -> None:
    """16 MiB through `cat`, rekeyed at each MiB by both sides' traffic."""
    process = client().popen("-o", "RekeyLimit=1M", "web-1", "cat")
    writer = feed(process, 16)
    assert digest(process) == hashlib.sha256(BLOCK * 16).hexdigest()
    writer.join()
    assert ended(process) == 0


def test_a_slow_reader(client: Maker, bastion: Bastion, programs: Programs) -> None:
    """The client's output is not read while the target has 64 MiB for it: memory stays, and then all arrives."""
    base = bastion.resident_bytes()
    start = written(bastion)
    process = client().popen("web-1", programs / "flood", str(SIZE))
    until(lambda: written(bastion) > start + MIB)
    most, last = stuck(bastion)
    assert most - base < GROWTH
    assert last - start < SIZE * MIB / 2, "the target was not held back"
    assert digest(process) == DIGEST
    assert ended(process) == 0


def test_a_slow_target(client: Maker, bastion: Bastion, programs: Programs, tmp_path: Path) -> None:
    """The command does not read its input while the client has 64 MiB for it: memory stays, and then all arrives."""
    base, go = bastion.resident_bytes(), tmp_path / "go"
    process = client().popen("web-1", programs / "slow", str(go))
    writer = feed(process, SIZE)
    pause = threading.Event()
    most = base
    for _ in range(30):
        pause.wait(0.1)
        most = max(most, bastion.resident_bytes())
    assert writer.is_alive(), "the client was not held back"
    assert most - base < GROWTH
    go.touch()
    writer.join()
    assert process.stdout is not None
    assert process.stdout.read().decode().split() == [str(SIZE * MIB), DIGEST]
    assert ended(process) == 0


class Wide:
    """A connection as a tunnel whose channels have a window of 2 GiB; asyncssh takes anything with this call."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection

    async def create_connection(self, factory: Any, host: str, port: int) -> Any:
        return await self._connection.create_connection(factory, host, port, window=HUGE)


@pytest.mark.parametrize("how", ["wire", "outer rekey", "inner rekey"])
async def test_a_hostile_reader(client: Maker, bastion: Bastion, programs: Programs, how: str) -> None:
    """A client lets the target send 2 GiB, and then reads its socket no more, or begins a key exchange that it never
    ends. What the target has stays with the target."""
    base, start = bastion.resident_bytes(), written(bastion)
    made = client()
    async with outer(made) as tunnel:
        inner = await asyncssh.connect("web-1", 22, tunnel=Wide(tunnel), username=ACCOUNT, **options(made))
        process = await inner.create_process(f"{programs / 'flood'} {SIZE}", encoding=None, window=HUGE)
        await process.stdout.read(1)
        if how == "wire":
            tunnel._transport.pause_reading()  # type: ignore[union-attr]  # it has one until it is closed
        else:
            stalled = tunnel if how == "outer rekey" else inner
            stalled._send_kexinit()
            stalled.data_received = lambda *_: None  # type: ignore[method-assign]  # a client that is deaf from here on
        most, last = await asyncio.to_thread(stuck, bastion)
        inner.abort()
        tunnel.abort()
    assert most - base < GROWTH
    assert last - start < SIZE * MIB / 2, "the target was not held back"
