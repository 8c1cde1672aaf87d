"""Past commands from wherever they were kept: recordings, an audit trail, a file of JSON lines.

A session that is in the trail and in a recording is one command: the trail has its text byte for byte, the script
on its standard input and, where the recording is an old one, its groups; the recording has claims and labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bastion.audit import past as trail
from bastion.cli.policies import batch
from bastion.document import shown
from bastion.errors import OperatorError
from bastion.policy.asker import Asker, BadAsker, Pairs
from bastion.recording import past as recordings
from bastion.recording.past import Past


@dataclass
class Found:
    """`notes` are what could not be used, each a line for people; `others` counts recordings that hold no command."""

    commands: list[Past] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    others: int = 0


def collect(directory: Path | None, audit: Path | None, commands: Path | None, asker: Asker, tenant: str) -> Found:
    """All past commands; `asker` and `tenant` are for lines of `commands` that leave them out. OperatorError where a
    source can not be read at all."""
    found = Found()
    recorded = {} if directory is None else _recorded(directory, found)
    if audit is not None:
        _audited(audit, found, recorded)
    found.commands.extend(recorded.values())
    if commands is not None:
        _listed(commands, found, asker, tenant)
    return found


def with_labels(found: Found, labels: Mapping[str, Pairs]) -> None:
    """Targets that nobody told labels of get those of `labels`, by their names."""
    found.commands = [
        one
        if one.asker.labels or one.asker.target not in labels
        else dataclasses.replace(one, asker=dataclasses.replace(one.asker, labels=labels[one.asker.target]))
        for one in found.commands
    ]


def _recorded(directory: Path, found: Found) -> dict[tuple[str, str], Past]:
    recorded: dict[tuple[str, str], Past] = {}
    for number, one in enumerate(recordings.read(directory)):
        if isinstance(one, recordings.Skipped):
            if one.torn:
                found.notes.append(f"{one.file}: skipped: {one.why}")
            else:
                found.others += 1
            continue
        if one.torn:
            found.notes.append(f"{one.torn}: its end is torn; its command is compared all the same")
        recorded[one.tenant, one.session or f"number {number}"] = one
    return recorded


def _audited(audit: Path, found: Found, recorded: dict[tuple[str, str], Past]) -> None:
    with _lines(audit) as lines:
        for one in trail.read(lines):
            if isinstance(one, trail.Unusable):
                found.notes.append(f"{shown(audit)}:{one.line}: skipped: {one.why}")
                continue
            key = (one.tenant, one.session)
            recorded[key] = _joined(one, recorded.get(key))


def _joined(one: trail.Judged, recorded: Past | None) -> Past:
    if recorded is not None:
        asker, groups = recorded.asker, one.groups
        if recorded.groups_known or groups is None:
            return dataclasses.replace(recorded, command=one.command, stdin=one.stdin)
        asker = dataclasses.replace(asker, groups=groups, identity=one.principals)
        return dataclasses.replace(recorded, command=one.command, stdin=one.stdin, asker=asker, groups_known=True)
    asker = Asker(
        identity=one.principals,
        groups=one.groups or frozenset(),
        target=one.target,
        account=one.account,
        source=one.source,
        at=one.moment,
    )
    return Past(one.session, one.tenant, one.command, asker, one.groups is not None, stdin=one.stdin)


def _listed(commands: Path, found: Found, asker: Asker, tenant: str) -> None:
    with _lines(commands) as lines:
        for number, line in enumerate(lines, 1):
            try:
                values = batch.read_line(line)
                command, stdin = batch.command_of(values)
                one, whose = _asked(values, asker, tenant)
            except (batch.BadLine, BadAsker) as error:
                found.notes.append(f"{shown(commands)}:{number}: skipped: {error}")
                continue
            found.commands.append(Past("", whose, command, one, groups_known=True, stdin=stdin))


def _asked(values: object, asker: Asker, tenant: str) -> tuple[Asker, str]:
    """Who and whose, where the line says so."""
    if not isinstance(values, dict):
        return asker, tenant
    whose = values.get("tenant", tenant)
    if not isinstance(whose, str):
        raise batch.BadLine("'tenant' must be text")
    return asker.but(values), whose


def _lines(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise OperatorError(f"{shown(path)}: can not be read: {error.strerror}") from error
