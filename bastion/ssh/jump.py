"""The jump: an outer connection whose `direct-tcpip` to a target's name is answered by an inner SSH server, here.

`ssh -J bastion deploy@web-1` is two SSH connections, one inside the other; a plain jump host sees only the outer one.
Here both end: the outer login proves a certificate, the inner one must present the very same and names the account.
`ssh deploy%web-1@bastion` is for clients that can not jump: the outer login names account and target itself.

A target that does not exist and one that this identity may not reach are answered alike, and so are accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import asyncssh

from bastion.context import Context, Knock
from bastion.errors import BadCertificate, NoSuchTarget
from bastion.gate import Gate
from bastion.identity.principal import BadCredential, Credential
from bastion.session.registry import Registry
from bastion.session.service import Sessions
from bastion.ssh.channels import ChannelSession
from bastion.ssh.hooks import Channel, ServerConnection, channel_of
from bastion.targets.target import Target

SHOWN = 200
"""Characters of a client's own words that are said back to it."""
MAX_REFUSALS = 64
"""Refusals on one connection that are told; whoever goes on asking is refused in silence."""


@dataclass(frozen=True, slots=True)
class House:
    """What each connection needs of the rest. `inner_options` gives the server options for a target's name, its host
    certificate among them; `attempts`, `channels` (of one connection) and `connections_each` (of one identity) are
    bounds of bastion.yaml's `limits`."""

    gate: Gate
    sessions: Sessions
    connections: Registry
    inner_options: Callable[[str], asyncssh.SSHServerConnectionOptions]
    attempts: int
    channels: int
    connections_each: int


class Side(asyncssh.SSHServer):
    """What the outer and the inner side have in common: a door, session channels, and refusals."""

    def __init__(self, house: House, knock: Knock) -> None:
        self._house = house
        self._knock = knock
        self._connection: ServerConnection | None = None
        self._context: Context | None = None
        self._open = 0
        self._refusals = 0

    # -- the door

    def begin_auth(self, username: str) -> bool:
        del username
        return True  # authentication is always needed; False would mean that it is not

    def public_key_auth_supported(self) -> bool:
        return True

    def refused(self, user: str, reason: str, credential: Credential | None) -> None:
        self._house.gate.refused(self._knock, user, reason, credential)

    # -- channels

    def session_requested(self) -> tuple[Channel, asyncssh.SSHServerSession[bytes]]:
        connection, context = self._connection, self._context
        if connection is None or context is None:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED,
                "this bastion only jumps: use ssh -J, or name the target as account%target@bastion",
            )
        if self._open >= self._house.channels:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_RESOURCE_SHORTAGE, f"more than {self._house.channels} sessions on one connection"
            )
        self._open += 1
        session = ChannelSession(connection, context, self._house.sessions, self._channel_closed)
        return channel_of(connection, pty=True), session

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]]:
        del orig_host, orig_port
        return self._refuse(f"port forwarding to {_short(dest_host)} port {dest_port}")

    def unix_connection_requested(self, dest_path: str) -> Coroutine[Any, Any, NoReturn]:
        return self._refuse(f"forwarding to the socket {_short(dest_path)}")

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        return self._note_refused(f"remote forwarding from {_short(listen_host)} port {listen_port}")

    def unix_server_requested(self, listen_path: str) -> bool:
        return self._note_refused(f"remote forwarding from the socket {_short(listen_path)}")

    def _note_refused(self, what: str) -> bool:
        """To the audit trail, and, as the protocol has no words for it here, as a debug message to the client."""
        connection = self._connection
        self._refusals += 1
        if connection is not None and connection.proven is not None and self._refusals <= MAX_REFUSALS:
            self._house.gate.request_refused(self._knock, connection.proven, what, self._context)
            connection.send_debug(f"bastion: {what} is not permitted", always_display=True)
        return False

    async def _refuse(self, what: str) -> NoReturn:
        self._note_refused(what)
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, f"{what} is not permitted")

    def _channel_closed(self) -> None:
        self._open -= 1


class Outer(Side):
    """A client's connection to the bastion itself; a Live one from the moment that it proves who it is."""

    def __init__(self, house: House, knock: Knock, state: Callable[[Outer, str, Exception | None], None]) -> None:
        super().__init__(house, knock)
        self._state = state
        self._direct = False
        self._dropped = ""
        self._jumps = 0
        self.is_proven = False

    @property
    def source(self) -> str:
        return self._knock.source

    # -- what asyncssh calls

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = cast(ServerConnection, conn)
        self._state(self, "made", None)

    def auth_completed(self) -> None:
        self.is_proven = True
        self._state(self, "proven", None)
        self._house.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._house.connections:
            self._house.connections.remove(self)
        self._state(self, "lost", exc)
        self._connection = None

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]]:
        if self._direct:
            return super().connection_requested(dest_host, dest_port, orig_host, orig_port)
        return self._jump(dest_host, dest_port)

    async def _jump(self, host: str, port: int) -> asyncssh.SSHTCPSession[bytes]:
        connection = self._connection
        if connection is None or connection.proven is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "connection closed")
        try:
            target = self._house.gate.visible(self._knock, connection.proven, host, port)
        except (NoSuchTarget, BadCertificate) as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from error
        if self._jumps >= self._house.channels:
            reason = f"more than {self._house.channels} jumps on one connection"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, reason)
        inner = Inner(self._house, self._knock, connection.proven, target)
        tunnel = ServerConnection(
            asyncio.get_running_loop(),
            self._house.inner_options(target.name),
            inner,
            inner,
            self._house.attempts,
        )
        self._jumps += 1
        connection.watch(tunnel.below_blocked)

        def lost() -> None:
            self._jumps -= 1
            connection.unwatch(tunnel.below_blocked)

        inner.on_lost(lost)
        # asyncssh runs a connection on a channel, by duck type: it has the calls of a session.
        return cast(asyncssh.SSHTCPSession[bytes], tunnel)

    # -- the door

    def check(self, blob: bytes) -> Credential:
        return self._house.gate.check(self._knock, blob)

    async def enter(self, user: str, credential: Credential) -> None:
        self._context, self._direct = None, False  # of an earlier request, should this one fail
        identity = credential.identity
        if (
            sum(live.credential.identity == identity for live in self._house.connections)
            >= self._house.connections_each
        ):
            raise BadCertificate(f"more than {self._house.connections_each} connections of {identity.name} are open")
        await self._house.gate.login(self._knock, credential, user)
        account, percent, target = user.rpartition("%")
        if percent:
            self._context = await self._house.gate.admit(self._knock, credential, target, account)
            self._direct = True

    # -- Live

    @property
    def credential(self) -> Credential:
        if self._connection is None or self._connection.proven is None:
            raise RuntimeError("a connection is live only once it has proven who it is")
        return self._connection.proven

    def notice(self, text: str) -> None:
        """Sessions are told on their own channels; a connection without one has nowhere to show it."""

    def end(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, reason)

    # -- before the login

    def drop(self, reason: str) -> None:
        """Cut an unproven connection at once."""
        self._dropped = reason
        if self._connection is not None:
            self._connection.abort()

    def never_proven(self, error: Exception | None) -> None:
        """It ended without a login, for the audit trail."""
        reason = self._dropped or (str(error) if error is not None else "closed by the client")
        if self._connection is not None and self._connection.plain_keys:
            reason += f" (it offered {self._connection.plain_keys} plain keys, which do not log anyone in)"
        self._house.gate.never_proven(self._knock, reason)


class Inner(Side):
    """The SSH server that answers for one target, inside an outer connection that has proven `credential`."""

    def __init__(self, house: House, knock: Knock, credential: Credential, target: Target) -> None:
        super().__init__(house, knock)
        self._credential = credential
        self._target = target
        self._lost: Callable[[], None] = lambda: None

    def on_lost(self, call: Callable[[], None]) -> None:
        self._lost = call

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = cast(ServerConnection, conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._context is None:
            reason = str(exc) if exc is not None else "closed"
            self._house.gate.never_proven(self._knock, f"on the jump to {self._target.name}: {reason}")
        self._connection = None
        self._lost()

    def check(self, blob: bytes) -> Credential:
        credential = self._house.gate.check(self._knock, blob)
        if credential.blob != self._credential.blob:
            raise BadCredential(
                "the inner login must present the same certificate as the jump's: try again", credential
            )
        return credential

    async def enter(self, user: str, credential: Credential) -> None:
        self._context = None  # of an earlier request, should this one fail
        self._context = await self._house.gate.admit(self._knock, credential, self._target.name, user)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
