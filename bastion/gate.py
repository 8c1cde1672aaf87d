"""The gate: every permission is made here and nowhere else.

    check    a certificate's bytes         -> Credential  who knocks (the SSH side proves that the key is held)
    login    a proven Credential           -> told to the audit trail before the client learns that it was let in
    visible  Credential, a target's name   -> Target      or NoSuchTarget, the same for absent and not permitted
    admit    Credential, target, account   -> Context     who, where, whence
    judge    Context, what is asked        -> Allowed     with the text that may be sent: printed, never the client's

Fail closed: whatever goes wrong between a request and its decision denies it, and no permission leaves this room
before the audit event that tells of it is durable (laws 3 and 6).

What policy holds for approval waits in `judge` until people have decided on the very text that would run, and is then
looked at again: the certificate, the target and the policy must be those of before.

What the gate does not do: it judges the text of a command, not what the program then does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from bastion.approvals.asking import Approved, Asking
from bastion.asked import Asked, Verdict, asking, broken_glass, names, told
from bastion.audit.events import (
    AdmissionRefused,
    Admitted,
    ConnectionRefused,
    Event,
    LoginAccepted,
    LoginRefused,
    RequestRefused,
)
from bastion.context import Context, Knock, at_account, who
from bastion.errors import BadCertificate, BastionError, Denied, NoSuchTarget, NotApproved, NotRecorded
from bastion.identity.authority import verify_user
from bastion.identity.principal import Credential
from bastion.policy.decision import Decision, Effect
from bastion.policy.masks import Chosen, Mask, without
from bastion.policy.model import Policy
from bastion.targets.target import Target
from bastion.verdicts import Shells, Tenant, Verdicts

log = logging.getLogger(__name__)

SSH_PORT = 22
UNJUDGED = "unjudged"
"""What stands for a rule's id where the session ended before its command could be judged."""

_MADE_HERE = object()


class Audit(Protocol):
    """Where events go. `write` returns when the event is durable, or raises NotRecorded; `write_soon` is for what
    strangers can cause at will, and may drop (it tells how many later)."""

    async def write(self, event: Event) -> None: ...
    def write_soon(self, event: Event) -> None: ...


class Approving(Protocol):
    """Where people approve. `wait` returns once what is asked may run, once; `say` tells the one who waits a line.
    NotApproved says why not; CancelledError leaves nothing behind that could be approved."""

    async def wait(self, asking: Asking, say: Callable[[str], None]) -> Approved: ...


class Allowed:
    """Permission to send `runs` (None for a raw shell) to one context's target. Only Gate.judge can make one.

    `input_used`: the client's standard input was judged and is a part of `runs`, so nothing of it may be sent. `shell`:
    of a gated shell, which login shell will read its commands; each of those needs an Allowed of its own.
    """

    __slots__ = ("_context", "decision", "environment", "input_used", "kind", "runs", "shell", "takes_commands")

    def __init__(
        self,
        maker: object,
        context: Context,
        kind: str,
        runs: bytes | None,
        environment: Mapping[str, str],
        decision: Decision,
        input_used: bool,
        shell: str,
        takes_commands: bool = False,
    ) -> None:
        if maker is not _MADE_HERE:
            raise TypeError("an Allowed is made by Gate.judge and nowhere else")
        self._context = context
        self.kind = kind
        self.runs = runs
        self.environment = environment
        self.decision = decision
        self.input_used = input_used
        self.shell = shell
        self.takes_commands = takes_commands

    @property
    def told(self) -> str:
        """For a marker: `allowed by RULE`, and whether it takes commands by itself, which nobody judges."""
        return f"allowed by {self.decision.rule}{', takes commands' if self.takes_commands else ''}"

    def for_context(self, context: Context) -> None:
        """Raise Denied unless this permission was made for the very `context`."""
        if self._context is not context:
            raise Denied("this permission was made for another session")


class Gate:
    """Made once, with the tenants' state (shared with reload, which swaps it), and asked for everything."""

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        audit: Audit,
        revoked: Callable[[Credential], str | None],
        clock: Callable[[], float],
        shells: Shells,
        approvals: Approving,
    ) -> None:
        self._tenants = tenants
        self._audit = audit
        self._revoked = revoked
        self._clock = clock
        self._approvals = approvals
        self._verdicts = Verdicts(tenants, revoked, clock, shells)

    # -- who

    def check(self, knock: Knock, blob: bytes) -> Credential:
        """The certificate is good now, from this source; its key is not proven yet. Raises BadCertificate."""
        authorities = {name: tenant.authorities for name, tenant in self._tenants.items()}
        return verify_user(blob, authorities, now=self._clock(), source=knock.source, revoked=self._revoked)

    async def login(self, knock: Knock, credential: Credential, user: str) -> None:
        """The key was proven on the outer connection. Raises BadCertificate, NotRecorded."""
        await self._audit.write(LoginAccepted(**who(knock, credential), user=user))
        self._verdicts.still_good(credential)  # a revocation that came meanwhile found no live connection to end

    def refused(self, knock: Knock, user: str, reason: str, credential: Credential | None = None) -> None:
        """A certificate was refused; `credential` says whose, where it is one of ours."""
        refused = LoginRefused(
            source=knock.source,
            connection=knock.connection,
            user=user,
            reason=reason,
            tenant=None if credential is None else credential.identity.tenant,
            identity=None if credential is None else credential.identity.name,
            serial=None if credential is None else credential.serial,
            fingerprint=None if credential is None else credential.fingerprint,
        )
        self._audit.write_soon(refused)

    def never_proven(self, knock: Knock, reason: str) -> None:
        """A connection ended before anyone logged in."""
        self._audit.write_soon(ConnectionRefused(source=knock.source, connection=knock.connection, reason=reason))

    def request_refused(
        self,
        knock: Knock,
        credential: Credential,
        what: str,
        context: Context | None = None,
        session: str | None = None,
    ) -> None:
        """Something that the bastion does not offer was asked for: at an account, on a session's channel, where there
        are such."""
        place = {} if context is None else {"target": context.target.name, "account": context.account.name}
        refused = RequestRefused(**who(knock, credential), **place, session=session, request=what, reason="not offered")
        self._audit.write_soon(refused)

    # -- where

    def visible(self, knock: Knock, credential: Credential, host: str, port: int) -> Target:
        """The target that a jump names, if this identity may know of it. Raises NoSuchTarget, BadCertificate."""
        self._verdicts.still_good(credential)
        tenant = self._tenants[credential.identity.tenant]
        target = tenant.inventory.find(host)
        if (
            target is not None
            and port in (SSH_PORT, target.port)
            and self._verdicts.reachable(tenant, knock, credential, target, "")
        ):
            return target
        if target is None:
            reason = "no such target"
        elif port not in (SSH_PORT, target.port):
            reason = f"not an SSH port: {port}"
        else:
            reason = "no rule lets this identity reach it"
        self._refuse_admission(knock, credential, host, "", reason)
        raise NoSuchTarget

    async def admit(self, knock: Knock, credential: Credential, host: str, account: str) -> Context:
        """Let a proven identity in to one account of one target. Raises NoSuchTarget, BadCertificate, NotRecorded."""
        self._verdicts.still_good(credential)
        tenant = self._tenants[credential.identity.tenant]
        target = tenant.inventory.find(host)
        login = target.accounts.get(account) if target is not None else None
        if target is None or login is None:
            self._refuse_admission(knock, credential, host, account, "no such target or account")
            raise NoSuchTarget
        if not self._verdicts.reachable(tenant, knock, credential, target, account):
            self._refuse_admission(knock, credential, host, account, "no rule lets this identity reach it")
            raise NoSuchTarget
        context = Context(credential, target, login, knock)
        await self._audit.write(Admitted(**at_account(context)))
        await self._prepared(context)
        return context

    # -- what

    async def judge(self, context: Context, asked: Asked) -> Allowed:
        """Decide. Raises Denied when the event that tells of it is durable, and NotRecorded when none can be. While it
        waits for the client's script, or for the login shell, what ends the session is raised, and told as a denial:
        TargetDown, ConnectionError, what the relay was ended with, and CancelledError, whose text is told."""
        hide = self._hiding(context)
        try:
            verdict = await self._verdicts.of(context, asked)
        except NotRecorded:
            raise
        except (BastionError, ConnectionError, asyncio.CancelledError) as error:
            policy = self._tenants[context.tenant].policy.version
            unjudged = Verdict(Decision(Effect.DENY, UNJUDGED, str(error), policy))
            await self._audit.write(told(context, asked, unjudged, hide))
            raise
        approval = None
        if verdict.decision.effect is Effect.APPROVE:
            await self._audit.write(told(context, asked, verdict, hide))
            approved = await self._approved(context, asked, verdict, hide)
            still = await self._still(context, asked, verdict, hide)
            approval, verdict = approved.request or approved.grant, verdict.decided(still.approved(approved.by))
        decision = verdict.decision
        if decision.broke_glass:
            await self._audit.write(broken_glass(context, asked, verdict, hide))
            log.warning(
                "session %s: %s broke the glass by rule %s", asked.session, context.identity.name, decision.rule
            )
        passed = _passed(asked, decision)
        await self._audit.write(told(context, asked, verdict, hide, frozenset(passed), approval))
        if decision.effect is Effect.ALLOW:
            used = verdict.input_used
            kind = "gated" if verdict.shell else asked.kind
            takes = verdict.takes_commands
            return Allowed(_MADE_HERE, context, kind, verdict.runs, passed, decision, used, verdict.shell, takes)
        raise Denied(decision.reason, rule=decision.rule, remedy=decision.remedy)

    async def _approved(
        self, context: Context, asked: Asked, verdict: Verdict, hide: Callable[[bytes], bytes]
    ) -> Approved:
        """Wait for people. Raises NotApproved, which approvals have told, and CancelledError when the one who asked is
        gone: the request has been taken back then."""
        decision, client = verdict.decision, asked.client
        passed = _passed(asked, decision)
        if client is None:
            raise NotApproved("nobody could be told that it waits", rule=decision.rule)
        key = self._tenants[context.tenant].hash_key
        return await self._approvals.wait(asking(context, asked, verdict, passed, hide, key), client.hold)

    async def _still(
        self, context: Context, asked: Asked, verdict: Verdict, hide: Callable[[bytes], bytes]
    ) -> Decision:
        """What was approved, as it may run by now. Raises Denied, which is told, and NotRecorded."""
        try:
            return verdict.decision.less(self._by_now(context, asked, verdict))
        except Denied as error:
            refused = Decision(Effect.DENY, error.rule or UNJUDGED, error.reason, verdict.decision.policy)
            await self._audit.write(told(context, asked, verdict.decided(refused), hide))
            raise

    def _by_now(self, context: Context, asked: Asked, verdict: Verdict) -> Decision:
        """What is said of what was approved now that it was. Raises NotApproved for what changed meanwhile, Denied for
        what policy denies by now."""
        decision = verdict.decision
        tenant = self._tenants[context.tenant]
        try:
            self._verdicts.still_good(context.credential)
            self._verdicts.still_there(tenant, context)
        except (BadCertificate, NoSuchTarget) as error:
            raise NotApproved(f"approved, and not run: {error}", rule=decision.rule) from error
        if tenant.policy.version != decision.policy:
            raise NotApproved("the policy changed while it waited", rule=decision.rule)
        again = self._verdicts.again(context, asked, verdict)
        if again.effect is Effect.DENY:
            raise Denied(again.reason, rule=again.rule, remedy=again.remedy)
        if again.effect is Effect.APPROVE and again.approvals != decision.approvals:
            raise NotApproved("other people are needed by now: ask again", rule=again.rule)
        return again

    def masking(self, context: Context) -> Callable[[], Chosen | None]:
        """What to mask of what this context is shown, whenever it is called: the same object until the policy has
        changed. None: nothing. Limit: masks that are not kept (of a new policy, and nobody foresaw that they meet) are
        compiled in the caller, which is the event loop."""
        tenant = self._tenants[context.tenant]
        known: tuple[Policy, Chosen | None] | None = None

        def now() -> Chosen | None:
            nonlocal known
            if known is None or known[0] is not tenant.policy:
                known = tenant.policy, tenant.choices.of(self._masks(context), tenant.hash_key)
            return known[1]

        return now

    # -- inside

    def _masks(self, context: Context) -> tuple[Mask, ...]:
        account = context.account.name
        subject = self._verdicts.subject(context.knock, context.credential, context.target, account)
        return self._tenants[context.tenant].policy.masked(subject)

    async def _prepared(self, context: Context) -> None:
        """Have what is masked for this context compiled: in a thread, where nobody has foreseen it."""
        tenant, masks = self._tenants[context.tenant], self._masks(context)
        if not tenant.choices.has(masks):
            await asyncio.to_thread(tenant.choices.of, masks, tenant.hash_key)

    def _hiding(self, context: Context) -> Callable[[bytes], bytes]:
        """What takes from a text what is masked. Where that is not known, nothing of the text is told."""
        try:
            return partial(without, self.masking(context)())
        except Exception:
            log.exception("what is to be masked is not known")
            return lambda _: b"(not told)"

    def _refuse_admission(self, knock: Knock, credential: Credential, host: str, account: str, reason: str) -> None:
        refused = AdmissionRefused(**who(knock, credential), target=host, account=account, reason=reason)
        self._audit.write_soon(refused)


def _passed(asked: Asked, decision: Decision) -> dict[str, str]:
    """The client's variables that may pass."""
    return {name: value for name, value in names(asked).items() if name in decision.environment}
