"""What a crash leaves of a recording, made whole: the torn end goes, and what went missing is said.

The recorder writes whole lines, each handed over in one piece, so after `kill -9` what is cut is at most the one line
that was being written: incomplete JSON. After a loss of power it may be more lines, those whose bytes never reached
the disk. Nothing before the last whole event is looked at or touched, the header apart.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass

from bastion.asciicast.encoder import Encoder
from bastion.asciicast.reader import BadRecording, event, header

_MARKER = re.compile(rb'^\[[0-9.]+, ?"m",', re.MULTILINE)
LABEL = "cut short: the bastion stopped before this session ended"


@dataclass(frozen=True, slots=True)
class Mending:
    """Keep the first `keep` bytes, cut what follows, and write `add` after them. It `began` in seconds since 1970, and
    its last event is `duration` seconds later; `markers` are places to jump to, without what is added."""

    keep: int
    add: bytes
    began: int
    duration: float
    markers: int


def mend(content: bytes | mmap.mmap) -> Mending | None:
    """How to mend a recording that was never closed. None when there is not even a whole header: nothing was shown. One
    that was mended before stays as it is."""
    first = content.find(b"\n") + 1
    try:
        began = header(content[:first]).timestamp or 0
    except BadRecording:
        return None
    keep = content.rfind(b"\n") + 1
    while keep > first:
        begin = max(content.rfind(b"\n", first, keep - 1) + 1, first)
        try:
            last = event(0, content[begin:keep])
            mended = (last.code, last.data) == ("m", LABEL)
            markers = sum(1 for _ in _MARKER.finditer(content, first, begin if mended else keep))
            add = b"" if mended else Encoder().marker(last.time, LABEL)
            return Mending(keep, add, began, last.time, markers)
        except BadRecording:
            keep = begin
    return Mending(first, Encoder().marker(0.0, LABEL), began, 0.0, 0)
