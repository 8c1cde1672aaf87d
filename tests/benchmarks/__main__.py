"""`make bench`: decisions, masking and approvals, then sessions, then gated shells (each but sessions also alone, as
`python -m tests.benchmarks.decisions`). Figures that were kept are in figures.md.

BENCH_ROUNDS (20), BENCH_MIB (256), BENCH_SESSIONS (200) and BENCH_SHELLS (500) make it shorter or longer.
"""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks import approvals, approved, decisions, gated, masked, masking, measure
from tests.benchmarks.servers import CIPHERS, Servers, servers

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
SIZE = int(os.environ.get("BENCH_MIB", "256")) * measure.MIB
SESSIONS = int(os.environ.get("BENCH_SESSIONS", "200"))
BULK_ROUNDS = 3


def main() -> None:
    print(f"{_openssh()}, Python {platform.python_version()}, {os.cpu_count()} cores, all on loopback.")
    print(f"\n{decisions.table()}\n", flush=True)
    print(f"{masking.table()}\n\n{masked.table()}\n", flush=True)
    print(f"{approvals.table()}\n", flush=True)
    print(f"{approved.table()}\n", flush=True)
    print(f"{ROUNDS} rounds of opening, {BULK_ROUNDS} of {SIZE // measure.MIB} MiB each way; ways take turns.\n")
    with tempfile.TemporaryDirectory(prefix="bastion-bench-") as name, servers(Path(name)) as running:
        text = Path(name) / "text"
        measure.write_text(text, SIZE)
        for cipher in CIPHERS:
            _one_cipher(running, Path(name), text, cipher)
        with running.fresh(Path(name)) as (bastion, way):
            each = measure.memory(bastion, way, SESSIONS)
        print(f"Idle memory of the bastion at {SESSIONS} sessions: {each:.2f} MiB a session (to reach: at most 0.5)")
    print(f"\n{gated.table()}")


def _one_cipher(running: Servers, folder: Path, text: Path, cipher: str) -> None:
    ways = running.ways(folder, cipher)
    opened = measure.opening(ways, ROUNDS)
    bulk = [way for way in ways if way.name != "bastion-first"]
    down = measure.down(bulk, BULK_ROUNDS, text)
    measure.forget_recordings(running.bastion)
    up = measure.up(bulk, BULK_ROUNDS, text)
    measure.forget_recordings(running.bastion)
    print(f"Client's ciphers: {cipher}\n")
    print("| way | open p50 | open p95 | of jump | down MiB/s | of jump | up MiB/s | of jump |")
    print("|---|---|---|---|---|---|---|---|")
    for way in ways:
        cells = [way.name, *_seconds(opened, way.name), *_rate(down, way.name), *_rate(up, way.name)]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def _seconds(figures: Mapping[str, Sequence[float]], name: str) -> list[str]:
    middle = measure.median(figures[name])
    share = middle / measure.median(figures["jump"])
    return [f"{middle * 1000:.0f} ms", f"{measure.quantile(figures[name], 0.95) * 1000:.0f} ms", f"{share:.2f}"]


def _rate(figures: Mapping[str, Sequence[float]], name: str) -> list[str]:
    if name not in figures:
        return ["", ""]
    middle = measure.median(figures[name])
    return [f"{middle:.0f}", f"{middle / measure.median(figures['jump']):.2f}"]


def _openssh() -> str:
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True)
    return (said.stderr or said.stdout).split(",")[0].strip()


if __name__ == "__main__":
    main()
