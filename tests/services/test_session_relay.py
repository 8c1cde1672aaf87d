"""The relay: recorded before shown, nothing lost or reordered, and brakes that come in pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import NotRecorded, TargetDown
from bastion.session.channel import STDERR, STDOUT, Ended, Resize, Signal
from bastion.session.relay import Relay
from tests.services.wires import FakeClient, FakeTape, FakeTarget, Wires


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def client(wires: Wires) -> FakeClient:
    return FakeClient(wires)


@pytest.fixture
def target(wires: Wires) -> FakeTarget:
    return FakeTarget(wires)


@pytest.fixture
async def relay(wires: Wires, client: FakeClient) -> Relay:
    return Relay(client, FakeTape(wires), terminal=False)


async def test_output_is_recorded_before_it_is_shown(relay: Relay, wires: Wires, target: FakeTarget) -> None:
    """Law 4, for both streams and for the bastion's own lines."""
    relay.attach(target)
    relay.target_data(b"out", STDOUT)
    relay.target_data(b"err", STDERR)
    relay.say("bastion: a notice")
    assert wires.seen == [
        ("recorded", STDOUT, b"out"),
        ("shown", STDOUT, b"out"),
        ("recorded", STDERR, b"err"),
        ("shown", STDERR, b"err"),
        ("recorded", STDERR, b"bastion: a notice\n"),
        ("shown", STDERR, b"bastion: a notice\n"),
    ]
    assert relay.sent == 6 + len("bastion: a notice\n")


async def test_a_line_of_our_own_ends_as_a_terminal_needs_it(wires: Wires, client: FakeClient) -> None:
    Relay(client, FakeTape(wires), terminal=True).say("x")
    assert wires.seen[-1] == ("shown", STDERR, b"x\r\n")


async def test_output_that_can_not_be_recorded_is_not_shown_and_ends_all(
    relay: Relay, wires: Wires, target: FakeTarget
) -> None:
    """The first byte that the tape does not take ends the relay with NotRecorded; nothing is shown from then on."""
    relay.attach(target)
    wires.full = True
    relay.target_data(b"lost", STDOUT)
    wires.full = False
    relay.target_data(b"later", STDOUT)
    assert wires.seen == []
    assert target.closed
    with pytest.raises(NotRecorded):
        await relay.ended


async def test_a_size_that_can_not_be_recorded_ends_all(relay: Relay, wires: Wires, target: FakeTarget) -> None:
    relay.attach(target)
    wires.full = True
    relay.client_control(Resize(100, 30, 0, 0))
    assert wires.seen == []
    assert target.closed
    with pytest.raises(NotRecorded):
        await relay.ended


async def test_a_size_is_recorded_then_told(relay: Relay, wires: Wires, target: FakeTarget) -> None:
    relay.attach(target)
    relay.client_control(Resize(100, 30, 1, 2))
    assert wires.seen == [("resized", 100, 30), ("told", Resize(100, 30, 1, 2))]


async def test_what_comes_before_the_target_is_open_is_kept_in_order(
    relay: Relay, wires: Wires, client: FakeClient, target: FakeTarget
) -> None:
    """Input and signals wait in one queue; reading is paused meanwhile; the end of input comes last."""
    relay.client_data(b"one")
    before = client.paused
    relay.client_control(Signal("INT"))
    relay.client_data(b"two")
    relay.client_eof()
    relay.attach(target)
    assert wires.seen == [("sent", b"one"), ("told", Signal("INT")), ("sent", b"two"), ("target eof",)]
    assert (before, client.paused) == (True, False)
    assert relay.received == 6


async def test_a_flood_of_signals_before_the_target_is_open_is_bounded(
    relay: Relay, wires: Wires, target: FakeTarget
) -> None:
    for _ in range(1000):
        relay.client_control(Signal("INT"))
    relay.attach(target)
    assert len(wires.seen) == 64


async def test_a_client_that_went_before_the_target_was_open(relay: Relay, target: FakeTarget) -> None:
    """`check` says so, so that nothing is opened; what was opened all the same is closed at once."""
    relay.client_lost()
    with pytest.raises(ConnectionError):
        relay.check()
    relay.attach(target)
    assert target.closed


async def test_output_after_the_end_is_dropped(relay: Relay, wires: Wires, target: FakeTarget) -> None:
    relay.attach(target)
    relay.end(ConnectionError("revoked"))
    relay.target_data(b"late", STDOUT)
    relay.target_eof()
    relay.client_data(b"late too")
    relay.client_control(Signal("INT"))
    relay.client_control(Resize(1, 1, 0, 0))
    relay.client_eof()
    assert wires.seen == []
    assert target.closed


async def test_the_first_end_stands(relay: Relay, target: FakeTarget) -> None:
    """Ends that follow (the channel's close, after a revocation) change nothing."""
    relay.attach(target)
    relay.end(RuntimeError("first"))
    relay.client_lost()
    relay.target_exit(Ended(0))
    relay.target_lost(None)
    with pytest.raises(RuntimeError, match="first"):
        await relay.ended


async def test_the_channels_close_is_the_end_not_the_exit_status(
    relay: Relay, wires: Wires, target: FakeTarget
) -> None:
    """Output that follows the exit status (it may, RFC 4254, section 6.10) is shown still."""
    relay.attach(target)
    relay.target_exit(Ended(3))
    relay.target_data(b"last words", STDOUT)
    assert not relay.ended.done()
    relay.target_lost(None)
    assert await relay.ended == Ended(3)
    assert ("shown", STDOUT, b"last words") in wires.seen


async def test_a_status_whose_output_may_be_cut_off_is_not_told(relay: Relay, target: FakeTarget) -> None:
    """The connection broke after the status and before the end of the output: that is no success."""
    relay.attach(target)
    relay.target_exit(Ended(0))
    relay.target_lost(OSError("reset"))
    with pytest.raises(TargetDown, match=r"the connection to the target was lost$"):
        await relay.ended


async def test_a_status_whose_output_is_whole_stands(relay: Relay, target: FakeTarget) -> None:
    """A target that hangs up without closing the channel, everything said."""
    relay.attach(target)
    relay.target_exit(Ended(4))
    relay.target_eof()
    relay.target_lost(OSError("reset"))
    assert await relay.ended == Ended(4)


async def test_a_target_that_is_lost_without_a_status(relay: Relay, target: FakeTarget) -> None:
    relay.attach(target)
    relay.target_lost(None)
    with pytest.raises(TargetDown):
        await relay.ended


async def test_half_close(relay: Relay, wires: Wires, target: FakeTarget) -> None:
    """The end of one direction leaves the other open."""
    relay.attach(target)
    relay.client_eof()
    relay.target_data(b"sorted", STDOUT)
    relay.target_eof()
    assert wires.seen == [
        ("target eof",),
        ("recorded", STDOUT, b"sorted"),
        ("shown", STDOUT, b"sorted"),
        ("client eof",),
    ]
    assert not relay.ended.done()


async def test_early_input_that_fills_the_target_keeps_the_client_paused(relay: Relay, client: FakeClient) -> None:
    """Attaching writes what has waited; a target that is full of it is not sent more."""

    class Narrow(FakeTarget):
        def write(self, data: bytes) -> None:
            super().write(data)
            relay.target_blocked("channel", True)

    relay.client_data(bytes(100_000))
    relay.attach(Narrow(Wires()))
    assert client.paused
    relay.target_blocked("channel", False)
    assert not client.paused


STEPS = ["attach", "data", "target full", "target free", "channel full", "channel free", "wire full", "wire free"]


@given(st.lists(st.sampled_from(STEPS), max_size=30))
async def test_brakes_come_in_pairs(steps: list[str]) -> None:
    """Whatever comes in whatever order: never paused twice or resumed unpaused (the fakes assert it), the client is
    paused exactly while the target is full or not open with input waiting, the target exactly while the client is."""
    wires = Wires()
    client, target = FakeClient(wires), FakeTarget(wires)
    relay = Relay(client, FakeTape(wires), terminal=False)
    attached = waiting = target_full = False
    stuck: set[str] = set()
    for step in steps:
        what, _, state = step.partition(" ")
        if step == "attach" and not attached:
            relay.attach(target)
            attached, waiting = True, False
        elif step == "data":
            relay.client_data(b"x")
            waiting = waiting or not attached
        elif what == "target" and attached:
            relay.target_blocked("channel", state == "full")
            target_full = state == "full"
        elif what in ("channel", "wire"):
            relay.client_blocked(what, state == "full")
            (stuck.add if state == "full" else stuck.discard)(what)
        assert client.paused == (waiting or target_full)
        assert target.paused == (attached and bool(stuck))
