"""The measurements. Ways take turns within each round (A B C A B C), so that a busy moment hits them all alike."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.servers import Way
from tests.system.harness.bastion import Bastion
from tests.system.harness.waiting import until

MIB = 1 << 20


def opening(ways: Sequence[Way], rounds: int) -> Mapping[str, list[float]]:
    """Seconds from the start of `ssh … true` to its end, sorted, after one round that does not count."""
    return _in_turns(ways, rounds, lambda way: _timed([*way.command, "true"], None))


def down(ways: Sequence[Way], rounds: int, file: Path) -> Mapping[str, list[float]]:
    """MiB a second of `cat FILE` on the target, to /dev/null here."""
    rate = file.stat().st_size / MIB
    return _in_turns(ways, rounds, lambda way: rate / _timed([*way.command, f"cat {file}"], None))


def up(ways: Sequence[Way], rounds: int, file: Path) -> Mapping[str, list[float]]:
    """MiB a second of FILE here to `dd of=/dev/null` on the target."""
    rate = file.stat().st_size / MIB
    return _in_turns(ways, rounds, lambda way: rate / _timed([*way.command, "dd of=/dev/null bs=1M"], file))


def quantile(figures: Sequence[float], part: float) -> float:
    """The figure below which `part` of them lie (nearest rank)."""
    return sorted(figures)[min(len(figures) - 1, int(part * len(figures)))]


median = statistics.median


def memory(bastion: Bastion, way: Way, sessions: int) -> float:
    """MiB of the bastion's resident memory for each of `sessions` idle sessions, each with a connection of its own."""
    _timed([*way.command, "true"], None)
    before = bastion.resident_bytes()
    held: list[subprocess.Popen[bytes]] = []
    try:
        while len(held) < sessions:
            batch = [_idle(way) for _ in range(min(8, sessions - len(held)))]
            held.extend(batch)
            for process in batch:
                _answers(process)
        return (bastion.resident_bytes() - before) / sessions / MIB
    finally:
        for process in held:
            assert process.stdin is not None
            process.stdin.close()
        for process in held:
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


def forget_recordings(bastion: Bastion) -> None:
    """Give back the disk: what a bulk run leaves is as large as what it moved."""
    for recording in bastion.recordings():
        recording.unlink()


def write_text(path: Path, size: int) -> None:
    """A file of text as logs are made of, of exactly `size` bytes."""
    lines = b"".join(
        b"2026-11-23T05:%02d:%02d.%06dZ web-1 app[%d]: GET /orders/%d 200 %d bytes in %d ms\n"
        % (n // 60 % 60, n % 60, n * 7919 % 1_000_000, n % 4096, n * 31, n * 17 % 9000, n % 250)
        for n in range(20_000)
    )
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(lines[:left])


def _in_turns(ways: Sequence[Way], rounds: int, measure: Callable[[Way], float]) -> Mapping[str, list[float]]:
    figures: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(rounds + 1):
        for way in ways:
            figure = measure(way)
            if number:
                figures[way.name].append(figure)
    return figures


def _timed(command: Sequence[str], feed: Path | None) -> float:
    with Path("/dev/null" if feed is None else feed).open("rb") as source:
        start = time.perf_counter()
        done = subprocess.run(
            command, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=300
        )
        seconds = time.perf_counter() - start
    assert done.returncode == 0, f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.decode()}"
    return seconds


def _idle(way: Way) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([*way.command, "cat"], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)
    assert process.stdin is not None
    process.stdin.write(b"here\n")
    return process


def _answers(process: subprocess.Popen[bytes]) -> None:
    """Wait until the session echoes, which it does only once it is open all the way."""
    assert process.stdout is not None
    assert until(process.stdout.readline, seconds=60) == b"here\n"
