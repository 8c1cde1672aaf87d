"""One rule of a policy file, read strictly: what it is about, who and where, and what it may not say yet.

A key that the format has and this version can not enforce is a problem when ignoring it would allow more, or mask
less, than the author meant; it is never skipped. `forward` is read and changes nothing yet, which is safe: what it
would allow is denied.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from bastion.analysis.profiles import CATEGORIES
from bastion.analysis.sql import KINDS
from bastion.document import Node, Section
from bastion.policy import environment
from bastion.policy.about import Where, Who, read_id, read_where, read_who
from bastion.policy.decision import Approval, Effect
from bastion.policy.model import SHELLS, Rule
from bastion.policy.patterns import CommandPattern, NamePattern, PathPattern, command_pattern, path_pattern
from bastion.policy.when import read_when
from bastion.policy.words import BadPattern

_NOT_YET = ("files",)
APPROVAL_MODES = ("hold", "return")
"""What becomes of the one who asks while nobody has decided; `hold` where an approval does not say."""
DOES = ("reads", "network", "writes", "changes", "unknown")
"""What `does` can say of a command; coverage.py has what each means."""

_FORWARD = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.*-]+):(\d{1,5}|\*)\Z")
_MAX_APPROVERS = 10
_DAY = 86400
_NO_TEXTS: tuple[str, ...] = ()
_NO_NAMES: tuple[NamePattern, ...] = ()
_NO_COMMANDS: tuple[CommandPattern, ...] = ()
_NO_PATHS: tuple[PathPattern, ...] = ()

T = TypeVar("T")


def read_rule(node: Node, order: int, default_approval: bool) -> Rule | None:
    """One member of `rules`. Problems are noted at their places; None when nothing of it can be used."""
    section = node.section()
    name = section.require("id", read_id, "")
    effect = section.require("effect", lambda found: found.choice(*(effect.value for effect in Effect)), "deny")
    rule = Rule(
        order=order,
        id=name,
        effect=Effect(effect) if effect in tuple(Effect) else Effect.DENY,
        place=section.place,
        who=section.read("who", read_who, Who()),
        where=section.read("where", read_where, Where()),
        commands=section.read("commands", _commands, _NO_COMMANDS),
        categories=frozenset(section.read("categories", _categories, _NO_TEXTS)),
        shell=section.read("shell", lambda found: found.choice(*SHELLS), "") or None,
        forward=section.read("forward", _forwards, _NO_TEXTS),
        interactive=section.read("interactive", Node.boolean, False),
        dynamic=section.read("dynamic", Node.boolean, False),
        unmasked=section.read("unmasked", Node.boolean, False),
        break_glass=section.read("break-glass", Node.boolean, False),
        env=section.read("env", _environment, _NO_NAMES),
        reads=section.read("reads", _paths, _NO_PATHS),
        writes=section.read("writes", _paths, _NO_PATHS),
        sql=frozenset(section.read("sql", _kinds, _NO_TEXTS)),
        does=frozenset(section.read("does", _does, _NO_TEXTS)),
        when=section.read("when", read_when, None),
        approval=read_approval(section),
        reason=section.read("reason", Node.text, "") or None,
    )
    for key in _NOT_YET:
        section.take(key)
        _refuse(section, key, f"`{key}` is not supported yet: the rule would not do what it says")
    if effect in tuple(Effect):
        _fits_together(section, rule, default_approval)
    section.close()
    return rule if name else None


def _fits_together(section: Section, rule: Rule, default_approval: bool) -> None:
    """What each key alone can not tell."""
    deeds: tuple[str, ...] = ()
    if rule.effect is not Effect.ALLOW:
        deeds = ("sql", "does", "reads", "writes") if rule.effect is Effect.DENY else ("sql", "does")
    if not any(key in section for key in ("commands", "categories", "shell", "forward", *deeds, *_NOT_YET)):
        section.problem('a rule says what it is about: `commands: ["**"]` is any command')
    if rule.categories:
        for key in ("commands", "sql", "reads", "writes", "does"):
            _refuse(section, key, f"a rule has either `{key}` or `categories`: write two rules")
    if rule.effect is Effect.ALLOW:
        _refuse(section, "categories", "`categories` hold back, they do not allow: name the `commands`")
    if rule.effect is Effect.DENY:
        for key in ("env", "interactive", "dynamic", "unmasked"):
            _refuse(section, key, f"`{key}` says what may pass: it belongs to an allow or approve rule")
    elif not rule.commands:
        for key in ("interactive", "dynamic", "unmasked", "reads", "writes"):
            _refuse(section, key, f"`{key}` is about the `commands` that this rule names: it names none")
    if rule.effect is Effect.ALLOW:
        if not rule.commands:
            for key in ("sql", "does"):
                _refuse(section, key, f"`{key}` is about the `commands` that this rule names: it names none")
        if "writes" in rule.does and not rule.writes:
            _refuse(section, "does", "`does` lets programs write: say where, in `writes`")
        if "unknown" in rule.does:
            _refuse(section, "does", "what is not known can not be allowed by `does`: name the `commands`")
    if rule.effect is Effect.APPROVE and "approval" not in section and not default_approval:
        section.problem("an approve rule needs `approval: {by: [GROUP]}`, here or at the top of the file")
    if rule.effect is not Effect.ALLOW or not rule.commands:
        _refuse(section, "break-glass", "`break-glass` belongs to an allow rule that names `commands`")
    if rule.effect is not Effect.APPROVE:
        _refuse(section, "approval", "`approval` belongs to a rule whose effect is approve")
    if rule.effect is Effect.APPROVE and "undecidable" in rule.categories:
        _refuse(section, "categories", "what can not be judged is approved by `undecidable: approve`, not by a rule")


def _refuse(section: Section, key: str, message: str) -> None:
    node = section.key(key)
    if node is not None:
        node.problem(message)


def read_approval(section: Section) -> Approval | None:
    """The key `approval` of a rule or of the whole file; None when it is not there."""
    node = section.take("approval")
    if node is None:
        return None
    inner = node.section()
    approval = Approval(
        by=inner.require("by", lambda found: found.filled(Node.text), _NO_TEXTS),
        count=inner.read("count", lambda found: found.integer(1, _MAX_APPROVERS), 1),
        within=inner.read("within", lambda found: found.duration(1, _DAY), 600),
        grants=inner.read("grants", _grants, 0),
        mode=inner.read("mode", lambda found: found.choice(*APPROVAL_MODES), APPROVAL_MODES[0]),
    )
    inner.close()
    return approval


def _grants(node: Node) -> int | None:
    return 0 if node.kind == "text" and node.text() == "once" else node.duration(1, _DAY)


def _commands(node: Node) -> tuple[CommandPattern, ...]:
    return node.filled(lambda item: _pattern(item, command_pattern))


def _paths(node: Node) -> tuple[PathPattern, ...]:
    return node.filled(lambda item: _pattern(item, path_pattern))


def _pattern(node: Node, read: Callable[[str], T]) -> T | None:
    text = node.text()
    if text is None:
        return None
    try:
        return read(text)
    except BadPattern as error:
        node.problem(f"{text!r}: {error}")
        return None


def _kinds(node: Node) -> tuple[str, ...]:
    return node.filled(lambda item: item.choice(*sorted(KINDS)))


def _does(node: Node) -> tuple[str, ...]:
    return node.filled(lambda item: item.choice(*DOES))


def _categories(node: Node) -> tuple[str, ...]:
    return node.filled(lambda item: item.choice(*CATEGORIES))


def _forwards(node: Node) -> tuple[str, ...]:
    return node.filled(_forward)


def _forward(node: Node) -> str | None:
    text = node.text()
    match = None if text is None else _FORWARD.match(text)
    if text is not None and (match is None or (match[1] != "*" and not 1 <= int(match[1]) <= 65535)):
        node.problem(f"{text!r} is not HOST:PORT, such as db-1:5432")
        return None
    return text


def _environment(node: Node) -> tuple[NamePattern, ...]:
    return node.filled(_variable)


def _variable(node: Node) -> NamePattern | None:
    text = node.text()
    if text is None:
        return None
    wrong = environment.fault(text)
    if wrong is not None:
        node.problem(wrong)
        return None
    return NamePattern.of(text)
