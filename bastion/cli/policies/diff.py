"""Which past commands would now be judged otherwise.

    bastion policy diff policies /tmp/new --recordings /var/lib/bastion/recordings
    bastion policy diff policies/demo /tmp/new/demo --audit /var/lib/bastion/audit.jsonl --json
    git worktree add /tmp/main main && bastion policy diff /tmp/main/policies policies --commands past.jsonl

OLD and NEW are one tenant's folders, or folders that hold one folder a tenant. The commands, and who asked for them
where, come from the headers of recordings, from an audit trail, or from JSON lines such as {"command": "uptime",
"tenant": "demo", "identity": "agent@demo", "groups": ["agents"], "target": "web-1", "account": "deploy"}; the options
say what a line leaves out. Where nothing tells an identity's groups (old recordings), each group that a rule names is
tried.

Exit status, as that of diff: 0 no command would be judged otherwise, 1 some would, 2 trouble.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bastion.characters import shown
from bastion.cli.policies import asking
from bastion.errors import BadFile, OperatorError, Problem
from bastion.policy.told import place

if TYPE_CHECKING:
    from bastion.policy.compare import Comparison, Difference
    from bastion.policy.decision import Decision
    from bastion.recording.past import Past

EXIT_DIFFERENT = 1
MAX_TOLD = 2000
"""Characters of a command that is told to people."""


@dataclass(frozen=True, slots=True)
class Row:
    """One difference, and how often it was asked for."""

    tenant: str
    found: Difference
    times: int


def configure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `diff` to the subcommands of `bastion policy`."""
    parser = commands.add_parser(
        "diff",
        help="which past commands would now be judged otherwise",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", type=Path, help="the policy that was")
    parser.add_argument("new", metavar="NEW", type=Path, help="the policy that would be")
    parser.add_argument("--recordings", metavar="DIR", type=Path, help="a folder of recordings, with all below it")
    parser.add_argument("--audit", metavar="FILE", type=Path, help="an audit trail")
    parser.add_argument("--commands", metavar="FILE", type=Path, help="JSON lines")
    parser.add_argument("--inventory", metavar="FILE", type=Path, help="labels of targets, where the source has none")
    parser.add_argument("--tenant", metavar="T", help="only this tenant's commands")
    parser.add_argument("--rules", action="store_true", help="tell also where only the deciding rule is another one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asking.add_asker(parser)
    parser.set_defaults(command=_diff, trouble=asking.EXIT_TROUBLE)


def _diff(arguments: argparse.Namespace) -> int:
    if arguments.recordings is None and arguments.audit is None and arguments.commands is None:
        raise OperatorError("diff: where are the past commands? Say --recordings DIR, --audit FILE or --commands FILE")
    from bastion.cli.policies import past
    from bastion.targets import inventory

    asker = asking.asker(arguments, time.time())
    found = past.collect(arguments.recordings, arguments.audit, arguments.commands, asker, arguments.tenant or "")
    if arguments.inventory is not None:
        targets = inventory.load(arguments.inventory, arguments.tenant or "").targets
        past.with_labels(found, {target.name: tuple(sorted(target.labels.items())) for target in targets})
    if arguments.tenant is not None:
        # What no source says the tenant of is taken to be of the one that was named.
        mine = [one for one in found.commands if one.tenant in ("", arguments.tenant)]
        found.commands = [dataclasses.replace(one, tenant=arguments.tenant) for one in mine]
    comparisons = _comparisons(arguments, {one.tenant for one in found.commands}, found.notes)
    rows, compared = _rows(comparisons, found.commands)
    if arguments.json:
        print(json.dumps(_told(rows, compared, found.notes)))
    else:
        for line in _lines(rows, compared, found.others):
            print(line)
    if not compared:
        print("no past command was compared: is this where they are?", file=sys.stderr)
    for note in found.notes:
        print(shown(note, MAX_TOLD), file=sys.stderr)
    return EXIT_DIFFERENT if rows else 0


def _comparisons(arguments: argparse.Namespace, tenants: set[str], notes: list[str]) -> dict[str, Comparison]:
    """One a tenant. Raises BadFile with every problem of both policies; OperatorError when it is not clear which."""
    from bastion.policy import loader
    from bastion.policy.compare import Comparison

    sides = (arguments.old, arguments.new)
    for side in sides:
        if not side.is_dir():
            raise OperatorError(f"{side}: no such folder")
    alone = [side for side in sides if any(True for _ in side.glob("*.yaml"))]
    if alone and len(tenants) > 1:
        names = ", ".join(sorted(tenants))
        raise OperatorError(f"{alone[0]} is one tenant's policy, and the commands are of {names}: say --tenant")
    comparisons: dict[str, Comparison] = {}
    problems: list[Problem] = []
    for tenant in sorted(tenants):
        several = [side for side in sides if side not in alone and tenant]
        missing = [side for side in several if not asking.is_tenant(tenant) or not (side / tenant).is_dir()]
        if missing:
            notes.append(f"{missing[0]}: no policy of the tenant {tenant!r}: its commands are skipped")
            continue
        policies = []
        for side in sides:
            try:
                policies.append(loader.load(asking.tenant_folder(side, tenant or None)))
            except BadFile as error:
                problems.extend(error.problems)
        if len(policies) == len(sides):
            comparisons[tenant] = Comparison(*policies, rules=arguments.rules)
    if problems:
        raise BadFile(problems)
    return comparisons


def _rows(comparisons: dict[str, Comparison], commands: list[Past]) -> tuple[list[Row], int]:
    """The differences, the strictest changes first, and how many commands were compared."""
    counted: Counter[tuple[str, Difference]] = Counter()
    compared = 0
    for one in commands:
        comparison = comparisons.get(one.tenant)
        if comparison is None:
            continue
        compared += 1
        counted.update(
            (one.tenant, found) for found in comparison.differences(one.command, one.asker, one.groups_known, one.stdin)
        )
    rows = [Row(tenant, found, times) for (tenant, found), times in counted.items()]
    rows.sort(key=lambda row: (-row.found.change, row.tenant, -row.times, row.found.command))
    return rows, compared


# -- what is printed


def _lines(rows: list[Row], compared: int, others: int) -> Iterator[str]:
    titles = {1: "STRICTER", -1: "LOOSER", 0: "BY ANOTHER RULE"}
    title = ""
    for row in rows:
        change = row.found.change
        sign = (change > 0) - (change < 0)
        if titles[sign] != title:
            title = titles[sign]
            yield title
        yield from _row(row)
    counts = Counter((row.found.change > 0) - (row.found.change < 0) for row in rows)
    told = [f"{counts[sign]} {titles[sign].lower()}" for sign in (1, -1, 0) if counts[sign]]
    yield f"{compared} past command{'' if compared == 1 else 's'} compared: " + (", ".join(told) or "no difference")
    if others:
        yield f"{others} recording{'' if others == 1 else 's'} of shells and the like, which name no command"


def _row(row: Row) -> Iterator[str]:
    found = row.found
    command = found.command.decode("utf-8", "backslashreplace")
    times = f"  ({row.times} times)" if row.times > 1 else ""
    tenant = f", tenant {row.tenant}" if row.tenant else ""
    assumed = f", taken to be in the group {found.assumed}, which nothing tells" if found.assumed else ""
    yield f"  {shown(command, MAX_TOLD)}{times}"
    yield f"      {shown(str(found.asker), MAX_TOLD)}{tenant}{assumed}"
    yield f"      was  {_verdict(found.old)}"
    yield f"      now  {_verdict(found.new)}: {shown(found.new.reason, MAX_TOLD)}"
    if found.new.remedy:
        yield f"           {shown(found.new.remedy, MAX_TOLD)}"
    yield ""


def _verdict(decision: Decision) -> str:
    at = "" if decision.place is None else f" ({decision.place})"
    return f"{decision.effect.value} by {decision.rule}{at}"


def _told(rows: list[Row], compared: int, notes: list[str]) -> dict[str, object]:
    return {"compared": compared, "differences": [_difference(row) for row in rows], "skipped": notes}


def _difference(row: Row) -> dict[str, object]:
    found, asker = row.found, row.found.asker
    return {
        "tenant": row.tenant or None,
        "command": found.command.decode("utf-8", "backslashreplace"),
        "identity": list(asker.identity),
        "groups": sorted(asker.groups),
        "assumed_group": found.assumed or None,
        "target": asker.target,
        "account": asker.account,
        "times": row.times,
        "stricter": found.change > 0,
        "old": _decision(found.old),
        "new": _decision(found.new),
    }


def _decision(decision: Decision) -> dict[str, object]:
    return {
        "effect": decision.effect.value,
        "rule": decision.rule,
        "place": place(decision.place),
        "reason": decision.reason,
        "policy": decision.policy,
    }
