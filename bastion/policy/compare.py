"""Two policies asked the same: which commands would now be judged otherwise.

A command whose asker's groups are not known is asked once without any and once for each group that a rule of either
policy names; what differs is told with the group that was assumed.

Limits: one group at a time is assumed, and of so many only the first MAX_ASSUMED by name; a difference that takes two
groups is not seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from bastion.analysis.command import Analysis
from bastion.analysis.shell import analyse
from bastion.policy.asker import Asker
from bastion.policy.decision import Decision, Request
from bastion.policy.engine import decide
from bastion.policy.model import Policy

MAX_ASSUMED = 200
MAX_KEPT = 100_000
"""Questions whose answers are remembered: past commands repeat themselves."""

_Text = tuple[bytes, bytes | None]
"""A command, and its standard input where that is known."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One command of one asker, judged by both. `assumed` is the group that its asker was taken to be in, or empty."""

    command: bytes
    asker: Asker
    old: Decision
    new: Decision
    assumed: str = ""

    @property
    def change(self) -> int:
        """Above 0 when the new policy is stricter, below when it is looser, 0 when only the rule is another."""
        return self.new.effect.severity - self.old.effect.severity


class Comparison:
    """`old` and `new` are policies of one tenant. Asked with `differences` at will."""

    def __init__(self, old: Policy, new: Policy, *, rules: bool = False) -> None:
        """`rules`: another deciding rule is a difference, too, where the effect is the same."""
        self._old = old
        self._new = new
        self._rules = rules
        groups = {group for policy in (old, new) for rule in policy.rules for group in rule.who.groups}
        self._groups = sorted(groups)[:MAX_ASSUMED]
        self._timed = any(rule.when is not None for policy in (old, new) for rule in policy.rules)
        self._known: dict[tuple[_Text, Asker], Difference | None] = {}

    def differences(
        self, command: bytes, asker: Asker, groups_known: bool = True, stdin: bytes | None = None
    ) -> Iterator[Difference]:
        """None, one, or (of groups that are not known) one a group. The moment is the asker's."""
        if not self._timed:  # then the same question at another time is the same question
            asker = dataclasses.replace(asker, at=None, source="")
        found = self._one((command, stdin), asker, "")
        if found is not None:
            yield found
        if groups_known:
            return
        for group in self._groups:
            assumed = self._one((command, stdin), dataclasses.replace(asker, groups=frozenset({group})), group)
            if assumed is not None and (found is None or _answers(assumed) != _answers(found)):
                yield assumed

    def _one(self, text: _Text, asker: Asker, assumed: str) -> Difference | None:
        key = (text, asker)
        if key not in self._known:
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            self._known[key] = self._asked(text, asker)
        found = self._known[key]
        return None if found is None else dataclasses.replace(found, assumed=assumed)

    def _asked(self, text: _Text, asker: Asker) -> Difference | None:
        command, stdin = text
        analysis = analyse(command, asker.shell, asker.terminal, stdin)
        old, new = _judge(self._old, asker, analysis), _judge(self._new, asker, analysis)
        if old.effect is new.effect and not (self._rules and old.rule != new.rule):
            return None
        return Difference(command, asker, old, new)


def _judge(policy: Policy, asker: Asker, analysis: Analysis) -> Decision:
    return decide(policy, asker.subject, Request("exec", analysis=analysis))


def _answers(found: Difference) -> tuple[str, ...]:
    return found.old.effect, found.old.rule, found.new.effect, found.new.rule
