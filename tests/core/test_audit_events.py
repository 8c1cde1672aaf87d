"""The catalogue of events: documented whole, bounded, and with no place for a secret."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from bastion.audit import events
from bastion.audit.events import MAX_COMMAND, MAX_MEMBERS, CommandJudged, Event, PolicyRejected
from bastion.audit.log import TAIL_BYTES

ROOM = Path(events.__file__).parents[1]

CATALOGUE: list[type[Event]] = sorted(
    (
        item
        for item in vars(events).values()
        if isinstance(item, type) and issubclass(item, Event) and hasattr(item, "kind")
    ),
    key=lambda kind: kind.kind,
)

SAMPLES: dict[str, object] = {
    "str": "text",
    "int": 2**64 - 1,
    "float": 1.5,
    "bool": True,
    "bool | None": True,
    "bytes": b"uptime",
    "bytes | None": b"'uptime'",
    "str | None": "text",
    "int | None": 7,
    "tuple[str, ...]": ("a", "b"),
    "tuple[str, ...] | None": ("a", "b"),
    "tuple[str | bytes, ...]": ("LANG", b"\xff"),
}


def sample(kind: type[Event]) -> Event:
    """An event of `kind` with every field set."""
    values: dict[str, Any] = {field.name: SAMPLES[str(field.type)] for field in dataclasses.fields(kind)}
    return kind(**values)


def test_the_table_is_the_catalogue() -> None:
    """The table in the module's docstring names every kind of event, each once, and no other."""
    assert events.__doc__ is not None
    table = re.findall(r"^    ([a-z]+(?:-[a-z]+)+|admitted|revoked)  ", events.__doc__, re.MULTILINE)
    assert sorted(table) == [kind.kind for kind in CATALOGUE]
    assert len(CATALOGUE) >= 20


def test_every_kind_of_event_is_told_by_someone() -> None:
    """What nobody makes would promise an investigator a line that never comes."""
    catalogue = {ROOM / "audit" / name for name in ("event.py", "events.py", "approval_events.py")}
    files = [path.read_text() for path in ROOM.rglob("*.py") if path not in catalogue]
    made = {name for text in files for name in re.findall(r"\b([A-Z]\w+)\(", text)}
    assert {kind.__name__ for kind in CATALOGUE} <= made


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.kind)
def test_every_event_can_be_written(kind: type[Event]) -> None:
    """Every field of every event comes out under its own name, as JSON."""
    record = sample(kind).record()
    assert record["kind"] == kind.kind
    assert {field.name for field in dataclasses.fields(kind)} <= record.keys()
    assert orjson.loads(orjson.dumps(record)) == record


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.kind)
def test_what_is_not_known_is_left_out(kind: type[Event]) -> None:
    """A field that is None has no key in the line."""
    optional = {field.name: None for field in dataclasses.fields(kind) if str(field.type).endswith("None")}
    assert not optional.keys() & dataclasses.replace(sample(kind), **optional).record().keys()


def test_a_line_is_shorter_than_the_tail_that_is_checked() -> None:
    """The longest event that there can be is well within the part of the log that is read when it is opened."""
    text, command = "\x00" * 5000, b"\x00" * (MAX_COMMAND + 1)
    names = tuple(text for _ in range(MAX_MEMBERS + 1))
    values: dict[str, Any] = {"str": text, "bytes": command, "bytes | None": command, "int": 2**64 - 1}
    values |= {"bool | None": True}
    values |= {"int | None": 2**64 - 1, "str | None": text, "tuple[str | bytes, ...]": names, "tuple[str, ...]": names}
    longest = CommandJudged(**{field.name: values[str(field.type)] for field in dataclasses.fields(CommandJudged)})
    assert 500_000 < len(orjson.dumps(longest.record())) < TAIL_BYTES // 2


def test_a_list_is_bounded_and_says_so() -> None:
    """Of more than 64 problems the first 64 are told, and how many there were."""
    record = PolicyRejected(tenant="acme", problems=tuple(f"problem {n}" for n in range(100))).record()
    problems = record["problems"]
    assert isinstance(problems, list)
    assert len(problems) == MAX_MEMBERS
    assert record["problems_count"] == 100


def test_an_escaped_member_of_a_list_is_told() -> None:
    """Which members of a list were escaped is told by place."""
    record = PolicyRejected(tenant="acme", problems=("plain", "two\nlines")).record()
    assert record["problems"] == ["plain", r"two\x0alines"]
    assert record["problems_escaped"] == [False, True]


def test_another_type_is_refused() -> None:
    """An event can hold text, numbers and lists of text; anything else is a fault of the code that made it."""
    wrong: Any = {"a": 1}
    with pytest.raises(TypeError, match="can not hold a dict"):
        PolicyRejected(tenant=wrong, problems=()).record()
