"""asyncssh as a client of the bastion: the jump with the certificate of a harness client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from tests.system.harness.client import Client
from tests.system.harness.sshd import ACCOUNT


def options(client: Client) -> dict[str, Any]:
    """What both connections need: the certificate, the authority of hosts, and nothing of this machine's own."""
    return {
        "client_keys": [(asyncssh.read_private_key(client.key), asyncssh.read_certificate(client.certificate))],
        "known_hosts": str(client.folder / "known_hosts"),
        "config": None,
        "agent_path": None,
    }


@asynccontextmanager
async def outer(client: Client, **more: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to the bastion itself."""
    async with asyncssh.connect(
        "127.0.0.1", client.port, host_key_alias="bastion", **{"username": ACCOUNT, **options(client), **more}
    ) as connection:
        yield connection


@asynccontextmanager
async def jumped(client: Client, target: str = "web-1", **more: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to `target`, through one to the bastion. `more` are options of the inner one."""
    async with (
        outer(client) as tunnel,
        asyncssh.connect(target, 22, tunnel=tunnel, **{"username": ACCOUNT, **options(client), **more}) as connection,
    ):
        yield connection
