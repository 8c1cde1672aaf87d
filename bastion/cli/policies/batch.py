"""Many commands judged by one policy: JSON lines in, one compact JSON object a line out, in order.

A line is `{"command": "…"}`, with `"stdin"` where its standard input is known. It may have members of its own for who
and where (those of bastion.policy.asker, such as `identity` and `target`), which replace what the options say. Others
are passed over.

A line that can not be used gets `{"error": "…", "line": N}` in its place, and the exit status is 1 in the end.

What comes alone is answered at once, so that a program may ask, read the answer, and ask again. What comes in hundreds
is shared among as many processes as there are processors.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from multiprocessing.pool import Pool
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import orjson

from bastion.errors import OperatorError
from bastion.policy.asker import Asker, BadAsker
from bastion.policy.explain import explain
from bastion.policy.model import Policy

log = logging.getLogger(__name__)

STDIN = Path("-")
PIECE = 1 << 20
"""Bytes that are read at once."""
MANY = 400
"""Lines from which on processes share the work: fewer are done before they would have begun."""
PART = 100
"""Lines that a process takes at a time."""


class BadLine(ValueError):
    """A line that can not be used; the message says why."""


class Source(Protocol):
    """Where lines come from; `read1` gives what is there, and waits only where there is nothing."""

    def read1(self, size: int, /) -> bytes: ...


def run(policy: Policy, asker: Asker, source: Path) -> int:
    """Judge every line of `source` (`-` is standard input). The exit status."""
    gc.freeze()  # the policy stays as it is: nobody needs to look through it for garbage again and again
    with contextlib.ExitStack() as stack:
        # What CPython has as standard input is buffered, and has read1.
        lines = cast(Source, sys.stdin.buffer) if source == STDIN else stack.enter_context(_opened(source))
        with Workers(policy, asker) as workers:
            return serve(lines, workers, sys.stdout.buffer)


def answers(policy: Policy, asker: Asker, lines: Iterable[bytes], first: int = 1) -> Iterator[dict[str, object]]:
    """One object a line; those with a key `error` are about lines that could not be used. `first` numbers them."""
    for number, line in enumerate(lines, first):
        try:
            yield _answer(policy, asker, line)
        except BadLine as error:
            yield {"error": str(error), "line": number}


def read_line(line: bytes) -> object:
    """One line of JSON. BadLine for what is none."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass  # orjson takes no lone surrogate; the slower reader does
    try:
        return json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise BadLine("not a line of JSON in UTF-8") from None


def command_of(values: object) -> tuple[bytes, bytes | None]:
    """The members `command` and `stdin` of a JSON object. BadLine when there is none. A lone surrogate, which no text
    has, becomes bytes that are not UTF-8: those get a verdict, too."""
    if not isinstance(values, dict) or "command" not in values:
        raise BadLine('expected an object such as {"command": "uptime"}')
    texts = [values["command"], values.get("stdin")]
    if not isinstance(texts[0], str) or not isinstance(texts[1], str | None):
        raise BadLine("'command' and 'stdin' must be text")
    command, stdin = (None if text is None else text.encode("utf-8", "surrogatepass") for text in texts)
    return command or b"", stdin


def _answer(policy: Policy, asker: Asker, line: bytes) -> dict[str, object]:
    values = read_line(line)
    command, stdin = command_of(values)
    try:
        one = asker.but(values) if isinstance(values, dict) and len(values) > 1 else asker
    except BadAsker as error:
        raise BadLine(str(error)) from error
    return explain(policy, one, command, stdin, trace=False).told()


# -- many at once


class Workers:
    """Judges lines, alone or with other processes, which are started when they are first worth it. A context."""

    def __init__(self, policy: Policy, asker: Asker) -> None:
        self._judged = (policy, asker)
        self._pool: Pool | None = None
        self._alone = len(os.sched_getaffinity(0)) < 2

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()

    def judge(self, lines: Sequence[bytes], first: int) -> Iterator[tuple[bytes, bool]]:
        """The answers, several lines at a time and in order, and whether all of those lines could be used."""
        parts = [(lines[start : start + PART], first + start) for start in range(0, len(lines), PART)]
        if len(lines) >= MANY and not self._alone:
            self._begin()
        if self._pool is not None and len(lines) >= MANY:
            yield from self._pool.imap(_part, parts)
        else:
            for part in parts:
                yield _judge(self._judged, *part)

    def _begin(self) -> None:
        if self._pool is not None:
            return
        explain(*self._judged, b"psql -c 'select 1'")  # what is loaded when it is first needed, each would load again
        try:
            # A fork has the policy already; nothing else runs in this process that could mind.
            context = multiprocessing.get_context("fork")
            self._pool = context.Pool(initializer=_worker, initargs=self._judged)
        except OSError as error:
            log.info("judging in one process, since others can not be started: %s", error)
            self._alone = True


_judging: tuple[Policy, Asker] | None = None
"""What a worker's process judges by; set once in each of them, never in this one."""


def _worker(policy: Policy, asker: Asker) -> None:
    global _judging
    _judging = (policy, asker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _part(part: tuple[Sequence[bytes], int]) -> tuple[bytes, bool]:
    if _judging is None:
        raise RuntimeError("a worker without a policy")
    return _judge(_judging, *part)


def _judge(judging: tuple[Policy, Asker], lines: Sequence[bytes], first: int) -> tuple[bytes, bool]:
    found = list(answers(*judging, lines, first))
    return b"".join(orjson.dumps(one) + b"\n" for one in found), not any("error" in one for one in found)


def serve(source: Source, workers: Workers, out: BinaryIO) -> int:
    """Answer line by line until the source ends. The exit status."""
    status, number = 0, 1
    for lines in _lines(source):
        for answer, good in workers.judge(lines, number):
            out.write(answer)
            status = status if good else 1
        out.flush()
        number += len(lines)
    return status


def _lines(source: Source) -> Iterator[list[bytes]]:
    """Whole lines, as many as are there; the last one may lack its end."""
    begun: list[bytes] = []
    while piece := source.read1(PIECE):
        *whole, rest = piece.split(b"\n")
        if whole:
            whole[0] = b"".join((*begun, whole[0]))
            begun = []
            yield whole
        if rest:
            begun.append(rest)
    if begun:
        yield [b"".join(begun)]


def _opened(source: Path) -> BufferedReader:
    try:
        return source.open("rb")
    except OSError as error:
        raise OperatorError(f"{source}: can not be read: {error.strerror}") from error
