"""What `look` of policies/agents must not cover, and ordinary use beside it that it must: tests/vectors/look.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bastion.analysis.shell import analyse
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import load

VECTORS = Path(__file__).parents[1] / "vectors"
CLASSES = yaml.safe_load((VECTORS / "look.yaml").read_text())
POLICY = load(Path(__file__).parents[2] / "policies" / "agents")
SUBJECT = Subject(("agent@example",), frozenset({"agents"}), (), "web-1", (), "deploy")


def decided(text: str, terminal: bool) -> Decision:
    return decide(POLICY, SUBJECT, Request("exec", analyse(text.encode(), terminal=terminal)))


def rows(key: str) -> list[tuple[str, bool]]:
    return [(text, bool(found.get("terminal"))) for found in CLASSES for text in found.get(key, ())]


@pytest.mark.parametrize(("text", "terminal"), rows("held"), ids=ascii)
def test_what_does_more_than_read_is_not_allowed(text: str, terminal: bool) -> None:
    assert decided(text, terminal).effect is not Effect.ALLOW


@pytest.mark.parametrize(("text", "terminal"), rows("allowed"), ids=ascii)
def test_ordinary_use_beside_it_stays_allowed(text: str, terminal: bool) -> None:
    assert decided(text, terminal).effect is Effect.ALLOW
