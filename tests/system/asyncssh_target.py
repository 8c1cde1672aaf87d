"""A target that is not OpenSSH: an asyncssh server in the test's own event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from tests.system.harness.bastion import Target
from tests.system.harness.sshd import ACCOUNT, write_key


class SignalsTold(asyncssh.SSHServerSession[str]):
    """Writes a line for each exec, signal and break; ends by the signal TERM, with a core and a message."""

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        self.channel = chan

    def exec_requested(self, command: str) -> bool:
        self.channel.write(f"exec {command}\n".replace("'", ""))
        return True

    def signal_received(self, signal: str) -> None:
        if signal == "TERM":
            self.channel.exit_with_signal("TERM", True, "as asked", "en")
        else:
            self.channel.write(f"signal {signal}\n")

    def break_received(self, msec: int) -> bool:
        self.channel.write(f"break {msec}\n")
        return True


class Exits(asyncssh.SSHServerSession[str]):
    """Ends with the status that is the last word of the command."""

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        self.channel = chan

    def exec_requested(self, command: str) -> bool:
        self.status = int(command.split()[-1].strip("'"))
        return True

    def session_started(self) -> None:
        self.channel.exit(self.status)


@asynccontextmanager
async def served(
    folder: Path, session: type[asyncssh.SSHServerSession[str]], *, name: str = "other-1"
) -> AsyncIterator[Target]:
    """The target as an inventory's entry, while it is served. Its held key is the only one that gets in."""
    key, host = folder / "held", folder / "host"
    allowed = write_key(key)
    host_key = write_key(host)

    connections: list[asyncssh.SSHServerConnection] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def session_requested(self) -> asyncssh.SSHServerSession[str]:
            return session()

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Server,
        server_host_keys=[str(host)],
        authorized_client_keys=asyncssh.import_authorized_keys(allowed),
        config=None,
        line_editor=False,
    )
    async with server:
        yield Target(name, "127.0.0.1", server.get_port(), host_key, key, account=ACCOUNT)
        for connection in connections:
            connection.abort()
            await connection.wait_closed()
