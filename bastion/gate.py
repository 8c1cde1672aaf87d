"""The gate: every permission is made here and nowhere else.

    check    a certificate's bytes         -> Credential  who knocks (the SSH side proves that the key is held)
    login    a proven Credential           -> told to the audit trail before the client learns that it was let in
    visible  Credential, a target's name   -> Target      or NoSuchTarget, the same for absent and not permitted
    admit    Credential, target, account   -> Context     who, where, whence
    judge    Context, what is asked        -> Allowed     with the text that may be sent: printed, never the client's

Fail closed: whatever goes wrong between a request and its decision denies it, and no permission leaves this room
before the audit event that tells of it is durable (laws 3 and 6).

A script on standard input (`bash -s < script`) is a part of what is asked: it is read whole, within bounds, and judged
and printed with the text. The commands of a gated shell are judged one by one, with or without a terminal. What a
program reads there that is no script for a shell, or SQL, is not judged.

What the gate does not do: it judges the text of a command, not what the program then does. Approvals are not built yet:
what a policy holds for approval is denied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bastion.analysis.command import Analysis
from bastion.analysis.guards import MAX_TEXT
from bastion.asked import COMMANDS, Asked, Verdict, names, request, runs, told
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
from bastion.errors import BadCertificate, BastionError, Denied, InputRefused, NoSuchTarget, NotRecorded
from bastion.identity.authority import verify_user
from bastion.identity.principal import Credential
from bastion.policy.decision import Decision, Effect, Subject
from bastion.policy.engine import OBSERVE, UNDECIDABLE, decide, reachable
from bastion.policy.model import Policy
from bastion.targets.inventory import Inventory
from bastion.targets.login_shell import RULE, is_named
from bastion.targets.target import Target

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


class Shells(Protocol):
    """The login shells of accounts where the inventory does not say: `known` is what was answered, None before; `of`
    asks if it must. Raises Denied for a shell that does not read right, TargetDown, NotRecorded."""

    def known(self, context: Context) -> str | None: ...
    async def of(self, context: Context) -> str: ...


@dataclass(slots=True)
class Tenant:
    """One tenant's state as it is now; a reload swaps `policy` and `inventory` whole."""

    name: str
    authorities: tuple[bytes, ...]
    policy: Policy
    inventory: Inventory


class Allowed:
    """Permission to send `runs` (None for a raw shell) to one context's target. Only Gate.judge can make one.

    `input_used`: the client's standard input was judged and is a part of `runs`, so nothing of it may be sent. `shell`:
    of a gated shell, which login shell will read its commands; each of those needs an Allowed of its own.
    """

    __slots__ = ("_context", "decision", "environment", "input_used", "kind", "runs", "shell")

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
    ) -> None:
        self._tenants = tenants
        self._audit = audit
        self._revoked = revoked
        self._clock = clock
        self._shells = shells

    # -- who

    def check(self, knock: Knock, blob: bytes) -> Credential:
        """The certificate is good now, from this source; its key is not proven yet. Raises BadCertificate."""
        authorities = {name: tenant.authorities for name, tenant in self._tenants.items()}
        return verify_user(blob, authorities, now=self._clock(), source=knock.source, revoked=self._revoked)

    async def login(self, knock: Knock, credential: Credential, user: str) -> None:
        """The key was proven on the outer connection. Raises BadCertificate, NotRecorded."""
        await self._audit.write(LoginAccepted(**who(knock, credential), user=user))
        self._still_good(credential)  # a revocation that came meanwhile found no live connection to end

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
        self._still_good(credential)
        tenant = self._tenants[credential.identity.tenant]
        target = tenant.inventory.find(host)
        if (
            target is not None
            and port in (SSH_PORT, target.port)
            and self._reachable(tenant, knock, credential, target, "")
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
        self._still_good(credential)
        tenant = self._tenants[credential.identity.tenant]
        target = tenant.inventory.find(host)
        login = target.accounts.get(account) if target is not None else None
        if target is None or login is None:
            self._refuse_admission(knock, credential, host, account, "no such target or account")
            raise NoSuchTarget
        if not self._reachable(tenant, knock, credential, target, account):
            self._refuse_admission(knock, credential, host, account, "no rule lets this identity reach it")
            raise NoSuchTarget
        context = Context(credential, target, login, knock)
        await self._audit.write(Admitted(**at_account(context)))
        return context

    # -- what

    async def judge(self, context: Context, asked: Asked) -> Allowed:
        """Decide. Raises Denied when the event that tells of it is durable, and NotRecorded when none can be. While it
        waits for the client's script, or for the login shell, what ends the session is raised, and told as a denial:
        TargetDown, ConnectionError and what the relay was ended with."""
        try:
            verdict = await self._verdict(context, asked)
        except NotRecorded:
            raise
        except (BastionError, ConnectionError) as error:
            policy = self._tenants[context.tenant].policy.version
            await self._audit.write(told(context, asked, Verdict(Decision(Effect.DENY, UNJUDGED, str(error), policy))))
            raise
        decision = verdict.decision
        passed = {name: value for name, value in names(asked).items() if name in decision.environment}
        await self._audit.write(told(context, asked, verdict, frozenset(passed)))
        if decision.effect is Effect.ALLOW:
            used = verdict.input_used
            kind = "gated" if verdict.shell else asked.kind
            return Allowed(_MADE_HERE, context, kind, verdict.runs, passed, decision, used, verdict.shell)
        reason = decision.reason
        if decision.effect is Effect.APPROVE:
            reason = f"needs approval, which this bastion can not ask for yet: {reason}"
        raise Denied(reason, rule=decision.rule, remedy=decision.remedy)

    # -- inside

    async def _verdict(self, context: Context, asked: Asked) -> Verdict:
        """What becomes of it, by the login shell that will read it, and with the script on its standard input."""
        if asked.kind == "shell":
            return await self._shell(context, asked)
        named = is_named(context.account.shell)
        judged = asked.kind in COMMANDS
        shell = context.account.shell if named or not judged else self._shells.known(context)
        # bash has all that any other shell has, and more: what is denied to it is denied whatever the shell is.
        verdict = self._decide(context, asked, shell or "bash", None)
        script = None
        if verdict.wants_input and asked.stdin is not None:
            # Nobody waits for a script that could not help: its commands only ever make the answer stricter.
            at_best = self._with_script(context, asked, shell or "bash", b"")
            if at_best.decision.effect is Effect.DENY:
                return Verdict(at_best.decision)
            try:
                script = await asked.stdin.whole(MAX_TEXT)
            except InputRefused as error:
                if verdict.decision.effect is not Effect.ALLOW:
                    return _denied(verdict, UNDECIDABLE, str(error))
            else:
                verdict = self._with_script(context, asked, shell or "bash", script)
        if shell is not None or verdict.decision.effect is Effect.DENY:
            return verdict
        try:
            shell = await self._shells.of(context)
        except Denied as error:
            return _denied(verdict, error.rule or RULE, error.reason, error.remedy)
        return self._with_script(context, asked, shell, script)

    async def _shell(self, context: Context, asked: Asked) -> Verdict:
        """A shell is gated where a rule allows that, and raw only where none does and a rule allows that."""
        gated = self._decide(context, asked.of_kind("gated"), "bash", None)
        if gated.decision.effect is not Effect.ALLOW:
            raw = self._decide(context, asked, "bash", None)
            return gated if raw.decision.effect is Effect.DENY else raw
        try:
            shell = context.account.shell if is_named(context.account.shell) else await self._shells.of(context)
        except Denied as error:
            return _denied(gated, error.rule or RULE, error.reason, error.remedy)
        return gated.read_by(shell)

    def _with_script(self, context: Context, asked: Asked, shell: str, script: bytes | None) -> Verdict:
        """The verdict on a text whose script has been read, if it is one that has any."""
        alone = self._decide(context, asked, shell, None)
        if script is None or not alone.wants_input:
            return alone
        judged = self._decide(context, asked, shell, script)
        # Mode observe lets also those through that can not be judged: as they came, then.
        return alone if alone.decision.effect is Effect.ALLOW and judged.decision.effect is Effect.DENY else judged

    def _decide(self, context: Context, asked: Asked, shell: str, script: bytes | None) -> Verdict:
        """The text to run, and the decision. Total: what can not be judged is denied. An exec that is allowed has a
        text to run."""
        tenant = self._tenants[context.tenant]
        policy = tenant.policy
        analysis, text = None, None
        try:
            self._still_good(context.credential)
            self._still_there(tenant, context)
            wanted = request(asked, shell, script)
            analysis = wanted.analysis
            subject = self._subject(context.knock, context.credential, context.target, context.account.name)
            decision = decide(policy, subject, wanted)
            text = None if analysis is None else runs(asked, analysis)
        except BadCertificate as error:
            decision = Decision(Effect.DENY, "certificate", str(error), policy.version)
        except NoSuchTarget as error:
            decision = Decision(Effect.DENY, "inventory", str(error), policy.version)
        except Exception:
            log.exception("judging failed")
            decision = Decision(Effect.DENY, "error", "the command could not be judged", policy.version)
        else:
            if decision.effect is Effect.ALLOW and asked.kind in COMMANDS and not text:
                decision = Decision(Effect.DENY, "error", "nothing could be printed to run", policy.version)
            unsure = decision.effect is not Effect.ALLOW or decision.rule == OBSERVE
            return Verdict(decision, text, analysis, script, wants_input=unsure and _wants_input(analysis))
        return Verdict(decision)

    def _still_good(self, credential: Credential) -> None:
        """A certificate may have been revoked, or have run out, since it was proven."""
        reason = self._revoked(credential)
        if reason is not None:
            raise BadCertificate(f"the certificate is revoked: {reason}")
        if self._clock() >= credential.valid_before:
            raise BadCertificate("the certificate has expired since this connection began: connect again")

    def _still_there(self, tenant: Tenant, context: Context) -> None:
        """A target may have been taken out of the inventory, or changed, since the connection to it began; what was
        admitted was the one that stood there then."""
        if tenant.inventory.find(context.target.name) != context.target:
            raise NoSuchTarget("the target was changed or removed since this connection began: connect again")

    def _refuse_admission(self, knock: Knock, credential: Credential, host: str, account: str, reason: str) -> None:
        refused = AdmissionRefused(**who(knock, credential), target=host, account=account, reason=reason)
        self._audit.write_soon(refused)

    def _reachable(self, tenant: Tenant, knock: Knock, credential: Credential, target: Target, account: str) -> bool:
        return reachable(tenant.policy, self._subject(knock, credential, target, account))

    def _subject(self, knock: Knock, credential: Credential, target: Target, account: str) -> Subject:
        identity = credential.identity
        return Subject(
            principals=identity.principals,
            groups=identity.groups,
            claims=tuple(sorted(identity.claims.items())),
            target=target.name,
            labels=tuple(sorted(target.labels.items())),
            account=account,
            source=knock.source,
            moment=self._clock(),
        )


def _wants_input(analysis: Analysis | None) -> bool:
    return analysis is not None and analysis.wants_stdin


def _denied(verdict: Verdict, rule: str, reason: str, remedy: str | None = None) -> Verdict:
    """The same request, denied for what came of waiting."""
    before = verdict.decision
    decision = Decision(Effect.DENY, rule, reason, before.policy, remedy=remedy)
    return Verdict(decision, script=verdict.script)
