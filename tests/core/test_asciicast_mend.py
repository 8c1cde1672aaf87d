"""A torn recording is mended: whole lines stay, the rest goes, and what is left is playable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.asciicast.encoder import Encoder
from bastion.asciicast.mend import LABEL, mend
from bastion.asciicast.reader import Event, read
from tests.core.test_asciicast_encoder import HEAD


def recording() -> bytes:
    """A recording that was never closed."""
    encoder = Encoder()
    lines = [encoder.begin(HEAD, 5), encoder.output(0.1, 0, b"one\n"), encoder.resize(0.2, 100, 30)]
    lines += [encoder.output(0.3, 1, "zwölf €\n".encode()), encoder.output(0.4, 0, b'[0.1, "o", "a"]\n\x00')]
    return b"".join(lines)


@given(st.integers(0, len(recording())))
def test_cut_anywhere_it_is_playable_after(size: int) -> None:
    """However much of a file a crash leaves, every whole line stays, and what comes out is read strictly."""
    torn = recording()[:size]
    mending = mend(torn)
    whole = torn.count(b"\n")
    if mending is None:
        assert whole == 0
        return
    assert torn[: mending.keep].count(b"\n") == whole
    mended = torn[: mending.keep] + mending.add
    header, events = read(mended.splitlines(keepends=True))
    *kept, last = events
    assert header.bastion["session"] == "s1"
    assert len(kept) == whole - 1
    assert (last.code, last.data) == ("m", LABEL)


@pytest.mark.parametrize("rubbish", [b"\0" * 5000, b"\0\0\n\0\0\n", b"\n\n", b'[0.4, "o"]\n', b"{}\n[0.5"])
def test_what_is_no_event_at_the_end_goes(rubbish: bytes) -> None:
    """After a loss of power the end may be zeros or half lines, more than one: all of it goes."""
    mending = mend(recording() + rubbish)
    assert mending is not None
    assert mending.keep == len(recording())


@pytest.mark.parametrize("content", [b"", b"{", b"\n", b"\0" * 100, b'{"version":2}\n[0, "o", "a"]\n'])
def test_without_a_header_there_is_nothing_to_mend(content: bytes) -> None:
    """What has no whole header is no recording, and nothing was shown of it."""
    assert mend(content) is None


def test_the_mark_is_at_the_last_time() -> None:
    """The mark does not go back in time."""
    mending = mend(recording())
    assert mending is not None
    _, events = read((recording() + mending.add).splitlines(keepends=True))
    assert list(events)[-1] == Event(0.4, "m", LABEL)


_VALUES = st.one_of(st.integers(), st.floats(), st.text("0123456789x-"), st.sampled_from(["o", "r", "m"]), st.none())
_LINES = st.one_of(
    st.binary(max_size=50), st.lists(_VALUES, max_size=4).map(lambda values: json.dumps(values).encode())
)


@given(st.lists(_LINES, max_size=6))
def test_no_line_makes_mending_fail(lines: list[bytes]) -> None:
    """Whatever stands in a file whose header is whole, mending says what to keep, and that ends with an event."""
    mending = mend(recording() + b"".join(line + b"\n" for line in lines))
    assert mending is not None
    assert mending.keep >= len(recording())
    assert mending.add.endswith(b"\n")
