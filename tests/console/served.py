"""The demo as a person starts it, in a process of its own, and stock ssh against it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.system.harness import waiting

SHIPPED = Path(__file__).parents[2] / "policies" / "demo"
MORE = """\
version: 1
rules:
  - id: prints
    effect: allow
    who: {groups: [agents]}
    commands: ["printf **", "sleep *", "seq **"]
"""
"""What the tests need beside the shipped policy: programs that print what they are told to."""
PATIENCE = 30.0
T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    status: int | None
    out: str
    err: str


class Served:
    """Life: `start`, use, `stop`. `url` is the console's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._process: subprocess.Popen[str] | None = None
        self._asking: list[Process] = []

    def start(self) -> Self:
        policies = self.folder / "policies" / "demo"
        self.folder.mkdir(mode=0o700)
        shutil.copytree(SHIPPED, policies)
        for folder in (policies.parent, policies):
            folder.chmod(0o700)
        (policies / "more.yaml").write_text(MORE)
        command = [sys.executable, "-m", "bastion", "demo", "--dir", str(self.folder)]
        with (self.folder / "stderr.log").open("wb") as errors:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"the console +(http://\S+)", line):
                self.url = found[1]
                return self
        raise AssertionError(f"the demo did not start: {self.log}")

    def stop(self) -> None:
        assert self._process is not None
        for one in self._asking:
            if one.returncode is None:
                one.kill()
        self._process.send_signal(signal.SIGINT)
        rest, _ = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0, f"{rest}\n{self.log}"

    @property
    def log(self) -> str:
        return (self.folder / "stderr.log").read_text(errors="replace")

    def ssh(self, *words: str) -> list[str]:
        return ["ssh", "-F", str(self.folder / "ssh_config"), *words]

    async def ask(self, command: str, *options: str) -> Process:
        """Stock ssh with a command, while it runs."""
        pipe = asyncio.subprocess.PIPE
        made = await asyncio.create_subprocess_exec(
            *self.ssh(*options, "demo", "--", command), stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        self._asking.append(made)
        return made

    async def run(self, command: str, *options: str) -> Ended:
        return await ended(await self.ask(command, *options))

    def audit(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.folder / "audit.jsonl").read_bytes().split(b"\n")[:-1]
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def session_of(self, text: str) -> str:
        """The session that was last judged for a command with `text` in it."""
        found = [event["session"] for event in self.audit("command-judged") if text in event["text"]]
        return str(found[-1])

    def write_policy(self, name: str, text: str) -> None:
        beside = self.folder / "policies" / "demo" / f".{name}.new"
        beside.write_text(text)
        beside.replace(beside.with_name(name))


async def ended(process: Process) -> Ended:
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


async def until(what: Callable[[], T]) -> T:
    """The first answer that is true."""
    return await asyncio.to_thread(waiting.until, what)
