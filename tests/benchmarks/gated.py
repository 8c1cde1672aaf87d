"""Gated shells beside raw ones and plain OpenSSH: a key until its echo, a short line, the first prompt, idle memory.

    direct   ssh to the target's sshd
    raw      through the bastion's jump, `shell: raw`: recorded, and every key goes to the target and back
    gated    through the same bastion, `shell: gated`: the bastion's editor echoes, each line is judged

All have the same account's bash, on a terminal with a stock ssh in it. A key is sent when the one before was echoed.
`python -m tests.benchmarks.gated` alone; BENCH_SHELLS (500) is how many are idle at once, BENCH_ROUNDS (20) how many
rounds there are, each with KEYS keys, LINES lines and one shell opened on each way.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import idle
from tests.benchmarks.measure import median, quantile
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.terminal import Terminal

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
SHELLS = int(os.environ.get("BENCH_SHELLS", "500"))
KEYS, LINES = 60, 10
ADDED_ECHO, ADDED_OPEN, EACH = 5e-3, 150e-3, 0.5
"""The marks: seconds that the gate may add to a key's echo (p99) and to the first prompt (p50); MiB a shell."""

PROMPT = b"at$ "
LETTERS = b"etaonisrcdum"  # none that a sequence of the prompt ends with
KINDS = ("raw", "gated")
POLICY = """\
version: 1
rules:
  - {id: shell-gated, effect: allow, where: {labels: {shell: gated}}, shell: gated}
  - {id: shell-raw, effect: allow, where: {labels: {shell: raw}}, shell: raw}
  - {id: benchmark, effect: allow, commands: ["true"]}
"""
OPTIONS = ("IgnoreUnknown ObscureKeystrokeTiming", "ObscureKeystrokeTiming no")
"""An ssh that hides when keys are typed sends them every 20 ms only."""

Figures = Mapping[str, Sequence[float]]
"""Seconds of each way, by its name."""


@dataclass(frozen=True)
class Measured:
    keys: Figures
    lines: Figures
    kept: Figures
    fresh: Figures
    memory: Mapping[str, float]
    """MiB a shell, of raw and of gated ones."""


class Shell(Terminal):
    """A shell that is at its prompt once made; `opened` is how long that took."""

    def __init__(self, command: Sequence[str]) -> None:
        start = time.perf_counter()
        super().__init__(command, columns=200)
        self.wait_for(PROMPT)
        self.opened = time.perf_counter() - start

    def keys(self) -> list[float]:
        """Type a line key by key, and throw it away; the seconds of each until its echo."""
        figures = [self._timed(LETTERS[n % len(LETTERS)].to_bytes(), None) for n in range(KEYS)]
        self.type(b"\x03")
        self.wait_for(PROMPT)
        return figures

    def lines(self) -> list[float]:
        """`true` and Enter in one piece, until the next prompt."""
        return [self._timed(b"true\r", PROMPT) for _ in range(LINES)]

    def _timed(self, keys: bytes, answer: bytes | None) -> float:
        start = time.perf_counter()
        self.type(keys)
        self.wait_for(answer or keys)
        return time.perf_counter() - start

    def leave(self) -> None:
        self.type(b"\x04")
        assert self.finish() == 0, self.seen
        self.close()


@contextmanager
def target(folder: Path) -> Iterator[Sshd]:
    sshd = Sshd(folder)
    (folder / ".bash_profile").write_text(f"PS1='{PROMPT.decode()}'\n")
    with sshd:
        yield sshd


@contextmanager
def bastion(folder: Path, sshd: Sshd, keep: str) -> Iterator[tuple[Bastion, Client]]:
    """A bastion that has done nothing yet, and a client of it. `keep`: how long it keeps a connection to the target."""
    kinds = [
        Target(kind, sshd.host, sshd.port, sshd.host_key, sshd.key, labels={"shell": kind}, shell="bash")
        for kind in KINDS
    ]
    made = Bastion(folder / "bastion", kinds, policy=POLICY)
    made.settings["ssh"]["limits"] = {"per-source": 1024, "connections": 4096}  # all clients are one address here
    made.settings["ssh"]["upstream"] = {"keep": keep}
    with made:
        yield made, Client(folder / "client", made, KINDS, options=OPTIONS)


def measured(rounds: int = ROUNDS, shells: int = SHELLS) -> Measured:
    _files(4 * shells + 1024)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bastion-bench-")))
        sshd = stack.enter_context(target(folder / "target"))
        ways = {}
        for name, keep in (("kept", "2m"), ("fresh", "0s")):
            with bastion(folder / name, sshd, keep) as (_, client):
                ways = {"direct": _direct(folder, sshd), **{kind: client.command("-tt", "-q", kind) for kind in KINDS}}
                if name == "kept":
                    keys, lines = _typed(ways, rounds)
                    kept = _opened(ways, rounds)
                else:
                    fresh = _opened(ways, rounds)
        memory = {}
        for kind in KINDS:
            with bastion(folder / f"idle-{kind}", sshd, "2m") as (made, client):
                memory[kind] = idle.memory(made, client, kind, shells)
    return Measured(keys, lines, kept, fresh, memory)


def _typed(ways: Mapping[str, Sequence[str]], rounds: int) -> tuple[Figures, Figures]:
    """Keys and lines, in one shell of each way; a round takes each in turn, and the first does not count."""
    with ExitStack() as stack:
        shells = {name: stack.enter_context(Shell(command)) for name, command in ways.items()}
        keys = _in_turns(shells, rounds, Shell.keys)
        return keys, _in_turns(shells, rounds, Shell.lines)


def _in_turns(
    shells: Mapping[str, Shell], rounds: int, measure: Callable[[Shell], list[float]]
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in shells}
    for number in range(rounds + 1):
        for name, shell in shells.items():
            found = measure(shell)
            figures[name] += found if number else []
    return figures


def _opened(ways: Mapping[str, Sequence[str]], rounds: int) -> Figures:
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, command in ways.items():
            shell = Shell(command)
            shell.leave()
            figures[name] += [shell.opened] if number else []
    return figures


def _direct(folder: Path, sshd: Sshd) -> list[str]:
    (folder / "known_hosts").write_text(f"[{sshd.host}]:{sshd.port} {sshd.host_key}\n")
    options = [
        *OPTIONS,
        f"Port {sshd.port}",
        f"User {ACCOUNT}",
        f"IdentityFile {sshd.key}",
        "IdentitiesOnly yes",
        "IdentityAgent none",
        f"UserKnownHostsFile {folder}/known_hosts",
        "StrictHostKeyChecking yes",
    ]
    return ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), "-tt", "-q", sshd.host]


def _files(number: int) -> None:
    """As many open files as this takes, here and in what is started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, number), hard), hard))


def table(figures: Measured | None = None, shells: int = SHELLS) -> str:
    """The section for the report; measured now when left out. What the gate adds to a key's p99 is told against the
    raw shell's p99 and, harsher, against plain OpenSSH's median."""
    found = figures or measured()
    echo = quantile(found.keys["gated"], 0.99)
    rows = [
        _row("a key to its echo, p50", found.keys, median),
        _row("a key to its echo, p99", found.keys, lambda one: quantile(one, 0.99)),
        _row("`true` to the next prompt, p50", found.lines, median),
        _row("`true` to the next prompt, p99", found.lines, lambda one: quantile(one, 0.99)),
        _row("first prompt, upstream kept, p50", found.kept, median),
        _row("first prompt, upstream fresh, p50", found.fresh, median),
        f"| idle memory of {shells} shells, MiB each |  | {found.memory['raw']:.2f} | {found.memory['gated']:.2f} |",
    ]
    marks = [
        _mark("a key's echo, p99 over raw's p99", echo - quantile(found.keys["raw"], 0.99), ADDED_ECHO, "ms"),
        _mark("a key's echo, p99 over direct's p50", echo - median(found.keys["direct"]), ADDED_ECHO, "ms"),
        *(
            _mark(f"first prompt, p50 over raw's, {name}", median(one["gated"]) - median(one["raw"]), ADDED_OPEN, "ms")
            for name, one in (("kept", found.kept), ("fresh", found.fresh))
        ),
        _mark("idle memory of a shell", found.memory["gated"], EACH, "MiB"),
    ]
    head = ["| gated shells | direct | raw | gated |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, "", "| what the gate adds | measured | mark |", "|---|---|---|", *marks])


def _row(name: str, figures: Figures, pick: Callable[[Sequence[float]], float]) -> str:
    cells = " | ".join(f"{pick(figures[way]) * 1000:.2f} ms" for way in ("direct", *KINDS))
    return f"| {name} | {cells} |"


def _mark(name: str, figure: float, mark: float, unit: str) -> str:
    missed = "" if figure < mark else " (missed)"
    scale = 1000 if unit == "ms" else 1
    return f"| {name} | {figure * scale:.2f} {unit}{missed} | {mark * scale:g} {unit} |"


def main() -> None:
    print(table())


if __name__ == "__main__":
    main()
