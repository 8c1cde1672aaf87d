"""Run a bastion, a target and an OIDC issuer on this machine, to try it. Ctrl-C ends it; nothing listens but loopback.

example: bastion demo --dir ~/bastion-demo

The folder holds the policy (edit it and see the reload), the recordings and the audit trail. It must be yours alone: a
folder that others can write to, or in which something is theirs, is refused.

While it runs, `bastion approvals list --dir DIR --as rev@demo` and its kind reach it from another terminal; `--as` acts
as one of its people, `rev@demo` who approves or `ops@demo` who operates.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bastion.cli import demo_shown, ssh_config
from bastion.demo import private

if TYPE_CHECKING:
    from bastion.app import Bound
    from bastion.demo.demo import Demo


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where everything goes (default: a fresh folder)")
    parser.add_argument(
        "--show", action="store_true", help="first show an allowed command, a refused one, an approved one, a replay"
    )


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
            await asyncio.to_thread(demo_shown.show, demo)
        print("ready", flush=True)
        print(demo_shown.what_to_try(demo, bound), flush=True)
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
