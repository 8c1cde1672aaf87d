"""The target's side: connections opened with keys that only the bastion holds, and the channels on them.

A connection is kept for a certificate of an identity, a target and an account, and for nobody else, for a while after
its last session, so that the next one opens without a handshake, and a minted certificate names the agent's own. A
target that allows few sessions on a connection gets another one.

Law 2: `open` takes a Context and the Allowed that was made for it, and sends the text that Allowed carries. `ask` sends
one constant text of the bastion's own (question.py), and takes none.
Limit: a session request whose answer is lost is not tried again, since the command may have run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

import asyncssh

from bastion.context import Context
from bastion.errors import BastionError, TargetDown
from bastion.gate import Allowed
from bastion.identity.principal import Credential
from bastion.session.channel import TargetChannel, Terminal
from bastion.session.gated import boot
from bastion.session.gated.boot import kind_of
from bastion.session.relay import Relay
from bastion.ssh import algorithms, question
from bastion.ssh.feeder import Feeder, PipedFeeder
from bastion.ssh.hooks import ClientConnection, connect
from bastion.ssh.intake import MAX_PACKET, WINDOW
from bastion.ssh.target_channel import CommandsSession, TargetSession
from bastion.targets.target import Target

KEEPALIVE = 30
"""Seconds of silence after which a target is asked whether it is there; the third unanswered time ends it."""

T = TypeVar("T")

_NOTHING_RAN = {
    asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED,
    asyncssh.OPEN_CONNECT_FAILED,
    asyncssh.OPEN_RESOURCE_SHORTAGE,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """`connect`: seconds for a connection or a channel to open. `keep`: seconds that an idle connection is kept.
    `sessions`: channels at once on one connection (OpenSSH's MaxSessions is 10)."""

    connect: int
    keep: int
    sessions: int


@dataclass(eq=False)
class Line:
    """One connection to a target, for one certificate of an identity and one account."""

    connection: ClientConnection
    credential: Credential
    target: Target
    sessions: int = 0
    carried: bool = False
    full: bool = False
    lost: bool = False
    idle: asyncio.TimerHandle | None = None

    def carries(self) -> None:
        """A session was opened on it."""
        self.carried = True


@dataclass
class Lines:
    """The connections for one certificate, target and account; `opening` makes one handshake serve those who wait, and
    `forget` is called when the last of them is gone."""

    forget: Callable[[], object]
    lines: list[Line] = field(default_factory=list)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Upstreams:
    """Life: `open` and `ask` at will, `drop` on a revocation, `close` once."""

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self._keys = keys
        self._settings = settings
        self._lines: dict[tuple[str, str, str, int, str, str], Lines] = {}

    async def open(
        self, context: Context, allowed: Allowed, terminal: Terminal | None, relay: Relay, nonce: str = ""
    ) -> TargetChannel:
        """A channel to the target that runs what was allowed; of a gated shell, its terminal, with the `nonce` of its
        markers. TargetDown when it can not be had."""
        allowed.for_context(context)

        async def opened(line: Line) -> TargetChannel:
            return await self._channel(line, allowed, terminal, relay, nonce)

        return await self._on_line(context, opened, relay.check)

    async def feed(
        self, context: Context, allowed: Allowed, path: bytes, nonce: str, lost: Callable[[], None]
    ) -> Feeder:
        """The command channel of a gated shell whose FIFO is at `path`. TargetDown when it can not be had."""
        allowed.for_context(context)
        kind = kind_of(allowed.shell)

        async def opened(line: Line) -> Feeder:
            feeder = Feeder(context, kind, nonce, lost, lambda: self._give_back(line))
            return await self._feeder(line, feeder, path)

        return await self._on_line(context, opened, lambda: None)

    async def pipe(
        self, context: Context, allowed: Allowed, relay: Relay, nonce: str
    ) -> tuple[TargetChannel, PipedFeeder]:
        """A gated shell without a terminal: the account's login shell, and what its commands are sent by. Nothing else
        is sent to it. TargetDown when it can not be had."""
        allowed.for_context(context)
        if allowed.kind != "gated":
            raise TargetDown("this permission is not for a gated shell")

        async def opened(line: Line) -> tuple[TargetChannel, PipedFeeder]:
            session = CommandsSession(line.connection, relay, line.carries, lambda: self._give_back(line))
            channel = await self._session(line, session, allowed, None, None)
            return session, PipedFeeder(context, kind_of(allowed.shell), nonce, channel)

        return await self._on_line(context, opened, relay.check)

    async def ask(self, context: Context) -> bytes:
        """What the account's login shell answers to QUESTION. TargetDown when there is no answer in time."""
        return await self._on_line(context, self._question, lambda: None)

    async def _on_line(self, context: Context, use: Callable[[Line], Awaitable[T]], check: Callable[[], None]) -> T:
        """What `use` makes of a connection with room for a session; it gives the connection back when that ends."""
        while True:
            line = await self._line(context)
            try:
                check()
            except BaseException:
                self._give_back(line)
                raise
            try:
                return await use(line)
            except asyncssh.ChannelOpenError as error:
                # A connection that has carried sessions may be full, so another is tried; a new one is no better.
                if not line.carried or error.code not in _NOTHING_RAN:
                    raise TargetDown(f"target {context.target.name} refused the session: {error.reason}") from error
                line.full = True

    def drop(self, why: Callable[[Credential], str | None]) -> None:
        """Close the connections of those that `why` gives a reason for."""
        for lines in self._lines.values():
            for line in list(lines.lines):
                if why(line.credential) is not None:
                    line.connection.abort()

    async def close(self) -> None:
        """Close every connection and wait for them."""
        open_lines = [line for lines in self._lines.values() for line in lines.lines]
        for line in open_lines:
            line.connection.close()
        for line in open_lines:
            with contextlib.suppress(TimeoutError):  # a target that does not answer is left to the kernel
                await asyncio.wait_for(line.connection.wait_closed(), 2)

    # -- connections

    async def _line(self, context: Context) -> Line:
        """A connection with room for one more session, which is counted at once."""
        identity, serial = context.identity, context.credential.serial
        key = (identity.tenant, identity.issuer, identity.subject, serial, context.target.name, context.account.name)
        lines = self._lines.setdefault(key, Lines(lambda: self._lines.pop(key, None)))
        async with lines.opening:
            for line in lines.lines:
                if line.target == context.target and not line.full and line.sessions < self._settings.sessions:
                    self._take(line)
                    return line
            line = await self._connect(context, lines)
            self._take(line)
            return line

    async def _connect(self, context: Context, lines: Lines) -> Line:
        target, account = context.target, context.account
        watcher = _Watcher(lines)
        try:
            async with asyncio.timeout(self._settings.connect):
                connection = await connect(
                    target.host,
                    target.port,
                    username=account.name,
                    client_keys=await self._keys.keys(context),
                    client_factory=lambda: watcher,
                    **_options(target),
                )
        except TimeoutError as error:
            message = f"target {target.name} did not answer within {self._settings.connect} s"
            raise TargetDown(message) from error
        except BastionError as error:
            raise TargetDown(f"target {target.name}: its key can not be used; ask the bastion's operator") from error
        except (OSError, asyncssh.Error) as error:
            raise TargetDown(f"target {target.name} can not be opened: {_fault(error)}") from error
        watcher.line = Line(connection, context.credential, target)
        lines.lines.append(watcher.line)
        return watcher.line

    def _take(self, line: Line) -> None:
        line.sessions += 1
        if line.idle is not None:
            line.idle.cancel()
            line.idle = None

    def _give_back(self, line: Line) -> None:
        line.sessions -= 1
        if line.sessions:
            return
        if line.full or line.lost:
            line.connection.close()
        else:
            line.idle = asyncio.get_running_loop().call_later(self._settings.keep, line.connection.close)

    # -- channels

    async def _channel(
        self, line: Line, allowed: Allowed, terminal: Terminal | None, relay: Relay, nonce: str
    ) -> TargetChannel:
        session = TargetSession(line.connection, relay, line.carries, lambda: self._give_back(line))
        await self._session(line, session, allowed, _text(allowed, nonce), terminal)
        return session

    async def _session(
        self, line: Line, session: TargetSession, allowed: Allowed, text: str | None, terminal: Terminal | None
    ) -> asyncssh.SSHClientChannel[bytes]:
        """Its channel, opened: an exec of `text`, or a shell."""
        try:
            async with asyncio.timeout(self._settings.connect):
                channel, _ = await line.connection.create_session(
                    lambda: session,
                    text,
                    subsystem=None,
                    env=list(allowed.environment.items()),
                    send_env=None,
                    request_pty="force" if terminal else False,
                    term_type=terminal.kind if terminal else None,
                    term_size=(terminal.columns, terminal.rows, terminal.width, terminal.height) if terminal else (),
                    term_modes=terminal.modes if terminal else {},
                    x11_forwarding=False,
                    encoding=None,
                    window=WINDOW,
                    max_pktsize=MAX_PACKET,
                )
        except TimeoutError as error:
            line.connection.abort()
            session.let_go()
            raise TargetDown(f"target {line.target.name} did not open the session in time") from error
        except asyncssh.ChannelOpenError:
            session.let_go()
            raise
        except (OSError, asyncssh.Error) as error:
            session.let_go()
            raise TargetDown(f"the connection to target {line.target.name} was lost: {_fault(error)}") from error
        return channel

    async def _feeder(self, line: Line, feeder: Feeder, path: bytes) -> Feeder:
        try:
            async with asyncio.timeout(self._settings.connect):
                await line.connection.create_session(
                    lambda: feeder,
                    cast(str, boot.feeder(path)),  # as in _text
                    subsystem=None,
                    env=(),
                    send_env=None,
                    request_pty=False,
                    x11_forwarding=False,
                    encoding=None,
                    window=WINDOW,
                    max_pktsize=MAX_PACKET,
                )
        except TimeoutError as error:
            line.connection.abort()
            feeder.let_go()
            raise TargetDown(f"target {line.target.name} did not open the command channel in time") from error
        except asyncssh.ChannelOpenError:
            feeder.let_go()
            raise
        except (OSError, asyncssh.Error) as error:
            feeder.let_go()
            raise TargetDown(f"the connection to target {line.target.name} was lost: {_fault(error)}") from error
        line.carries()
        return feeder

    async def _question(self, line: Line) -> bytes:
        try:
            return await question.put(line.connection, line.carries)
        except TimeoutError as error:
            line.connection.abort()
            seconds = f"{question.SECONDS:g} s"
            message = f"target {line.target.name} did not say within {seconds} which login shell the account has"
            raise TargetDown(message) from error
        except asyncssh.ChannelOpenError:
            raise
        except (OSError, asyncssh.Error) as error:
            raise TargetDown(f"the connection to target {line.target.name} was lost: {_fault(error)}") from error
        finally:
            self._give_back(line)


class _Watcher(asyncssh.SSHClient):
    """Forgets a connection when it is lost."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.line: Line | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # the sessions on it are told by their channels
        if self.line is not None:
            self.line.lost = True
            self._lines.lines.remove(self.line)
            if not self._lines.lines and not self._lines.opening.locked():
                self._lines.forget()


class Keys:
    """The keys for an account: the held one, or one made now with a certificate of one minute."""

    def __init__(self, held: Callable[[Context], bytes | None], minted: Callable[[Context, str], str]) -> None:
        self._held = held
        self._minted = minted

    async def keys(self, context: Context) -> list[object]:
        held = await asyncio.to_thread(self._held, context)
        if held is not None:
            return [asyncssh.import_private_key(held)]
        key = asyncssh.generate_private_key("ssh-ed25519")
        certificate = self._minted(context, key.export_public_key().decode())
        return [(key, asyncssh.import_certificate(certificate))]


def _options(target: Target) -> Mapping[str, object]:
    return {
        "config": None,
        "known_hosts": (
            [asyncssh.import_public_key(line) for line in target.host_keys],
            [asyncssh.import_public_key(line) for line in target.host_cas],
            [],
        ),
        "agent_path": None,
        "agent_forwarding": False,
        "preferred_auth": "publickey",
        "password_auth": False,
        "kbdint_auth": False,
        "host_based_auth": False,
        "gss_kex": False,
        "gss_auth": False,
        "kex_algs": algorithms.KEY_EXCHANGE,
        "encryption_algs": algorithms.CIPHERS,
        "mac_algs": algorithms.MACS,
        "compression_algs": algorithms.COMPRESSION,
        "signature_algs": algorithms.SIGNATURES,
        "keepalive_interval": KEEPALIVE,
        "login_timeout": 0,
        "connect_timeout": None,
        "client_version": "bastion",
    }


def _text(allowed: Allowed, nonce: str) -> str | None:
    """The text to run; None opens a raw shell, and a text of ours begins a gated one. Never an empty text, which
    asyncssh would take for a shell.

    asyncssh takes the text's bytes as they are, though its annotation says text.
    """
    if allowed.kind == "shell":
        return None
    if allowed.kind == "gated":
        return cast(str, boot.boot(nonce, kind_of(allowed.shell)))
    if not allowed.runs:
        raise TargetDown("nothing to run")
    return cast(str, allowed.runs)


def _fault(error: Exception) -> str:
    """What a client may know of it: the kind of fault, without the addresses that it can not see anyway."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "its host key is not the pinned one"
    if isinstance(error, asyncssh.PermissionDenied):
        return "it refused the held key"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else type(error).__name__  # asyncio's own text has the address
    return type(error).__name__
