"""What a request may carry, told once: read strictly by it, and described by it in the OpenAPI document.

A parameter that is not known, stands twice or is of another form is a BadRequest: what was meant to narrow an answer
and was not understood must not widen it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bastion.api.problems import BadRequest
from bastion.characters import NO_TEXT

MAX_TEXT = 256
"""Characters of a text in a query."""
_TEXT = "^[^\\u0000]*$"
"""As a schema says it; halves of characters are no JSON to begin with."""
_INTEGER = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")


_LATEST = 32503680000
"""Seconds since 1970: the year 3000. A time before or after what a trail can hold is its nearest end."""


@dataclass(frozen=True, slots=True)
class Param:
    """One member of a query or of a body. `kind` is `text`, `integer`, `boolean`, `time` or `choice`; `low` and `high`
    bound an integer, or the length of a text in characters."""

    name: str
    kind: str
    about: str
    low: int = 0
    high: int = MAX_TEXT
    choices: tuple[str, ...] = ()
    required: bool = False

    def read(self, text: str) -> Any:
        """From a query's text. BadRequest."""
        match self.kind:
            case "integer":
                if not _INTEGER.match(text) or not self.low <= int(text) <= self.high:
                    raise self._wrong()
                return int(text)
            case "boolean":
                if text not in ("true", "false"):
                    raise self._wrong()
                return text == "true"
            case "time":
                return self._time(text)
        return self.given(text)

    def given(self, value: object) -> Any:
        """From a body's value. BadRequest."""
        match self.kind:
            case "boolean" if isinstance(value, bool):
                return value
            case "integer" if isinstance(value, int) and not isinstance(value, bool):
                if self.low <= value <= self.high:
                    return value
            case "text" if isinstance(value, str):
                if self.low <= len(value) <= self.high and not NO_TEXT.search(value):
                    return value
            case "choice" if value in self.choices:
                return value
        raise self._wrong()

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        match self.kind:
            case "integer":
                return {"type": "integer", "minimum": self.low, "maximum": self.high}
            case "boolean":
                return {"type": "boolean"}
            case "time":
                return {"type": "string", "format": "date-time"}
            case "choice":
                return {"type": "string", "enum": list(self.choices)}
        return {"type": "string", "minLength": self.low, "maxLength": self.high, "pattern": _TEXT}

    def _time(self, text: str) -> float:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None or len(text) > 40:
                raise ValueError("no zone")
            return min(max(moment.timestamp(), 0), _LATEST)
        except (ValueError, OverflowError):
            raise self._wrong() from None

    def _wrong(self) -> BadRequest:
        kinds = {
            "integer": f"a whole number from {self.low} to {self.high}",
            "boolean": "true or false",
            "time": "a time with its zone, such as 2026-01-31T12:00:00Z",
            "choice": " or ".join(self.choices),
            "text": f"a text of {self.low} to {self.high} characters, without U+0000 and halves of characters",
        }
        return BadRequest(f"{self.name!r} must be {kinds[self.kind]}")


def query(params: Sequence[Param], given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The members of a query that are there. BadRequest."""
    known = {param.name: param for param in params}
    found: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            raise BadRequest(f"unknown parameter {name[:40]!a}; known are {', '.join(known) or 'none'}")
        if name in found:
            raise BadRequest(f"the parameter {name!r} stands twice")
        found[name] = known[name].read(text)
    return found


def members(params: Sequence[Param], body: object) -> dict[str, Any]:
    """The members of a body that are there. BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("expected a JSON object")
    known = {param.name: param for param in params}
    for name in body:
        if name not in known:
            raise BadRequest(f"unknown member {name[:40]!a}; known are {', '.join(known) or 'none'}")
    for param in params:
        if param.required and param.name not in body:
            raise BadRequest(f"the member {param.name!r} is missing")
    return {name: known[name].given(value) for name, value in body.items()}


def object_of(params: Sequence[Param]) -> Mapping[str, Any]:
    """A body of these members as JSON Schema."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {param.name: {**param.schema(), "description": param.about} for param in params},
        "additionalProperties": False,
    }
    required = [param.name for param in params if param.required]
    return {**schema, "required": required} if required else schema
