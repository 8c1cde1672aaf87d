"""Past commands from an audit trail: what `command-judged` told of each exec, and who had asked.

The groups of an identity are told once, when its certificate is issued; they are found by tenant and serial. Claims and
labels are not in the trail. Texts that were escaped are had back byte for byte.

Limits: the chain is not checked here (`bastion audit verify` does). Of a command that was too long for the trail there
is the beginning, which is too long to be judged, too. Groups whose list was cut count as not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from bastion.audit.text import unescape


@dataclass(frozen=True, slots=True)
class Judged:
    """One command. `groups` is None where the trail does not tell them; `moment` is in seconds since 1970."""

    session: str
    tenant: str
    command: bytes
    principals: tuple[str, ...]
    groups: frozenset[str] | None
    target: str
    account: str
    source: str
    moment: float | None
    stdin: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A line that tells no command, though it should."""

    line: int
    why: str


def read(lines: Iterable[bytes]) -> Iterator[Judged | Unusable]:
    """Every exec that was judged, in order."""
    issued: dict[tuple[str, int], Mapping[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        if b'"certificate-issued"' not in line and b'"command-judged"' not in line:
            continue
        try:
            record = orjson.loads(line)
            if record["kind"] == "certificate-issued":
                issued[record["tenant"], record["serial"]] = record
            elif record["kind"] == "command-judged" and record["request"] == "exec":
                yield _judged(record, issued.get((record["tenant"], record["serial"]), {}))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            yield Unusable(number, f"not a line of an audit trail that can be used ({type(error).__name__})")


def _judged(record: Mapping[str, Any], issued: Mapping[str, Any]) -> Judged:
    groups = issued.get("groups")
    whole = groups is not None and "groups_count" not in issued
    return Judged(
        session=str(record["session"]),
        tenant=str(record["tenant"]),
        command=_bytes(record, "text"),
        principals=tuple(issued.get("principals", ())) or (str(record["identity"]),),
        groups=frozenset(map(str, groups)) if whole and groups is not None else None,
        target=str(record["target"]),
        account=str(record["account"]),
        source=str(record["source"]),
        moment=_moment(record.get("time")),
        stdin=_bytes(record, "script") if "script" in record else None,
    )


def _bytes(record: Mapping[str, Any], name: str) -> bytes:
    text = str(record[name])
    return unescape(text) if record.get(f"{name}_escaped") else text.encode()


def _moment(text: object) -> float | None:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
