"""Run the cases that lie beside a policy: commands with the verdicts that its author expects.

    bastion policy test policies/demo        the cases of one tenant's folder (its *.cases.yaml)
    bastion policy test                      those of every tenant below policies

    version: 1
    as: {identity: agent@demo, groups: [agents], target: demo, account: deploy}
    cases:
      - {command: uptime, effect: allow, rule: look-around}
      - {commands: ["rm -rf /", "sudo id"], effect: deny}

A case that fails is told at its place, with what was decided and why. Rules that decided no case are named.

Exit status: 0 when every case is as expected; 1 when one is not; 2 when a policy or its cases can not be read, or there
are none.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bastion.characters import shown
from bastion.cli.policies import asking
from bastion.errors import BadFile, OperatorError, Problem
from bastion.policy.told import place

if TYPE_CHECKING:
    from bastion.policy.cases import Result
    from bastion.policy.model import Rule

EXIT_FAILED = 1
MAX_TOLD = 2000
"""Characters of one line about a case."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One folder. `never` are the rules that decided no case, of `rules` that a case can be about."""

    folder: Path
    results: tuple[Result, ...]
    rules: int
    never: tuple[Rule, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.good)


def configure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `test` to the subcommands of `bastion policy`."""
    parser = commands.add_parser(
        "test",
        help="run the cases that lie beside a policy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "directories",
        metavar="DIR",
        nargs="*",
        type=Path,
        default=[Path("policies")],
        help="one tenant's folder, or one that holds such folders (default: policies)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_test, trouble=asking.EXIT_TROUBLE)


def _test(arguments: argparse.Namespace) -> int:
    tested: list[Tested] = []
    problems: list[Problem] = []
    without: list[Path] = []
    for folder in _folders(arguments.directories):
        try:
            found = _tested(folder)
        except BadFile as error:
            problems.extend(error.problems)
            continue
        if found is None:
            without.append(folder)
        else:
            tested.append(found)
    if problems:
        raise BadFile(problems)
    if not tested:
        raise OperatorError(
            f"{', '.join(map(str, without))}: no cases here: expected at least one file NAME.cases.yaml"
        )
    failed = sum(len(one.failed) for one in tested)
    if arguments.json:
        print(json.dumps({"ok": not failed, "policies": [_told(one) for one in tested]}))
    else:
        for one in tested:
            _print(one)
        for folder in without:
            print(f"{folder}: no cases", file=sys.stderr)
    return EXIT_FAILED if failed else 0


def _folders(directories: list[Path]) -> list[Path]:
    """Each folder of policy files, named or one level below. OperatorError where there is none."""
    folders = []
    for directory in directories:
        if any(True for _ in directory.glob("*.yaml")):
            folders.append(directory)
            continue
        below = [directory / name for name in asking.tenants_of(directory)] if directory.is_dir() else []
        if not below:
            raise OperatorError(f"{directory}: no policy here, and no folder of one tenant's policy")
        folders.extend(below)
    return folders


def _tested(folder: Path) -> Tested | None:
    """None where there are no cases. Raises BadFile."""
    from bastion.policy import cases, loader

    policy = loader.load(folder)
    if not cases.files(folder):
        return None
    results = cases.run(policy, cases.load(folder))
    return Tested(folder, results, len(cases.testable(policy)), cases.never_exercised(policy, results))


def _print(tested: Tested) -> None:
    for result in tested.failed:
        case = result.case
        about = f" ({case.about})" if case.about else ""
        print(f"{case.place}: {shown(case.command, MAX_TOLD)}{about}")
        for label, text in (("as", str(case.asker)), ("expected", result.expected), ("decided", result.decided)):
            print(f"    {label:<8}  {shown(text, MAX_TOLD)}")
    total, bad = len(tested.results), len(tested.failed)
    verdict = f"{total} case{'' if total == 1 else 's'} as expected" if not bad else f"{bad} of {total} cases failed"
    print(f"{tested.folder}: {verdict}; {tested.rules - len(tested.never)} of {tested.rules} rules exercised")
    for rule in tested.never:
        print(f"    no case is decided by {rule.id} ({rule.place})")


def _told(tested: Tested) -> dict[str, object]:
    return {
        "folder": str(tested.folder),
        "cases": len(tested.results),
        "failed": [result.told() for result in tested.failed],
        "rules": tested.rules,
        "never_exercised": [{"rule": rule.id, "place": place(rule.place)} for rule in tested.never],
    }
