"""One channel's masks: streams apart, columns before patterns, the policy of the moment, nothing after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bastion.errors import NotMasked
from bastion.policy.loader import load_texts
from bastion.policy.masks import Chosen, choose
from bastion.session import showing
from bastion.session.channel import STDERR, STDOUT, Ended
from bastion.session.masks import Masks
from bastion.session.relay import Relay
from bastion.session.showing import RELEASE_SECONDS
from tests.services.wires import FakeClient, FakeTape, FakeTarget, Wires

CARD = b"4111 1111 1111 1111"


def chosen(*masks: str) -> Chosen:
    text = "version: 1\nmask:\n" + "".join(f"  - {mask}\n" for mask in masks)
    return choose(load_texts({"a.yaml": text.encode()}).masks, b"k" * 32)


CARDS = chosen("{id: cards, detectors: [payment]}")
MAILS = chosen("{id: mails, detectors: [email], columns: [ssn]}")


def shown(wires: Wires, what: str = "shown", stream: int = STDOUT) -> bytes:
    return b"".join(bytes(event[2]) for event in wires.seen if event[:2] == (what, stream))  # type: ignore[call-overload]  # these hold bytes


def relayed(wires: Wires, masks: Masks, *, terminal: bool = False) -> tuple[Relay, FakeTarget]:
    target = FakeTarget(wires)
    relay = Relay(FakeClient(wires), FakeTape(wires), terminal=terminal, masks=masks)
    relay.attach(target)
    return relay, target


def test_streams_are_apart() -> None:
    """Half a card on each is no card."""
    masks = Masks(lambda: CARDS, terminal=False)
    out = masks.feed(CARD[:10], STDOUT) + masks.feed(b" x\n", STDOUT)
    err = masks.feed(CARD[10:], STDERR) + masks.flush(STDERR)
    assert (out + masks.flush(STDOUT), err) == (CARD[:10] + b" x\n", CARD[10:])


def test_a_policy_that_changes_is_in_force_from_the_next_piece_on() -> None:
    """What was held is given out by the old one, and counted."""
    now: list[Chosen | None] = [CARDS]
    masks = Masks(lambda: now[0], terminal=False)
    seen = masks.feed(CARD + b"\nmail a.b@example.com\nxx 4111 ", STDOUT)
    assert seen == b"[card]\nmail a.b@example.com\nxx 4111 "[: len(seen)]
    assert b"4111" not in seen
    now[0] = MAILS
    assert seen + masks.feed(b"y a.b@example.com\n", STDOUT) == b"[card]\nmail a.b@example.com\nxx 4111 y [email]\n"
    now[0] = None
    assert masks.feed(CARD + b" a.b@example.com\n", STDOUT) == CARD + b" a.b@example.com\n"
    assert dict(masks.counts) == {"credit-card": 1, "email": 1}


def test_a_table_stays_masked_where_a_policy_changes_something_else() -> None:
    """Its header was read under the old one. With other columns, it is under the new one's from its next header on."""
    one = chosen("{id: people, columns: [email]}")
    more = chosen("{id: people, columns: [email]}", "{id: names, words: [Aurora]}")
    now = [one]
    masks = Masks(lambda: now[0], terminal=False)
    shown = masks.feed(b"id,email,name\n1,ann@x.org,Ann\n", STDOUT)
    now[0] = more
    shown += masks.feed(b"2,eve@x.org,Aurora\n", STDOUT) + masks.flush(STDOUT)
    assert shown == b"id,email,name\n1,[email],Ann\n2,[email],[names]\n"
    assert dict(masks.counts) == {"column:email": 2, "names": 1}


def test_columns_and_patterns_hold_together() -> None:
    masks = Masks(lambda: MAILS, terminal=False)
    text = b"name,ssn,mail\nbob,078-05-1120,b@example.com\n"
    assert masks.feed(text, STDOUT) + masks.flush(STDOUT) == b"name,ssn,mail\nbob,[ssn],[email]\n"
    assert dict(masks.counts) == {"column:ssn": 1, "email": 1}


def test_while_it_is_off_all_is_shown_and_texts_are_hidden_all_the_same() -> None:
    masks = Masks(lambda: CARDS, terminal=False)
    masks.on = False
    assert masks.feed(CARD + b"\n", STDOUT) == CARD + b"\n"
    assert masks.text(b"echo " + CARD) == b"echo [card]"


async def test_it_is_masked_before_it_is_recorded_and_shown() -> None:
    wires = Wires()
    relay, _ = relayed(wires, Masks(lambda: CARDS, terminal=False))
    for at in range(len(CARD)):
        relay.target_data(CARD[at : at + 1], STDOUT)
    relay.target_data(b"\n", STDOUT)
    assert shown(wires, "recorded") == shown(wires) == b"[card]\n"
    assert relay.sent == len(b"[card]\n")


@pytest.mark.parametrize("ends", ["eof", "lost"])
async def test_what_is_held_is_shown_at_the_end_of_the_output(ends: str) -> None:
    wires = Wires()
    relay, _ = relayed(wires, Masks(lambda: CARDS, terminal=False))
    relay.target_data(b"last 4111", STDOUT)
    assert b"4111" not in shown(wires)
    relay.target_exit(Ended(0))
    if ends == "eof":
        relay.target_eof()
        assert wires.seen[-1] == ("client eof",)
    relay.target_lost(None)
    assert shown(wires) == b"last 4111"
    assert await relay.ended == Ended(0)


async def test_a_terminal_does_not_wait_for_more() -> None:
    """Held for a moment, then shown, without anything else coming."""
    wires = Wires()
    relay, _ = relayed(wires, Masks(lambda: CARDS, terminal=True), terminal=True)
    relay.target_data(b"PIN 4111", STDOUT)
    assert b"4111" not in shown(wires)
    while shown(wires) != b"PIN 4111":
        await wires.more()
    relay.end(ConnectionError("over"))


@pytest.mark.parametrize("terminal", [True, False])
async def test_what_flows_is_not_given_out_by_time(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    """The time is of what is held now, and not of what was held when the time began."""
    monkeypatch.setattr(showing, "QUIET_SECONDS", RELEASE_SECONDS)
    wires = Wires()
    relay, _ = relayed(wires, Masks(lambda: CARDS, terminal=terminal), terminal=terminal)
    clock = asyncio.get_running_loop().time
    until = clock() + 4 * RELEASE_SECONDS
    while clock() < until:
        relay.target_data(CARD[9:] + b"\nnumber " + CARD[:9], STDOUT)
        await asyncio.sleep(0)
    assert CARD[:9] not in shown(wires)
    relay.end(ConnectionError("over"))


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_client_that_takes_nothing_is_no_target_that_is_silent(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """What is held stays until the target may go on, and has had the time to."""
    monkeypatch.setattr(showing, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(showing, "RELEASE_SECONDS", 0.0)
    wires = Wires()
    relay, _ = relayed(wires, Masks(lambda: CARDS, terminal=terminal), terminal=terminal)
    relay.target_data(b"PIN 4111", STDOUT)
    relay.client_blocked("window", True)
    relay.target_data(b"11", STDOUT)
    for _ in range(20):
        await asyncio.sleep(0)
    assert b"4111" not in shown(wires)
    relay.client_blocked("window", False)
    while shown(wires) != b"PIN 411111":
        await wires.more()
    relay.end(ConnectionError("over"))


class Broken(Masks):
    """Fails at the second piece."""

    def __init__(self) -> None:
        super().__init__(lambda: CARDS, terminal=False)
        self.pieces: list[bytes] = []

    def feed(self, data: bytes, stream: int) -> bytes:
        self.pieces.append(data)
        if len(self.pieces) > 1:
            raise ValueError(f"secret {data!r}")
        return super().feed(data, stream)


async def test_a_mask_that_fails_ends_the_session_and_shows_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """Law 3 and law 5: not the piece, not what was held, not in the log; a last word of ours is still shown."""
    wires = Wires()
    relay, target = relayed(wires, Broken())
    pieces: Sequence[bytes] = (b"first 4111", b"hush-hush", b"third")
    for piece in pieces:
        relay.target_data(piece, STDOUT)
    assert target.closed
    with pytest.raises(NotMasked):
        await relay.ended
    relay.say("bastion: over")
    assert shown(wires) == b"first 4111"[: len(shown(wires))]
    assert b"4111" not in shown(wires)
    assert shown(wires, stream=STDERR) == b"bastion: over\n"
    assert "hush-hush" not in caplog.text
