"""What a policy says, once read: rules with their places, and an index that finds those that could be about a command.

Made by loader.load and never changed; a reload makes a new one. The index keeps a decision's cost from growing with
the number of rules: a rule is filed under the groups it names, the programs its patterns can match and what they
say of an argument, and only rules filed where the request looks are read at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bastion.analysis.command import Unknown
from bastion.errors import Place
from bastion.policy.about import Where, Who
from bastion.policy.decision import Approval, Effect, Subject
from bastion.policy.masks import Mask
from bastion.policy.patterns import (
    ArgumentKey,
    CommandPattern,
    NamePattern,
    PathPattern,
    argument_keys,
    base_name,
)
from bastion.policy.when import When

RAW = "raw"
GATED = "gated"
SHELLS = (RAW, GATED)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `order` is its position in the tenant's files read in order, from 0: the first of equals decides.

    What the keys that are about a command mean is told in coverage.py.
    """

    order: int
    id: str
    effect: Effect
    place: Place
    who: Who
    where: Where
    commands: tuple[CommandPattern, ...] = ()
    categories: frozenset[str] = frozenset()
    shell: str | None = None
    forward: tuple[str, ...] = ()
    interactive: bool = False
    dynamic: bool = False
    unmasked: bool = False
    break_glass: bool = False
    env: tuple[NamePattern, ...] = ()
    reads: tuple[PathPattern, ...] = ()
    writes: tuple[PathPattern, ...] = ()
    sql: frozenset[str] = frozenset()
    does: frozenset[str] = frozenset()
    when: When | None = None
    approval: Approval | None = None
    reason: str | None = None

    def concerns(self, subject: Subject) -> bool:
        if not self.who.matches(subject) or not self.where.matches(subject):
            return False
        return self.when is None or self.when.holds(subject, unknown=self.effect is Effect.DENY)

    @property
    def of_any_program(self) -> bool:
        """A rule that holds back by what is done, whichever program does it."""
        return not self.commands and bool(self.sql or self.reads or self.writes or self.does)


_ANY = None
_Key = tuple[str | None, bytes | None, ArgumentKey | None]


@dataclass(frozen=True, slots=True)
class Index:
    """Rules by (group, program, argument), each possibly "any"; by group and category; by group for shells.

    `holding` are those rules of `commands` that hold back and that a word decides which may be unknown; `deeds` those
    that are about any program, and `openers` those that cover what is no command, by group.
    """

    commands: dict[_Key, list[Rule]] = field(default_factory=dict)
    holding: dict[tuple[str | None, bytes | None], list[tuple[int, Rule]]] = field(default_factory=dict)
    deeds: dict[str | None, list[Rule]] = field(default_factory=dict)
    openers: dict[str | None, list[Rule]] = field(default_factory=dict)
    categories: dict[tuple[str | None, str], list[Rule]] = field(default_factory=dict)
    shells: dict[str | None, list[Rule]] = field(default_factory=dict)
    permits: dict[str | None, list[Rule]] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Index:
        index = cls()
        rules = tuple(rules)
        patterns = [pattern for rule in rules for pattern in rule.commands]
        shared = Counter((pattern.program, key) for pattern in patterns for key in pattern.arguments)

        def rarest(pattern: CommandPattern) -> ArgumentKey | None:
            """Of what is known of its arguments, what the fewest other patterns of that program share."""
            return min(pattern.arguments, key=lambda key: shared[pattern.program, key], default=None)

        for rule in rules:
            groups: list[str | None] = [*sorted(rule.who.groups)] or [_ANY]
            for group in groups:
                keys = {(group, pattern.program, rarest(pattern)) for pattern in rule.commands}
                for key in sorted(keys, key=repr):
                    index.commands.setdefault(key, []).append(rule)
                    if key[2] is not None and rule.effect is not Effect.ALLOW:
                        index.holding.setdefault(key[:2], []).append((key[2][0], rule))
                if rule.of_any_program:
                    index.deeds.setdefault(group, []).append(rule)
                elif any(pattern.any_command for pattern in rule.commands):
                    index.openers.setdefault(group, []).append(rule)
                for category in sorted(rule.categories):
                    index.categories.setdefault((group, category), []).append(rule)
                if rule.shell is not None:
                    index.shells.setdefault(group, []).append(rule)
                if rule.effect is not Effect.DENY and not rule.categories:
                    index.permits.setdefault(group, []).append(rule)
        return index


@dataclass(frozen=True, slots=True)
class Policy:
    """One tenant's policy. `version` is `sha256:` and the hash of the files' names and contents.

    `default` and `undecidable` are DENY or APPROVE, `approvals` who may approve then.
    """

    version: str
    files: tuple[str, ...]
    observe: bool
    default: Effect
    undecidable: Effect
    approvals: tuple[Approval, ...]
    rules: tuple[Rule, ...]
    index: Index
    masks: tuple[Mask, ...] = ()

    def masked(self, subject: Subject) -> tuple[Mask, ...]:
        """The masks that are about this subject, in order."""
        return tuple(mask for mask in self.masks if mask.concerns(subject))

    def about_command(
        self, subject: Subject, argv: Sequence[bytes | None], unknown: Mapping[int, Unknown]
    ) -> list[Rule]:
        """The rules that could be about this command by group, program and argument, in order, each once. Of a command
        without a program, those that could cover its variables and files."""
        found: dict[int, Rule] = {}
        arguments = [_ANY, *argument_keys(argv, unknown)]
        programs = (_ANY, base_name(argv[0]) if argv and argv[0] is not None else b"")
        for group in _groups(subject):
            found.update((rule.order, rule) for rule in self.index.deeds.get(group, ()))
            if not argv or argv[0] is None:
                found.update((rule.order, rule) for rule in self.index.openers.get(group, ()))
                continue
            for program in programs:
                for argument in arguments:
                    for rule in self.index.commands.get((group, program, argument), ()):
                        found[rule.order] = rule
                if unknown:
                    # From the first unknown word on, any word may stand anywhere.
                    first = min(unknown)
                    held = self.index.holding.get((group, program), ())
                    found.update((rule.order, rule) for at, rule in held if at >= first)
        return [found[order] for order in sorted(found)]

    def about_categories(self, subject: Subject, categories: Iterable[str]) -> list[Rule]:
        """The rules that name one of these categories, in order, each once."""
        found: dict[int, Rule] = {}
        for group in _groups(subject):
            for category in categories:
                found.update((rule.order, rule) for rule in self.index.categories.get((group, category), ()))
        return [rule for _, rule in sorted(found.items())]

    def about_shell(self, subject: Subject) -> list[Rule]:
        """The rules about shells, in order, each once."""
        found = {rule.order: rule for group in _groups(subject) for rule in self.index.shells.get(group, ())}
        return [rule for _, rule in sorted(found.items())]

    def permits(self, subject: Subject) -> Iterable[Rule]:
        """The allow and approve rules that could be about this subject; lazily, for those who stop early."""
        for group in _groups(subject):
            yield from self.index.permits.get(group, ())


def _groups(subject: Subject) -> list[str | None]:
    return [_ANY, *sorted(subject.groups)]
