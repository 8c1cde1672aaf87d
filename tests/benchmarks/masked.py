"""What masking costs a session: bulk output through a bastion whose policy masks with every detector, beside one whose
policy masks nothing; both reach one sshd, and take turns. And from a typed key to its echo, through both.

The file is what this machine prints, without secrets, as most output is.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import masking, measure
from tests.benchmarks.servers import POLICY, Way
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.terminal import Terminal

SIZE = int(os.environ.get("BENCH_MASKED_MIB", "64")) * measure.MIB
ROUNDS = 11
"""Runs of each in turn; one differs from the next by a tenth."""
KEYS = 300
BULK, ECHO = 0.8, 0.2e-3
"""The marks: of the bulk without masks at least so much; seconds that 99 of 100 keys are later at most."""
MASK = "mask:\n  - {id: all, detectors: [secrets, personal, payment]}\n"


@contextmanager
def pair(folder: Path) -> Iterator[dict[str, Client]]:
    """A client of each bastion."""
    with Sshd(folder / "target") as target:
        plain, masked = (
            Bastion(folder / name, [Target.of("web-1", target)], policy=POLICY + text)
            for name, text in (("plain", ""), ("masked", MASK))
        )
        with plain, masked:
            yield {"plain": Client(folder / "p", plain), "masked": Client(folder / "m", masked)}


def echoes(clients: dict[str, Client]) -> dict[str, list[float]]:
    """Seconds from a key to its echo by the target's terminal (`cat`), one key of each in turn."""
    found: dict[str, list[float]] = {name: [] for name in clients}
    command = ("-tt", "-q", "web-1", "cat")
    with (
        Terminal(clients["plain"].command(*command)) as plain,
        Terminal(clients["masked"].command(*command)) as masked,
    ):
        people = {"plain": plain, "masked": masked}
        for person in people.values():
            person.type(b"\r")
            person.wait_for(b"\r\n\r\n")
        for number in range(KEYS):
            for name, person in people.items():
                key = b"abcdefghijklmnopqrstuvwxyz"[number % 26 : number % 26 + 1]
                began = time.perf_counter()
                person.type(key)
                person.wait_for(key, seconds=5.0)
                found[name].append(time.perf_counter() - began)
            if number % 20 == 19:
                for person in people.values():
                    person.type(b"\r")
                    person.look(0.02)
    return found


def table() -> str:
    """Both, beside their marks."""
    with tempfile.TemporaryDirectory(prefix="bastion-masked-") as name, pair(Path(name)) as clients:
        text = masking.clean(masking.every_detector())
        file = Path(name) / "text"
        file.write_bytes((text * (SIZE // len(text) + 1))[:SIZE])
        ways = [Way(who, tuple(client.command("web-1"))) for who, client in clients.items()]
        bulk = measure.down(ways, ROUNDS, file)
        keys = echoes(clients)
    rates = {who: measure.median(figures) for who, figures in bulk.items()}
    late = {
        part: measure.quantile(keys["masked"], part) - measure.quantile(keys["plain"], part) for part in (0.5, 0.99)
    }
    rows = [
        f"| bulk, MiB/s | {rates['plain']:.0f} | {rates['masked']:.0f} | {rates['masked'] / rates['plain']:.2f} of it |"
        f" {BULK} |",
        f"| key to echo, p50 | {measure.quantile(keys['plain'], 0.5) * 1e3:.2f} ms |"
        f" {measure.quantile(keys['masked'], 0.5) * 1e3:.2f} ms | {late[0.5] * 1e3:+.2f} ms | |",
        f"| key to echo, p99 | {measure.quantile(keys['plain'], 0.99) * 1e3:.2f} ms |"
        f" {measure.quantile(keys['masked'], 0.99) * 1e3:.2f} ms | {late[0.99] * 1e3:+.2f} ms | {ECHO * 1e3:.1f} ms |",
    ]
    return "\n".join(["| masking | without | with every detector | | mark |", "|---|---|---|---|---|", *rows])


if __name__ == "__main__":
    print(table())
