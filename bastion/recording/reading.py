"""Closed recordings, read: the file of one session, its digest, and where its commands begin.

A path is one that the catalogue has, and is checked all the same: it must be of the tenant and the session that are
meant, and no step of it may be a link, so that no row and no link leads to another tenant's recording (law 7).

All of this waits for the disk: call it in a thread, or in another process.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from bastion.asciicast.reader import BadRecording, event
from bastion.errors import BastionError

MAX_COMMANDS = 2000
_PATH = re.compile(r"([a-z0-9-]{1,63})/(\d{4})/(\d{2})/(\d{2})/([A-Za-z0-9][A-Za-z0-9_-]{0,127})\.cast\Z")
_PIECE = 1 << 20


class NoRecording(BastionError):
    """The file is not there, or is not where the catalogue says a recording of this session may be."""


@dataclass(frozen=True, slots=True)
class Command:
    """A marker: `time` in seconds since the recording began."""

    time: float
    label: str


def opened(directory: Path, tenant: str, session: str, path: str) -> int:
    """A descriptor of the file, for reading. NoRecording."""
    found = _PATH.match(path)
    if found is None or (found[1], found[5]) != (tenant, session):
        raise NoRecording("the recording is not where it should be")
    *folders, name = path.split("/")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = -1
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for step in folders:
                below = os.open(step, flags | os.O_DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = below
            descriptor = os.open(name, flags | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no regular file")
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise NoRecording("the recording is not there") from error
    return descriptor


def digest(descriptor: int) -> tuple[str, int]:
    """SHA-256 in hexadecimal, and the size in bytes. Raises OSError."""
    whole, size = hashlib.sha256(), 0
    while piece := os.pread(descriptor, _PIECE, size):
        whole.update(piece)
        size += len(piece)
    return whole.hexdigest(), size


def commands(descriptor: int, seconds: float) -> tuple[list[Command], bool]:
    """The markers of a recording, and whether these are all: past MAX_COMMANDS, or `seconds`, it stops."""
    ends = time.monotonic() + seconds
    found: list[Command] = []
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        for number, line in enumerate(file, start=1):
            if b', "m", ' in line:
                marker = _marker(number, line)
                if marker is not None:
                    found.append(marker)
            if len(found) > MAX_COMMANDS or (not number % 1000 and time.monotonic() >= ends):
                return found[:MAX_COMMANDS], False
    return found, True


def _marker(number: int, line: bytes) -> Command | None:
    try:
        told = event(number, line)
    except BadRecording:
        return None  # the header may hold these letters, and a torn line is no command
    return Command(told.time, told.data) if told.code == "m" else None
