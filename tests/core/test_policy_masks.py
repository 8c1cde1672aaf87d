"""Masks of a policy: whom they are about, how they add up, which style holds, and what carries files past them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastion.analysis.shell import analyse
from bastion.masking.style import Style
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import load_texts
from bastion.policy.masks import MAX_CHOICES, Choices, Chosen, carries_files, choose, without
from bastion.policy.model import Policy

AGENT = Subject(("agent-1",), frozenset({"agents"}), (), "web-1", (("env", "prod"),), "deploy")
KEY = b"k" * 32
CARD = b"4111 1111 1111 1111"


def policy(text: str) -> Policy:
    return load_texts({"a.yaml": f"version: 1\n{text}".encode()})


def hidden(chosen: Chosen | None, text: bytes) -> bytes:
    return without(chosen, text)


def test_whom_a_mask_is_about() -> None:
    """Who and where as in rules; what is left out matches all."""
    masks = policy("""mask:
  - {id: all, detectors: [iban]}
  - {id: mine, detectors: [iban], who: {groups: [agents]}, where: {labels: {env: prod}}}
  - {id: others, detectors: [iban], who: {groups: [sre]}}
  - {id: elsewhere, detectors: [iban], where: {accounts: [root]}}
""")
    assert [mask.id for mask in masks.masked(AGENT)] == ["all", "mine"]
    assert [mask.id for mask in masks.masked(replace(AGENT, account="root"))] == ["all", "mine", "elsewhere"]


def test_masks_add_up_and_what_shows_less_holds() -> None:
    """One detector in two styles is masked once, by the stricter."""
    masks = policy("""mask:
  - {id: ends, detectors: [payment], style: last-four}
  - {id: label, detectors: [credit-card, email]}
  - {id: own, patterns: [{id: employee, pattern: 'E[0-9]{6}'}], words: [Aurora], style: stars}
""").masks
    chosen = choose(masks, KEY)
    assert chosen.plan.style is Style.LABEL
    text = b"card " + CARD + b", E123456 at Aurora, DE89 3704 0044 0532 0130 00."
    assert hidden(chosen, text) == b"card [card], [employee] at [own], [iban]."


def test_a_hash_is_the_same_for_one_tenant_and_another_for_the_next() -> None:
    masks = policy("mask:\n  - {id: m, detectors: [email], style: hash}\n").masks
    mine, again, theirs = (hidden(choose(masks, key), b"a.b@example.com x") for key in (KEY, KEY, b"j" * 32))
    assert mine == again != theirs


def test_choices_are_kept_for_the_same_masks_and_not_for_ever() -> None:
    choices = Choices()
    made = [policy(f"mask:\n  - {{id: m{number}, detectors: [iban]}}\n").masks for number in range(MAX_CHOICES + 1)]
    first = choices.of(made[0], KEY)
    assert choices.of(made[0], KEY) is first
    for masks in made[1:]:
        choices.of(masks, KEY)
    assert choices.of(made[0], KEY) is not first
    assert choices.of((), KEY) is None


CARRYING = """mask:
  - {id: m, detectors: [secrets], who: {groups: [agents]}}
rules:
  - {id: plain, effect: allow, commands: ["scp **", "rsync **", "git **", "cat **"], interactive: true}
"""
UNMASKED = CARRYING + "  - {id: f, effect: allow, commands: ['scp **', 'cat x'], interactive: true, unmasked: true}\n"


def ask(text: str, command: str, subject: Subject = AGENT) -> Decision:
    return decide(policy(text), subject, Request("exec", analyse(command.encode())))


@pytest.mark.parametrize(
    "command",
    [
        "scp -t /tmp",
        "/usr/bin/scp -f x",
        "rsync --server . x",
        "git upload-pack x",
        "cat x | scp -f x",
    ],
)
def test_what_carries_files_is_denied_to_who_is_masked(command: str) -> None:
    decision = ask(CARRYING, command)
    assert (decision.effect, decision.rule) == (Effect.DENY, "m")
    assert "unmasked: true" in decision.reason
    assert decision.place is not None
    assert ask(CARRYING, command, replace(AGENT, groups=frozenset({"sre"}))).effect is Effect.ALLOW


def test_a_rule_may_let_it_and_then_nothing_is_masked() -> None:
    """Only where all commands of the text are covered by such rules."""
    assert ask(UNMASKED, "scp -f x").unmasked
    assert ask(UNMASKED, "cat x; scp -f x").unmasked
    assert not ask(UNMASKED, "cat y; scp -f x").unmasked
    assert not ask(CARRYING, "cat x").unmasked
    assert ask(UNMASKED, "rsync --server . x").effect is Effect.DENY


def test_what_carries_files() -> None:
    assert carries_files([b"git-upload-pack", b"x"])
    assert carries_files([b"git", b"-C", b"x", b"receive-pack"])
    assert not carries_files([b"git", b"log"])
    assert not carries_files([None, b"scp"])
    assert not carries_files([])
