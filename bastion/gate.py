"""The gate: every permission is made here and nowhere else.

    check    a certificate's bytes         -> Credential  who knocks (the SSH side proves that the key is held)
    login    a proven Credential           -> told to the audit trail before the client learns that it was let in
    visible  Credential, a target's name   -> Target      or NoSuchTarget, the same for absent and not permitted
    admit    Credential, target, account   -> Context     who, where, whence
    judge    Context, what is asked        -> Allowed     with the text that may be sent: printed, never the client's

Fail closed: whatever goes wrong between a request and its decision denies it, and no permission leaves this room
before the audit event that tells of it is durable (laws 3 and 6).

What the gate does not do: it judges the text of a command, not what the program then does, and not what the program
reads from its standard input. Approvals are not built yet: what a policy holds for approval is denied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bastion.analysis.command import Analysis
from bastion.analysis.pagers import without_pager
from bastion.analysis.shell import analyse
from bastion.audit.events import (
    AdmissionRefused,
    Admitted,
    CommandJudged,
    ConnectionRefused,
    Event,
    LoginAccepted,
    LoginRefused,
    RequestRefused,
)
from bastion.context import Context, Knock, at_account, in_session, who
from bastion.errors import BadCertificate, Denied, NoSuchTarget, TargetDown
from bastion.identity.authority import verify_user
from bastion.identity.principal import Credential
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide, reachable
from bastion.policy.model import Policy
from bastion.targets.inventory import Inventory
from bastion.targets.login_shell import RULE, is_named, reading
from bastion.targets.target import Target

log = logging.getLogger(__name__)

SSH_PORT = 22

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


@dataclass(frozen=True, slots=True)
class Asked:
    """What one channel asks for. `kind` is `exec`, `shell` or `subsystem`; `environment` what the client would set;
    `terminal` whether there is one."""

    session: str
    kind: str
    text: bytes
    environment: Mapping[bytes, bytes]
    terminal: bool = False


class Allowed:
    """Permission to send `runs` (None for a raw shell) to one context's target. Only Gate.judge can make one."""

    __slots__ = ("_context", "decision", "environment", "kind", "runs")

    def __init__(
        self,
        maker: object,
        context: Context,
        kind: str,
        runs: bytes | None,
        environment: Mapping[str, str],
        decision: Decision,
    ) -> None:
        if maker is not _MADE_HERE:
            raise TypeError("an Allowed is made by Gate.judge and nowhere else")
        self._context = context
        self.kind = kind
        self.runs = runs
        self.environment = environment
        self.decision = decision

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

    def refused(self, knock: Knock, user: str, reason: str) -> None:
        """A certificate was refused."""
        self._audit.write_soon(LoginRefused(source=knock.source, connection=knock.connection, user=user, reason=reason))

    def never_proven(self, knock: Knock, reason: str) -> None:
        """A connection ended before anyone logged in."""
        self._audit.write_soon(ConnectionRefused(source=knock.source, connection=knock.connection, reason=reason))

    def request_refused(self, knock: Knock, credential: Credential, what: str) -> None:
        """Something that the bastion does not offer was asked for."""
        self._audit.write_soon(RequestRefused(**who(knock, credential), request=what, reason="not offered"))

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
        """Decide. Raises Denied, or TargetDown when the account had to be asked for its login shell and there was no
        answer, when the event that tells of it is durable too; NotRecorded when none can be."""
        runs, decision = await self._decided(context, asked)
        passed = {name: value for name, value in _names(asked).items() if name in decision.environment}
        await self._audit.write(_judged(context, asked, runs, decision, frozenset(passed)))
        if decision.effect is Effect.ALLOW:
            return Allowed(_MADE_HERE, context, asked.kind, runs, passed, decision)
        reason = decision.reason
        if decision.effect is Effect.APPROVE:
            reason = f"needs approval, which this bastion can not ask for yet: {reason}"
        raise Denied(reason, rule=decision.rule, remedy=decision.remedy)

    # -- inside

    async def _decided(self, context: Context, asked: Asked) -> tuple[bytes | None, Decision]:
        """The text to run, and the decision, by the login shell that will read it."""
        shell = context.account.shell if is_named(context.account.shell) else self._shells.known(context)
        if shell is not None or asked.kind != "exec":
            return self._decide(context, asked, shell or "sh")
        # Nobody is asked for the sake of what is denied anyway: bash has all that any other shell has, and more.
        runs, decision = self._decide(context, asked, "bash")
        if decision.effect is Effect.DENY:
            return runs, decision
        try:
            shell = await self._shells.of(context)
        except Denied as error:
            policy = self._tenants[context.tenant].policy.version
            return None, Decision(Effect.DENY, error.rule or "error", error.reason, policy, remedy=error.remedy)
        except TargetDown as error:
            decision = Decision(Effect.DENY, RULE, str(error), decision.policy)
            await self._audit.write(_judged(context, asked, None, decision, frozenset()))
            raise
        return self._decide(context, asked, shell)

    def _decide(self, context: Context, asked: Asked, shell: str) -> tuple[bytes | None, Decision]:
        """The text to run, and the decision. Total: what can not be judged is denied. An exec that is allowed has a
        text to run."""
        tenant = self._tenants[context.tenant]
        policy = tenant.policy
        try:
            self._still_good(context.credential)
            self._still_there(tenant, context)
            request = _request(asked, shell)
            subject = self._subject(context.knock, context.credential, context.target, context.account.name)
            decision = decide(policy, subject, request)
            runs = None if request.analysis is None else _runs(asked, request.analysis)
        except BadCertificate as error:
            return None, Decision(Effect.DENY, "certificate", str(error), policy.version)
        except NoSuchTarget as error:
            return None, Decision(Effect.DENY, "inventory", str(error), policy.version)
        except Exception:
            log.exception("judging failed")
            return None, Decision(Effect.DENY, "error", "the command could not be judged", policy.version)
        if decision.effect is Effect.ALLOW and asked.kind == "exec" and not runs:
            return None, Decision(Effect.DENY, "error", "nothing could be printed to run", policy.version)
        return runs, decision

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


def _judged(
    context: Context, asked: Asked, runs: bytes | None, decision: Decision, passed: frozenset[str]
) -> CommandJudged:
    names = [name.decode("utf-8", "backslashreplace") for name in asked.environment]
    return CommandJudged(
        **in_session(context, asked.session),
        request=asked.kind,
        text=asked.text,
        runs=runs if decision.effect is Effect.ALLOW else None,
        effect=decision.effect.value,
        rule=decision.rule,
        reason=decision.reason,
        policy=decision.policy,
        would=None if decision.would is None else decision.would.value,
        passed=tuple(sorted(passed)),
        dropped=tuple(sorted(set(names) - passed)),
    )


def _names(asked: Asked) -> dict[str, str]:
    """The environment as text; a name or value that is not UTF-8 is never passed on."""
    names = {}
    for name, value in asked.environment.items():
        try:
            names[name.decode()] = value.decode()
        except UnicodeDecodeError:
            continue
    return names


def _runs(asked: Asked, analysis: Analysis) -> bytes | None:
    """The text to send: as it was printed, and on a terminal with no pager, unless a rule let commands be taken."""
    if analysis.runs is None or not asked.terminal or analysis.takes_commands is not None:
        return analysis.runs
    return without_pager(analysis.runs)


def _request(asked: Asked, shell: str) -> Request:
    environment = tuple(sorted(_names(asked)))
    match asked.kind:
        case "exec":
            analysis = analyse(asked.text, reading(shell), asked.terminal)
            return Request("exec", analysis=analysis, environment=environment)
        case "shell":
            return Request("shell", name="raw", environment=environment)
        case kind:
            return Request(kind, name=asked.text.decode("utf-8", "replace"), environment=environment)
