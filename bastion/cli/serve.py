"""Run the bastion in the foreground until SIGTERM or Ctrl-C.

example: bastion serve --config /etc/bastion/bastion.yaml

Prints where it listens and then `ready`, a line each. SIGHUP reads policies, inventories and revocations again;
SIGTERM gives open sessions `drain` seconds, ends them with a notice, and closes their recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bastion.app import App


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("/etc/bastion/bastion.yaml"), help="bastion.yaml")
    parser.add_argument("--verbose", action="store_true", help="log more")


def run(arguments: argparse.Namespace) -> int:
    from bastion import config
    from bastion.app import App

    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # it logs commands, which may hold secrets

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each connection is a descriptor, each recording too
    logging.getLogger(__name__).info("descriptors: %d instead of %d", hard, soft)

    async def serve() -> None:
        app = App(config.load(arguments.config))
        await _until_stopped(app)

    asyncio.run(serve())
    return 0


async def _until_stopped(app: App) -> None:
    """Serve until SIGTERM or SIGINT; say where, then `ready`, on stdout. SIGHUP reloads."""
    from bastion.background import Background

    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()

    def told(name: str) -> None:
        if not stop.done():
            stop.set_result(name)

    background = Background()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number.name)
    loop.add_signal_handler(signal.SIGHUP, lambda: background.start(app.reload(), "reload"))
    bound = await app.start()
    gc.collect()
    gc.freeze()  # what is made by now stays: looking through it for garbage takes a tenth of a second, and all wait
    for host, port in bound.ssh:
        print(f"ssh {host}:{port}")
    if bound.api is not None:
        print(f"api {bound.api[0]}:{bound.api[1]}")
    print("ready", flush=True)
    await app.stop(await stop)
    for number in (signal.SIGTERM, signal.SIGINT):  # all is done; one more signal must not make it look like a failure
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
