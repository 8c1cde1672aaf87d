"""What a client may not do before it has logged in, tried on the outer server and on the one behind a jump.

Each ends the connection with nothing executed and an event in the audit trail, and others are served all the while.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncssh
import pytest
from asyncssh.packet import Boolean, NameList, String, UInt32

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import SOURCES, Maker
from tests.system.harness.raw import FAILURE, PK_OK, SECONDS, channel_open, knock, log_in
from tests.system.harness.sshd import ACCOUNT, Sshd

VERSION = b"SSH-2.0-test\r\n"

BYTES: dict[str, tuple[bytes, str]] = {
    "garbage before the version": (b"\x00\xff garbage\r\n" * 4, "Unsupported SSH version"),
    "another protocol": (b"GET / HTTP/1.1\r\nHost: bastion\r\n\r\n", "Unsupported SSH version"),
    "version 1": (b"SSH-1.5-old\r\n", "Unsupported SSH version"),
    "a version that does not end": (b"SSH-2.0-" + b"x" * 70000, "too long"),
    "a version that is too long": (b"SSH-2.0-" + b"x" * 1000 + b"\r\n", "too long"),
    "a huge packet": (VERSION + b"\x7f\xff\xff\xff\x04" + b"\0" * 64, "Max packet size exceeded"),
    "an empty packet": (VERSION + b"\0\0\0\0" + b"\0" * 64, ""),
    "padding longer than its packet": (VERSION + b"\0\0\0\x0c\xff\x14" + b"\0" * 64, ""),
}
"""What is sent, and what the audit trail must say of it."""


def plain(kind: int, *parts: bytes) -> bytes:
    """A packet as it is before keys are agreed on (RFC 4253, section 6)."""
    payload = bytes([kind]) + b"".join(parts)
    padding = 8 - (5 + len(payload)) % 8 + (8 if 8 - (5 + len(payload)) % 8 < 4 else 0)
    return (1 + len(payload) + padding).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)


BYTES |= {
    f"{name} before any keys": (VERSION + plain(kind, *parts), "")
    for name, kind, parts in (
        ("a service request", 5, (String("ssh-userauth"),)),
        ("a login", 50, (String("root"), String("ssh-connection"), String("none"))),
        ("a success", 52, ()),
        ("a global request", 80, (String("x"), Boolean(True))),
        ("a channel", 90, channel_open()),
        ("new keys", 21, ()),
        ("a key exchange's second step", 30, (String(b"\x01" * 32),)),
        ("an unknown packet", 255, ()),
    )
}

PACKETS: dict[str, tuple[int, tuple[bytes, ...]]] = {
    "a session channel": (90, channel_open()),
    "a jump": (90, channel_open("direct-tcpip", [String("web-1"), UInt32(22), String("127.0.0.1"), UInt32(1)])),
    "an exec request": (98, (UInt32(0), String("exec"), Boolean(True), String("true"))),
    "channel data": (94, (UInt32(0), String("x"))),
    "a global request": (80, (String("tcpip-forward"), Boolean(True), String(""), UInt32(0))),
    "the connection service": (5, (String("ssh-connection"),)),
    "the login service a second time": (5, (String("ssh-userauth"),)),
    "a success of its own making": (52, ()),
    "a failure of its own making": (51, (NameList([b"publickey"]), Boolean(False))),
    "an answer nobody asked for": (61, (UInt32(0),)),
    "a key accepted, by the client": (60, (String("ssh-ed25519"), String(b""))),
    "an answer to a global request": (81, ()),
    "new keys": (21, ()),
    "a key exchange's second step": (30, (String(b"\x01" * 32),)),
    "a login for another service": (50, (String("root"), String("ssh-userauth"), String("none"))),
    "a user name of a megabyte's kind": (50, (String("x" * 20000), String("ssh-connection"), String("none"))),
    "half a login": (50, (String("root"),)),
}

BOTH = pytest.mark.parametrize("inner", [False, True], ids=["outer", "inner"])


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    served = Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)])
    served.settings["ssh"]["limits"] = {"handshake": "2s"}
    with served:
        yield served


@pytest.fixture(autouse=True)
def nothing_ran(bastion: Bastion, target: Sshd) -> Iterator[None]:
    """Whatever a test here does: nothing is judged, and the target is not touched."""
    judged, opened = len(bastion.audit("command-judged")), target.accepted
    yield
    assert len(bastion.audit("command-judged")) == judged
    assert target.accepted == opened
    assert "Traceback" not in bastion.log


@contextlib.asynccontextmanager
async def outer(bastion: Bastion, client: Maker, *, wanted: bool) -> AsyncIterator[asyncssh.SSHClientConnection | None]:
    """A connection to jump through, if one is wanted."""
    if not wanted:
        yield None
        return
    connection = await log_in(bastion, client())
    try:
        yield connection
    finally:
        connection.abort()


async def told(bastion: Bastion, before: int, reason: str, *, inner: bool) -> None:
    """The audit trail has a new event of the right connection with the reason."""

    def found() -> bool:
        reasons = [event["reason"] for event in bastion.audit("connection-refused")[before:]]
        reasons = [one for one in reasons if ("timeout" in one) == ("timeout" in reason)]  # else it was cut for that
        return any(reason in one and ("on the jump to web-1" in one) == inner for one in reasons)

    await asyncio.to_thread(bastion.wait_audit, lambda _: found())


@BOTH
@pytest.mark.parametrize("name", sorted(BYTES))
async def test_bytes_that_are_not_ssh_end_the_connection(
    bastion: Bastion, client: Maker, name: str, *, inner: bool
) -> None:
    sent, reason = BYTES[name]
    before = len(bastion.audit("connection-refused"))
    async with outer(bastion, client, wanted=inner) as through:
        if through is None:
            source = (next(SOURCES), 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", bastion.ssh_port, local_addr=source)
        else:
            reader, writer = await through.open_connection("web-1", 22, encoding=None)  # type: ignore[assignment]  # the same calls
        writer.write(sent)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), SECONDS)
        await told(bastion, before, reason, inner=inner)
        writer.close()


@BOTH
@pytest.mark.parametrize("name", sorted(PACKETS))
async def test_packets_that_are_for_after_the_login_end_the_connection(
    bastion: Bastion, client: Maker, name: str, *, inner: bool
) -> None:
    kind, parts = PACKETS[name]
    before, admitted = len(bastion.audit("connection-refused")), len(bastion.audit("admitted"))
    async with outer(bastion, client, wanted=inner) as through:
        raw = await knock(bastion, client(), through=through)
        raw.say(kind, *parts)
        assert await raw.end() is not None
        await told(bastion, before, "", inner=inner)
    assert len(bastion.audit("admitted")) == admitted


@BOTH
async def test_silence_ends_when_the_handshake_has_had_its_time(
    bastion: Bastion, client: Maker, *, inner: bool
) -> None:
    before = len(bastion.audit("connection-refused"))
    async with outer(bastion, client, wanted=inner) as through:
        raw = await knock(bastion, client(), through=through)
        assert await raw.end() is not None
        await told(bastion, before, "Login timeout expired", inner=inner)


async def test_a_byte_now_and_then_buys_no_time(bastion: Bastion) -> None:
    """The time is for the whole handshake, and not for the next byte."""
    before = len(bastion.audit("connection-refused"))
    reader, writer = await asyncio.open_connection("127.0.0.1", bastion.ssh_port)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await reader.readline()
    for byte in b"SSH-2.0-slow-and-slower-and-slower":
        writer.write(bytes([byte]))
        with contextlib.suppress(TimeoutError):
            if not await asyncio.wait_for(reader.read(1), 0.3):
                break
    assert 1.5 < loop.time() - began < 5
    await told(bastion, before, "Login timeout expired", inner=False)
    writer.close()


@BOTH
@pytest.mark.parametrize(
    "method", ["none", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic", "magic"]
)
async def test_no_other_method_gets_anywhere(bastion: Bastion, client: Maker, method: str, *, inner: bool) -> None:
    extra = {
        "password": (Boolean(False), String("secret")),
        "keyboard-interactive": (String(""), String("")),
        "hostbased": (String("ssh-ed25519"), String(b""), String("host"), String("root"), String(b"")),
        "gssapi-with-mic": (UInt32(0),),
    }
    async with outer(bastion, client, wanted=inner) as through:
        raw = await knock(bastion, client(), through=through)
        raw.ask(ACCOUNT, method, *extra.get(method, ()))
        assert await raw.answer() == FAILURE
        raw.abort()


@BOTH
async def test_so_many_attempts_and_no_more(bastion: Bastion, client: Maker, *, inner: bool) -> None:
    """Six failed requests are answered (and the one `none` with which every client begins); then it is over."""
    before = len(bastion.audit("connection-refused"))
    async with outer(bastion, client, wanted=inner) as through:
        raw = await knock(bastion, client(), through=through)
        for _ in range(6):
            raw.ask(ACCOUNT, "none")
            assert await raw.answer() == FAILURE
        raw.ask(ACCOUNT, "none")
        ended = await raw.end()
        assert isinstance(ended, asyncssh.DisconnectError)
        assert "too many attempts" in ended.reason
        await told(bastion, before, "too many attempts", inner=inner)


@BOTH
@pytest.mark.parametrize("how", ["offers that are taken", "requests that overtake each other"])
async def test_so_many_requests_and_no_more(bastion: Bastion, client: Maker, how: str, *, inner: bool) -> None:
    """They do not fail, and would else be free."""
    before, user = len(bastion.audit("connection-refused")), client()
    async with outer(bastion, lambda: user, wanted=inner) as through:
        raw = await knock(bastion, user, through=through)
        for _ in range(40):
            raw.offer(ACCOUNT, user)
            if how == "offers that are taken" and await raw.answer() != PK_OK:
                break
        assert await raw.end() is not None
        await told(bastion, before, "too many requests to log in", inner=inner)
