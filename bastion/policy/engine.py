"""May it? `decide` answers one request of one subject by one policy. Pure; the cost of it is bounded by the index.

Nothing is allowed that no rule allows, and the strictest rule wins: deny over approve over allow, for each simple
command and then over the whole line. A rule that holds back (deny, approve) reads its patterns widely, one that grants
(allow, approve) narrowly (patterns.py says how), so where the two readings of one text differ the answer is the
stricter one.

`decide_telling` is for those who write policy: the same answer, with that of each command and the rules tried on it.

Limits: mode observe lets through what a rule denies, but never what could not be read: there is no text to run then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from bastion.analysis.command import Analysis, Command
from bastion.characters import briefly
from bastion.policy import environment
from bastion.policy.coverage import Objection, Question, holds_back, objection, of_the_script, questions
from bastion.policy.decision import Approval, Decision, Effect, Request, Subject
from bastion.policy.masks import carries_files
from bastion.policy.model import SHELLS, Policy, Rule

DEFAULT = "default"
UNDECIDABLE = "undecidable"
OBSERVE = "observe"
SCRIPT = "script"

_REMEDY_PATTERNS = 4
_REMEDY_RULES_READ = 30


def decide(policy: Policy, subject: Subject, request: Request) -> Decision:
    """Judge `request`. Total: every request has an answer, and an unknown kind is denied."""
    if request.kind == "exec" and request.analysis is not None:
        asked, analysis = request.environment, request.analysis
        each = (_simple(policy, subject, question, asked, request.emergency) for question in questions(analysis))
        return _whole(policy, subject, request.analysis, each)
    if request.kind == "shell" and request.name in SHELLS:
        return _finished(policy, subject, _shell(policy, subject, request), observable=True)
    what = briefly(f"{request.kind} {request.name}".strip())
    reason = f"{what} is not offered here, and no rule can allow it yet"
    return _finished(policy, subject, _answer(policy, Effect.DENY, DEFAULT, reason), observable=False)


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule that concerns the subject, tried on one command: whether it is about it, and why not."""

    rule: Rule
    applies: bool
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One command's own answer, and every rule that was tried on it, in order."""

    command: Command
    decision: Decision
    tried: tuple[Tried, ...]


def decide_telling(
    policy: Policy, subject: Subject, analysis: Analysis, trace: bool = True
) -> tuple[Decision, tuple[Judged, ...]]:
    """What `decide` answers, and how each command was judged, for those who write policy. With `trace` the cost grows
    with the rules: never for a live request. Without, no rule is told as tried."""
    each = _judged(policy, subject, analysis, trace)
    return _whole(policy, subject, analysis, (one.decision for one in each)), each


def _judged(policy: Policy, subject: Subject, analysis: Analysis, trace: bool) -> tuple[Judged, ...]:
    """How each command of a text was judged: `decide` asks the same questions, of fewer rules."""
    about = [rule for rule in policy.rules if rule.commands or rule.of_any_program] if trace else []
    concerning = [rule for rule in about if rule.concerns(subject)]
    return tuple(
        Judged(asked.command, _simple(policy, subject, asked, ()), tuple(_try(rule, asked) for rule in concerning))
        for asked in questions(analysis)
    )


def _try(rule: Rule, question: Question) -> Tried:
    if rule.effect is Effect.DENY:
        held = holds_back(rule, question)
        return Tried(rule, held, "" if held else "not about this command")
    against = objection(rule, question)
    if against is not None and rule.effect is Effect.APPROVE and holds_back(rule, question):
        return Tried(rule, True, f"it holds it back, and would not let it run: {against.text}")
    if against is not None and not against.stage and not against.doubt:
        return Tried(rule, False, "no pattern of it matches")
    return Tried(rule, against is None, "" if against is None else against.text)


def reachable(policy: Policy, subject: Subject) -> bool:
    """Whether any allow or approve rule could ever be about this subject there, or what no rule covers may be
    approved, or is let through (mode observe). A subject whose account is "" asks for any account. A rule that holds at
    other times or for other networks counts: whoever may come back later is told why not now."""
    if policy.observe or policy.default is Effect.APPROVE:
        return True
    return any(rule.who.matches(subject) and rule.where.matches(subject) for rule in policy.permits(subject))


# -- commands


def _whole(policy: Policy, subject: Subject, analysis: Analysis, each: Iterable[Decision]) -> Decision:
    """The answer to a text, of the answers to `each` of its commands, which are asked for only where they count."""
    decision = _exec(policy, subject, analysis, each)
    if analysis.findings:
        techniques = frozenset(finding.technique for finding in analysis.findings if finding.technique)
        decision = replace(decision, categories=analysis.categories, techniques=techniques)
    elif analysis.categories:
        decision = replace(decision, categories=analysis.categories)
    return _finished(policy, subject, decision, observable=analysis.runs is not None)


def _exec(policy: Policy, subject: Subject, analysis: Analysis, each: Iterable[Decision]) -> Decision:
    barred = _by_category(policy, subject, analysis)
    unreadable = analysis.unreadable
    if barred is not None and barred.effect is Effect.DENY:
        return barred
    if unreadable is not None or analysis.runs is None or not analysis.commands:
        reason = "no command was found" if unreadable is None else f"{unreadable.reason} (at byte {unreadable.start})"
        reason = f"the command can not be judged: {reason}"
        return _answer(policy, policy.undecidable, UNDECIDABLE, reason)
    decisions = list(each)
    if barred is not None and not all(decision.broke_glass for decision in decisions):
        decisions.append(barred)
    strictest = _strictest(decisions)
    if strictest.effect is Effect.DENY:
        return strictest
    if strictest.effect is Effect.APPROVE:
        strictest = _held_by_all(strictest, decisions)
    by_rules = [decision for decision in decisions if decision.place is not None]
    passes = [decision.environment for decision in by_rules]
    return replace(
        strictest,
        environment=frozenset.intersection(*passes) if passes else frozenset(),
        unmasked=bool(by_rules) and all(decision.unmasked for decision in by_rules),
        broke_glass=any(decision.broke_glass for decision in decisions),
    )


def _held_by_all(strictest: Decision, decisions: list[Decision]) -> Decision:
    """What several rules hold waits for the people of each: an approval by one is none by the others."""
    held = [decision for decision in decisions if decision.effect is Effect.APPROVE]
    return replace(
        strictest,
        rule="+".join(dict.fromkeys(decision.rule for decision in (strictest, *held))),
        reason="; ".join(dict.fromkeys(decision.reason for decision in (strictest, *held))),
        approvals=tuple(dict.fromkeys(approval for decision in held for approval in decision.approvals)),
    )


def _strictest(decisions: list[Decision]) -> Decision:
    """Of equally strict answers a rule's own says more than the default."""
    return max(decisions, key=lambda decision: (decision.effect.severity, decision.place is not None))


def _by_category(policy: Policy, subject: Subject, analysis: Analysis) -> Decision | None:
    """What the deny and approve rules say about the categories found in the whole line; None when they are silent."""
    rules = [rule for rule in policy.about_categories(subject, analysis.categories) if rule.concerns(subject)]
    if not rules:
        return None
    rule = max(rules, key=lambda found: found.effect.severity)
    found = ", ".join(sorted(rule.categories & analysis.categories))
    answer = _ruled(policy, rule, f"{rule.reason or 'this rule forbids it'} ({found})")
    if rule.effect is Effect.DENY:
        return answer
    return _held_by_all(answer, [_ruled(policy, one, one.reason or "this rule holds it") for one in rules])


def _simple(
    policy: Policy, subject: Subject, question: Question, names: tuple[str, ...], emergency: str = ""
) -> Decision:
    about = policy.about_command(subject, question.command.argv, question.unknown)
    about = [rule for rule in about if rule.concerns(subject)]
    holding = [rule for rule in about if rule.effect is not Effect.ALLOW and holds_back(rule, question)]
    for rule in holding:
        if rule.effect is Effect.DENY:
            return _ruled(policy, rule, rule.reason or f"this rule forbids {_what(question.command)}")
    ordinary = [rule for rule in about if rule.effect is not Effect.DENY and not rule.break_glass]
    tried = [(rule, objection(rule, question)) for rule in ordinary]
    granting = [rule for rule, against in tried if against is None]
    if of_the_script(question):
        return Decision(Effect.ALLOW, SCRIPT, "a variable or function of the text's own", policy.version)
    glass = [rule for rule in about if rule.break_glass and objection(rule, question) is None] if emergency else []
    plain = granting and not any(rule.effect is Effect.APPROVE for rule in (*granting, *holding))
    using = glass if glass and not plain else granting
    hidden = _unmaskable(policy, subject, question, using) if using else None
    if hidden is not None:
        return hidden
    if glass and not plain:
        return replace(_allowed(policy, glass[0], glass, names), broke_glass=True)
    if not granting:
        answer = _uncovered(policy, question, [(rule, against) for rule, against in tried if against is not None])
        if answer.effect is Effect.DENY or not holding:
            return answer
        return _held_by_all(answer, [answer, *(_ruled(policy, rule, rule.reason or "held") for rule in holding)])
    strictest = max((*granting, *holding), key=lambda rule: rule.effect.severity)
    allowed = _allowed(policy, strictest, granting, names)
    if strictest.effect is Effect.APPROVE:
        asking = [rule for rule in (*granting, *holding) if rule.effect is Effect.APPROVE]
        each = [_ruled(policy, rule, rule.reason or "this rule asks for an approval") for rule in dict.fromkeys(asking)]
        held = _held_by_all(each[0], each)
        return replace(held, environment=allowed.environment, unmasked=allowed.unmasked)
    return allowed


def _uncovered(policy: Policy, question: Question, tried: list[tuple[Rule, Objection]]) -> Decision:
    """No rule covers it: what comes nearest says why. What is not known is never less strict than what no rule covers,
    unless a rule would cover it but for that."""
    # That a rule asks for an approval of other deeds says nothing about this one.
    about = [against for _, against in tried if against.doubt or not against.elsewhere]
    nearest = max(about, key=lambda against: against.stage, default=None)
    doubtful = bool(question.doubts) or (nearest is not None and nearest.doubt)
    effect = policy.undecidable if doubtful else policy.default
    if effect.severity < policy.default.severity and not _but_for_doubt(question, tried):
        effect = policy.default
    if nearest is not None and (nearest.stage > 0 or nearest.doubt):
        reason = nearest.text
    elif question.doubts:
        reason = f"{question.doubts[0].reason}: a rule must say `interactive: true` to let it run"
    else:
        reason = f"no rule allows {_what(question.command)} here"
    return _answer(policy, effect, UNDECIDABLE if doubtful else DEFAULT, reason)


def _but_for_doubt(question: Question, tried: list[tuple[Rule, Objection]]) -> bool:
    """Whether a rule would cover it if it said `dynamic` and `interactive`."""
    trusting = (replace(rule, dynamic=True, interactive=True) for rule, _ in tried)
    return any(objection(rule, question) is None for rule in trusting)


def _unmaskable(policy: Policy, subject: Subject, question: Question, granting: list[Rule]) -> Decision | None:
    """A program that carries files in a protocol of its own says nothing that could be masked."""
    if not carries_files(question.command.argv) or any(rule.unmasked for rule in granting):
        return None
    masks = policy.masked(subject)
    if not masks:
        return None
    program = briefly(question.command.argv[0] or b"")
    reason = f"what {program} carries can not be masked: a rule must say `unmasked: true` to let it run"
    return replace(_answer(policy, Effect.DENY, masks[0].id, reason), place=masks[0].place)


def _what(command: Command) -> str:
    if command.argv:
        return f"{briefly(command.argv[0] or b'')} with these arguments"
    return "setting a variable" if command.environment else "opening a file"


# -- shells


def _shell(policy: Policy, subject: Subject, request: Request) -> Decision:
    rules = [rule for rule in policy.about_shell(subject) if rule.shell == request.name and rule.concerns(subject)]
    if not rules:
        reason = "no rule allows a shell here; name a command to run"
        # A shell is never left to `default: approve`: a rule must mean it.
        return _answer(policy, Effect.DENY, DEFAULT, reason)
    strictest = max(rules, key=lambda rule: rule.effect.severity)
    if strictest.effect is Effect.ALLOW:
        return _allowed(policy, strictest, rules, request.environment)
    answer = _ruled(policy, strictest, strictest.reason or "this rule holds back shells")
    if strictest.effect is Effect.DENY:
        return answer
    asking = [rule for rule in rules if rule.effect is Effect.APPROVE]
    return _held_by_all(answer, [_ruled(policy, rule, rule.reason or answer.reason) for rule in asking])


# -- answers


def _allowed(policy: Policy, rule: Rule, rules: list[Rule], names: tuple[str, ...]) -> Decision:
    patterns = [pattern for allowing in rules for pattern in allowing.env]
    passed = frozenset(name for name in names if any(environment.passes(pattern, name) for pattern in patterns))
    reason = rule.reason or "allowed by this rule"
    unmasked = any(allowing.unmasked for allowing in rules)
    return Decision(Effect.ALLOW, rule.id, reason, policy.version, rule.place, environment=passed, unmasked=unmasked)


def _ruled(policy: Policy, rule: Rule, reason: str) -> Decision:
    return _answer(policy, rule.effect, rule.id, reason, rule)


def _answer(policy: Policy, effect: Effect, name: str, reason: str, rule: Rule | None = None) -> Decision:
    """A refusal, or a wait for approval."""
    approvals: tuple[Approval, ...] = ()
    if effect is Effect.APPROVE:
        approvals = (rule.approval,) if rule is not None and rule.approval is not None else policy.approvals
        if rule is None:  # a grant would be one for everything that no rule covers
            approvals = tuple(replace(approval, grants=0) for approval in approvals)
    place = None if rule is None else rule.place
    return Decision(effect, name, reason, policy.version, place, approvals=approvals)


def _finished(policy: Policy, subject: Subject, decision: Decision, *, observable: bool) -> Decision:
    """The answer with what may be done about it; in mode observe what would have been refused goes through."""
    if decision.effect is Effect.ALLOW:
        return decision
    if observable and policy.observe:
        return _observed(decision)
    by = sorted({group for approval in decision.approvals for group in approval.by})
    remedy = f"may be approved by: {', '.join(by)}" if by else _allowed_here(policy, subject)
    return replace(decision, remedy=remedy)


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
    shown = [briefly(text) for text in islice(texts, _REMEDY_PATTERNS)]
    return f"allowed here: {', '.join(shown)}{', …' if len(texts) > _REMEDY_PATTERNS else ''}"


def _observed(decision: Decision) -> Decision:
    """What would have been refused goes through, and says so."""
    done = "denied" if decision.effect is Effect.DENY else "held for approval"
    reason = f"observed only; would be {done} by {decision.rule}: {decision.reason}"
    return replace(decision, effect=Effect.ALLOW, rule=OBSERVE, reason=reason, would=decision.effect, approvals=())
