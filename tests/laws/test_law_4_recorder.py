"""Law 4, recorded before shown, in the recorder's part: what `output` has returned for is with the operating system.

That nothing is forwarded before `output` returned is the relay's part. That `kill -9` loses none of it is law 6's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bastion.asciicast.reader import read
from bastion.recording.recorder import Recordings
from tests.core.test_asciicast_encoder import HEAD

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(st.lists(st.tuples(st.integers(0, 1), TEXTS), min_size=1, max_size=8))
def test_every_output_is_in_the_file_when_it_returns(pieces: list[tuple[int, str]]) -> None:
    """After each call another reader of the file finds all text given so far, in order, in whole lines."""
    with tempfile.TemporaryDirectory() as folder:
        recordings = Recordings(Path(folder), flush_seconds=3600)
        recorder = recordings.open(HEAD)
        so_far = ""
        for stream, text in pieces:
            recorder.output(stream, text.encode())
            so_far += text
            _, events = read((recordings.directory / recorder.name).read_bytes().splitlines(keepends=True))
            assert "".join(event.data for event in events) == so_far
        recorder.close()
        recordings.stop()
