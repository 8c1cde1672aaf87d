"""Search the audit trail, follow it, check that it is whole.

examples: bastion audit tail -f
          bastion audit search --identity agent@demo --since 2h
          bastion audit search --kind command-judged --text sudo --json
          bastion audit verify /var/lib/bastion/audit.jsonl

`tail` and `search` ask the running bastion, of one tenant; what they print of clients is escaped.

`verify` follows the chain from the first line to the last, and exits with 1 at the first line that does not hold: one
that was altered, taken out, put in or moved. The trail of a bastion that runs can be verified too.

What it can not see: lines cut off the end, and a whole file written anew. Keep the `seq` and `digest` that it prints,
or the lines themselves, on another machine: a trail that no longer has that line was cut or replaced.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bastion.audit.chain import Broken, verify
from bastion.cli import trail as running
from bastion.errors import OperatorError

MAX_LINE = 4 << 20
"""Bytes; no line that the bastion writes is as long."""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="tail | search | verify")
    running.configure(actions)
    check = actions.add_parser("verify", help="follow the whole chain; status 1 when it does not hold")
    check.add_argument("file", type=Path, metavar="FILE", help="the file that bastion.yaml names as `audit`")
    check.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action != "verify":
        return running.run(arguments)
    file = arguments.file
    try:
        with _open(file) as trail:
            head = verify(_lines(trail))
    except OSError as error:
        raise OperatorError(f"{file}: can not be read: {error.strerror}") from error
    except Broken as error:
        if arguments.json:
            print(json.dumps({"ok": False, "file": str(file), "line": error.line, "reason": error.reason}))
        print(f"{file}:{error.line}: the chain does not hold: {error.reason}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"ok": True, "file": str(file), "seq": head.seq, "digest": head.digest}))
    else:
        print(f"{file}: whole: {head.seq} line(s), seq {head.seq}, digest {head.digest}")
    return 0


def _open(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # not blocking: a FIFO would wait for ever
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OperatorError(f"{path}: not a plain file")
    return os.fdopen(descriptor, "rb")


def _lines(trail: BinaryIO) -> Iterator[bytes]:
    """The lines that are there now. Of a trail that is being written, the last one counts once it has its end."""
    writing = _is_written(trail)
    left = os.fstat(trail.fileno()).st_size
    while left > 0:
        line = trail.readline(min(left, MAX_LINE))
        left -= len(line)
        if not line or (writing and left <= 0 and not line.endswith(b"\n")):
            return
        yield line


def _is_written(trail: BinaryIO) -> bool:
    """Whether a bastion has it open: it holds the lock for as long as it runs."""
    try:
        fcntl.flock(trail, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(trail, fcntl.LOCK_UN)
    return False
