"""Run a bastion, a target and an OIDC issuer on this machine, to try it. Ctrl-C ends it; nothing listens but loopback.

example: bastion demo --dir ~/bastion-demo

The folder holds the policy (edit it and see the reload), the recordings and the audit trail. It must be yours alone: a
folder that others can write to, or in which something is theirs, is refused.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bastion.cli import ssh_config
from bastion.demo import private

if TYPE_CHECKING:
    from bastion.app import Bound
    from bastion.demo.demo import Demo

ALLOWED = "uptime"
REFUSED = "rm -rf /tmp/something"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where everything goes (default: a fresh folder)")
    parser.add_argument("--show", action="store_true", help="first show an allowed command, a refused one, a replay")


def run(arguments: argparse.Namespace) -> int:
    from bastion.demo.demo import Demo

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # it logs commands, which may hold secrets
    folder = arguments.dir or Path(tempfile.mkdtemp(prefix="bastion-demo-"))
    asyncio.run(_serve(Demo(folder), show=arguments.show))
    return 0


async def _serve(demo: Demo, *, show: bool) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        bound = await demo.start()
        private.replace(demo.folder / "ssh_config", f"{_ssh_config(demo, bound)}\n".encode())
        if show:
            await asyncio.to_thread(_show, demo)
        print("ready", flush=True)
        print(_what_to_try(demo), flush=True)
        await ended.wait()
        print("ending: open sessions are told, recordings are closed", flush=True)
    finally:
        await demo.stop()


def _ssh_config(demo: Demo, bound: Bound) -> str:
    """What `bastion ssh-config` prints, for the demo's one target."""
    if bound.api is None:
        raise RuntimeError("the demo always has an API")
    host, port = bound.ssh[0]
    renewal = ["--api", f"http://{bound.api[0]}:{bound.api[1]}", "--issuer", demo.issuer, "--client-id", demo.agent]
    parser = argparse.ArgumentParser()
    ssh_config.configure(parser)
    return ssh_config.text(
        parser.parse_args(
            [
                *("--host", host, "--port", str(port), "--account", demo.target.user, "--out", str(demo.client)),
                *("--targets", "demo", "--"),
                *(*renewal, "--client-secret-file", str(demo.client / "secret")),
            ]
        )
    )


def _commands(demo: Demo) -> tuple[str, str]:
    ssh = f"ssh -F {shlex.quote(str(demo.folder / 'ssh_config'))} demo --"
    return f"{ssh} {ALLOWED}", f"{ssh} {REFUSED}"


def _recordings(demo: Demo) -> list[Path]:
    return sorted((demo.folder / "recordings").rglob("*.cast"), key=lambda path: path.stat().st_mtime)


def _show(demo: Demo) -> None:
    """Run the three things to try, as a person would, and print what they print."""
    for told, command in zip(("An allowed command", "A refused one"), _commands(demo), strict=True):
        print(f"\n-- {told}:\n$ {command}", flush=True)
        status = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, check=False).returncode
        print(f"(exit status {status})", flush=True)
    for first in _recordings(demo)[:1]:
        if shutil.which("asciinema") and sys.stdin.isatty():
            print(f"\n-- The first one again, from its recording:\n$ asciinema play {first}", flush=True)
            subprocess.run(["asciinema", "play", str(first)], check=False)
        else:
            print(f"\n-- The recording of the first one, as asciinema plays it on a terminal:\n{first.read_text()}")
    print(flush=True)


def _what_to_try(demo: Demo) -> str:
    allowed, refused = _commands(demo)
    folder = demo.folder
    recordings = _recordings(demo)
    newest = recordings[0] if recordings else folder / "recordings" / "demo" / "YEAR/MONTH/DAY/SESSION.cast"
    return f"""
The target is {demo.target.kind}, as user {demo.target.user}. You are agent@demo, in group agents. In another terminal:

  an allowed command   {allowed}
  a refused one        {refused}
  a replay             asciinema play {newest}

  the policy           {folder}/policies/demo/    (change a file: the next command is judged by it)
  the audit trail      {folder}/audit.jsonl

Ctrl-C ends it."""
