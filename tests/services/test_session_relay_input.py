"""The relay and scripts on standard input: gathered whole within bounds, then kept from the target or passed on."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import InputRefused, Interrupted, NotRecorded
from bastion.session import relay as relay_module
from bastion.session.channel import Break, Control, Resize, Signal
from bastion.session.relay import Relay
from tests.services.wires import FakeClient, FakeTape, FakeTarget, Wires

LIMIT = 100


class Ends:
    """A relay and its ends, made inside the running loop."""

    def __init__(self) -> None:
        self.wires = Wires()
        self.client = FakeClient(self.wires)
        self.target = FakeTarget(self.wires)
        self.relay = Relay(self.client, FakeTape(self.wires), terminal=False)

    async def gathering(self) -> asyncio.Future[bytes]:
        gathering = asyncio.ensure_future(self.relay.whole(LIMIT))
        await asyncio.sleep(0)
        return gathering

    @property
    def sent(self) -> bytes:
        return b"".join(line[1] for line in self.wires.seen if line[0] == "sent" and isinstance(line[1], bytes))


@pytest.fixture
async def ends() -> Ends:
    return Ends()


@given(script=st.binary(max_size=LIMIT), cuts=st.lists(st.integers(0, LIMIT), max_size=6), early=st.integers(0, 6))
def test_it_is_gathered_whole_wherever_it_is_cut(script: bytes, cuts: list[int], early: int) -> None:
    """Some of it before anyone asks, the rest after; and it is passed on, once, if it is not dropped."""

    async def run() -> None:
        ends = Ends()
        places = [0, *sorted(cuts), LIMIT]
        pieces = [piece for low, high in itertools.pairwise(places) if (piece := script[low:high])]
        for piece in pieces[:early]:
            ends.relay.client_data(piece)
        gathering = await ends.gathering()
        assert not ends.client.paused
        for piece in pieces[early:]:
            ends.relay.client_data(piece)
        ends.relay.client_eof()
        assert await gathering == script
        ends.relay.attach(ends.target)
        assert (ends.sent, ends.wires.seen[-1]) == (script, ("target eof",))

    asyncio.run(run())


async def test_what_has_ended_before_is_whole_at_once(ends: Ends) -> None:
    ends.relay.client_data(b"ls\n")
    ends.relay.client_eof()
    assert await ends.relay.whole(LIMIT) == b"ls\n"


async def test_none_of_a_dropped_one_reaches_the_target(ends: Ends) -> None:
    """Not what came before, and not what a client might still send; the end does, at once. Signals do as well."""
    gathering = await ends.gathering()
    ends.relay.client_data(b"rm x\n")
    ends.relay.client_control(Signal("USR1"))
    ends.relay.client_eof()
    await gathering
    ends.relay.drop_input()
    ends.relay.attach(ends.target)
    ends.relay.client_data(b"rm y\n")
    ends.relay.client_eof()
    assert ends.wires.seen == [("told", Signal("USR1")), ("target eof",)]
    assert ends.relay.received == 10


@pytest.mark.parametrize("ended", [True, False])
async def test_one_that_is_too_long_is_refused_before_its_end(ends: Ends, ended: bool) -> None:
    """And no more of it is read: what waits is bounded by the channel's window."""
    gathering = await ends.gathering()
    ends.relay.client_data(b"x" * LIMIT)
    await asyncio.sleep(0)
    assert not gathering.done()
    ends.relay.client_data(b"x")
    if ended:
        ends.relay.client_eof()
    with pytest.raises(InputRefused, match=f"longer than {LIMIT} bytes"):
        await gathering
    assert ends.client.paused


async def test_one_byte_at_a_time_costs_no_more_than_all_at_once(ends: Ends) -> None:
    """Nothing is gone through again for each piece that comes."""
    gathering = asyncio.ensure_future(ends.relay.whole(300_000))
    await asyncio.sleep(0)
    before = asyncio.get_running_loop().time()
    for _ in range(200_000):
        ends.relay.client_data(b"x")
    assert asyncio.get_running_loop().time() - before < 5
    ends.relay.client_eof()
    assert len(await gathering) == 200_000


async def test_one_without_an_end_is_refused_in_time(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "INPUT_SECONDS", 0.0)
    ends.relay.client_data(b"ls\n")
    with pytest.raises(InputRefused, match="did not end within 0 s"):
        await ends.relay.whole(LIMIT)
    assert ends.client.paused


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "KILL"])
async def test_a_signal_that_ends_a_shell_ends_it(ends: Ends, name: str) -> None:
    gathering = await ends.gathering()
    ends.relay.client_control(Signal(name))
    with pytest.raises(Interrupted) as caught:
        await gathering
    assert caught.value.signal == name
    ends.relay.attach(ends.target)
    assert ends.target.closed
    assert ends.sent == b""


@pytest.mark.parametrize("control", [Signal("USR1"), Resize(80, 24, 0, 0), Break(5)], ids=str)
async def test_anything_else_waits_for_the_command(ends: Ends, control: Control) -> None:
    gathering = await ends.gathering()
    ends.relay.client_control(control)
    ends.relay.client_eof()
    await gathering
    ends.relay.attach(ends.target)
    assert ("told", control) in ends.wires.seen


async def test_a_client_that_goes_ends_it(ends: Ends) -> None:
    gathering = await ends.gathering()
    ends.relay.client_data(b"ls\n")
    ends.relay.client_lost()
    with pytest.raises(ConnectionError, match="the client closed the channel"):
        await gathering


async def test_so_do_a_revocation_and_a_full_disk(ends: Ends) -> None:
    gathering = await ends.gathering()
    ends.relay.end(NotRecorded("revoked, say"))
    with pytest.raises(NotRecorded):
        await gathering
    other = Ends()
    gathering = await other.gathering()
    other.wires.full = True
    other.relay.client_control(Resize(80, 24, 0, 0))
    with pytest.raises(NotRecorded, match="the disk is full"):
        await gathering
