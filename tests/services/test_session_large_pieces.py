"""Large pieces wait for others of their turn, and nothing else of what is shown changes by that."""

from __future__ import annotations

import asyncio
from itertools import accumulate, cycle, groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import NotMasked
from bastion.session import showing
from bastion.session.channel import STDERR, STDOUT, Ended
from bastion.session.masks import Masks
from bastion.session.pace import LEAST, SLICE
from bastion.session.relay import Relay
from bastion.session.showing import JOIN_FROM, JOINED
from tests.services.test_session_masks import CARD, CARDS, relayed, shown
from tests.services.wires import Wires

LARGE = (b"much text, and " + CARD + b" in it\n") * (JOIN_FROM // 32)
MASKED = LARGE.replace(CARD, b"[card]")
STEPS = {
    "large": lambda relay: relay.target_data(LARGE, STDOUT),
    "large with a part": lambda relay: relay.target_data(LARGE + CARD[:9], STDOUT),
    "small": lambda relay: relay.target_data(CARD[9:] + b" x\n", STDOUT),
    "large error": lambda relay: relay.target_data(LARGE, STDERR),
    "error": lambda relay: relay.target_data(b"oh no\n", STDERR),
    "say": lambda relay: relay.say("bastion: so"),
    "draw": lambda relay: relay.draw(b"prompt$ "),
    "settle": lambda relay: relay.settle(over=True),
    "show all": lambda relay: relay.mask(False),
    "mask": lambda relay: relay.mask(True),
}


async def _told(
    steps: list[str | None], terminal: bool = False
) -> tuple[list[tuple[object, object, bytes]], dict[str, int], int]:
    """What was recorded and shown, joined where nothing else came between, what was counted, and how much was sent."""
    wires = Wires()
    masks = Masks(lambda: CARDS, terminal=terminal)
    relay, _ = relayed(wires, masks, terminal=terminal)
    for step in steps:
        if step is None:
            await asyncio.sleep(0)  # a turn of the event loop
        else:
            STEPS[step](relay)
    relay.target_exit(Ended(0))
    relay.target_lost(None)
    assert await relay.ended == Ended(0)
    recorded = [event[1:] for event in wires.seen if event[0] == "recorded"]
    assert recorded == [event[1:] for event in wires.seen if event[0] == "shown"]
    joined = [
        (stream, b"".join(bytes(data) for _, data in found))  # type: ignore[call-overload]  # they hold bytes
        for stream, found in groupby(recorded, key=lambda event: event[0])
    ]
    return [("recorded", stream, data) for stream, data in joined], dict(masks.counts), relay.sent


@given(st.lists(st.sampled_from([*STEPS, "large", "large", None, None]), max_size=12))
def test_it_is_shown_as_if_nothing_waited(steps: list[str | None]) -> None:
    waiting = asyncio.run(_told(steps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(showing, "JOIN_FROM", 1 << 40)
        assert waiting == asyncio.run(_told(steps))


@given(
    st.lists(st.sampled_from([*STEPS, "large", "large", None, None]), max_size=12),
    st.lists(st.floats(0.0, 1.0), min_size=1),
    st.booleans(),
)
def test_it_is_shown_as_if_nothing_were_slow(steps: list[str | None], seconds: list[float], terminal: bool) -> None:
    """Whatever time the masks take, and so wherever pieces are cut."""
    quick = asyncio.run(_told(steps, terminal))
    clock = accumulate(cycle(seconds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(showing, "thread_time", lambda: next(clock))
        assert quick == asyncio.run(_told(steps, terminal))


def relay_in_flow(wires: Wires, masks: Masks, *, terminal: bool = False) -> Relay:
    """One whose first output was shown: from then on large pieces wait."""
    relay, _ = relayed(wires, masks, terminal=terminal)
    relay.target_data(b"first\n", STDOUT)
    assert shown(wires) == b"first\n"
    return relay


@pytest.mark.parametrize(("seconds", "shows"), [(60.0, 1), (0.0, 3)], ids=["quick masks", "slow masks"])
async def test_pieces_of_one_turn_are_shown_at_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float, shows: int
) -> None:
    """Unless that takes longer than others may wait: then one a turn."""
    monkeypatch.setattr(showing, "SLICE", seconds)
    wires = Wires()
    relay = relay_in_flow(wires, Masks(lambda: CARDS, terminal=False))
    for _ in range(3):
        relay.target_data(LARGE, STDOUT)
    assert shown(wires) == b"first\n"
    for _ in range(shows):
        await wires.more()
    assert [event[:2] for event in wires.seen if event[0] == "shown"] == [("shown", STDOUT)] * (1 + shows)
    assert shown(wires).strip() == (b"first\n" + MASKED * 3).strip()
    relay.end(ConnectionError("over"))


async def test_no_more_waits_than_is_bounded() -> None:
    """Also where the event loop has no turn in between."""
    wires = Wires()
    relay = relay_in_flow(wires, Masks(lambda: CARDS, terminal=False))
    sent = 0
    for _ in range(3 * JOINED // len(LARGE)):
        relay.target_data(LARGE, STDOUT)
        sent += len(MASKED)
        assert sent - relay.sent <= JOINED
    relay.end(ConnectionError("over"))
    assert relay.sent == sent + len(b"first\n")


async def test_what_waits_is_shown_before_the_end_of_the_output() -> None:
    wires = Wires()
    relay = relay_in_flow(wires, Masks(lambda: CARDS, terminal=False))
    relay.target_data(LARGE, STDOUT)
    relay.target_eof()
    assert shown(wires) == b"first\n" + MASKED
    assert wires.seen[-1] == ("client eof",)
    relay.end(ConnectionError("over"))


@pytest.mark.parametrize("terminal", [True, False])
async def test_on_a_terminal_and_where_nothing_is_masked_nothing_waits(terminal: bool) -> None:
    wires = Wires()
    relay = relay_in_flow(wires, Masks(lambda: CARDS if terminal else None, terminal=terminal), terminal=terminal)
    relay.target_data(b"text\n" * JOIN_FROM, STDOUT)
    assert shown(wires) == b"first\n" + b"text\n" * JOIN_FROM
    relay.end(ConnectionError("over"))


class Breaking(Masks):
    """Fails at a piece that says so."""

    def feed(self, data: bytes, stream: int) -> bytes:
        if data.startswith(b"fail"):
            raise ValueError("no")
        return super().feed(data, stream)


async def test_of_pieces_that_wait_only_those_before_one_that_fails_are_shown() -> None:
    wires = Wires()
    relay = relay_in_flow(wires, Breaking(lambda: CARDS, terminal=False))
    for piece in (LARGE, b"fail" + LARGE, b"late" + LARGE):
        relay.target_data(piece, STDOUT)
    with pytest.raises(NotMasked):
        await relay.ended
    relay.say("bastion: over")
    assert shown(wires).strip() == (b"first\n" + MASKED).strip()
    assert shown(wires, stream=STDERR) == b"bastion: over\n"


async def test_of_pieces_that_can_not_be_recorded_none_is_shown() -> None:
    wires = Wires()
    relay = relay_in_flow(wires, Masks(lambda: CARDS, terminal=False))
    relay.target_data(LARGE, STDOUT)
    wires.full = True
    relay.target_data(LARGE, STDOUT)
    relay.settle(over=True)
    wires.full = False
    relay.target_data(LARGE, STDOUT)
    assert shown(wires) == b"first\n"
    assert relay.ended.exception() is not None


async def test_what_waits_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is what is held given out because of it, nor is all that waits masked at once, which others wait for."""
    monkeypatch.setattr(showing, "SLICE", 0.0)
    monkeypatch.setattr(showing, "QUIET_SECONDS", 0.0)
    wires = Wires()
    relay = relay_in_flow(wires, Masks(lambda: CARDS, terminal=False))
    pieces = 4
    relay.target_data(b"number " + CARD[:9], STDOUT)
    for _ in range(pieces):
        relay.target_data(CARD[9:] + b"\n" + LARGE + b"number " + CARD[:9], STDOUT)
    for number in range(1, pieces):
        while shown(wires).count(MASKED[:-1]) < number:
            await wires.more()
        assert shown(wires).count(MASKED[:-1]) == number
        assert CARD[:9] not in shown(wires)
    relay.end(ConnectionError("over"))


class Slow(Masks):
    """Takes its time, by a clock of its own."""

    now = 0.0
    most = 0
    """Bytes of the largest piece behind the first large one."""

    def feed(self, data: bytes, stream: int) -> bytes:
        if self.now > SLICE:
            self.most = max(self.most, len(data))
        self.now += len(data) * SLICE / 1024
        return super().feed(data, stream)


@pytest.mark.parametrize("terminal", [True, False])
async def test_what_is_slow_to_mask_is_done_in_parts_and_the_target_waits(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    wires = Wires()
    masks = Slow(lambda: CARDS, terminal=terminal)
    monkeypatch.setattr(showing, "thread_time", lambda: masks.now)
    monkeypatch.setattr(showing, "SLICE", 0.0)
    relay, target = relayed(wires, masks, terminal=terminal)
    relay.target_data(b"first\n", STDOUT)
    relay.target_data(LARGE, STDOUT)
    sent = 1
    for _ in range(4):
        while not target.paused:
            relay.target_data(LARGE, STDOUT)
            sent += 1
        while target.paused:
            before = relay.sent
            await wires.more()
            assert 0 < relay.sent - before <= 1024 + LEAST + len(CARD)
    assert 1024 <= masks.most < 1024 + LEAST
    relay.settle(over=True)
    stars = LARGE.replace(CARD, b"*" * len(CARD))
    assert shown(wires) == b"first\n" + (stars if terminal else MASKED) * sent
    relay.end(ConnectionError("over"))


async def test_a_target_that_waits_goes_on_when_nothing_is_masked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    wires = Wires()
    masks = Slow(lambda: CARDS, terminal=False)
    monkeypatch.setattr(showing, "thread_time", lambda: masks.now)
    relay, target = relayed(wires, masks)
    relay.target_data(b"first\n", STDOUT)
    for _ in range(3):
        relay.target_data(LARGE, STDOUT)
        await wires.more() if not target.paused else None
    relay.mask(False)
    assert not target.paused
    relay.end(ConnectionError("over"))
