"""How long from a person's yes to the first byte of the command: stock ssh waits, the yes goes over HTTP, and the time
runs from before it is sent until output is here. The connection to the target is kept from the run before, as in use.

On SQLite, and on PostgreSQL that runs durably. BENCH_APPROVED (20) makes it shorter or longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests import postgres
from tests.benchmarks import measure
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.people import People
from tests.system.harness.sshd import Sshd

ROUNDS = int(os.environ.get("BENCH_APPROVED", "20"))
MARKS = {"sqlite": 0.3, "postgresql": 0.2}
"""Seconds."""
POLICY = """\
version: 1
rules:
  - {id: asks, effect: approve, commands: ["echo *"], approval: {by: [sre], within: 10m}}
"""


def seconds(folder: Path, bastion: Bastion, people: People) -> list[float]:
    """Of each round, after one that does not count: it opens the target."""
    client = Client(folder / "client", bastion)
    return [_once(client, bastion, people, number) for number in range(ROUNDS + 1)][1:]


def _once(client: Client, bastion: Bastion, people: People, number: int) -> float:
    with client.popen("web-1", f"echo {number}") as asking, ThreadPoolExecutor(1) as approver:
        assert asking.stdout is not None
        (request,) = people.pending(bastion)
        begin = time.perf_counter()
        voted = approver.submit(people.vote, bastion, "rev", request["id"], "approve")
        first = os.read(asking.stdout.fileno(), 1)
        found = time.perf_counter() - begin
        assert voted.result().status_code == 200, voted.result().text
        assert first + asking.stdout.read() == f"{number}\n".encode()
    return found


@contextmanager
def _bastion(folder: Path, target: Sshd, people: People, store: str) -> Iterator[Bastion]:
    made = Bastion(folder / store, [Target.of("web-1", target)], policy=POLICY)
    people.trust(made)
    with contextlib.ExitStack() as stack:
        if store == "postgresql":
            server = stack.enter_context(postgres.server(folder / "pg", durable=True))
            secret = folder / "store-url"
            secret.write_text(asyncio.run(server.create("bench")))
            secret.chmod(0o600)
            made.settings["store"] = {"postgresql": {"file": str(secret)}}
        yield stack.enter_context(made)


def both() -> Mapping[str, Sequence[float]]:
    found: dict[str, Sequence[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bastion-bench-") as name, People() as people:
        folder = Path(name)
        with Sshd(folder / "target") as target:
            for store in MARKS:
                with _bastion(folder, target, people, store) as bastion:
                    found[store] = seconds(folder / f"{store}-of", bastion, people)
    return found


def table(found: Mapping[str, Sequence[float]] | None = None) -> str:
    """The section for the report; measured now when left out."""
    lines = [f"| from approval to the first byte ({ROUNDS} each) | p50 | p99 | mark |", "|---|---|---|---|"]
    for store, figures in (found or both()).items():
        high, mark = measure.quantile(figures, 0.99), MARKS[store]
        missed = "" if high <= mark else " (missed)"
        middle = f"{measure.median(figures) * 1000:.0f} ms"
        lines.append(f"| {store} | {middle} | {high * 1000:.0f} ms{missed} | {mark * 1000:.0f} ms |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
