"""What every event of the audit trail is: a pure value that knows its line. The catalogue is bastion.audit.events."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from bastion.audit.text import told

MAX_TEXT = 1 << 10
MAX_COMMAND = 16 << 10
MAX_MEMBERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root. `kind` is the name in the trail."""

    kind: ClassVar[str]

    def record(self) -> dict[str, object]:
        """The event as it is written, without what the log adds."""
        entries: dict[str, object] = {"kind": self.kind}
        for field in dataclasses.fields(self):
            entries.update(_entries(field.name, getattr(self, field.name)))
        return entries


def _entries(name: str, value: object) -> dict[str, object]:
    match value:
        case None:
            return {}
        case bool() | int() | float():
            return {name: value}
        case bytes():
            return told(name, value, MAX_COMMAND)
        case str():
            return told(name, value, MAX_TEXT)
        case tuple():
            members = [told(name, member, MAX_TEXT) for member in value[:MAX_MEMBERS]]
            entries: dict[str, object] = {name: [member[name] for member in members]}
            for suffix in ("_escaped", "_whole"):
                marks = [member.get(name + suffix, False) for member in members]
                if any(marks):
                    entries[name + suffix] = marks
            if len(value) > MAX_MEMBERS:
                entries[f"{name}_count"] = len(value)
            return entries
    raise TypeError(f"an event can not hold a {type(value).__name__} ({name})")
