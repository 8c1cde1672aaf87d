"""JSON lines that name commands: `{"command": "…"}`, with `"stdin"` where the standard input is known."""

from __future__ import annotations

import json

import orjson

from bastion.policy.asker import Text


class BadLine(ValueError):
    """A line that can not be used; the message says why."""


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


def command_of(values: object) -> Text:
    """The members `command` and `stdin` of a JSON object. BadLine when there is none. A lone surrogate, which no text
    has, becomes bytes that are not UTF-8: those get a verdict, too."""
    if not isinstance(values, dict) or "command" not in values:
        raise BadLine('expected an object such as {"command": "uptime"}')
    texts = [values["command"], values.get("stdin")]
    if not isinstance(texts[0], str) or not isinstance(texts[1], str | None):
        raise BadLine("'command' and 'stdin' must be text")
    command, stdin = (None if text is None else text.encode("utf-8", "surrogatepass") for text in texts)
    return command or b"", stdin
