"""List, play, export and verify recordings.

examples: bastion recordings list
          bastion recordings play 5d12c0ffee -s 2 -i 1
          bastion recordings export 5d12c0ffee --output case-7.cast
          bastion recordings verify 5d12c0ffee

`play` writes to your terminal what the session showed, as it is, so your terminal obeys it; it is put right at the end.
On a terminal it is handed to `asciinema play` where that is installed. Every fetch of a recording is in the audit
trail.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bastion.characters import shown
from bastion.cli import calling, player, tables
from bastion.cli.reach import Bastion, Told, named
from bastion.errors import OperatorError, OutsideError

_HEAD = ("SESSION", "STARTED", "LASTS", "SIZE", "COMMANDS", "VERIFIED")
_TELL_EVERY = 1.0
"""Seconds between two lines of progress."""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | play | export | verify")
    of_list = actions.add_parser(
        "list", help="closed recordings, the newest first", epilog="example: bastion recordings list --json"
    )
    calling.limit(of_list)
    calling.configure(of_list, json="print an array of objects, as the API tells them")
    of_play = actions.add_parser(
        "play",
        help="show on this terminal what a session showed, as it is",
        description="Play a recording with its pauses. It reaches your terminal raw, and your terminal obeys it; it is"
        " put right at the end.",
        epilog="example: bastion recordings play 5d12c0ffee -s 2 -i 1",
    )
    of_play.add_argument("session", metavar="SESSION")
    of_play.add_argument("-s", "--speed", type=float, default=1.0, metavar="N", help="so many times as fast")
    of_play.add_argument("-i", "--idle", type=float, default=None, metavar="SECONDS", help="no pause longer than this")
    calling.configure(of_play, json="")
    of_export = actions.add_parser(
        "export",
        help="write the asciicast file; never over another one",
        epilog="example: bastion recordings export 5d12c0ffee --output case-7.cast",
    )
    of_export.add_argument("session", metavar="SESSION")
    of_export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: SESSION.cast, here")
    of_export.add_argument("--force", action="store_true", help="in place of a file that is there")
    calling.configure(of_export)
    of_verify = actions.add_parser(
        "verify",
        help="compare the file with what the audit trail says; status 1 when it is another",
        epilog="example: bastion recordings verify 5d12c0ffee",
    )
    of_verify.add_argument("session", metavar="SESSION")
    calling.configure(of_verify)


def run(arguments: argparse.Namespace) -> int:
    with calling.bastion(arguments) as bastion:
        match arguments.action:
            case "list":
                return _list(bastion, arguments)
            case "play":
                return _play(bastion, arguments)
            case "export":
                return _export(bastion, arguments)
        return _verify(bastion, arguments)


def _list(bastion: Bastion, arguments: argparse.Namespace) -> int:
    found = list(bastion.items("/v1/recordings", calling.most(arguments)))
    now = time.time()
    tables.show(found, _HEAD, (_row(one, now) for one in found), json=arguments.json)
    return 0


def _row(one: Told, now: float) -> tuple[object, ...]:
    whole = {True: "whole", False: "NOT WHOLE"}.get(one.get("whole"))  # type: ignore[arg-type]  # None for a miss
    verified = f"{whole}, {tables.ago(one.get('verified'), now)}" if whole else "-"
    return (
        one.get("session"),
        tables.ago(one.get("started"), now),
        tables.span(float(one.get("duration", 0))),
        f"{one.get('size')} B",
        one.get("commands"),
        verified,
    )


def _play(bastion: Bastion, arguments: argparse.Namespace) -> int:
    pace = player.Pace.checked(arguments.speed, arguments.idle)
    with tempfile.TemporaryDirectory(prefix="bastion-") as folder:
        path = Path(folder) / "session.cast"
        with path.open("xb") as file:
            _fetch(bastion, named(arguments.session), file)
        return player.play(path, pace)


def _export(bastion: Bastion, arguments: argparse.Namespace) -> int:
    session = named(arguments.session)
    path = arguments.output or Path(f"{session}.cast")
    one = bastion.get(f"/v1/recordings/{session}")
    with _in_place(path, arguments.force) as file:
        sha256 = _fetch(bastion, session, file, one.get("size"))
        if sha256 != one.get("sha256"):
            raise OutsideError(
                f"the file has the digest {sha256}, and the catalogue says {shown(one.get('sha256'))}: nothing was"
                f" written; `bastion recordings verify {session}` asks the audit trail"
            )
    if arguments.json:
        print(json.dumps({**one, "file": str(path)}))
    else:
        print(f"{shown(str(path), 1000)}: {one.get('size')} bytes, sha256 {sha256}")
    return 0


def _verify(bastion: Bastion, arguments: argparse.Namespace) -> int:
    print("bastion: searching the audit trail, reading the file", file=sys.stderr)
    one = bastion.post(f"/v1/recordings/{named(arguments.session)}/verify")
    if arguments.json:
        print(json.dumps(one))
    elif one.get("whole"):
        digest = (one.get("trail") or {}).get("sha256")
        print(f"{shown(one.get('session'))}: whole: the audit trail has its digest, sha256 {shown(digest)}")
    else:
        print(f"{shown(one.get('session'))}: not proven: {shown(one.get('why'), 1000)}", file=sys.stderr)
    return 0 if one.get("whole") else 1


def _fetch(bastion: Bastion, session: str, file: BinaryIO, size: object = None) -> str:
    """The whole file; its SHA-256. What takes long is told on stderr."""
    digest, had, told = hashlib.sha256(), 0, time.monotonic()
    of = "" if size is None else f" of {shown(size)}"
    with bastion.body(f"/v1/recordings/{session}/cast") as pieces:
        for piece in pieces:
            try:
                file.write(piece)
            except OSError as error:
                raise OperatorError(f"the recording can not be written: {error.strerror}") from error
            digest.update(piece)
            had += len(piece)
            if sys.stderr.isatty() and time.monotonic() - told >= _TELL_EVERY:
                told = time.monotonic()
                print(f"bastion: {had}{of} bytes", file=sys.stderr)
    return digest.hexdigest()


@contextlib.contextmanager
def _in_place(path: Path, force: bool) -> Iterator[BinaryIO]:
    """A new file there, closed to others, once all of it is written; nothing of it when that fails. OperatorError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    reserved = False
    try:
        if not force:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            reserved = True
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            yield file
        beside.replace(path)
    except FileExistsError as error:
        raise OperatorError(f"{shown(str(path), 1000)} is there already: choose another, or say --force") from error
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if reserved:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OperatorError(f"{shown(str(path), 1000)} can not be written: {error.strerror}") from error
        raise
