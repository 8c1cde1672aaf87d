"""A proven client in a process of its own that sends small packets as fast as it can, until it is ended.

Called as `python -m tests.system.flooder PORT KEY CERTIFICATE KIND`; says `flooding` once it does.
"""

from __future__ import annotations

import asyncio
import sys

import asyncssh
from asyncssh.constants import MSG_GLOBAL_REQUEST, MSG_IGNORE
from asyncssh.packet import Boolean, String


async def flood(port: int, key: str, certificate: str, kind: str) -> None:
    connection = await asyncssh.connect(
        "127.0.0.1", port, client_keys=[(key, certificate)], known_hosts=None, config=None, agent_path=None
    )
    print("flooding", flush=True)
    while True:
        for _ in range(500):
            if kind == "ignored":
                connection.send_packet(MSG_IGNORE, String(""))
            else:
                connection.send_packet(MSG_GLOBAL_REQUEST, String("x@y"), Boolean(False))
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(flood(int(sys.argv[1]), *sys.argv[2:5]))
