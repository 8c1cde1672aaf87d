"""What rules of every kind have in common: an id, and who and where they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bastion.document import Node, Section
from bastion.policy.decision import Subject
from bastion.policy.patterns import NamePattern

RESERVED_IDS = (
    *("default", "undecidable", "observe", "script", "error"),
    *("certificate", "inventory", "login-shell", "unjudged", "gated-shell", "withdrawn"),
)
"""Names that a Decision, or the gate, uses where no rule decided."""

Pairs = tuple[tuple[str, NamePattern], ...]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_NO_TEXTS: tuple[str, ...] = ()
_NO_NAMES: tuple[NamePattern, ...] = ()
_NO_PAIRS: Pairs = ()


@dataclass(frozen=True, slots=True)
class Who:
    """Identities that a rule is about: what is left out matches all, what is told must all hold."""

    groups: frozenset[str] = frozenset()
    identities: tuple[NamePattern, ...] = ()
    claims: Pairs = ()

    def matches(self, subject: Subject) -> bool:
        if self.groups and self.groups.isdisjoint(subject.groups):
            return False
        if self.identities and not _any(self.identities, subject.principals):
            return False
        return _hold(self.claims, subject.claims)


@dataclass(frozen=True, slots=True)
class Where:
    """Targets and accounts that a rule is about. A subject whose account is "" stands for any account."""

    targets: tuple[NamePattern, ...] = ()
    labels: Pairs = ()
    accounts: tuple[NamePattern, ...] = ()

    def matches(self, subject: Subject) -> bool:
        if self.targets and not _any(self.targets, [subject.target]):
            return False
        if self.accounts and subject.account and not _any(self.accounts, [subject.account]):
            return False
        return _hold(self.labels, subject.labels)


def _any(patterns: Iterable[NamePattern], names: Iterable[str]) -> bool:
    return any(pattern.matches(name) for name in names for pattern in patterns)


def _hold(wanted: Pairs, held: Iterable[tuple[str, str]]) -> bool:
    values = dict(held)
    return all(name in values and pattern.matches(values[name]) for name, pattern in wanted)


def read_id(node: Node) -> str | None:
    text = node.text()
    if text is None:
        return None
    if not _ID.match(text):
        node.problem(
            f"{text!r}: an id is up to 64 letters, digits, '.', '_' and '-', and begins with a letter or digit"
        )
        return None
    if text in RESERVED_IDS:
        node.problem(f"the id {text!r} is reserved: it stands for decisions that no rule made")
        return None
    return text


def _name(node: Node) -> NamePattern | None:
    text = node.text()
    return None if text is None else NamePattern.of(text)


def _group(node: Node) -> str | None:
    text = node.text()
    if text is not None and "*" in text:
        node.problem(f"{text!r}: groups are named whole, without *")
        return None
    return text


def _pairs(node: Node) -> Pairs:
    section = _not_empty(node)
    return tuple((name, value) for name, _, found in section.entries() if (value := _name(found)) is not None)


def _not_empty(node: Node) -> Section:
    """The mapping here. An empty one is a problem: does it match nothing, or all?"""
    section = node.section()
    if section.empty and node.kind == "mapping":
        node.problem("an empty mapping: leave the key out, or name something")
    return section


def read_who(node: Node) -> Who:
    section = _not_empty(node)
    who = Who(
        groups=frozenset(section.read("groups", lambda found: found.filled(_group), _NO_TEXTS)),
        identities=section.read("identities", lambda found: found.filled(_name), _NO_NAMES),
        claims=section.read("claims", _pairs, _NO_PAIRS),
    )
    section.close()
    return who


def read_where(node: Node) -> Where:
    section = _not_empty(node)
    where = Where(
        targets=section.read("targets", lambda found: found.filled(_target), _NO_NAMES),
        labels=section.read("labels", _pairs, _NO_PAIRS),
        accounts=section.read("accounts", lambda found: found.filled(_name), _NO_NAMES),
    )
    section.close()
    return where


def _target(node: Node) -> NamePattern | None:
    name = _name(node)
    if name is not None and name.text != name.text.lower():
        node.problem(f"{name.text!r}: targets are named in lower case, as in the inventory")
        return None
    return name
