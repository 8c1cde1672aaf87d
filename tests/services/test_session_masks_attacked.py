"""What was found by attack on one channel's masks: policies that change, masks behind one another, bad ones."""

from __future__ import annotations

import base64
import hashlib

import pytest

from bastion.errors import BadFile
from bastion.policy.loader import load_texts
from bastion.policy.masks import Choices, Chosen, choose
from bastion.session.channel import STDOUT
from bastion.session.masks import Masks

KEY = b"k" * 32
LINES = [base64.b64encode(hashlib.sha384(b"%d" % number).digest()) + b"\n" for number in range(6)]
HEADER = b"-----BEGIN RSA PRIVATE " + b"KEY-----\n"
TOKEN = b"ghp_" + b"16C7e42F292c6912E7710c838347Ae178B4a"
MASK = "mask:\n  - {id: all, detectors: [secrets, payment], columns: [name]}\n"
POLICY = "version: 1\n" + MASK
COMMENTED = "version: 1\n# nothing but a comment is new\n" + MASK


def masks_of(choices: Choices, text: str) -> Chosen | None:
    return choices.of(load_texts({"a.yaml": text.encode()}).masks, KEY)


def across(before: bytes, after: bytes) -> bytes:
    """What is shown when a comment is put into the policy's file between the two."""
    choices = Choices()
    now = [masks_of(choices, POLICY)]
    masks = Masks(lambda: now[0], terminal=False)
    shown = masks.feed(before, STDOUT)
    now[0] = masks_of(choices, COMMENTED)
    return shown + masks.feed(after, STDOUT) + masks.flush(STDOUT)


def test_a_comment_in_the_policy_shows_no_rest_of_a_private_key() -> None:
    shown = across(HEADER + b"".join(LINES[:3]), b"".join(LINES[3:]))
    assert not any(line.strip() in shown for line in LINES)


def test_a_comment_in_the_policy_shows_no_token() -> None:
    assert TOKEN not in across(b"x " + TOKEN[:30], TOKEN[30:] + b"\n")


def test_a_table_goes_on_under_a_policy_whose_columns_are_the_same() -> None:
    """As the head of session/masks.py says."""
    assert b"Bartik" not in across(b"id,name\n1,Hopper\n", b"2,Bartik\n")


SPLIT = {
    "a word within a password": ("words: [admin]", "secrets", b"password: admin-s3cr3tX9\n", b"s3cr3tX9"),
    "an address before a password": ("detectors: [email]", "secrets", b"curl -u b@x.org:Hunter2x9 y\n", b"Hunter2x9"),
    "a word within a token": ("words: ['292c6']", "secrets", TOKEN + b"\n", TOKEN[-20:]),
    "a word within a card": ("words: ['1111 1']", "payment", b"x 4111 1111 1111 1111\n", b"111 1111"),
}


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("name", SPLIT)
def test_two_masks_of_different_styles_show_no_more_than_one(name: str, terminal: bool) -> None:
    """The second sees what the first has left, in which its secret is none any more."""
    first, detectors, text, secret = SPLIT[name]
    policy = f"version: 1\nmask:\n  - {{id: a, {first}}}\n  - {{id: b, detectors: [{detectors}], style: stars}}\n"
    chosen = choose(load_texts({"a.yaml": policy.encode()}).masks, KEY)
    masks = Masks(lambda: chosen, terminal=terminal)
    assert secret not in masks.feed(text, STDOUT) + masks.flush(STDOUT)


UNUSABLE = {
    "a mask with words that is named as a detector": "  - {id: email, words: [foobar], detectors: [email]}\n",
    "a pattern that is named as a detector": (
        "  - {id: a, detectors: [payment], patterns: [{id: card-in-groups, pattern: 'E{6}'}]}\n"
    ),
    "two patterns of one name in one mask": (
        "  - {id: a, patterns: [{id: e, pattern: 'E{6}'}, {id: e, pattern: 'F{6}'}]}\n"
    ),
    "more words together than can be used": "".join(
        f"  - {{id: {mask}, words: [{', '.join(f'word-{mask}-{n}' for n in range(300))}]}}\n" for mask in "ab"
    ),
    "more patterns together than can be used": "".join(
        f"  - {{id: {mask}, patterns: [{', '.join(f'{{id: {mask}{n}, pattern: {mask}{n}x}}' for n in range(33))}]}}\n"
        for mask in "ab"
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_masks_that_can_not_be_used_are_a_mistake_of_the_policy(name: str) -> None:
    """Or it is taken into force, and every session that they are about breaks."""
    with pytest.raises(BadFile):
        load_texts({"a.yaml": ("version: 1\nmask:\n" + UNUSABLE[name]).encode()})
