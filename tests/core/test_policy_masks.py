"""Masks of a policy: whom they are about, how they add up, which style holds, and what carries files past them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bastion.analysis.shell import analyse
from bastion.errors import BadFile
from bastion.masking import engine
from bastion.masking.style import Style
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import load_texts
from bastion.policy.masks import (
    MAX_CHOICES,
    MAX_FORESEEN,
    Choices,
    Chosen,
    Mask,
    carries_files,
    choose,
    foreseen,
    without,
)
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


def ids(sets: list[tuple[Mask, ...]]) -> list[str]:
    return ["".join(mask.id for mask in some) for some in sets]


def test_what_sessions_will_have_is_foreseen_by_whom_and_what_masks_are_about() -> None:
    """Those about all are in each set; those about the same go together."""
    masks = policy("""mask:
  - {id: A, detectors: [iban]}
  - {id: b, detectors: [iban], who: {groups: [agents]}}
  - {id: c, detectors: [email], where: {labels: {env: prod}}}
  - {id: d, detectors: [email], who: {groups: [agents]}}
""").masks
    assert ids(foreseen(masks)) == ["A", "Abd", "Ac", "Abcd"]
    assert ids(foreseen(masks[1:])) == ["bd", "c", "bcd"]
    assert foreseen(()) == []


def test_no_more_is_foreseen_than_is_bounded() -> None:
    text = "".join(f"  - {{id: m{n}, detectors: [iban], who: {{groups: [g{n}]}}}}\n" for n in range(40))
    sets = foreseen(policy("mask:\n" + text).masks)
    assert len(sets) == MAX_FORESEEN
    assert len(set(sets)) == MAX_FORESEEN


def test_a_policy_is_prepared_with_what_is_foreseen_and_what_was_chosen_lately() -> None:
    """Of six masks, each about others, not all sets are foreseen; those in use are made again for the next policy."""
    text = "mask:\n" + "".join(f"  - {{id: m{n}, detectors: [iban], who: {{groups: [g{n}]}}}}\n" for n in range(6))
    choices, old, new = Choices(), policy(text).masks, policy(text.replace("iban", "email")).masks
    assert not choices.has(old)
    choices.of(old, KEY)
    assert choices.has(old)
    assert choices.has(())
    choices.prepare(new, KEY)
    assert choices.has(new)
    assert all(choices.has(some) for some in foreseen(new))
    assert not choices.has(new[:5])


def test_many_threads_that_ask_for_one_choice_have_the_same() -> None:
    choices, masks = Choices(), policy("mask:\n  - {id: m, detectors: [secrets]}\n").masks
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: choices.of(masks, KEY), range(8)))
    assert len({id(chosen) for chosen in made}) == 1


def test_what_can_only_not_be_in_force_among_others_is_told_at_its_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here with less memory for what is compiled than there is."""
    monkeypatch.setattr(engine, "_MEMORY", 300 << 10)
    own = "  - {id: own, patterns: [{id: large, pattern: '[a-f]{3}(?:[a-z0-9]{40}x){1,20}'}]}\n"
    assert policy(f"mask:\n{own}").masks
    with pytest.raises(
        BadFile, match=r"a\.yaml:4:5: this mask can not be in force with those before it: the patterns are"
    ):
        policy(f"mask:\n  - {{id: first, detectors: [iban]}}\n  - {{id: all, detectors: [secrets]}}\n{own}")


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
