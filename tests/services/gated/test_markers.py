"""Markers in the terminal's output: found wherever it is cut, by their nonce alone, and nothing else is held back."""

from __future__ import annotations

import time

from hypothesis import example, given
from hypothesis import strategies as st

from bastion.session.gated.markers import MAX_MARKER, Fifo, Markers, Output, Prompt, Refused, Seen

NONCE = "0123456789abcdef"
BEGIN = b"\x1b]7777;0123456789abcdef;"


def prompt(number: int, status: int = 0, directory: bytes = b"/", shown: bytes = b"$ ") -> bytes:
    return b"%sprompt;%d;%d\x07%s%sat\x07%s%send\x07" % (BEGIN, number, status, directory, BEGIN, shown, BEGIN)


def seen(*chunks: bytes) -> list[Seen]:
    """All that is seen of the chunks, neighbouring outputs joined."""
    markers = Markers(NONCE)
    found = [item for chunk in chunks for item in markers.feed(chunk)]
    if held := markers.flush():
        found.append(Output(held))
    joined: list[Seen] = []
    for item in found:
        if joined and isinstance(item, Output) and isinstance(joined[-1], Output):
            joined[-1] = Output(joined[-1].data + item.data)
        else:
            joined.append(item)
    return joined


PIECES = st.sampled_from(
    [
        prompt(1),
        prompt(2, 130, b"/a\r\nb;\x07c", b"\x1b]0;title\x07\x1b[1m$ "),
        prompt(2),
        prompt(1, 7),
        prompt(3).replace(NONCE.encode(), b"fedcba9876543210"),
        BEGIN + b"fifo;/tmp/a b/c\x07",
        BEGIN + b"refused;no \xff\x07",
        BEGIN + b"fifo;\x07",
        BEGIN + b"prompt;4;1\x07",
        BEGIN + b"prompt;x;1\x07",
        BEGIN + b"prompt;1;1;1\x07",
        BEGIN + b"prompt;5;1\x07/" + BEGIN + b"end\x07",
        BEGIN + b"other;\x07",
        BEGIN,
        b"\x1b",
        b"\x1b]7777;",
        b"\x1b]7777;0123",
        b"output\r\n",
        b"a" * MAX_MARKER,
    ]
)


@given(
    st.lists(PIECES | st.binary(max_size=8), max_size=8).map(b"".join), st.lists(st.integers(0, 20_000), max_size=12)
)
@example(prompt(1) + b"x" + prompt(2), list(range(200)))
def test_cut_anywhere_the_answer_is_the_same(data: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts})
    assert seen(*(data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True))) == seen(data)


MARKERS = [(prompt(7), Prompt(7, 0, b"/", b"$ ")), (BEGIN + b"fifo;/tmp/c\x07", Fifo(b"/tmp/c"))]
JUNK = st.sampled_from(
    [BEGIN, BEGIN + b"fifo;\x07", BEGIN + b"prompt;4;1\x07", b"\x1b", b"\x1b]7777;0123", b"output\r\n"]
)


@given(st.lists(JUNK, max_size=6), st.lists(JUNK, max_size=6), st.sampled_from(MARKERS))
def test_all_that_is_no_marker_comes_out_byte_for_byte(
    before: list[bytes], after: list[bytes], marker: tuple[bytes, Seen]
) -> None:
    expected: list[Seen] = [Output(b"".join(before))] if before else []
    expected += [marker[1], *([Output(b"".join(after))] if after else [])]
    assert seen(b"".join(before) + marker[0] + b"".join(after)) == expected


def test_what_each_marker_says() -> None:
    data = (
        b"a" + BEGIN + b"fifo;/tmp/c\x07" + BEGIN + b"refused;no\xff\x07b" + prompt(7, 255, b"/x;y", b"\x07$ ") + b"c"
    )
    assert seen(data) == [
        Output(b"a"),
        Fifo(b"/tmp/c"),
        Refused("no\\xff"),
        Output(b"b"),
        Prompt(7, 255, b"/x;y", b"\x07$ "),
        Output(b"c"),
    ]


def test_every_prompt_is_told() -> None:
    """Which of them counts is for whoever knows what runs: no number makes the reader deaf to others."""
    told = [Prompt(number, 0, b"/", b"$ ") for number in (999_999_999, 2, 2, 1)]
    assert seen(prompt(999_999_999) + prompt(2) + prompt(2) + prompt(1)) == told


def test_another_nonce_is_output() -> None:
    other = prompt(1).replace(NONCE.encode(), b"0123456789abcdee")
    assert seen(other) == [Output(other)]


def test_typed_echo_and_other_escapes_are_never_held() -> None:
    for data in (b"l", b"\x1b[A", b"\x1b]0;title", b"\x1b]777;notify;", b"\x1b]7777;1", b"\r\n", b"\x07"):
        assert Markers(NONCE).feed(data) == [Output(data)]


def test_only_what_may_become_a_marker_of_this_session_is_held() -> None:
    whole = prompt(1)
    for length in range(1, len(whole)):
        markers = Markers(NONCE)
        assert markers.feed(b"out" + whole[:length]) == [Output(b"out")]
        assert markers.flush() == whole[:length]
        assert markers.feed(b"x") == [Output(b"x")]


def test_a_marker_without_an_end_is_output_after_16_kib() -> None:
    """Whoever has the nonce can hold back no more than that."""
    markers = Markers(NONCE)
    begun = BEGIN + b"prompt;1;0\x07"
    assert markers.feed(begun + b"x" * (MAX_MARKER - len(begun))) == []
    assert markers.feed(b"y") == [Output(begun + b"x" * (MAX_MARKER - len(begun)) + b"y")]


def test_hostile_output_is_no_slower_than_it_is_long() -> None:
    """A megabyte of beginnings, of this session's nonce and of others."""
    for piece in (b"\x1b", BEGIN, BEGIN + b"prompt;1;0\x07", b"\x1b]7777;0123456789abcde"):
        data = piece * (1_000_000 // len(piece))
        markers = Markers(NONCE)
        began = time.process_time()
        for at in range(0, len(data), 32768):
            markers.feed(data[at : at + 32768])
        assert time.process_time() - began < 5
