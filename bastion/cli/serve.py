"""Run the bastion in the foreground until SIGTERM or Ctrl-C.

example: bastion serve --config /etc/bastion/bastion.yaml

Prints where it listens and then `ready`, a line each. SIGHUP reads policies, inventories and revocations again;
SIGTERM gives open sessions `drain` seconds, ends them with a notice, and closes their recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("/etc/bastion/bastion.yaml"), help="bastion.yaml")
    parser.add_argument("--verbose", action="store_true", help="log more")


def run(arguments: argparse.Namespace) -> int:
    from bastion import config
    from bastion.app import App, until_stopped

    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # it logs commands, which may hold secrets

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each connection is a descriptor, each recording too
    logging.getLogger(__name__).info("descriptors: %d instead of %d", hard, soft)

    async def serve() -> None:
        app = App(config.load(arguments.config))
        await until_stopped(app)

    asyncio.run(serve())
    return 0
