"""A proven client that means ill: it can spoil its own connection, and nobody else's."""

from __future__ import annotations

import asyncio
import socket
import sys
import time

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_OPEN
from asyncssh.packet import String, UInt32

from tests.system.asyncssh_client import jumped, options, outer
from tests.system.harness.bastion import Bastion
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import ACCOUNT
from tests.system.harness.waiting import until

MIB = 1 << 20
ECHO = 2.0
"""Seconds that an honest session's answer may take meanwhile, on two busy cores; it was 20 and more."""
LOOKS = 150
"""Looks in a row, three seconds of them, between which the bastion has read nothing: it reads no more."""
IGNORE = b"\0\0\0\x0c\x06\x02" + bytes(4) + bytes(6)
"""An SSH_MSG_IGNORE before the key exchange: length, padding's length, type, an empty text, padding."""


async def answers_meanwhile(client: Client) -> float:
    """The longest that an open session of an honest client waits for an answer, over two seconds."""
    longest = 0.0
    async with jumped(client) as connection:
        process = await connection.create_process("cat")
        until = time.monotonic() + 2
        while time.monotonic() < until:
            began = time.monotonic()
            process.stdin.write("there?\n")
            assert await asyncio.wait_for(process.stdout.readline(), 30) == "there?\n"
            longest = max(longest, time.monotonic() - began)
    return longest


@pytest.mark.parametrize("size", [1, 1023])
async def test_a_client_that_takes_tiny_packets_is_cut(client: Maker, size: int) -> None:
    """One byte a packet would have the bastion make a packet of each byte of output."""
    async with jumped(client()) as connection:
        with pytest.raises((asyncssh.ChannelOpenError, asyncssh.ProtocolError, asyncssh.ConnectionLost)) as told:
            await connection.create_session(asyncssh.SSHClientSession, "uptime", max_pktsize=size)
        assert "too small" in str(told.value) or connection.is_closed()


async def test_replies_that_nobody_reads_do_not_pile_up(client: Maker, bastion: Bastion) -> None:
    """A client that stops reading is read from no more; what it asked for is not answered into memory."""
    async with outer(client()) as connection:
        before = bastion.resident_bytes()
        transport = connection._transport
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        transport.pause_reading()

        def ask() -> None:
            """Small requests, each of whose refusals is as long as itself, for as long as the bastion takes them."""
            while transport.get_write_buffer_size() < MIB:
                connection.send_packet(
                    MSG_CHANNEL_OPEN,
                    *(String("direct-streamlocal@openssh.com"), UInt32(7), UInt32(MIB), UInt32(32768)),
                    *(String("/" + "x" * 200), String(""), UInt32(0)),
                )

        loop = asyncio.get_running_loop()
        unread: list[int] = []

        def reads_no_more() -> bool:
            loop.call_soon_threadsafe(ask)
            unread.append(transport.get_write_buffer_size())
            assert bastion.resident_bytes() - before < 32 * MIB
            return unread[-1] > 0 and len(unread) > LOOKS and len(set(unread[-LOOKS:])) == 1

        await asyncio.to_thread(until, reads_no_more, seconds=60)
        connection.abort()


@pytest.mark.parametrize("kind", ["global requests", "ignored"])
async def test_a_flood_of_small_packets_holds_up_nobody_else(client: Maker, bastion: Bastion, kind: str) -> None:
    honest, hostile = client(), client()
    words = [str(bastion.ssh_port), str(hostile.key), str(hostile.certificate), kind]
    flooder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.flooder", *words), stdout=asyncio.subprocess.PIPE
    )
    assert flooder.stdout is not None
    assert await flooder.stdout.readline() == b"flooding\n"
    try:
        assert await answers_meanwhile(honest) < ECHO
    finally:
        if flooder.returncode is None:
            flooder.kill()
        await flooder.wait()


async def test_too_many_bytes_before_the_login_end_it(bastion: Bastion) -> None:
    """Strangers have a budget: what is past it is cut, and told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bastion.ssh_port)
    await reader.readline()
    writer.write(b"SSH-2.0-flood\r\n" + IGNORE)
    try:
        for _ in range(64):
            writer.write(IGNORE * 1024)
            await asyncio.wait_for(writer.drain(), 5)
        assert await asyncio.wait_for(reader.read(), 10) is not None
    except ConnectionError:
        pass
    reason = "too many bytes before the login"
    await asyncio.to_thread(bastion.wait_audit, lambda event: event.get("reason") == reason)
    writer.close()


async def test_only_the_signals_of_the_protocol_are_passed_on(client: Maker) -> None:
    """A name of 30 kB is none of them, and costs the target nothing."""
    made = client()
    async with outer(made) as tunnel:
        connection = await asyncssh.connect("web-1", 22, tunnel=tunnel, username=ACCOUNT, **options(made))
        process = await connection.create_process("cat")
        for _ in range(50):
            process.channel.send_signal("X" * 30_000)
        process.stdin.write("still here\n")
        assert await process.stdout.readline() == "still here\n"
        connection.close()
