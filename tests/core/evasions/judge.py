"""One text under one policy: the analysis and the decision together, as the gate asks them."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

from bastion.analysis.command import Analysis
from bastion.analysis.shell import analyse
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import load
from bastion.policy.model import Policy

VECTORS = Path(__file__).parents[2] / "vectors"
SUBJECT = Subject(principals=("agent",), groups=frozenset(), claims=(), target="web-1", labels=(), account="deploy")


@cache
def named(name: str) -> Policy:
    """A policy of evasion_policies.yaml: `name: |`, and below it the whole file, indented."""
    lines = (VECTORS / "evasion_policies.yaml").read_text().splitlines()
    begin = lines.index(f"{name}: |") + 1
    end = next((at for at in range(begin, len(lines)) if not lines[at].startswith(" ")), len(lines))
    return _loaded("\n".join(line[2:] for line in lines[begin:end]))


@cache
def allowing(patterns: tuple[str, ...], does: tuple[str, ...] = ()) -> Policy:
    """A policy of one rule that allows these patterns."""
    rule: dict[str, object] = {"id": "one", "effect": "allow", "commands": patterns}
    if does:
        rule["does"] = does
    return _loaded(json.dumps({"version": 1, "rules": [rule]}))


def _loaded(text: str) -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "policy.yaml").write_text(text)
        return load(Path(folder))


def judged(policy: Policy, text: bytes, shell: str = "bash") -> tuple[Analysis, Decision]:
    analysis = analyse(text, shell)
    return analysis, decide(policy, SUBJECT, Request("exec", analysis))


def allowed(policy: Policy, text: bytes, shell: str = "bash") -> Analysis | None:
    """The analysis of a text that may run, or None."""
    analysis, decision = judged(policy, text, shell)
    return analysis if decision.effect is Effect.ALLOW else None
