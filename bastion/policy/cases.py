"""Cases: commands with the verdicts that an author expects, in files beside the policy (`NAME.cases.yaml`).

    version: 1
    as: {identity: agent@demo, groups: [agents], target: demo, account: deploy}   # who asks; the keys of asker.py
    cases:
      - {command: uptime, effect: allow, rule: look-around}     # `rule` may be left out
      - commands: ["rm -rf /", "sudo reboot"]
        effect: deny
        as: {groups: [admins]}                                  # in place of that key of the `as` above
        about: what is never done here                          # told when one of them fails
      - {command: bash -s, stdin: "uptime\\nid\\n", effect: allow}      # what it reads on its standard input

Read as strictly as policy: every mistake is told at its place, all at once. A policy in mode observe is tested as if it
were in enforce: what is asked is what its rules say.

Limits: only commands are tested; shells and what the client's environment passes are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bastion import document
from bastion.analysis.shell import analyse
from bastion.document import Node, Section
from bastion.errors import BadFile, Place, Problem
from bastion.policy.asker import KEYS, Asker, BadAsker
from bastion.policy.decision import Decision, Effect
from bastion.policy.engine import decide_telling
from bastion.policy.loader import CASES
from bastion.policy.model import Policy, Rule
from bastion.policy.told import Told, place

VERSION = 1
MAX_CASES = 100_000
"""Commands of one file."""


@dataclass(frozen=True, slots=True)
class Case:
    """One command. `place` is where it stands; `rule` is the id that must decide, or empty; `stdin` None is one that is
    not known."""

    place: Place
    command: str
    asker: Asker
    effect: Effect
    rule: str = ""
    about: str = ""
    stdin: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A case that was judged. `rules` are the ids of those that decided, over the text or one of its commands."""

    case: Case
    decision: Decision
    rules: frozenset[str]
    known: bool = True

    @property
    def good(self) -> bool:
        decided = self.decision
        return decided.effect is self.case.effect and self.case.rule in ("", decided.rule)

    @property
    def expected(self) -> str:
        """One line for people."""
        case = self.case
        by = f" by {case.rule}" if case.rule else ""
        return f"{case.effect.value}{by}{'' if self.known else ', a rule that this policy does not have'}"

    @property
    def decided(self) -> str:
        """One line for people, with the reason."""
        decision = self.decision
        at = "" if decision.place is None else f" ({decision.place})"
        return f"{decision.effect.value} by {decision.rule}{at}: {decision.reason}"

    def told(self) -> Told:
        """The same for programs."""
        case, decision = self.case, self.decision
        return {
            "place": place(case.place),
            "command": case.command,
            "as": str(case.asker),
            "about": case.about or None,
            "expected": {"effect": case.effect.value, "rule": case.rule or None},
            "decided": {
                "effect": decision.effect.value,
                "rule": decision.rule,
                "place": place(decision.place),
                "reason": decision.reason,
            },
        }


def load(directory: Path) -> tuple[Case, ...]:
    """The cases of all files of a tenant's folder, by their names. Raises BadFile with every problem of every file."""
    problems: list[Problem] = []
    cases: list[Case] = []
    for path in files(directory):
        source = document.read(path, problems)
        if source is not None:
            cases.extend(read(source, document.shown(path), problems))
    document.finish(problems)
    return tuple(cases)


def files(directory: Path) -> list[Path]:
    """The files of cases in a folder. Raises BadFile when it can not be listed."""
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(CASES) and path.name[0] != ".")
    except OSError as error:
        raise BadFile(
            [Problem(Place(document.shown(directory), 1, 1), f"can not be read: {error.strerror}")]
        ) from error


def read(source: bytes, file: str, problems: list[Problem]) -> tuple[Case, ...]:
    """The cases of one file. Problems are appended; the caller calls document.finish."""
    section = document.parse(source, file, problems)
    section.require("version", _version, VERSION)
    asker = _asker(section, Asker())
    node = section.need("cases")
    found: list[Case] = []
    for item in [] if node is None else node.items():
        found.extend(_case(item, asker))
        if len(found) > MAX_CASES:
            item.problem(f"more than {MAX_CASES} commands in one file")
            break
    if node is not None and node.kind == "list" and not node.items():
        node.problem("an empty list tests nothing")
    section.close()
    return tuple(found)


def run(policy: Policy, cases: Sequence[Case]) -> tuple[Result, ...]:
    """Judge every case by `policy`, as if it enforced."""
    enforced = dataclasses.replace(policy, observe=False)
    ids = {rule.id for rule in policy.rules}
    return tuple(_result(enforced, case, ids) for case in cases)


def never_exercised(policy: Policy, results: Sequence[Result]) -> tuple[Rule, ...]:
    """The rules about commands that decided no case, and no command of one, in order."""
    decided = frozenset[str]().union(*(result.rules for result in results))
    return tuple(rule for rule in testable(policy) if rule.id not in decided)


def testable(policy: Policy) -> tuple[Rule, ...]:
    """The rules that a case can be about: those for shells and forwarding are not."""
    return tuple(rule for rule in policy.rules if rule.shell is None and not rule.forward)


# -- inside


def _result(policy: Policy, case: Case, ids: set[str]) -> Result:
    asker = case.asker
    subject = asker.subject
    stdin = None if case.stdin is None else case.stdin.encode()
    analysis = analyse(case.command.encode(), asker.shell, asker.terminal, stdin)
    decision, commands = decide_telling(policy, subject, analysis, trace=False)
    deciding = {decision.rule, *(one.decision.rule for one in commands)}
    return Result(case, decision, frozenset(deciding), not case.rule or case.rule in ids or case.rule == decision.rule)


def _version(node: Node) -> int | None:
    if node.kind == "integer" and node.integer(0, 1 << 31) == VERSION:
        return VERSION
    node.problem(f"this bastion reads cases of version {VERSION}")
    return None


def _case(node: Node, default: Asker) -> list[Case]:
    section = node.section()
    one, many = section.take("command"), section.take("commands")
    effect = section.require("effect", lambda found: found.choice(*(effect.value for effect in Effect)), "")
    rule = section.read("rule", Node.text, "")
    about = section.read("about", Node.text, "")
    stdin = section.read("stdin", Node.text, "")
    asker = _asker(section, default)
    if (one is None) == (many is None) and node.kind == "mapping":
        section.problem("a case has either `command` or `commands`")
    commands = [one] if one is not None else []
    if many is not None:
        commands.extend(many.items())
        if many.kind == "list" and not many.items():
            many.problem("an empty list tests nothing")
    section.close()
    told = [(found.place, found.text()) for found in commands]
    if effect not in tuple(Effect):
        return []
    return [
        Case(place, text, asker, Effect(effect), rule, about, stdin or None) for place, text in told if text is not None
    ]


def _asker(section: Section, asker: Asker) -> Asker:
    """The key `as`, over `asker`."""
    node = section.take("as")
    if node is None:
        return asker
    inner = node.section()
    for key in KEYS:
        found = inner.take(key)
        if found is None:
            continue
        try:
            asker = asker.but({key: _value(found)})
        except BadAsker as error:
            found.problem(str(error))
    inner.close()
    return asker


def _value(node: Node) -> object:
    """What the node holds, as JSON would have it; a number stays one, which no key takes."""
    match node.kind:
        case "text":
            return node.text() or ""
        case "boolean":
            return node.boolean()
        case "list":
            return [_value(item) for item in node.items()]
        case "mapping":
            return {name: _value(value) for name, _, value in node.section().entries()}
    return None
