"""The connections and channels that the bastion makes of asyncssh's own: why setup.cfg pins its minor version.

asyncssh hides two things that we need: the certificate that a login proved (it tells only the authority's key) and the
exact bytes of an exec request. It takes a wrong guess at the key exchange for right, and answers a client's early close
before the exit status is sent. How bytes come in and leave is changed below, in intake.py and flow.py. Each hook
overrides a method by the name it has in asyncssh 2.24; tests/adapters/test_ssh_hooks.py fails when one is gone.

The rule of authentication here: asyncssh's own judgement of certificates and keys is switched off, and the `Door`
alone decides, by the certificate's bytes; asyncssh verifies the signature that proves the key (RFC 4252, section 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import asyncssh
from asyncssh.constants import MSG_CHANNEL_CLOSE
from asyncssh.packet import SSHPacket, String
from asyncssh.public_key import KeyImportError, decode_ssh_certificate

from bastion.errors import BadCertificate, NoSuchTarget, NotRecorded
from bastion.identity.principal import BadCredential, Credential
from bastion.ssh.flow import Flow
from bastion.ssh.intake import MAX_PACKET, WINDOW

log = logging.getLogger(__name__)

CERTIFICATE = b"-cert-v01@openssh.com"
OFFERS = 4
MAX_ENVIRONMENT = 64
MAX_ENVIRONMENT_BYTES = 32 * 1024


class Door(Protocol):
    """Who may authenticate. The errors' messages are shown to the client as an authentication banner."""

    def check(self, blob: bytes) -> Credential:
        """The certificate is one that may log in here, were its key proven; BadCertificate else."""

    async def enter(self, user: str, credential: Credential) -> None:
        """The key was proven: let in, told durably to the audit trail; BadCertificate, NoSuchTarget, NotRecorded
        else."""

    def refused(self, user: str, reason: str, credential: Credential | None) -> None:
        """A certificate was refused, for the audit trail; `credential` says whose, where it is one of ours."""


class ServerConnection(Flow, asyncssh.SSHServerConnection):
    """One server side of an SSH connection: outer or inner.

    `proven` is the credential of the login, None before it. `attempts` bounds failed authentication requests; twice as
    many and OFFERS more bound all of them, since an offer that is taken, or a request that the next one overtakes,
    fails not and yet costs time.
    """

    bounded_login = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHServerConnectionOptions,
        server: asyncssh.SSHServer,
        door: Door,
        attempts: int,
    ) -> None:
        super().__init__(loop, options)
        self._protocol_factory = lambda: server
        self._door = door
        self._attempts_left = attempts
        self._requests_left = 2 * attempts + OFFERS
        self._told: set[str] = set()
        self.proven: Credential | None = None
        self.plain_keys = 0

    # -- authentication

    async def reload_config(self) -> None:
        """There is no configuration file to match again for this user."""

    async def _finish_userauth(self, begin_auth: bool, method: bytes, packet: SSHPacket) -> None:
        self._requests_left -= 1
        if self._requests_left < 0:
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many requests to log in")
        await super()._finish_userauth(begin_auth, method, packet)

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """A certificate is offered (`msg` empty) or its key proven by a signature over `msg`."""
        if not _kind(key_data).endswith(CERTIFICATE):
            self.plain_keys += 1
            return False  # agents offer their plain keys in turn, and none of them is of any use here
        credential = None
        try:
            credential = self._door.check(key_data)
            if not msg:
                return True
            if not self._signed(key_data, msg, signature):
                raise BadCertificate("the signature does not prove the certificate's key")
            await self._door.enter(username, credential)
        except (BadCertificate, NoSuchTarget) as error:
            self._refuse(username, str(error), error.credential if isinstance(error, BadCredential) else credential)
            return False
        except NotRecorded as error:
            log.error("nobody is let in: %s", error)
            reason = "this bastion can not write its audit trail, so it lets nobody in; tell its operator"
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, reason) from error
        self.proven = credential
        return True

    def _signed(self, blob: bytes, message: bytes, signature: bytes) -> bool:
        try:
            key = decode_ssh_certificate(blob).key
        except KeyImportError as error:
            raise BadCertificate("the certificate's key can not be read") from error
        return bool(key.verify(String(self._session_id) + message, signature))

    def _refuse(self, user: str, reason: str, credential: Credential | None) -> None:
        """Tell the reason once a connection, however often a client tries."""
        if reason not in self._told:
            self._told.add(reason)
            self._door.refused(user, reason, credential)
            self.send_auth_banner(f"bastion: {reason}\r\n")

    def send_userauth_failure(self, partial_success: bool) -> None:
        """A failed request, of whatever method; too many of them end the connection (the client's `none` is free)."""
        self._attempts_left -= 1
        if self._attempts_left < 0:
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many attempts to log in")
        super().send_userauth_failure(partial_success)

    # -- key exchange

    def choose_server_host_key(self, peer_host_key_algs: Sequence[bytes]) -> bool:
        """Called in the midst of the client's KEXINIT, once the algorithms are chosen and the guess is judged.

        asyncssh takes a guess (RFC 4253, section 7.1) for right when it is what was chosen; it is wrong as well when
        the two sides' first choices differ, as Dropbear's do, whose guess would be read as a second key exchange.
        """
        guessed, theirs = _first_choices(self._client_kexinit)
        self._ignore_first_kex = guessed and theirs != _first_choices(self._server_kexinit)[1]
        return super().choose_server_host_key(peer_host_key_algs)


def _first_choices(kexinit: bytes) -> tuple[bool, tuple[bytes, ...]]:
    """Whether a guess follows this KEXINIT, and what its sender likes best: key exchange and host key."""
    packet = SSHPacket(kexinit)
    packet.get_bytes(1 + 16)  # the message's number and the cookie
    lists = [packet.get_namelist() for _ in range(10)]
    return packet.get_boolean(), tuple(names[0] for names in lists[:2] if names)


def _kind(blob: bytes) -> bytes:
    """The name of a public key's algorithm (RFC 4253, section 6.6); empty when there is none."""
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length] if length <= 64 else b""


class ClientConnection(Flow, asyncssh.SSHClientConnection):
    """The client side of a connection: the bastion's to a target."""


async def connect(host: str, port: int, **options: object) -> ClientConnection:
    """Open a ClientConnection, as asyncssh.connect would open its own. Raises OSError, asyncssh.Error; the caller
    bounds the time."""
    loop = asyncio.get_running_loop()
    made = await asyncssh.SSHClientConnectionOptions.construct(None, host=host, port=port, **options)
    made.waiter = loop.create_future()
    make = cast(Callable[[], asyncio.Protocol], lambda: ClientConnection(loop, made, wait="auth"))
    _, protocol = await loop.create_connection(make, host, port)
    connection = cast(ClientConnection, protocol)
    try:
        await made.waiter
    except BaseException:
        connection.abort()
        raise
    return connection


class Channel(asyncssh.SSHServerChannel[bytes]):
    """A session channel whose exec text arrives as it was sent, and whose environment is bounded.

    The text is handed on decoded with `surrogateescape`, from which the exact bytes come back.
    """

    _session: asyncssh.SSHServerSession[bytes]
    _early_close: SSHPacket | None = None

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        command = packet.get_string()
        packet.check_end()
        return self._start_session(command=command.decode("utf-8", "surrogateescape"))

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        size = sum(len(key) + len(text) for key, text in self._env.items()) + len(name) + len(value)
        if len(self._env) >= MAX_ENVIRONMENT or size > MAX_ENVIRONMENT_BYTES:
            return False
        self._env[name] = value
        return True

    def _process_close(self, _pkttype: int, _pktid: int, packet: SSHPacket) -> None:
        """The client closes. Once it has the end of the output it may do so before it has the exit status (OpenSSH
        does with ControlMaster), which is still to come on this channel: so answer when the command has ended. What it
        sent before may wait to be read, and its close with that: the session is told at once."""
        session = self._session
        if isinstance(session, Refuses):
            session.client_closes()
        if self._send_state != "eof":
            super()._process_close(_pkttype, _pktid, packet)
            return
        self._early_close = packet
        if self._recv_state == "open":
            self._recv_state = "eof_pending"
            self._flush_recv_buf()

    # asyncssh finds the handlers of packets in a table of the class, which an override alone does not change.
    _packet_handlers = {**asyncssh.SSHServerChannel._packet_handlers, MSG_CHANNEL_CLOSE: _process_close}  # noqa: RUF012 - as it is in asyncssh

    def close(self) -> None:
        """Close from our side, and answer a close that had to wait."""
        super().close()
        packet, self._early_close = self._early_close, None
        if packet is not None and self._recv_state != "closed":
            super()._process_close(MSG_CHANNEL_CLOSE, 0, packet)

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        del packet
        return self._refuse("X11 forwarding")

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> bool:  # type: ignore[override]  # asyncssh answers later, we at once
        del packet
        return self._refuse("agent forwarding")

    def _refuse(self, what: str) -> bool:
        session = self._session
        if isinstance(session, Refuses):
            session.request_refused(what)
        return False

    @property
    def environment(self) -> dict[bytes, bytes]:
        return dict(self._env)


class Refuses:
    """A session that wants to know of the channel requests that were refused for it, and of its client's close."""

    def client_closes(self) -> None:
        raise NotImplementedError

    def request_refused(self, what: str) -> None:
        raise NotImplementedError


def channel_of(connection: asyncssh.SSHServerConnection, *, pty: bool) -> Channel:
    """A new session channel of ours for `connection`, which carries bytes and has no line editor."""
    return Channel(
        connection,
        asyncio.get_running_loop(),
        allow_pty=pty,
        line_editor=False,
        line_echo=False,
        line_history=0,
        max_line_length=0,
        encoding=None,
        errors="strict",
        window=WINDOW,
        max_pktsize=MAX_PACKET,
    )
