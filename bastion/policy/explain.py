"""A verdict with everything that led to it, as values for JSON: one object for explain, batches and the API alike.

    effect, would, rule, place, reason, remedy, policy      the decision (`would`: mode observe let it through)
    commands     for each simple command: argv (null for a word that only the target knows), via, environment,
                 redirections, start, end (bytes), effect, rule, place, reason; with a trace also `tried`: the rules
                 that concern this asker, whether each applies to the command, and why not
    tried        with a trace: the rules that look at the categories of the whole text
    categories, techniques      sorted, of the whole text
    findings     what is known of its effects: category, technique, reason, start, end, command (its index, or -1)
    undecidable  the reasons why that may not be all
    sql          literal SQL: dialect, text, kinds, undecidable, command
    runs         what would be sent to the target, null when nothing can be

Bytes that are not UTF-8 are backslash-escaped: `\\xff`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bastion.analysis.command import Analysis, Command, Finding, SqlFinding
from bastion.analysis.shell import analyse
from bastion.policy.asker import Asker
from bastion.policy.decision import Decision
from bastion.policy.engine import Judged, Tried, decide_telling
from bastion.policy.model import Policy
from bastion.policy.told import Told, place


@dataclass(frozen=True, slots=True)
class Explained:
    """`decision` is about the whole text, `commands` about each simple command of `analysis`, in its order. `tried` are
    the rules that look at the categories of the whole text; `trace` says whether rules that were tried are told."""

    analysis: Analysis
    decision: Decision
    commands: tuple[Judged, ...]
    tried: tuple[Tried, ...] = ()
    trace: bool = True

    def told(self) -> Told:
        """The object at the head of this file."""
        analysis, decision = self.analysis, self.decision
        return {
            **_decision(decision),
            "remedy": decision.remedy,
            "policy": decision.policy,
            "commands": [_command(one, self.trace) for one in self.commands],
            **({"tried": [_tried(tried) for tried in self.tried]} if self.trace else {}),
            "categories": sorted(analysis.categories),
            "techniques": sorted({found.technique for found in analysis.findings if found.technique}),
            "findings": [_finding(found) for found in analysis.findings],
            "undecidable": [found.reason for found in analysis.undecidable],
            "sql": [_sql(found) for found in analysis.sql],
            "runs": None if analysis.runs is None else text(analysis.runs),
        }


def explain(
    policy: Policy, asker: Asker, command: bytes, stdin: bytes | None = None, *, trace: bool = True
) -> Explained:
    """Judge `command`, with its standard input where that is known. Never raises for any bytes; pure, and as bounded as
    the analysis and the policy are. With `trace` every rule is tried on every command, which takes long where there are
    many of both."""
    analysis = analyse(command, asker.shell, asker.terminal, stdin)
    subject = asker.subject
    decision, commands = decide_telling(policy, subject, analysis, trace)
    if analysis.unreadable is not None:  # nothing of it can run, whatever its parts are
        commands = tuple(Judged(command, decision, ()) for command in analysis.commands)
    tried = tuple(_of_categories(policy, asker, analysis)) if trace else ()
    return Explained(analysis, decision, commands, tried, trace)


def _of_categories(policy: Policy, asker: Asker, analysis: Analysis) -> Iterator[Tried]:
    for rule in policy.rules:
        if rule.categories and rule.concerns(asker.subject):
            found = rule.categories & analysis.categories
            yield Tried(rule, bool(found), "" if found else "not found")


def text(word: bytes) -> str:
    """Bytes as text: what is not UTF-8 is backslash-escaped."""
    return word.decode("utf-8", "backslashreplace")


def _decision(decision: Decision) -> Told:
    return {
        "effect": decision.effect.value,
        "would": None if decision.would is None else decision.would.value,
        "rule": decision.rule,
        "place": place(decision.place),
        "reason": decision.reason,
    }


def _command(one: Judged, trace: bool) -> Told:
    command: Command = one.command
    told: Told = {
        "argv": [_word(word) for word in command.argv],
        "via": [text(program) for program in command.via],
        "environment": [{"name": text(name), "value": _word(value)} for name, value in command.environment],
        "redirections": [{"operator": operator, "path": _word(path)} for operator, path in command.redirections],
        "start": command.start,
        "end": command.end,
        **_decision(one.decision),
    }
    if trace:
        told["tried"] = [_tried(tried) for tried in one.tried]
    return told


def _tried(tried: Tried) -> Told:
    rule = tried.rule
    return {
        "rule": rule.id,
        "effect": rule.effect.value,
        "place": place(rule.place),
        "applies": tried.applies,
        "why": tried.why,
    }


def _finding(found: Finding) -> Told:
    return {
        "category": found.category,
        "technique": found.technique or None,
        "reason": found.reason,
        "start": found.start,
        "end": found.end,
        "command": found.command,
    }


def _sql(found: SqlFinding) -> Told:
    return {
        "dialect": found.dialect,
        "text": text(found.text),
        "kinds": sorted(found.kinds),
        "undecidable": list(found.undecidable),
        "command": found.command,
    }


def _word(word: bytes | None) -> str | None:
    return None if word is None else text(word)
