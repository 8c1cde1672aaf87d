"""Many commands judged by one policy: JSON lines in, one compact JSON object a line out, in order.

A line is `{"command": "…"}` and may have members of its own for who and where (those of bastion.policy.asker, such as
`identity` and `target`), which replace what the options say. Others are passed over.

A line that can not be used gets `{"error": "…", "line": N}` in its place, and the exit status is 1 in the end.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from bastion.errors import OperatorError
from bastion.policy.asker import Asker, BadAsker
from bastion.policy.explain import explain
from bastion.policy.model import Policy

STDIN = Path("-")


class BadLine(ValueError):
    """A line that can not be used; the message says why."""


def run(policy: Policy, asker: Asker, source: Path) -> int:
    """Judge every line of `source` (`-` is standard input). The exit status."""
    gc.freeze()  # the policy stays as it is: nobody needs to look through it for garbage again and again
    if source == STDIN:
        return _write(answers(policy, asker, sys.stdin.buffer), sys.stdout.buffer, at_once=True)
    with _opened(source) as lines:
        return _write(answers(policy, asker, lines), sys.stdout.buffer, at_once=False)


def answers(policy: Policy, asker: Asker, lines: Iterable[bytes]) -> Iterator[dict[str, object]]:
    """One object a line; those with a key `error` are about lines that could not be used."""
    for number, line in enumerate(lines, 1):
        try:
            yield _answer(policy, asker, line)
        except BadLine as error:
            yield {"error": str(error), "line": number}


def command_of(values: object) -> bytes:
    """The member `command` of a JSON object. BadLine when there is none. A lone surrogate, which no text has,
    becomes bytes that are not UTF-8: those get a verdict, too."""
    if not isinstance(values, dict) or "command" not in values:
        raise BadLine('expected an object such as {"command": "uptime"}')
    command = values["command"]
    if not isinstance(command, str):
        raise BadLine("'command' must be text")
    return command.encode("utf-8", "surrogatepass")


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


def _answer(policy: Policy, asker: Asker, line: bytes) -> dict[str, object]:
    values = read_line(line)
    command = command_of(values)
    try:
        one = asker.but(values) if isinstance(values, dict) and len(values) > 1 else asker
    except BadAsker as error:
        raise BadLine(str(error)) from error
    return explain(policy, one, command, trace=False).told()


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise OperatorError(f"{source}: can not be read: {error.strerror}") from error


def _write(found: Iterable[dict[str, object]], out: BinaryIO, *, at_once: bool) -> int:
    """`at_once`: each answer leaves as it is made, for a program that waits for it before it asks the next."""
    status = 0
    for answer in found:
        if "error" in answer:
            status = 1
        out.write(orjson.dumps(answer) + b"\n")
        if at_once:
            out.flush()
    out.flush()
    return status
