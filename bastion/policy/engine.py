"""May it? `decide` answers one request of one subject by one policy. Pure; the cost of it is bounded by the index.

Nothing is allowed that no rule allows, and the strictest rule wins: deny over approve over allow, for each simple
command and then over the whole line. A rule that holds back (deny, approve) reads its patterns widely, one that grants
(allow, approve) narrowly (patterns.py says how), so where the two readings of one text differ the answer is the
stricter one.

Limits: mode observe lets through what a rule denies, but never what could not be read: there is no text to run then.
"""

from __future__ import annotations

from itertools import islice

from bastion.analysis.command import Analysis, Command
from bastion.errors import Place
from bastion.policy import environment
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.model import RAW, Policy, Rule

DEFAULT = "default"
UNDECIDABLE = "undecidable"
OBSERVE = "observe"

_REMEDY_PATTERNS = 4
_REMEDY_RULES_READ = 30
_SHOWN = 60


def decide(policy: Policy, subject: Subject, request: Request) -> Decision:
    """Judge `request`. Total: every request has an answer, and an unknown kind is denied."""
    if request.kind == "exec" and request.analysis is not None:
        decision = _exec(policy, subject, request.analysis, request.environment)
        return _observed(policy, decision) if request.analysis.runs is not None else decision
    if request.kind == "shell" and request.name == RAW:
        return _observed(policy, _shell(policy, subject, request.environment))
    what = _show(f"{request.kind} {request.name}".strip())
    return _answer(policy, Effect.DENY, DEFAULT, f"{what} is not offered here, and no rule can allow it yet", subject)


def reachable(policy: Policy, subject: Subject) -> bool:
    """Whether any allow or approve rule could ever be about this subject there, or what no rule covers may be
    approved, or is let through (mode observe). A subject whose account is "" asks for any account."""
    if policy.observe or policy.default is Effect.APPROVE:
        return True
    return any(rule.concerns(subject) for rule in policy.permits(subject))


# -- commands


def _exec(policy: Policy, subject: Subject, analysis: Analysis, names: tuple[str, ...]) -> Decision:
    barred = _by_category(policy, subject, analysis)
    unreadable = analysis.unreadable
    if barred is not None and barred.effect is Effect.DENY:
        return barred
    if unreadable is not None or analysis.runs is None or not analysis.commands:
        reason = "no command was found" if unreadable is None else f"{unreadable.reason} (at byte {unreadable.start})"
        reason = f"the command can not be judged: {reason}"
        return _answer(policy, policy.undecidable, UNDECIDABLE, reason, subject)
    decisions = [_simple(policy, subject, analysis, command, names) for command in analysis.commands]
    if barred is not None:
        decisions.append(barred)
    # Of equally strict answers a rule's own says more than the default.
    strictest = max(decisions, key=lambda decision: (decision.effect.severity, decision.place is not None))
    if strictest.effect is not Effect.ALLOW:
        return strictest
    passed = frozenset.intersection(*(decision.environment for decision in decisions))
    return Decision(
        strictest.effect, strictest.rule, strictest.reason, policy.version, strictest.place, environment=passed
    )


def _by_category(policy: Policy, subject: Subject, analysis: Analysis) -> Decision | None:
    """What the deny and approve rules say about the categories found in the whole line; None when they are silent."""
    rules = [rule for rule in policy.about_categories(subject, analysis.categories) if rule.concerns(subject)]
    if not rules:
        return None
    rule = max(rules, key=lambda found: found.effect.severity)
    found = ", ".join(sorted(rule.categories & analysis.categories))
    return _ruled(policy, rule, f"{rule.reason or 'this rule forbids it'} ({found})", subject)


def _simple(policy: Policy, subject: Subject, analysis: Analysis, command: Command, names: tuple[str, ...]) -> Decision:
    argv = tuple(word for word in command.argv if word is not None)
    if len(argv) != len(command.argv) or not argv or command.environment or command.redirections:
        reason = "no rule can cover a word, assignment or redirection that only the target would know"
        return _answer(policy, policy.undecidable, UNDECIDABLE, reason, subject)
    about = [rule for rule in policy.about_command(subject, argv) if rule.concerns(subject)]
    holding = [
        rule
        for rule in about
        if rule.effect is not Effect.ALLOW and any(pattern.restrains(argv) for pattern in rule.commands)
    ]
    granting = [
        rule
        for rule in about
        if rule.effect is not Effect.DENY and any(pattern.grants(argv) for pattern in rule.commands)
    ]
    for rule in holding:
        if rule.effect is Effect.DENY:
            return _ruled(policy, rule, rule.reason or f"this rule forbids {_show(argv[0])}", subject)
    acts = analysis.takes_commands
    covered = bool(granting)
    if acts is not None:
        granting = [rule for rule in granting if rule.interactive]
    if acts is not None and not granting:
        effects = [policy.undecidable] if covered else [policy.undecidable, policy.default]
        effect = max(effects, key=lambda found: found.severity)
        reason = f"{acts.reason}: a rule must say `interactive: true` to let it run"
        return _answer(policy, effect, UNDECIDABLE, reason, subject)
    if not granting:
        reason = f"no rule allows {_show(argv[0])} with these arguments here"
        return _answer(policy, policy.default, DEFAULT, reason, subject)
    strictest = max((*granting, *holding), key=lambda rule: rule.effect.severity)
    if strictest.effect is Effect.APPROVE:
        return _ruled(policy, strictest, strictest.reason or "this rule asks for an approval", subject)
    return _allowed(policy, strictest, granting, names)


# -- shells


def _shell(policy: Policy, subject: Subject, names: tuple[str, ...]) -> Decision:
    rules = [rule for rule in policy.about_shell(subject) if rule.shell == RAW and rule.concerns(subject)]
    if not rules:
        reason = "no rule allows a shell here; name a command to run"
        # An unfiltered shell is never left to `default: approve`: a rule must mean it.
        return _answer(policy, Effect.DENY, DEFAULT, reason, subject)
    strictest = max(rules, key=lambda rule: rule.effect.severity)
    if strictest.effect is Effect.ALLOW:
        return _allowed(policy, strictest, rules, names)
    return _ruled(policy, strictest, strictest.reason or "this rule holds back shells", subject)


# -- answers


def _allowed(policy: Policy, rule: Rule, rules: list[Rule], names: tuple[str, ...]) -> Decision:
    patterns = [pattern for allowing in rules for pattern in allowing.env]
    passed = frozenset(name for name in names if any(environment.passes(pattern, name) for pattern in patterns))
    reason = rule.reason or "allowed by this rule"
    return Decision(Effect.ALLOW, rule.id, reason, policy.version, rule.place, environment=passed)


def _ruled(policy: Policy, rule: Rule, reason: str, subject: Subject) -> Decision:
    return _answer(policy, rule.effect, rule.id, reason, subject, rule)


def _answer(
    policy: Policy, effect: Effect, name: str, reason: str, subject: Subject, rule: Rule | None = None
) -> Decision:
    """A refusal, or a wait for approval, with what may be done about it."""
    place: Place | None = None if rule is None else rule.place
    remedy = _allowed_here(policy, subject)
    if effect is Effect.APPROVE:
        approvals = [rule.approval] if rule is not None and rule.approval is not None else list(policy.approvals)
        by = sorted({group for approval in approvals for group in approval.by})
        remedy = f"may be approved by: {', '.join(by)}" if by else remedy
    return Decision(effect, name, reason, policy.version, place, remedy)


def _allowed_here(policy: Policy, subject: Subject) -> str | None:
    """A few patterns that this very subject may use; the number of rules read for it is bounded."""
    texts: dict[str, None] = {}
    for rule in islice(policy.permits(subject), _REMEDY_RULES_READ):
        if len(texts) > _REMEDY_PATTERNS:
            break
        if rule.effect is Effect.ALLOW and rule.concerns(subject):
            texts.update(dict.fromkeys(pattern.text for pattern in rule.commands))
    if not texts:
        return None
    shown = [_show(text) for text in islice(texts, _REMEDY_PATTERNS)]
    return f"allowed here: {', '.join(shown)}{', …' if len(texts) > _REMEDY_PATTERNS else ''}"


def _observed(policy: Policy, decision: Decision) -> Decision:
    """Mode observe: what would have been refused goes through, and says so."""
    if not policy.observe or decision.effect is Effect.ALLOW:
        return decision
    done = "denied" if decision.effect is Effect.DENY else "held for approval"
    reason = f"observed only; would be {done} by {decision.rule}: {decision.reason}"
    return Decision(Effect.ALLOW, OBSERVE, reason, policy.version, decision.place, would=decision.effect)


def _show(text: str | bytes) -> str:
    """A client's or author's words for a message: one line, nothing hidden, bounded."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
