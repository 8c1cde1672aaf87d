"""A client that stops where a stock one would log in: the packets after that are the test's own.

`knock` makes the key exchange with the bastion, or, over a connection that has logged in, with the server behind a
jump; then nothing is said but what the test says. What comes back is kept: failures, banners, how the connection ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import asyncssh
from asyncssh.packet import Boolean, Byte, SSHPacket, String, UInt32

from bastion.identity.authority import fingerprint
from tests.system.harness.bastion import Bastion
from tests.system.harness.client import Client

REQUEST, FAILURE, SUCCESS, PK_OK, OVER = 50, 51, 52, 60, 0
SECONDS = 20.0


def options(client: Client, user: str) -> dict[str, object]:
    """What asyncssh needs to be `client`: its key and certificate, and the host authority that it trusts."""
    return {
        "username": user,
        "client_keys": [(str(client.key), str(client.certificate))],
        "known_hosts": str(client.folder / "known_hosts"),
        "config": None,
        "agent_path": None,
    }


async def log_in(bastion: Bastion, client: Client, user: str = "root") -> asyncssh.SSHClientConnection:
    """An outer connection that has logged in."""
    arguments = options(client, user)
    return await asyncssh.connect("127.0.0.1", bastion.ssh_port, local_addr=(client.source, 0), **arguments)


class _Answers:
    """Stands where asyncssh would keep the method it tries: takes the answers of RFC 4252 and tells the client."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw

    def log_received_packet(self, *_: object) -> None:
        """Nothing is logged."""

    def process_packet(self, kind: int, _: int, packet: SSHPacket) -> bool:
        self._raw.answered(kind, packet.get_remaining_payload())
        return True

    def cancel(self) -> None:
        """Nothing runs."""


class _Watcher(asyncssh.SSHClient):
    def __init__(self) -> None:
        self.banners: list[str] = []
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def auth_banner_received(self, msg: str, lang: str) -> None:
        del lang
        self.banners.append(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(exc)


class Raw(asyncssh.SSHClientConnection):
    """After `ready`: `say` any packet, `ask` for a login and `answer` what came of it, `ended` for the end."""

    def __init__(self, arguments: asyncssh.SSHClientConnectionOptions, watcher: _Watcher) -> None:
        super().__init__(asyncio.get_running_loop(), arguments)
        self.watcher = watcher
        self.ready: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._answers: asyncio.Queue[int] = asyncio.Queue()

    # -- instead of asyncssh's own

    def try_next_auth(self, *, next_method: bool = False) -> None:
        del next_method
        if not self.ready.done():
            self._auth = cast(asyncssh.auth.ClientAuth, _Answers(self))
            self.ready.set_result(None)

    def process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> object:  # type: ignore[override]  # as wide as its parent's
        if pkttype in (FAILURE, SUCCESS):
            self.answered(pkttype, b"")
            return True
        return super().process_packet(pkttype, pktid, packet)

    def answered(self, kind: int, rest: bytes) -> None:
        del rest
        self._answers.put_nowait(kind)

    # -- what tests call

    def say(self, kind: int, *parts: bytes) -> None:
        """One packet, whether its time has come or not."""
        complete, self._auth_complete = self._auth_complete, True  # or asyncssh would keep it for after the login
        self.send_packet(kind, *parts)
        self._auth_complete = complete

    def ask(self, user: str, method: str, *parts: bytes) -> None:
        """A request to log in (RFC 4252, section 5)."""
        self.say(REQUEST, String(user), String("ssh-connection"), String(method), *parts)

    def offer(self, user: str, client: Client) -> None:
        """A certificate without a proof."""
        self.ask(user, "publickey", Boolean(False), String(_kind(client)), String(_blob(client)))

    def prove(self, user: str, client: Client, *, key: Client | None = None, session: bytes | None = None) -> None:
        """A certificate with a signature by its own key, or by another client's; over this session's id, or another."""
        signer = asyncssh.read_private_key(str((key or client).key))
        parts = [String(user), String("ssh-connection"), String("publickey")]
        parts += [Boolean(True), String(_kind(client)), String(_blob(client))]
        over = String(self._session_id if session is None else session) + Byte(REQUEST) + b"".join(parts)
        self.say(REQUEST, *parts, String(signer.sign(over, signer.algorithm)))

    async def answer(self) -> int:
        """The kind of the next answer: FAILURE, SUCCESS or PK_OK; OVER when the connection ended instead."""
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait((answer, self.watcher.ended), timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            return OVER
        return answer.result()

    async def end(self) -> Exception | None:
        """How the connection ended, waiting for it."""
        return await asyncio.wait_for(asyncio.shield(self.watcher.ended), SECONDS)

    @property
    def session(self) -> bytes:
        return self._session_id


async def knock(
    bastion: Bastion, client: Client, *, through: asyncssh.SSHClientConnection | None = None, target: str = "web-1"
) -> Raw:
    """A connection that has not logged in: to the bastion, or to the server behind the jump `through` it."""
    host = "127.0.0.1" if through is None else target
    watcher = _Watcher()
    arguments = await asyncssh.SSHClientConnectionOptions.construct(
        host=host, port=bastion.ssh_port, client_factory=lambda: watcher, **options(client, "root")
    )
    raw = Raw(arguments, watcher)
    if through is None:
        await asyncio.get_running_loop().create_connection(
            lambda: raw, host, bastion.ssh_port, local_addr=(client.source, 0)
        )
    else:
        await through.create_connection(lambda: raw, target, 22)  # type: ignore[arg-type, return-value]  # a connection has a session's calls
    await asyncio.wait((raw.ready, raw.watcher.ended), timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return raw


def channel_open(kind: str = "session", parts: Sequence[bytes] = ()) -> tuple[bytes, ...]:
    """The body of a channel open (RFC 4254, section 5.1)."""
    return (String(kind), UInt32(0), UInt32(1 << 20), UInt32(32768), *parts)


def key_fingerprint(client: Client) -> str:
    """OpenSSH's `SHA256:…` of a client's key."""
    return fingerprint(asyncssh.read_public_key(str(client.key) + ".pub").public_data)


def _blob(client: Client) -> bytes:
    return asyncssh.read_certificate(str(client.certificate)).public_data


def _kind(client: Client) -> bytes:
    return asyncssh.read_certificate(str(client.certificate)).algorithm
