"""Plans: shipped detectors by name and family, patterns and words of one's own, styles; and what is refused."""

from __future__ import annotations

import pytest

from bastion.masking.detector import detectors, families
from bastion.masking.masker import Masker
from bastion.masking.pattern import BadPattern
from bastion.masking.plan import MAX_WORDS, Custom, Plan, Words
from bastion.masking.style import Style
from tests.core.masking.planted import bytewise, everything, masked

KEY = b"a key of this tenant's own"
CARD = b"4111111111111111"


def test_a_family_is_all_of_its_detectors_and_a_name_adds_one() -> None:
    plan = Plan.compile(families=["payment"], detectors=["email", "card"])
    assert set(plan.names) == families()["payment"] | {"email"}
    assert masked(plan, [b"a@example.com 4111111111111111 AB123456C"]) == b"[email] [card] AB123456C"


def test_nothing_chosen_masks_nothing() -> None:
    assert masked(Plan.compile(), [CARD + b" a@example.com"]) == CARD + b" a@example.com"


def test_a_pattern_of_ones_own_comes_first_and_has_its_validator() -> None:
    plan = Plan.compile(
        families=["payment"],
        patterns=[Custom("ticket", r"\bT-(?P<secret>[0-9]{16})\b", check="luhn", label="<ticket>")],
    )
    assert plan.names[0] == "ticket"
    text = b"T-4111111111111111 T-4111111111111112"
    assert masked(plan, [text]) == masked(plan, bytewise(text)) == b"T-<ticket> T-4111111111111112"


def test_words_are_masked_wherever_they_stand_in_any_case() -> None:
    plan = Plan.compile(words=[Words("names", ("Falcon", "Falconry", "Größe"))])
    text = "falcon FALCONRY projectFalconX Größe falco".encode()
    shown = b"[names] [names] project[names]X [names] falco"
    assert masked(plan, [text]) == masked(plan, bytewise(text)) == shown


@pytest.mark.parametrize(
    ("style", "terminal", "shown"),
    [
        (Style.LABEL, False, b"[card] [email]!"),
        (Style.LABEL, True, b"**************** *************!"),
        (Style.STARS, False, b"**************** *************!"),
        (Style.STARS, True, b"**************** *************!"),
        (Style.LAST_FOUR, False, b"************1111 *************!"),
        (Style.LAST_FOUR, True, b"************1111 *************!"),
    ],
)
def test_styles(style: Style, terminal: bool, shown: bytes) -> None:
    assert masked(everything(style), [CARD + b" a@example.com!"], terminal=terminal) == shown


def test_a_hash_is_the_same_for_the_same_value_and_key_and_no_other() -> None:
    def hashed(text: bytes, key: bytes = KEY) -> bytes:
        return masked(Plan.compile(families=["payment", "personal"], style=Style.HASH, key=key), [text + b"\n"])

    one = hashed(CARD)
    assert one.startswith(b"[card:")
    assert len(one) == len(b"[card:0123456789ab]\n")
    assert CARD not in one
    assert hashed(b"4111 1111 1111 1111") == one
    assert hashed(b"5500005555555559") != one
    assert hashed(CARD, b"another key, of another tenant") != one
    assert hashed(b"A@Example.com") == hashed(b"a@example.com")


def test_a_plan_is_shared_by_maskers_that_do_not_meet() -> None:
    first, second = Masker(everything(), False), Masker(everything(), False)
    assert first.feed(b"41111111") == b""
    assert second.feed(b"hello 1\n") == b"hello 1\n"
    assert first.feed(b"11111111\n") == b"[card]\n"
    assert not second.counts


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"detectors": ["credit-crad"]}, "no detectors named credit-crad"),
        ({"families": ["secret"]}, "no families named secret: there are secrets, personal, payment"),
        ({"patterns": [Custom("x", "a+")]}, "+ has no end"),
        ({"patterns": [Custom("x", "abc", check="lune")]}, "no validator named 'lune'"),
        ({"patterns": [Custom("card", "abc")], "detectors": ["card"]}, "two detectors named 'card'"),
        ({"patterns": [Custom(f"x{number}", "abc") for number in range(65)]}, "at most 64"),
        ({"words": [Words("x", ())]}, "a list without words"),
        ({"words": [Words("x", tuple(f"word{number}" for number in range(MAX_WORDS + 1)))]}, "501 words of"),
        ({"words": [Words("x", ("ab",))]}, "3 to 256 bytes"),
        ({"style": Style.HASH, "key": b"short"}, "a key of at least 16 bytes"),
    ],
)
def test_what_can_not_be_used_is_told(choice: dict[str, object], reason: str) -> None:
    with pytest.raises(BadPattern) as raised:
        Plan.compile(**choice)  # type: ignore[arg-type]  # of all kinds
    assert reason in str(raised.value)


def test_the_most_that_a_policy_may_ask_for_can_be_compiled() -> None:
    patterns = [Custom(f"p{number}", f"k{number}[a-z0-9]{{1,1000}}") for number in range(63)]
    words = [Words("w", tuple(f"{'word' * 3}{number}" for number in range(MAX_WORDS)))]
    plan = Plan.compile(families=list(families()), patterns=patterns, words=words)
    assert masked(plan, [b"k7abc " + b"WORD" * 3 + b"77 x\n"]) == b"[p7] [w] x\n"


@pytest.mark.parametrize("size", [64, 65, 130, 256])
def test_the_longest_word_is_found_however_it_is_cut(size: int) -> None:
    """Its beginnings were groups in groups, one a letter, for which Python's stack was too small."""
    word = ("abcdefghij" * 26)[:size]
    plan = Plan.compile(words=[Words("own", (word,))])
    text = f"x{word[:-1]}!{word}y".encode()
    shown = f"x{word[:-1]}![own]y".encode()
    assert masked(plan, [text]) == masked(plan, bytewise(text)) == shown
    masker = Masker(plan, False)
    assert masker.feed(b"x " + word[:-1].encode()) == b"x "


def test_the_longest_pattern_without_a_repetition_can_be_compiled() -> None:
    plan = Plan.compile(patterns=[Custom("own", "ab" * 490)])
    assert masked(plan, bytewise(b"ab" * 490 + b"!")) == b"[own]!"


def test_each_detector_says_what_it_is_about() -> None:
    for detector in detectors().values():
        assert detector.about
        assert not detector.about.endswith(".")
        assert detector.label.isascii()
        assert detector.label.startswith("[")
