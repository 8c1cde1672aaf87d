"""The reader takes what every player takes, and nothing else."""

from __future__ import annotations

import pytest

from bastion.asciicast.reader import BadRecording, Event, read

HEADER = b'{"version":2,"width":80,"height":24}\n'
EVENT = b'[0.5, "o", "hi"]\n'


def test_a_good_recording_is_read() -> None:
    """The header and the events come out as they were."""
    header, events = read([HEADER, EVENT, b'[1, "r", "100x30"]\n', b'[1, "m", ""]\n'])
    assert (header.width, header.height, header.timestamp, header.title) == (80, 24, None, "")
    assert list(events) == [Event(0.5, "o", "hi"), Event(1, "r", "100x30"), Event(1, "m", "")]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], 1),
        ([HEADER], 2),
        ([b'{"version":1,"width":80,"height":24}\n', EVENT], 1),
        ([b'{"version":2,"height":24}\n', EVENT], 1),
        ([b'{"version":2,"width":80.0,"height":24}\n', EVENT], 1),
        ([b'{"version":2,"width":true,"height":24}\n', EVENT], 1),
        ([b'{"version":2,"width":0,"height":24}\n', EVENT], 1),
        ([b'{"version":2,"width":80,"height":24,"timestamp":1.5}\n', EVENT], 1),
        ([b'{"version":2,"width":80,"height":24,"env":{"A":1}}\n', EVENT], 1),
        ([b'{"version":2,"width":80,"height":24,"title":1}\n', EVENT], 1),
        ([HEADER, EVENT, b"\n"], 3),
        ([HEADER, b"# comment\n"], 2),
        ([HEADER, EVENT, b'[0.6, "o", "to'], 3),
        ([HEADER, EVENT, b'[0.6, "o", "to\n'], 3),
        ([HEADER, EVENT, b'[0.6, "o", "to"]'], 3),
        ([HEADER, EVENT, b'[0.4, "o", "back"]\n'], 3),
        ([HEADER, b'[-1, "o", "x"]\n'], 2),
        ([HEADER, b'["1", "o", "x"]\n'], 2),
        ([HEADER, b'[true, "o", "x"]\n'], 2),
        ([HEADER, b'[1, "o"]\n'], 2),
        ([HEADER, b'[1, "z", "x"]\n'], 2),
        ([HEADER, b'[1, "o", 5]\n'], 2),
        ([HEADER, b'[1, "r", "80"]\n'], 2),
        ([HEADER, b'[1, "r", "0x24"]\n'], 2),
        ([HEADER, b"[1, [], 5]\n"], 2),
        ([HEADER, b"{}\n"], 2),
    ],
)
def test_what_breaks_a_player_is_refused(lines: list[bytes], line: int) -> None:
    """Each of these breaks one player or another; the refusal names the line."""
    with pytest.raises(BadRecording) as told:
        list(read(lines)[1])
    assert told.value.line == line
