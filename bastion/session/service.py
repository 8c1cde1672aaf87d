"""One channel, from what the client asks to how it ended: record, judge, open the target, relay, tell.

The order is the law: the recording is open before anything is shown, the judgement is in the audit trail before the
target is asked, every byte is recorded before it is sent, and the end is in the audit trail before the client has the
exit status.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from bastion.asked import Asked
from bastion.audit.events import Event, SessionEnded
from bastion.background import Background
from bastion.characters import shown
from bastion.context import Context, in_session
from bastion.errors import (
    EXIT_NOT_OPENED,
    EXIT_NOT_RECORDED,
    BastionError,
    Denied,
    Interrupted,
    NotMasked,
    NotRecorded,
    StoreDown,
    TargetDown,
)
from bastion.gate import Allowed, Gate
from bastion.identity.principal import Credential
from bastion.policy.masks import Chosen, without
from bastion.recording.recorder import Closed, Head, Recorder, Recordings
from bastion.session.channel import STDERR, ClientChannel, Ended, Terminal, Wanted
from bastion.session.gated.needs import Opens
from bastion.session.gated.piped import PipedShell
from bastion.session.gated.shell import GatedShell
from bastion.session.masks import Masks
from bastion.session.registry import Registry
from bastion.session.relay import Relay

log = logging.getLogger(__name__)


class Audit(Protocol):
    """Where events go; `write` returns when the event is durable, or raises NotRecorded."""

    async def write(self, event: Event) -> None: ...


class Keeps(Protocol):
    """What is known of sessions, by every process: `begin` before anything runs, or StoreDown; `over` once."""

    async def begin(self, context: Context, session: str, kind: str, command: bytes) -> None: ...
    async def over(
        self, context: Context, session: str, status: int | None, reason: str, closed: Closed | None
    ) -> None: ...


MAX_REASON = 600
"""Characters that a client is told of why its session is ended."""


class SessionOver(BastionError):
    """The session was ended by the bastion: revoked, or stopping."""


class Sessions:
    """Life: `start` for each channel; `stop` once, after what lives was ended through the registry."""

    def __init__(
        self, gate: Gate, recordings: Recordings, upstream: Opens, audit: Audit, registry: Registry, keeps: Keeps
    ) -> None:
        self._gate = gate
        self._recordings = recordings
        self._upstream = upstream
        self._audit = audit
        self._registry = registry
        self._keeps = keeps
        self._background = Background()

    def start(self, context: Context, wanted: Wanted, client: ClientChannel) -> Relay | None:
        """Begin what the client wants; None when it could not even be recorded (the client was told)."""
        session = secrets.token_hex(8)
        chosen = self._gate.masking(context)
        try:
            recorder = self._recordings.open(_head(context, session, wanted, chosen()))
        except NotRecorded as error:
            name = f"session {session}, not recorded"
            self._background.start(self._never(context, session, wanted, client, error), name)
            return None
        terminal = wanted.terminal is not None
        masks = Masks(chosen, terminal=terminal)
        relay = Relay(client, recorder, terminal=terminal, session=session, masks=masks)
        one = _One(session, context, wanted, client, recorder, relay, masks)
        self._background.start(self._run(one), f"session {session}")
        return relay

    def refuse(self, context: Context, relay: Relay, what: str) -> None:
        """Tell the client that something beside its command is not offered."""
        self._gate.request_refused(context.knock, context.credential, what, context, relay.session)
        relay.say(f"bastion: {what} is not permitted")

    def end(self, tenant: str, session: str, reason: str) -> None:
        """End this session, if it lives here."""
        for one in self._registry:
            if isinstance(one, _One) and (one.context.tenant, one.session) == (tenant, session):
                one.end(reason)

    def end_here(self, session: str, reason: str) -> None:
        """The same by its id alone, which no two sessions share, of whatever tenant."""
        for one in self._registry:
            if isinstance(one, _One) and one.session == session:
                one.end(reason)

    async def settle(self) -> None:
        """Wait until every session has ended; the caller bounds the time."""
        await self._background.wait()

    async def stop(self) -> None:
        """Cancel what is left."""
        await self._background.stop()

    # -- one session

    async def _run(self, one: _One) -> None:
        self._registry.add(one)
        ended = Ended(EXIT_NOT_OPENED)
        try:
            outcome, why = await self._outcome(one)
            finished = await asyncio.to_thread(one.recorder.finish)
            await self._audit.write(_end(one, outcome, why, finished))
            one.recorder.close()  # only now: a recording that looks closed has its digest in the trail
            await self._keeps.over(one.context, one.session, outcome.status, why, finished)
            ended = outcome
        except NotRecorded as error:
            ended = Ended(EXIT_NOT_RECORDED)
            await self._tell_not_recorded(one.context, one.session, one.wanted, one.client, error)
            await self._keeps.over(one.context, one.session, ended.status, str(error), None)
        finally:
            one.recorder.abandon()
            self._registry.remove(one)
            one.client.finish(ended)

    async def _never(
        self, context: Context, session: str, wanted: Wanted, client: ClientChannel, error: NotRecorded
    ) -> None:
        """A session whose recording could not even begin."""
        try:
            await self._tell_not_recorded(context, session, wanted, client, error)
        finally:
            client.finish(Ended(EXIT_NOT_RECORDED))

    async def _tell_not_recorded(
        self, context: Context, session: str, wanted: Wanted, client: ClientChannel, error: NotRecorded
    ) -> None:
        """What can not be recorded ends, told in the audit trail if that can still be written, and to the client: this
        one line is shown though no recording has it."""
        log.error("session %s: %s", session, error)
        try:
            await self._audit.write(
                SessionEnded(**in_session(context, session), reason=str(error), status=EXIT_NOT_RECORDED)
            )
        except NotRecorded as audit_error:
            log.error("session %s: %s", session, audit_error)
        newline = "\r\n" if wanted.terminal else "\n"
        line = f"bastion: the session can not be recorded, so it is ended [{session}]{newline}"
        client.write(line.encode(), STDERR)

    async def _outcome(self, one: _One) -> tuple[Ended, str]:
        """Judge, open, relay. How it ended, and why for the audit trail."""
        try:
            wanted = one.wanted
            await self._keeps.begin(one.context, one.session, wanted.kind, one.masks.text(wanted.text))
            terminal = wanted.terminal is not None
            asked = Asked(
                one.session, wanted.kind, wanted.text, wanted.environment, terminal, one.relay, client=one.relay
            )
            allowed = await self._judged(one, asked)
            one.marker(_asked(one), allowed.told)
            one.relay.mask(not allowed.decision.unmasked)
            one.relay.check()
            if allowed.kind == "gated":
                return await self._gated(one, allowed, wanted.terminal)
            if allowed.input_used:
                one.relay.drop_input()
            target = await self._upstream.open(one.context, allowed, one.wanted.terminal, one.relay)
            one.relay.attach(target)
            return await one.relay.ended, "exit"
        except Denied as error:
            one.marker("", f"{error.verb} by {error.rule}")
            for line in error.lines(one.session):
                one.relay.say(line)
            return Ended(error.status), error.verb
        except TargetDown as error:
            one.say(str(error))
            return Ended(EXIT_NOT_OPENED), str(error)
        except (NotMasked, StoreDown) as error:
            one.say(str(error))
            return Ended(EXIT_NOT_RECORDED), str(error)
        except SessionOver as error:
            one.say(str(error))
            return Ended(EXIT_NOT_OPENED), str(error)
        except Interrupted as error:
            return Ended(None, error.signal), str(error)
        except ConnectionError as error:
            return Ended(EXIT_NOT_OPENED), str(error)
        except NotRecorded:
            raise
        except Exception:
            log.exception("session %s failed", one.session)
            one.say("internal error")
            return Ended(EXIT_NOT_OPENED), "internal error"
        finally:
            one.relay.end(SessionOver("ended"))

    async def _judged(self, one: _One, asked: Asked) -> Allowed:
        """What the gate says. It may wait for people: the end of the session ends that, and is raised then."""
        judging: asyncio.Task[Allowed] = asyncio.create_task(self._gate.judge(one.context, asked))
        try:
            either: list[asyncio.Future[Any]] = [judging, one.relay.ended]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not judging.done():
                judging.cancel(str(one.relay.ended.exception()))
                await asyncio.wait([judging])
                if judging.cancelled():
                    one.relay.check()
            return judging.result()
        finally:
            judging.cancel()

    async def _gated(self, one: _One, allowed: Allowed, terminal: Terminal | None) -> tuple[Ended, str]:
        """A shell whose every command is judged."""
        shell: GatedShell | PipedShell
        made = self._gate, self._audit, self._upstream, one.context, allowed
        nonce = secrets.token_hex(16)
        if terminal is not None:
            shell = GatedShell(*made, terminal, one.relay, one, nonce)
        else:
            shell = PipedShell(*made, one.relay, one, nonce)
        try:
            await shell.open()
            return shell.outcome(await one.relay.ended)
        finally:
            await shell.close()


@dataclass(frozen=True, slots=True, eq=False)
class _One:
    """One live session; what the registry can tell and end."""

    session: str
    context: Context
    wanted: Wanted
    client: ClientChannel
    recorder: Recorder
    relay: Relay
    masks: Masks

    @property
    def credential(self) -> Credential:
        return self.context.credential

    def notice(self, text: str) -> None:
        self.relay.say(f"bastion: {text}")

    def end(self, reason: str) -> None:
        """`reason` may be what a person wrote."""
        self.relay.end(SessionOver(f"session ended: {shown(reason, MAX_REASON)}"))

    def marker(self, text: str, told: str) -> None:
        """In the recording: what was asked, without what is masked, and what became of it. NotRecorded."""
        hidden = self.hidden(text.encode("utf-8", "surrogateescape")).decode("utf-8", "backslashreplace")
        self.recorder.marker(f"{hidden} ({told})" if hidden else told)

    def hidden(self, text: bytes) -> bytes:
        """The text without what is masked."""
        return self.masks.text(text)

    def say(self, text: str) -> None:
        """One line to the client, with the session's name, so that it can be asked about."""
        self.relay.say(f"bastion: {text} [{self.session}]")


def _head(context: Context, session: str, wanted: Wanted, chosen: Chosen | None) -> Head:
    identity, terminal = context.identity, wanted.terminal
    return Head(
        session=session,
        connection=context.knock.connection,
        tenant=identity.tenant,
        identity=identity.name,
        issuer=identity.issuer,
        subject=identity.subject,
        target=context.target.name,
        account=context.account.name,
        kind=wanted.kind,
        command=without(chosen, wanted.text).decode("utf-8", "backslashreplace"),
        columns=terminal.columns if terminal else 0,
        rows=terminal.rows if terminal else 0,
        term=terminal.kind if terminal else "",
        shell=context.account.shell,
        judged={
            "source": context.knock.source,
            "principals": identity.principals,
            "groups": sorted(identity.groups),
            "claims": dict(identity.claims),
            "labels": dict(context.target.labels),
        },
    )


def _asked(one: _One) -> str:
    return one.wanted.text.decode("utf-8", "backslashreplace") or one.wanted.kind


def _end(one: _One, ended: Ended, why: str, closed: Closed) -> SessionEnded:
    return SessionEnded(
        **in_session(one.context, one.session),
        reason=why,
        status=ended.status,
        signal=ended.signal,
        received=one.relay.received,
        sent=one.relay.sent,
        duration=closed.duration,
        masked=tuple(f"{name} {count}" for name, count in one.masks.counts.items()) or None,
        recording=closed.name,
        sha256=closed.sha256,
        size=closed.size,
    )
