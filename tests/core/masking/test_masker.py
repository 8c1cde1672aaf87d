"""A masker: the same result however its input is cut, nothing of a secret shown, and everything else untouched."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bastion.masking.masker import CONTEXT, ECHO, MAX_HELD, OVERLONG, Masker, Match
from bastion.masking.plan import Plan
from bastion.masking.style import Style
from tests.core.masking.planted import PLANTED, Row, bytewise, cut, everything, masked, plan_of

CODES = [b"\x1b[31m", b"\x1b[0m", b"\x1b[01;31m\x1b[K", b"\x1b[K", b"\x1b(B\x1b[m", b"\x1b[38;2;10;20;30m"]
LETTERS_FIRST = {"email", "iban", "it-codice-fiscale", "uk-nino", "es-dni"}
ROWS = [row for row in PLANTED if row.detector not in ("ipv4", "ipv6", "mac")]
SHORT = [row for row in ROWS if len(row.secret) < 600]

cuts = st.lists(st.integers(0, 5000), max_size=40)
noise = st.one_of(
    st.binary(max_size=60),
    st.text("abc xyz0189.:/=@-_\n\"'", max_size=60).map(str.encode),
    st.sampled_from(
        [b"total 24\ndrwxr-xr-x 2 root root 4096 ", b"commit 0f3c", b" user@", b"password=", b"\x1b[2J", b"4111 "]
    ),
)
planted = st.lists(st.tuples(noise, st.sampled_from(SHORT)), min_size=1, max_size=4)


def laid(parts: list[tuple[bytes, Row]]) -> bytes:
    return b"".join(before + b"\n" + row.text + b"\n" for before, row in parts)


def coloured(text: bytes, at: list[int]) -> bytes:
    """Colour codes put in at these places."""
    pieces = cut(text, at)
    return b"".join(piece + CODES[index % len(CODES)] for index, piece in enumerate(pieces))


@given(planted, cuts, st.sampled_from(list(Style)))
def test_however_it_is_cut_the_result_is_the_same(parts: list[tuple[bytes, Row]], at: list[int], style: Style) -> None:
    text = laid(parts)
    whole = masked(everything(style), [text])
    assert masked(everything(style), cut(text, at)) == whole
    assert masked(everything(style), bytewise(text)) == whole


@given(planted, cuts, cuts)
def test_also_with_colour_codes_inside(parts: list[tuple[bytes, Row]], codes: list[int], at: list[int]) -> None:
    text = coloured(laid(parts), codes)
    assert masked(everything(), cut(text, at)) == masked(everything(), [text])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.detector}-{row.secret[:16]!r}")
def test_a_code_after_every_byte_of_a_secret_hides_nothing(row: Row) -> None:
    text = row.before + b"".join(byte + b"\x1b[0m" for byte in bytewise(row.secret)) + row.after
    if len(text) < MAX_HELD // 2:
        assert row.secret not in masked(everything(), [text]).replace(b"\x1b[0m", b"")


@given(st.binary(max_size=400), cuts)
@example(b"\xff\xfe\x00\x80 plain \x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b", [3, 9])
def test_what_is_not_masked_is_the_same_byte_for_byte(text: bytes, at: list[int]) -> None:
    plan = plan_of("github-token")
    assert masked(plan, cut(text, at)) == text
    assert masked(plan, cut(text, at), terminal=True) == text


@given(planted, cuts)
def test_stars_keep_the_width_of_every_line(parts: list[tuple[bytes, Row]], at: list[int]) -> None:
    text = laid(parts)
    shown = masked(everything(Style.STARS), cut(text, at))
    assert len(shown.decode("latin-1").splitlines()) == len(text.decode("latin-1").splitlines())
    if text.isascii():
        assert [len(line) for line in shown.split(b"\n")] == [len(line) for line in text.split(b"\n")]


@given(st.lists(st.tuples(noise, st.sampled_from(SHORT)), min_size=1, max_size=2), cuts)
def test_a_terminal_shows_no_more_than_the_letters_a_secret_begins_with(
    parts: list[tuple[bytes, Row]], at: list[int]
) -> None:
    text = laid(parts)
    masker = Masker(everything(), terminal=True)
    shown = b"".join(masker.feed(piece) for piece in cut(text, at)) + masker.flush()
    assert len(shown) <= len(text)
    for _, row in parts:
        if row.detector not in LETTERS_FIRST:
            assert row.secret not in shown


@pytest.mark.parametrize("row", SHORT, ids=lambda row: f"{row.detector}-{row.secret[:16]!r}")
def test_on_a_terminal_pieces_longer_than_an_echo_are_as_one(row: Row) -> None:
    text = b"some text before it, " * 2 + b"\n" + row.text + b"\n"
    pieces = [text[at : at + ECHO + 1] for at in range(0, len(text), ECHO + 1)]
    if len(pieces[-1]) <= ECHO:
        pieces[-2:] = [pieces[-2] + pieces[-1]]
    assert masked(everything(), pieces, terminal=True) == masked(everything(Style.STARS), [text])


def test_typed_words_are_shown_at_once_and_digits_when_time_has_passed() -> None:
    masker = Masker(everything(), terminal=True)
    for key in bytewise(b"user@host:~$ ls -la /var/log password tokens begin"):
        assert masker.feed(key) + masker.release() == key
    held = b""
    for key in bytewise(b"ls -la /etc; echo word | grep --color -E x && cd ../lib # 42"):
        held += b"" if masker.feed(key) else key
        masker.release()
    assert held == b";42"
    shown = masker.feed(b"x 4")
    assert masker.holding
    assert shown + masker.release() == b"x 4"
    assert not masker.holding


def test_of_a_secret_that_time_has_cut_the_rest_is_masked() -> None:
    masker = Masker(everything(), terminal=True)
    shown = masker.feed(b"card 4111 1111 11") + masker.release() + masker.feed(b"11 1111\r\n")
    assert shown == b"card 4111 1111 11*******\r\n"
    assert masker.counts == {"credit-card": 1}


def test_what_is_a_match_already_stays_masked_when_time_passes() -> None:
    masker = Masker(everything(), terminal=True)
    shown = masker.feed(b"password=hunter2") + masker.release()
    assert shown == b"password=*******"
    assert masker.feed(b"3") + masker.release() == b"*"
    assert masker.feed(b"\r\n") == b"\r\n"
    assert masker.counts == {"password": 1}


def test_a_pipe_holds_until_time_has_passed() -> None:
    masker = Masker(everything(), terminal=False)
    assert masker.feed(b"4111 1111") == b""
    assert masker.feed(b" 1111 1111\n") == b"[card]\n"
    assert masker.feed(b"4111 1111") == b""
    assert masker.release() == b"4111 1111"
    assert not masker.holding
    assert masker.feed(b" 1111 1111\n") == b"[card]\n"


@pytest.mark.parametrize(
    "prompt", [b"Password for grace", b"Continue 4", b"user@host", b"0000", b"body without an end"]
)
def test_a_prompt_in_a_pipe_is_shown_when_time_has_passed(prompt: bytes) -> None:
    masker = Masker(everything(), terminal=False)
    assert masker.feed(prompt) + masker.release() == prompt


def test_a_secret_in_a_pipe_that_time_has_cut_has_one_label() -> None:
    masker = Masker(everything(), terminal=False)
    assert masker.feed(b"password=hunter2") + masker.release() == b"password=[password-assigned]"
    assert masker.feed(b"3x") + masker.release() == b""
    assert masker.feed(b"9\n") == b"\n"
    assert masker.counts == {"password": 1}


@pytest.mark.parametrize("row", SHORT, ids=lambda row: f"{row.detector}-{row.secret[:16]!r}")
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_time_before_a_secret_and_behind_it_shows_none_of_it(row: Row, terminal: bool) -> None:
    masker = Masker(everything(), terminal)
    shown = masker.feed(row.before) + masker.release() + masker.feed(row.secret + row.after) + masker.release()
    assert row.secret not in shown + masker.flush()


def test_a_sequence_that_is_not_whole_is_held_however_long() -> None:
    """Shown by parts, its last letter would be one of the word that follows."""
    masker = Masker(everything(), terminal=True)
    assert masker.feed(b"\x1b[3;1") + masker.release() == b""
    assert masker.feed(b"H4111111111111111\r\n") == b"\x1b[3;1H" + b"*" * 16 + b"\r\n"


SEQUENCES = [
    b"\x1b[2J",
    b"\x1b[3;1H",
    b"\x1b[?25l",
    b"\x1b[1 q",
    b"\x1b7",
    b"\x1bM",
    b"\x1b]0;title\x07",
    b"\x1b]0;t\x1b\\",
]


@pytest.mark.parametrize("row", SHORT, ids=lambda row: f"{row.detector}-{row.secret[:16]!r}")
@pytest.mark.parametrize("sequence", SEQUENCES, ids=repr)
def test_no_sequence_joins_what_follows_it(row: Row, sequence: bytes) -> None:
    text = sequence + row.text
    shown = masked(everything(), [text])
    assert shown == sequence + masked(everything(), [b"\x07" + row.text])[1:]
    assert masked(everything(), bytewise(text)) == shown


def test_a_sequence_inside_what_is_masked_comes_out_whole() -> None:
    text = b'{"password": "hunt\x1b[2Jer2x9"}'
    assert masked(everything(), [text]) == b'{"password": "[password-in-quotes]\x1b[2J"}'
    assert masked(everything(), [text], terminal=True) == b'{"password": "****\x1b[2J*****"}'


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "unit",
    [b"7", b"x", b"a.", b"4111 ", b"-", b"\x1b[0m", b"\x1b", b"a@", b"A0", b"\x1b[31m4", b"eyJ", b"password=", b"\xff"],
    ids=repr,
)
def test_what_never_ends_is_held_within_bounds(unit: bytes, terminal: bool) -> None:
    masker = Masker(everything(), terminal)
    shown = 0
    for _ in range(40):
        shown += len(masker.feed(unit * 200))
        assert masker.held <= MAX_HELD
        assert len(masker._text) <= MAX_HELD + 10 * CONTEXT
    assert shown


@pytest.mark.parametrize("terminal", [False, True])
def test_past_the_bound_what_could_be_a_secret_is_masked(terminal: bool) -> None:
    masker = Masker(everything(), terminal)
    shown = b""
    for digit in bytewise(b"4111111111111111"):
        shown += masker.feed(b"\x1b[1m" * 100 + digit)
    shown += masker.flush()
    assert b"1" not in shown.replace(b"\x1b[1m", b"")
    assert masker.counts[OVERLONG] >= 1


HEADER, FOOTER = b"-----BEGIN RSA PRIV" + b"ATE KEY-----", b"-----END RSA PRIV" + b"ATE KEY-----"


@given(st.integers(0, 200), cuts)
def test_a_private_key_is_masked_to_its_footer_however_long_it_is(lines: int, at: list[int]) -> None:
    body = b"\n".join([b"MIIEowIBAAKCAQEA" * 4] * lines)
    text = b"before\n" + HEADER + b"\n" + body + b"\n" + FOOTER + b"\nafter\n"
    assert masked(everything(), cut(text, at)) == b"before\n[private-key]\nafter\n"
    wide = masked(everything(Style.STARS), cut(text, at))
    assert wide == b"before\n" + re.sub(rb"[^\n]", b"*", text[7:-7]) + b"\nafter\n"


@given(cuts)
def test_a_header_without_a_key_costs_a_few_lines_and_no_more(at: list[int]) -> None:
    text = HEADER + b"\n" + b"".join(b"line %d\n" % number for number in range(9))
    assert masked(everything(), cut(text, at)) == b"[private-key]line 5\nline 6\nline 7\nline 8\n"


def test_a_key_that_never_ends_is_never_shown() -> None:
    masker = Masker(everything(), terminal=False)
    masker.feed(HEADER + b"\n")
    for _ in range(400):
        assert masker.feed(b"MIIEowIBAAKCAQEA" * 4 + b"\n") == b""
    assert masker.flush() == b""


def test_of_two_matches_the_first_then_the_longer_one_wins() -> None:
    plan = Plan.compile(patterns=[])
    assert masked(plan, [b"4111111111111111"]) == b"4111111111111111"
    text = b"postgres://u:s3cret@db.example.com/"
    masker = Masker(everything(), terminal=False)
    assert masker.feed(text) + masker.flush() == b"postgres://u:[email]/"


def test_each_match_is_told_with_its_place_in_the_input() -> None:
    told: list[Match] = []
    masker = Masker(everything(), terminal=False, seen=told.append)
    text = b"\x1b[1mto\x1b[0m a@example.com and 41111\x1b[31m11111111111 \n"
    for piece in bytewise(text):
        masker.feed(piece)
    masker.flush()
    assert [(match.detector, text[match.start : match.end]) for match in told] == [
        ("email", b"a@example.com"),
        ("credit-card", b"41111\x1b[31m11111111111"),
    ]
    assert masker.counts == {"email": 1, "credit-card": 1}
