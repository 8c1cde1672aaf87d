"""What is recorded is what was shown, in a form that every player takes."""

from __future__ import annotations

import codecs
import dataclasses
import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.asciicast.encoder import MAX_LABEL, MAX_PIECE, MAX_TEXT, Encoder, Head
from bastion.asciicast.reader import header, read

HEAD = Head(
    session="s1",
    connection="c1",
    tenant="acme",
    identity="agent@acme",
    issuer="https://issuer.example",
    subject="agent",
    target="web-1",
    account="deploy",
    command="uptime",
    kind="exec",
    term="xterm",
)

STREAMS = st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=40)), max_size=20)


def shown(pieces: list[tuple[int, bytes]]) -> str:
    """What the events of these pieces show."""
    encoder = Encoder()
    content = encoder.begin(HEAD, 0)
    content += b"".join(encoder.output(0.5, stream, data) for stream, data in pieces) + encoder.finish(1.0)
    _, events = read(content.splitlines(keepends=True))
    return "".join(event.data for event in events if event.code == "o")


@given(STREAMS)
def test_every_recording_is_read_by_the_strict_reader(pieces: list[tuple[int, bytes]]) -> None:
    """Whatever the output is, the lines are what the strictest player takes, and the count of events is right."""
    encoder = Encoder()
    lines = encoder.begin(HEAD, 12)
    for number, (stream, data) in enumerate(pieces):
        lines += encoder.output(number / 7, stream, data)
    lines += encoder.finish(99)
    header, events = read(lines.splitlines(keepends=True))
    assert header.bastion["session"] == "s1"
    assert len(list(events)) == encoder.events


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_cut_anywhere_shows_the_same(data: bytes, cuts: list[int]) -> None:
    """One stream shows the same text however the network cuts it."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [(0, data[start:end]) for start, end in itertools.pairwise(places)]
    assert shown(pieces) == data.decode("utf-8", "replace")


@given(st.text(max_size=100), st.text(max_size=100))
def test_two_streams_do_not_break_each_other(out: str, err: str) -> None:
    """stdout and stderr, byte by byte in turns, lose no character of either."""
    pairs = itertools.zip_longest(out.encode("utf-8", "replace"), err.encode("utf-8", "replace"))
    pieces = [(stream, bytes([byte])) for pair in pairs for stream, byte in enumerate(pair) if byte is not None]
    told = shown(pieces)
    assert "\ufffd" not in told.replace("\ufffd", "", (out + err).count("\ufffd"))
    assert sorted(told) == sorted((out + err).encode("utf-8", "replace").decode())


def test_half_a_character_at_the_end_is_not_lost() -> None:
    """What never became a character is U+FFFD in the last event."""
    assert shown([(0, b"a\xe2\x82")]) == "a\ufffd"


def test_no_event_before_the_character_is_whole() -> None:
    """Half a character alone writes no line."""
    encoder = Encoder()
    assert encoder.output(0, 0, b"\xe2\x82") == b""
    assert encoder.output(0, 1, b"x") == b'[0.000000, "o", "x"]\n'
    assert orjson.loads(encoder.output(0, 0, b"\xac")) == [0, "o", "€"]


def test_without_a_terminal_a_line_s_end_brings_the_next_to_the_left() -> None:
    """Players play on a raw terminal, where a bare LF would make stairs; a terminal's own output is kept as it is."""
    encoder = Encoder()
    encoder.begin(dataclasses.replace(HEAD, term=""), 0)
    assert orjson.loads(encoder.output(0, 0, b"a\nb\n"))[2] == "a\r\nb\r\n"
    encoder = Encoder()
    encoder.begin(HEAD, 0)
    assert orjson.loads(encoder.output(0, 0, b"a\r\nb\n"))[2] == "a\r\nb\n"


@pytest.mark.parametrize("share", [0, 1, 8])
def test_binary_output_is_recorded_byte_by_byte(share: int) -> None:
    """Plainly binary data: every ASCII byte stays, every other is shown as U+FFFD, none is left out."""
    data = (bytes(range(256)) + b"text" * share) * 16
    told = shown([(0, data)])
    assert [letter for letter in told if letter != "\ufffd"] == [chr(byte) for byte in data if byte < 0x80]
    assert len(told) == len(data)


@given(st.lists(st.tuples(st.integers(0, 200), st.text(max_size=5)), max_size=6))
def test_runs_of_nul_are_recorded_one_by_one(runs: list[tuple[int, str]]) -> None:
    """Zeros, however many and between what, all come out of the file again."""
    text = "".join("\0" * count + between.encode("utf-8", "replace").decode() for count, between in runs)
    assert shown([(0, text.encode())]) == text


def test_long_texts_are_bounded() -> None:
    """A command and a label have a bound, and end in `…` past it."""
    encoder = Encoder()
    header = orjson.loads(encoder.begin(dataclasses.replace(HEAD, command="x" * 100_000), 0).splitlines()[0])
    assert header["bastion"]["command"] == "x" * (MAX_TEXT - 1) + "…"
    assert len(header["title"]) == 200
    assert orjson.loads(encoder.marker(0, "x" * 5000))[2] == "x" * (MAX_LABEL - 1) + "…"
    assert orjson.loads(encoder.marker(0, "x" * MAX_LABEL))[2] == "x" * MAX_LABEL


def test_text_with_a_few_wrong_bytes_stays_text() -> None:
    """A long text with a broken byte keeps its other characters."""
    data = "größe ".encode() * 400 + b"\xff"
    assert shown([(0, data)]) == data.decode("utf-8", "replace")


def test_a_long_output_is_several_events() -> None:
    """A line has a bound: more than 64 KiB is cut into events, at no harm to a character."""
    data = "€".encode() * MAX_PIECE
    encoder = Encoder()
    lines = encoder.output(1.0, 0, data).splitlines()
    assert max(map(len, lines)) < MAX_PIECE * 6 + 100
    assert "".join(orjson.loads(line)[2] for line in lines) == data.decode()


@given(st.lists(st.floats(0, 1e9)))
def test_time_never_goes_back(times: list[float]) -> None:
    """A time before the last one is written as the last one, with six decimals and no exponent."""
    encoder = Encoder()
    lines = encoder.begin(HEAD, 0) + b"".join(encoder.output(time, 0, b"x") for time in times)
    _, events = read(lines.splitlines(keepends=True))
    list(events)
    assert b"e" not in b"".join(line.split(b",")[0] for line in lines.splitlines()[1:])


@pytest.mark.parametrize(
    ("columns", "rows", "size"),
    [
        (80, 24, (80, 24)),
        (0, 0, (80, 24)),
        (200, 0, (80, 24)),
        (-1, 5, (80, 24)),
        (2**31, 24, (80, 24)),
        (1, 1, (1, 1)),
    ],
)
def test_the_size_is_one_that_a_terminal_has(columns: int, rows: int, size: tuple[int, int]) -> None:
    """Zero and absurd sizes are 80x24 in the header, and no event when they come later."""
    encoder = Encoder()
    lines = encoder.begin(dataclasses.replace(HEAD, columns=columns, rows=rows), 0)
    header, _ = read(lines.splitlines(keepends=True))
    assert (header.width, header.height) == size
    expected = f'[1.000000, "r", "{columns}x{rows}"]\n'.encode() if (columns, rows) == size else b""
    assert encoder.resize(1.0, columns, rows) == expected


def test_the_header_tells_who_and_where() -> None:
    """The extra key `bastion` names session, connection, identity, target, account and command; whole numbers are."""
    header = orjson.loads(Encoder().begin(dataclasses.replace(HEAD, term="xterm", shell="bash"), 7).splitlines()[0])
    assert header == {
        "version": 2,
        "width": 80,
        "height": 24,
        "timestamp": 7,
        "title": "agent@acme as deploy on web-1: uptime",
        "env": {"TERM": "xterm", "SHELL": "bash"},
        "bastion": {
            "session": "s1",
            "connection": "c1",
            "tenant": "acme",
            "identity": "agent@acme",
            "issuer": "https://issuer.example",
            "subject": "agent",
            "target": "web-1",
            "account": "deploy",
            "command": "uptime",
            "kind": "exec",
        },
    }


def test_text_that_is_no_text_does_not_stop_a_recording() -> None:
    """A lone surrogate in a header or a marker is replaced, so that every line can be read."""
    encoder = Encoder()
    lines = encoder.begin(dataclasses.replace(HEAD, command="\udcff"), 0) + encoder.marker(0, "a\udcff")
    header, events = read(lines.splitlines(keepends=True))
    assert header.bastion["command"] == "?"
    assert [event.data for event in events] == ["", "a\\u{dcff}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ls\x1b[2J", "ls\\x1b[2J"),
        ("ls\nrm x", "ls\\x0arm x"),
        ("ls \u202erm", "ls \\u{202e}rm"),
        ("a\u200bb\x9bc\x7f", "a\\u{200b}b\\x9bc\\x7f"),
        ("naïve ☃", "naïve ☃"),
    ],
)
def test_what_is_hidden_is_escaped_where_people_read_it(text: str, told: str) -> None:
    """In title, names, markers and environment; the command itself is kept for programs, which judge it again."""
    encoder = Encoder()
    head = dataclasses.replace(HEAD, command=text, account=text, term=text)
    lines = encoder.begin(head, 0) + encoder.marker(0, text)
    found, events = read(lines.splitlines(keepends=True))
    assert found.title == f"agent@acme as {told} on web-1: {told}"
    assert (found.bastion["account"], found.bastion["command"]) == (told, text)
    assert orjson.loads(lines.splitlines()[0])["env"]["TERM"] == told
    assert list(events)[-1].data == told


def test_the_incremental_decoder_is_the_standard_one() -> None:
    """The text is what Python's own incremental UTF-8 decoder gives, on every pair of bytes that begins a character."""
    for pair in itertools.product(range(0xC0, 0x100), range(0x80, 0x100, 7)):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        data = bytes(pair)
        assert shown([(0, data[:1]), (0, data[1:])]) == decoder.decode(data[:1]) + decoder.decode(data[1:], True)


def test_what_was_judged_besides_is_text_of_json_and_bounded() -> None:
    """A reader gets text by name, as for all of the extra key; what would not fit is left out, never cut."""
    judged = {"source": "192.0.2.7", "groups": ["agents", "größe"], "claims": {"a": "x" * MAX_TEXT}, "labels": {}}
    line = Encoder().begin(dataclasses.replace(HEAD, judged=judged), 0).splitlines(keepends=True)[0]
    told = header(line).bastion
    assert told["source"] == "192.0.2.7"
    assert orjson.loads(told["groups"]) == ["agents", "größe"]
    assert orjson.loads(told["labels"]) == {}
    assert "claims" not in told
