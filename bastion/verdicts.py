"""What becomes of what is asked: policy's decision, by the login shell that will read it and with its script.

Nothing is permitted here. Fail closed: whatever goes wrong denies.

A script on standard input (`bash -s < script`) is a part of what is asked: it is read whole, within bounds, and judged
and printed with the text. The commands of a gated shell are judged one by one, with or without a terminal. What a
program reads there that is no script for a shell, or SQL, is not judged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bastion.analysis.command import Analysis
from bastion.analysis.guards import MAX_TEXT
from bastion.asked import COMMANDS, Asked, Verdict, names, request, runs
from bastion.context import Context, Knock
from bastion.errors import BadCertificate, Denied, InputRefused, NoSuchTarget
from bastion.identity.principal import Credential
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import OBSERVE, UNDECIDABLE, decide, reachable
from bastion.policy.masks import Choices
from bastion.policy.model import Policy
from bastion.targets.inventory import Inventory
from bastion.targets.login_shell import RULE, is_named
from bastion.targets.target import Target

log = logging.getLogger(__name__)


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
    hash_key: bytes = b""
    """For masks of style `hash`: the tenant's own, and always the same."""
    choices: Choices = field(default_factory=Choices)

    def prepare(self, policy: Policy) -> None:
        """Compile what sessions under this policy will need. For a thread, before it is in force."""
        self.choices.prepare(policy.masks, self.hash_key)


class Verdicts:
    """Made once, with the tenants' state (shared with reload, which swaps it), and asked for everything."""

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        revoked: Callable[[Credential], str | None],
        clock: Callable[[], float],
        shells: Shells,
    ) -> None:
        self._tenants = tenants
        self._revoked = revoked
        self._clock = clock
        self._shells = shells

    async def of(self, context: Context, asked: Asked) -> Verdict:
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
            if raw.decision.effect.severity < gated.decision.effect.severity:
                return raw
            if gated.decision.effect is Effect.DENY:
                return gated
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
            self.still_good(context.credential)
            self.still_there(tenant, context)
            wanted = request(asked, shell, script)
            analysis = wanted.analysis
            subject = self.subject(context.knock, context.credential, context.target, context.account.name)
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
            if decision.effect is not Effect.DENY and asked.kind in COMMANDS and not text:
                decision = _unprintable(decision)
            unsure = decision.effect is not Effect.ALLOW or decision.rule == OBSERVE
            return Verdict(decision, text, analysis, script, wants_input=unsure and _wants_input(analysis))
        return Verdict(decision)

    def again(self, context: Context, asked: Asked, verdict: Verdict) -> Decision:
        """What policy says of the same by now: hours and networks among it."""
        tenant = self._tenants[context.tenant]
        subject = self.subject(context.knock, context.credential, context.target, context.account.name)
        if verdict.analysis is None:
            kind = asked.of_kind("gated") if verdict.shell else asked
            return decide(tenant.policy, subject, request(kind, "bash", None))
        environment = tuple(sorted(names(asked)))
        wanted = Request("exec", analysis=verdict.analysis, environment=environment, emergency=asked.emergency)
        return decide(tenant.policy, subject, wanted)

    def still_good(self, credential: Credential) -> None:
        """A certificate may have been revoked, or have run out, since it was proven."""
        reason = self._revoked(credential)
        if reason is not None:
            raise BadCertificate(f"the certificate is revoked: {reason}")
        if self._clock() >= credential.valid_before:
            raise BadCertificate("the certificate has expired since this connection began: connect again")

    def still_there(self, tenant: Tenant, context: Context) -> None:
        """A target may have been taken out of the inventory, or changed, since the connection to it began; what was
        admitted was the one that stood there then."""
        if tenant.inventory.find(context.target.name) != context.target:
            raise NoSuchTarget("the target was changed or removed since this connection began: connect again")

    def reachable(self, tenant: Tenant, knock: Knock, credential: Credential, target: Target, account: str) -> bool:
        return reachable(tenant.policy, self.subject(knock, credential, target, account))

    def subject(self, knock: Knock, credential: Credential, target: Target, account: str) -> Subject:
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


def _unprintable(decision: Decision) -> Decision:
    """There is no text that could run, so none that somebody could approve either."""
    if decision.rule == UNDECIDABLE:
        return decision.unapprovable()
    return Decision(Effect.DENY, "error", "nothing could be printed to run", decision.policy)


def _wants_input(analysis: Analysis | None) -> bool:
    return analysis is not None and analysis.wants_stdin


def _denied(verdict: Verdict, rule: str, reason: str, remedy: str | None = None) -> Verdict:
    """The same request, denied for what came of waiting."""
    before = verdict.decision
    decision = Decision(Effect.DENY, rule, reason, before.policy, remedy=remedy)
    return Verdict(decision, script=verdict.script)
