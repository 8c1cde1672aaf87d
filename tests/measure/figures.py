"""What policies make of collections of command lines: values from rows, no files and no printing.

A row is a JSON object with `cmd`, a `label`, and perhaps `readonly: true`. Labels that count are `benign` and
`dangerous`. Nobody is named: the subject is an agent of the group `agents`, on some target, as some account.

    reading     of the rows marked readonly, those that a policy allows
    unreadable  of the benign, those that can not be read; `unknown`: or of which it is not known what they do
    stopped     of the dangerous, or of the benign, those that do not run at once under a policy that allows everything
                else: `denied`, and `held` for a person

A policy that only holds back allows nothing by itself: the rule OPERATOR stands for an operator who allows everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bastion.analysis.command import Analysis, FindingKind
from bastion.analysis.shell import analyse
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import CASES, load_texts
from bastion.policy.model import Policy

OPERATOR = b"""version: 1
rules:
  - id: operator-allows-everything
    effect: allow
    commands: ["**"]
    interactive: true
    dynamic: true
    reads: ["**"]
    writes: ["**"]
    env: ["*"]
"""
SUBJECT = Subject(("agent@example",), frozenset({"agents"}), (), "some-target", (), "some-account")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a collection."""

    text: bytes
    label: str
    readonly: bool = False

    @classmethod
    def of(cls, told: Mapping[str, object]) -> Row:
        """From a JSON object. Raises KeyError without `cmd`."""
        text = str(told["cmd"]).encode("utf-8", "surrogatepass")
        return cls(text, str(told.get("label", "")), told.get("readonly") is True)


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, and what a policy says of it."""

    row: Row
    analysis: Analysis
    decision: Decision


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, and those rows that are not as they should be."""

    count: int
    of: int
    odd: tuple[Judged, ...] = ()

    @property
    def percent(self) -> float:
        return 100 * self.count / self.of if self.of else 0.0

    def __str__(self) -> str:
        return f"{self.count} of {self.of} ({self.percent:.2f} %)"


def policy(folder: Path, operator: bool = False) -> Policy:
    """The policy of a folder; with `operator`, beside a rule that allows everything. Raises BadFile, OSError."""
    names = [path for path in folder.iterdir() if path.suffix == ".yaml" and not path.name.endswith(CASES)]
    texts = {path.name: path.read_bytes() for path in names}
    return load_texts({**texts, "operator.yaml": OPERATOR} if operator else texts)


def judge(under: Policy, rows: Iterable[Row]) -> Iterator[Judged]:
    for row in rows:
        analysis = analyse(row.text)
        yield Judged(row, analysis, decide(under, SUBJECT, Request("exec", analysis=analysis)))


def reading(under: Policy, rows: Iterable[Row]) -> Share:
    """The readonly rows that `under` allows; odd are the others."""
    found = list(judge(under, [row for row in rows if row.readonly]))
    odd = tuple(one for one in found if one.decision.effect is not Effect.ALLOW)
    return Share(len(found) - len(odd), len(found), odd)


def stopped(under: Policy, rows: Iterable[Row], label: str) -> tuple[Share, Share]:
    """The rows of that label that `under` denies, and those that it does not let run at once. Odd are the dangerous
    that run, and the benign that do not."""
    found = list(judge(under, [row for row in rows if row.label == label]))
    denied = sum(one.decision.effect is Effect.DENY for one in found)
    runs = [one for one in found if one.decision.effect is Effect.ALLOW]
    odd = runs if label == "dangerous" else [one for one in found if one.decision.effect is not Effect.ALLOW]
    return Share(denied, len(found)), Share(len(found) - len(runs), len(found), tuple(odd))


def undecidable(rows: Sequence[Row]) -> tuple[Share, Share]:
    """The benign rows that can not be read, and those with what is not known besides."""
    benign = [row for row in rows if row.label == "benign"]
    kinds = [{finding.kind for finding in analyse(row.text).undecidable} for row in benign]
    unreadable = sum(FindingKind.UNREADABLE in found for found in kinds)
    unknown = sum(bool(found & {FindingKind.UNREADABLE, FindingKind.UNKNOWN}) for found in kinds)
    return Share(unreadable, len(kinds)), Share(unknown, len(kinds))
