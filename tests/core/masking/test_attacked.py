"""What was found by attack: headers of keys that no key follows, and texts that are made to be slow."""

from __future__ import annotations

import base64
import random
import time

import pytest

from bastion.masking.masker import Masker
from tests.core.masking.planted import bytewise, everything, masked

HEADER = b"-----BEGIN RSA PRIVATE " + b"KEY-----"


def test_a_header_in_source_code_does_not_take_the_rest_of_the_file() -> None:
    """Names of 16 letters stand in nearly every fifth line of some languages."""
    lines = b"func TestParsePrivateKeyFromBlock(t *testing.T) {\n\tx := 1\n}\n" * 40
    assert masked(everything(), [b'const begin = "' + HEADER + b'"\n' + lines]).endswith(lines[-400:])


def test_a_header_on_a_terminal_does_not_take_all_that_comes_in_a_deep_folder() -> None:
    """`head -1 key`, and a prompt that names /var/lib/postgresql from then on."""
    masker = Masker(everything(), terminal=True)
    masker.feed(HEADER + b"\r\n")
    for _ in range(20):
        shown = masker.feed(b"root@db:/var/lib/postgresql# ls\r\nPG_VERSION\r\n") + masker.release()
    assert shown == b"root@db:/var/lib/postgresql# ls\r\nPG_VERSION\r\n"


@pytest.mark.parametrize("width", [20, 50, 60, 63, 64, 65, 70, 76])
@pytest.mark.parametrize(
    "wrap", ["%s", "+%s", "    %s", "> %s", "  12\t%s", "key.pem:3:%s", '    "%s\\n" +', "%s\r", "'%s',"]
)
def test_a_key_is_masked_however_it_is_folded_and_wrapped(width: int, wrap: str) -> None:
    body = random.Random(width).randbytes(1200)  # noqa: S311 (a body that is the same each time)
    text = base64.b64encode(body).decode()
    lines = [wrap % text[at : at + width] for at in range(0, len(text) - width, width)]
    shown = masked(everything(), [HEADER + b"\n" + "\n".join(lines).encode() + b"\n"])
    assert shown == b"[private-key]"


def test_a_key_behind_long_lines_ends_with_them_however_they_are_cut() -> None:
    text = HEADER + b"\n" + (b"word " * 300 + b"\n") * 5 + b"shown\n"
    for pieces in ([text], bytewise(text), [text[:1030], text[1030:]]):
        assert masked(everything(), pieces) == b"[private-key]shown\n"


def cost(text: bytes) -> float:
    masker = Masker(everything(), terminal=False)
    begin = time.process_time()
    for at in range(0, len(text), 32768):
        masker.feed(text[at : at + 32768])
    return time.process_time() - begin


def test_a_text_that_is_no_secret_takes_no_longer_than_one_full_of_them() -> None:
    """`token=token=…`: 200 bytes are matched, and refused, at every sixth."""
    cards, tokens = b"4111111111111111 " * 7710, b"token=" * 21845
    cost(cards + tokens)  # automata are built as they are needed
    assert cost(tokens) < 4 * cost(cards)


@pytest.mark.parametrize(
    "slow",
    [HEADER + HEADER.replace(b"BEGIN", b"END"), b"Private-Lines: 1\nPrivate-MAC: " + b"a" * 40 + b"\n"],
    ids=["PEM", "PuTTY"],
)
def test_keys_one_right_behind_another_take_no_longer_than_other_secrets(slow: bytes) -> None:
    """Behind each of them what is left was looked at anew, with all the keys in it: 0.8 s for 32 KiB."""
    cards, keys = b"4111111111111111 " * 1928, slow * (32768 // len(slow))
    cost(cards + keys)
    assert cost(keys) < 10 * cost(cards)


@pytest.mark.parametrize("value", ["- name: token\n  value: a%s\n", "password: a%s\n", "<password>a%s</password>\n"])
def test_braces_in_a_value_take_no_longer_than_letters(value: str) -> None:
    """`{{` begins a reference, which each of them looked for to the end: 150 ms for 32 KiB."""
    letters, braces = ((value % (sign * 400)).encode() * 80 for sign in ("a{", "{{"))
    cost(letters + braces)
    assert cost(braces) < 4 * cost(letters)


def letters(count: int) -> float:
    """What a digit costs that comes by itself behind so many letters, on a terminal."""
    masker = Masker(everything(), terminal=True)
    masker.feed(b"a" * count)
    begin = time.process_time()
    masker.feed(b"1")
    return time.process_time() - begin


def test_a_digit_behind_a_long_word_on_a_terminal_takes_linear_time() -> None:
    """As many as may be held; it was days for forty, and with them the whole bastion."""
    letters(4)
    assert letters(4096) < 40 * max(letters(400), 0.0005)
    assert letters(22) < 20 * max(letters(11), 0.0005)


def test_a_sequence_behind_a_long_secret_stays_whole_however_it_is_cut() -> None:
    text = b"password=Tr0ub4do" + b"x" * 1000 + b"\x1b[5;1Hxx\n"
    whole = masked(everything(), [text])
    assert [at for at in range(1000, len(text)) if masked(everything(), [text[:at], text[at:]]) != whole] == []
    assert masked(everything(), bytewise(text)) == whole


def test_a_cell_that_time_cuts_off_behind_a_blank_shows_nothing_of_it() -> None:
    masker = Masker(everything(), terminal=True)
    shown = masker.feed(b"|  SecretString |  hunter two ") + masker.release() + masker.feed(b"x9  |\n") + masker.flush()
    assert b"hunter" not in shown
    assert b"two" not in shown
