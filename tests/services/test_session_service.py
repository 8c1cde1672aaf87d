"""A session from what is asked to how it ended: the order of record, judge, open, relay and tell; and every bad end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bastion.asciicast.reader import read
from bastion.asked import Asked
from bastion.audit.events import Event, SessionEnded
from bastion.context import Context, Knock
from bastion.errors import Denied, Interrupted, NotRecorded, TargetDown
from bastion.gate import Allowed, Gate
from bastion.identity.principal import Credential, Identity
from bastion.policy.decision import Decision, Effect
from bastion.recording.recorder import Closed, Recordings
from bastion.session.channel import STDERR, STDOUT, Control, Ended, Terminal, Wanted
from bastion.session.registry import Registry
from bastion.session.relay import Relay
from bastion.session.service import Keeps, Sessions
from bastion.targets.target import Account, Target

IDENTITY = Identity("acme", "https://issuer.example.com", "agent-1", ("agent-1",), frozenset({"agents"}), {})
UPTIME = Wanted("exec", b"uptime", None, {})


@dataclass
class World:
    """Fakes of everything outside, which write what is done to them into `seen`, in one order."""

    recordings: Recordings
    context: Context
    seen: list[str] = field(default_factory=list)
    shown: bytes = b""
    streams: list[int] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    verdict: Exception | None = None
    input_used: bool = False
    opening: Exception | None = None
    audit_fails: Exception | None = None
    store_fails: Exception | None = None
    judging: Callable[[], None] = lambda: None
    relay: Relay | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    registry: Registry = field(default_factory=Registry)

    # the gate, the upstream and the audit trail

    async def judge(self, context: Context, asked: Asked) -> Allowed:
        self.seen.append(f"judged {asked.kind} {asked.text.decode()}")
        assert context is self.context
        self.judging()
        if self.verdict is not None:
            raise self.verdict
        decision = Decision(Effect.ALLOW, "look-around", "allowed", "v1")
        told = "allowed by look-around"
        values = {"decision": decision, "input_used": self.input_used, "kind": asked.kind, "told": told}
        return cast(Allowed, type("Fake", (), values))

    def masking(self, _: Context) -> Callable[[], None]:
        return lambda: None

    async def begin(self, context: Context, session: str, kind: str, command: bytes) -> None:
        assert context is self.context
        assert session
        if self.store_fails is not None:
            raise self.store_fails
        self.seen.append(f"kept {kind} {command.decode()}")

    async def over(
        self, context: Context, session: str, status: int | None, reason: str, closed: Closed | None
    ) -> None:
        assert context is self.context
        assert session
        assert reason
        assert closed is None or closed.sha256
        self.seen.append(f"kept over {status}")

    def request_refused(self, *told: object) -> None:
        _, credential, what, context, session = told
        assert (credential, context) == (self.context.credential, self.context)
        assert session
        self.seen.append(f"refused {what}")

    async def open(self, *asked: object) -> World:
        relay = asked[-1]
        assert isinstance(relay, Relay)
        self.seen.append("opened")
        if self.opening is not None:
            raise self.opening
        self.relay = relay
        self.opened.set()
        return self

    async def write_event(self, event: Event) -> None:
        if self.audit_fails is not None:
            raise self.audit_fails
        self.seen.append(f"audit {event.kind}")
        self.events.append(event)

    # the client's and the target's channel

    def write(self, data: bytes, stream: int | None = None) -> None:
        if stream is None:
            self.seen.append(f"target input {data!r}")
            return
        self.streams.append(stream)
        self.shown += data

    def write_eof(self) -> None:
        self.seen.append("target eof")

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def tell(self, control: Control) -> None: ...

    def close(self) -> None:
        self.seen.append("target closed")

    def finish(self, ended: Ended) -> None:
        self.seen.append(f"finished {ended.status}")
        self.ended.append(ended)

    # what the tests do

    @property
    def sessions(self) -> Sessions:
        audit = cast(Any, type("Audit", (), {"write": staticmethod(self.write_event)}))
        return Sessions(cast(Gate, self), self.recordings, cast(Any, self), audit, self.registry, cast(Keeps, self))

    async def run(self, wanted: Wanted = UPTIME) -> Ended:
        """A session whose target, if it is opened, says `up` and exits with 3."""
        sessions = self.sessions
        sessions.start(self.context, wanted, cast(Any, self))
        settled = asyncio.ensure_future(sessions.settle())
        opened = asyncio.ensure_future(self.opened.wait())
        await asyncio.wait([settled, opened], return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self.relay is not None:
            self.relay.target_data(b"up\n", STDOUT)
            self.relay.target_exit(Ended(3))
            self.relay.target_lost(None)
        await settled
        (ended,) = self.ended
        assert len(self.registry) == 0
        return ended

    def recorded(self) -> list[tuple[str, str]]:
        """The events, but the empty one that players want for a begin."""
        (path,) = self.recordings.directory.rglob("*.cast")
        with path.open("rb") as lines:
            return [(event.code, event.data) for event in read(lines)[1] if event.data]

    @property
    def end(self) -> SessionEnded:
        return next(event for event in self.events if isinstance(event, SessionEnded))


@pytest.fixture
def world(tmp_path: Path) -> Any:
    recordings = Recordings(tmp_path / "recordings", flush_seconds=60)
    account = Account("deploy", None, None, True, "bash")
    target = Target("acme", "web-1", "127.0.0.1", 22, {}, (), (), {"deploy": account})
    credential = Credential(IDENTITY, 7, "agent-1", "SHA256:x", b"", 0, 2**40)
    yield World(recordings, Context(credential, target, account, Knock("c1", "127.0.0.1")))
    recordings.stop()


async def test_the_order_of_a_good_session(world: World) -> None:
    """Judged, opened, relayed, closed, told to the trail, and only then to the client."""
    assert await world.run() == Ended(3)
    assert world.seen == [
        "kept exec uptime",
        "judged exec uptime",
        "opened",
        "target closed",
        "audit session-ended",
        "kept over 3",
        "finished 3",
    ]
    assert world.shown == b"up\n"
    assert world.recorded() == [("m", "uptime (allowed by look-around)"), ("o", "up\r\n")]
    assert (world.end.status, world.end.reason, world.end.sent) == (3, "exit", 3)


async def test_denied(world: World) -> None:
    """126; rule, reason and session on one line, the remedy on another; recorded; nothing opened."""
    world.verdict = Denied("ask the owners", rule="never", remedy="allowed here: ls")
    assert await world.run() == Ended(126)
    assert "opened" not in world.seen
    first, second = world.shown.decode().splitlines()
    assert first.startswith("bastion: denied by never: ask the owners [")
    assert second == "bastion: allowed here: ls"
    assert world.recorded()[0] == ("m", "denied by never")
    assert (world.end.reason, world.end.status) == ("denied", 126)


async def test_denied_on_a_terminal_ends_lines_as_terminals_need(world: World) -> None:
    world.verdict = Denied("no", rule="never")
    await world.run(Wanted("shell", b"", Terminal("xterm", 80, 24, 0, 0, {}), {}))
    assert world.shown.endswith(b"]\r\n")


async def test_target_down(world: World) -> None:
    """255 and one line; the reason is in the trail."""
    world.opening = TargetDown("target web-1 can not be opened: Connection refused")
    assert await world.run() == Ended(255)
    assert world.shown.startswith(b"bastion: target web-1 can not be opened: Connection refused [")
    assert world.shown.count(b"\n") == 1
    assert world.end.reason == "target web-1 can not be opened: Connection refused"


async def test_a_target_that_is_lost(world: World) -> None:
    """255 and one line, which says nothing that the target wrote."""
    sessions = world.sessions
    relay = sessions.start(world.context, UPTIME, cast(Any, world))
    assert relay is not None
    await world.opened.wait()
    relay.target_lost(OSError("\x1b[2Jreset by a hostile target"))
    await sessions.settle()
    assert world.ended == [Ended(255)]
    assert world.shown.startswith(b"bastion: the connection to the target was lost [")
    assert world.shown.count(b"\n") == 1


async def test_a_client_lost_while_judging_opens_nothing(world: World) -> None:
    sessions = world.sessions
    relay = sessions.start(world.context, UPTIME, cast(Any, world))
    assert relay is not None
    world.judging = relay.client_lost
    await sessions.settle()
    assert "opened" not in world.seen
    assert world.end.reason == "the client closed the channel"


async def test_no_recording_no_session(world: World) -> None:
    """254 and one line; nothing is judged or opened."""
    (world.recordings.directory / "acme").write_text("in the way")
    sessions = world.sessions
    assert sessions.start(world.context, UPTIME, cast(Any, world)) is None
    await sessions.settle()
    assert world.ended == [Ended(254)]
    assert world.seen[-1] == "finished 254"
    assert not {"judged", "opened"} & set(world.seen)
    assert world.end.status == 254
    assert world.shown.startswith(b"bastion: the session can not be recorded, so it is ended [")


async def test_a_judgement_that_can_not_be_kept_is_none(world: World) -> None:
    """The trail is full: 254, nothing opened."""
    world.verdict = NotRecorded("the disk is full")
    assert await world.run() == Ended(254)
    assert "opened" not in world.seen


async def test_an_end_that_can_not_be_kept(world: World) -> None:
    """The command's status is not told when the trail can not hold its end: 254."""
    world.audit_fails = NotRecorded("the disk is full")
    assert await world.run() == Ended(254)
    assert "kept over 254" in world.seen, "or it would be live in the store for ever"


@pytest.mark.parametrize("where", ["verdict", "opening"])
async def test_a_defect_of_ours_opens_nothing_and_is_told(world: World, where: str) -> None:
    """An exception that nobody expected: 255, `internal error`, the end in the trail (law 3)."""
    setattr(world, where, RuntimeError("a defect with a secret in it"))
    assert await world.run() == Ended(255)
    assert b"internal error" in world.shown
    assert b"secret" not in world.shown
    assert world.end.reason == "internal error"


async def test_a_defect_of_the_trail_leaves_no_client_waiting(world: World) -> None:
    world.audit_fails = RuntimeError("a defect")
    assert await world.run() == Ended(255)


async def test_ended_by_the_bastion(world: World) -> None:
    """A revocation: the target is closed, the reason shown and recorded, 255."""
    sessions = world.sessions
    sessions.start(world.context, UPTIME, cast(Any, world))
    await world.opened.wait()
    world.registry.notify("the bastion stops soon")
    ends = world.registry.end(lambda credential: "revoked\x1b[2J" if credential.serial == 7 else None)
    assert len(ends) == 1
    await sessions.settle()
    assert world.ended == [Ended(255)]
    first, second = world.shown.decode().splitlines()
    assert first == "bastion: the bastion stops soon"
    assert second.startswith("bastion: session ended: revoked\\x1b[2J [")
    assert "target closed" in world.seen
    assert [code for code, _ in world.recorded()] == ["m", "o", "o"]


@pytest.mark.parametrize(
    ("tenant", "same", "ends"), [("acme", True, True), ("other", True, False), ("acme", False, False)]
)
async def test_one_session_is_ended_by_its_tenant_and_id(world: World, tenant: str, same: bool, ends: bool) -> None:
    sessions = world.sessions
    relay = sessions.start(world.context, UPTIME, cast(Any, world))
    assert relay is not None
    await world.opened.wait()
    sessions.end(tenant, relay.session if same else "another", "ended by ops: drill")
    assert relay.ended.done() is ends
    sessions.end("acme", relay.session, "at last")
    await sessions.settle()
    assert world.ended == [Ended(255)]
    assert ("session ended: ended by ops: drill" if ends else "session ended: at last") in world.shown.decode()


async def test_what_is_not_offered_is_told_and_the_session_goes_on(world: World) -> None:
    sessions = world.sessions
    relay = sessions.start(world.context, UPTIME, cast(Any, world))
    assert relay is not None
    sessions.refuse(world.context, relay, "agent forwarding")
    await world.opened.wait()
    relay.target_exit(Ended(0))
    relay.target_lost(None)
    await sessions.settle()
    assert world.ended == [Ended(0)]
    assert world.shown == b"bastion: agent forwarding is not permitted\n"
    assert "refused agent forwarding" in world.seen


async def test_the_last_words_of_the_bastion_go_to_stderr(world: World) -> None:
    world.verdict = Denied("no", remedy="allowed here: ls")
    await world.run()
    assert world.streams == [STDERR, STDERR]


# -- a script on standard input


async def test_a_script_that_was_judged_does_not_reach_the_target_by_itself(world: World) -> None:
    """It is a part of the text that runs: what the client sent is dropped, and the target's input is ended."""
    world.input_used = True
    sessions = world.sessions
    relay = sessions.start(world.context, Wanted("exec", b"bash -s", None, {}), cast(Any, world))
    assert relay is not None
    relay.client_data(b"uptime\n")
    await world.opened.wait()
    relay.client_data(b"reboot\n")
    relay.target_exit(Ended(0))
    relay.target_lost(None)
    await sessions.settle()
    assert [line for line in world.seen if line.startswith("target")] == ["target eof", "target closed"]
    assert world.end.received == 14


async def test_a_signal_while_the_script_is_read_is_how_it_ended(world: World) -> None:
    """As the shell that reads it would have: told to the client in the protocol, and in the trail."""
    world.verdict = Interrupted("INT")
    assert await world.run() == Ended(None, "INT")
    assert (world.end.signal, world.end.status) == ("INT", None)
    assert world.end.reason == "ended by INT before it ran"
