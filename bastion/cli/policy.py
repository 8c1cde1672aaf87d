"""Check, try and compare policies before they ship.

bastion policy check policies/demo          every mistake, as file:line:column: message
bastion policy check --json policies/demo   the same for programs
bastion policy explain --tenant demo -- 'ls | wc -l'    what a policy says of a command, and why
bastion policy test policies/demo           the cases that lie beside the policy
bastion policy diff OLD NEW --recordings DIR   which past commands would now be judged otherwise
bastion policy schema                       the JSON Schema of policy files, for editors
bastion policy profiles show tar            what the analysis knows of a program
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bastion.characters import shown
from bastion.cli import MAX_LINE
from bastion.cli.policies import cases, diff, explain, profiles, schema
from bastion.errors import BadFile, OperatorError
from bastion.policy import told
from bastion.policy.loader import load, passed_over
from bastion.policy.model import Policy


def configure(parser: argparse.ArgumentParser) -> None:
    """One parser a subcommand; each names the function that runs it."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="read a tenant's policy and tell every mistake in it",
        description="Read all policy files of one tenant's folder, and tell every mistake at its place.",
        epilog="example: bastion policy check policies/demo && git push",
    )
    check.add_argument("directory", metavar="DIR", type=Path, help="the folder of one tenant's *.yaml files")
    check.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")
    check.set_defaults(command=_check)
    for subcommand in (explain, cases, diff, schema, profiles):
        subcommand.configure(commands)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand that was named."""
    try:
        return int(arguments.command(arguments))
    except OperatorError as error:
        trouble = getattr(arguments, "trouble", None)
        if trouble is None:
            raise
        for line in str(error).split("\n"):
            print(f"bastion policy: {shown(line, MAX_LINE)}", file=sys.stderr)
        if isinstance(error, BadFile) and getattr(arguments, "json", False):
            print(json.dumps({"ok": False, "problems": [told.problem(problem) for problem in error.problems]}))
        return int(trouble)


def _check(arguments: argparse.Namespace) -> int:
    try:
        policy = load(arguments.directory)
    except BadFile as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        if arguments.json:
            print(json.dumps({"ok": False, "problems": [told.problem(problem) for problem in error.problems]}))
        return 1
    ignored = passed_over(arguments.directory)
    for problem in ignored:
        print(f"warning: {problem}", file=sys.stderr)
    if arguments.json:
        warnings = [told.problem(problem) for problem in ignored]
        print(json.dumps({"ok": True, **told.policy(policy), "warnings": warnings}))
    else:
        print(_summary(policy, arguments.directory))
    return 0


def _summary(policy: Policy, directory: Path) -> str:
    files, rules = len(policy.files), len(policy.rules)
    mode = "observe (denies nothing)" if policy.observe else "enforce"
    return (
        f"{directory}: good: {rules} rule{'' if rules == 1 else 's'} in {files} file{'' if files == 1 else 's'}, "
        f"mode {mode}, default {policy.default.value}, undecidable {policy.undecidable.value}"
    )
