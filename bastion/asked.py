"""What one channel asks for, as values: how it is put to the analysis, and how its judging is told in the audit trail.

Nothing is decided or permitted here; the gate does that.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from bastion.analysis.command import Analysis, Earlier
from bastion.analysis.pagers import without_pager
from bastion.analysis.printer import quote
from bastion.analysis.shell import analyse
from bastion.approvals.asking import Asking
from bastion.approvals.request import Bound
from bastion.audit.events import BreakGlass, CommandJudged
from bastion.characters import shown
from bastion.context import Context, in_session
from bastion.policy.decision import Approval, Decision, Effect, Request
from bastion.policy.model import GATED, RAW
from bastion.targets.login_shell import reading

COMMANDS = frozenset({"exec", "line", "completion"})
"""The kinds that are commands: judged by what their text would run, which is printed anew."""


REASON = b"BASTION_REASON"
"""The variable that a client breaks the glass with; it goes nowhere."""
MAX_REASON = 500
"""Characters of it."""
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters of which nothing is seen."""


class Input(Protocol):
    """The client's standard input. `whole` waits for its end: InputRefused when it is longer than `limit` bytes, or
    does not end in time; what ended the session when it did meanwhile."""

    async def whole(self, limit: int) -> bytes: ...


class Client(Protocol):
    """The one who asks. `hold` tells a line while what was asked waits for people; from the first one on a signal or
    Ctrl-C ends the wait."""

    def hold(self, line: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What one channel asks for. `kind` is `exec`, `shell` or `subsystem`; or `line`, one command of a gated shell,
    which `number` counts and which runs in `directory`, or in any of `folders`; or `completion`, a listing that such a
    shell asks for. `environment` is what the client would set, `terminal` whether there is one, `stdin` its standard
    input, None where there is none to be read."""

    session: str
    kind: str
    text: bytes
    environment: Mapping[bytes, bytes]
    terminal: bool = False
    stdin: Input | None = None
    number: int = 0
    directory: bytes = b""
    folders: tuple[bytes, ...] = ()
    client: Client | None = None

    def of_kind(self, kind: str) -> Asked:
        """The same of another kind."""
        return Asked(self.session, kind, self.text, self.environment, self.terminal, self.stdin, client=self.client)

    @property
    def emergency(self) -> str:
        """Why the client breaks the glass, on one line; empty where it does not say."""
        said = self.environment.get(REASON, b"").decode("utf-8", "backslashreplace").strip()
        told = any(letter.isalnum() and letter not in _FILLERS for letter in said)
        return shown(said, MAX_REASON) if told else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, and what would run. `script` is what was read from the standard input, None when it was not.
    `wants_input`: all that is missing to judge it is the script on its standard input."""

    decision: Decision
    runs: bytes | None = None
    analysis: Analysis | None = None
    script: bytes | None = None
    wants_input: bool = False
    shell: str = ""
    """Of a gated shell the login shell, which will read the commands."""

    def decided(self, decision: Decision) -> Verdict:
        """The same, decided so."""
        return Verdict(decision, self.runs, self.analysis, self.script, self.wants_input, self.shell)

    def read_by(self, shell: str) -> Verdict:
        """The same of a gated shell whose commands that login shell will read."""
        return Verdict(self.decision, self.runs, self.analysis, shell=shell)

    @property
    def takes_commands(self) -> bool:
        """Whether something in it takes commands that nobody judges, as far as that is not a script that was read."""
        return self.analysis is not None and self.analysis.takes_commands is not None

    @property
    def input_used(self) -> bool:
        """Whether the script is a part of `runs`."""
        return self.analysis is not None and self.analysis.stdin_used


def request(asked: Asked, shell: str, script: bytes | None) -> Request:
    """What policy is asked; an exec is analysed as the login shell `shell` reads it."""
    environment, emergency = tuple(sorted(names(asked))), asked.emergency
    match asked.kind:
        case _ if asked.kind in COMMANDS:
            earlier = Earlier((asked.directory, *asked.folders)) if asked.kind == "line" else None
            analysis = analyse(asked.text, reading(shell), asked.terminal, script, earlier)
            return Request("exec", analysis=analysis, environment=environment, emergency=emergency)
        case "gated" | "shell":
            return Request("shell", name=GATED if asked.kind == "gated" else RAW, environment=environment)
        case kind:
            return Request(kind, name=asked.text.decode("utf-8", "replace"), environment=environment)


def runs(asked: Asked, analysis: Analysis) -> bytes | None:
    """The text to send: as it was printed, and on a terminal with no pager, unless a rule let commands be taken.

    A gated shell has been told of pagers before its first line."""
    if analysis.runs is None or not asked.terminal or asked.kind != "exec" or analysis.takes_commands is not None:
        return analysis.runs
    return without_pager(analysis.runs)


def names(asked: Asked) -> dict[str, str]:
    """The environment as text; a name or value that is not UTF-8 is never passed on."""
    found = {}
    for name, value in asked.environment.items():
        if name == REASON:
            continue
        try:
            found[name.decode()] = value.decode()
        except UnicodeDecodeError:
            continue
    return found


def told(
    context: Context,
    asked: Asked,
    verdict: Verdict,
    hide: Callable[[bytes], bytes],
    passed: frozenset[str] = frozenset(),
    approved: str | None = None,
) -> CommandJudged:
    """The event, its texts without what `hide` takes away. `passed` are the variables that are passed on, `approved` is
    the id of the approval, or of the grant, by which it may run."""
    decision = verdict.decision
    given = [name.decode("utf-8", "backslashreplace") for name in asked.environment if name != REASON]
    return CommandJudged(
        **in_session(context, asked.session),
        request=asked.kind,
        number=asked.number or None,
        directory=hide(asked.directory) or None,
        text=hide(asked.text),
        script=None if verdict.script is None else hide(verdict.script),
        runs=_printed(verdict.runs, hide) if verdict.runs is not None and decision.effect is Effect.ALLOW else None,
        effect=decision.effect.value,
        rule=decision.rule,
        reason=_reason(asked, decision, hide),
        policy=decision.policy,
        approval=approved,
        takes_commands=verdict.takes_commands or None,
        would=None if decision.would is None else decision.would.value,
        categories=tuple(sorted(decision.categories)),
        techniques=tuple(sorted(decision.techniques)),
        passed=tuple(sorted(passed)),
        dropped=tuple(sorted(set(given) - passed)),
    )


def broken_glass(context: Context, asked: Asked, verdict: Verdict, hide: Callable[[bytes], bytes]) -> BreakGlass:
    """The event, which is loud."""
    return BreakGlass(
        **in_session(context, asked.session),
        request=asked.kind,
        text=hide(asked.text),
        runs=None if verdict.runs is None else _printed(verdict.runs, hide),
        rule=verdict.decision.rule,
        policy=verdict.decision.policy,
        reason=hide(asked.emergency.encode()).decode("utf-8", "replace"),
    )


def asking(
    context: Context,
    asked: Asked,
    verdict: Verdict,
    passed: Mapping[str, str],
    hide: Callable[[bytes], bytes],
    key: bytes,
) -> Asking:
    """What people are asked, the variables that would be `passed` in it. What is kept of it and shown to them is
    without what is masked; the whole text is bound by a seal under the tenant's `key` then, so that an approval is good
    for no other."""
    identity, decision = context.identity, verdict.decision
    bound = Bound(
        tenant=context.tenant,
        identity=identity.name,
        issuer=identity.issuer,
        subject=identity.subject,
        serial=context.credential.serial,
        target=context.target.name,
        account=context.account.name,
        session=asked.session,
        kind=asked.kind,
        text=_sealed((verdict.runs or b"") + b"".join(_variables(passed)), hide, key),
        policy=decision.policy,
        rule=decision.rule,
        directory=_sealed(asked.directory, hide, key),
    )
    return Asking(
        bound=bound,
        written=hide(asked.text),
        reason=_reason(asked, decision, hide),
        clauses=tuple(_waiting(approval, asked) for approval in decision.approvals),
        owners=identity.owners,
        principals=identity.principals,
        groups=tuple(sorted(identity.groups)),
        source=context.knock.source,
        categories=tuple(sorted(decision.categories)),
        techniques=tuple(sorted(decision.techniques)),
        takes_commands=verdict.takes_commands,
    )


def _sealed(text: bytes, hide: Callable[[bytes], bytes], key: bytes) -> bytes:
    shown = _printed(text, hide)
    if shown == text:
        return text
    return shown + b"\n# what is masked here is bound by " + hmac.new(key, text, "sha256").hexdigest().encode()


def _variables(passed: Mapping[str, str]) -> Iterator[bytes]:
    """As comments behind the text: with them it is another thing to approve."""
    for name, value in sorted(passed.items()):
        yield b"\n# with %s=%s" % (name.encode(), quote(value.encode()))


def _waiting(approval: Approval, asked: Asked) -> Approval:
    """In a gated shell the same text can mean something else the next time, by its variables: its client waits."""
    return approval.held() if asked.kind == "line" else approval


def _reason(asked: Asked, decision: Decision, hide: Callable[[bytes], bytes]) -> str:
    """A reason may quote words of the text, and cut them where nobody would know them for what is masked."""
    if hide(asked.text) != asked.text:
        return "not told: it may quote what is masked"
    return hide(decision.reason.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _printed(text: bytes, hide: Callable[[bytes], bytes]) -> bytes:
    """A printed text without what is masked. Its quotes would keep a password from being known by what stands before
    it, so it is looked at without them; where something is found so, it is told so."""
    bare = text.translate(None, b"'")
    hidden = hide(bare)
    return hide(text) if hidden == bare else b"# without its quotes, for something is masked: " + hidden
