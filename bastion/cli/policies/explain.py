"""What a policy says of a command, and everything that led to it.

    bastion policy explain --policies policies --tenant demo --identity agent@demo --group agents \\
        --target demo --account deploy -- 'cat /etc/os-release | sort'

shows the tree of the text, each command in it, each rule that was tried on it, and the verdict. Several words after
`--` are joined by blanks, as ssh does; quote the command to keep the shell here from reading it. Identity, target and
account that are left out are names that no rule means.

--json prints one object; --batch FILE (- for standard input) takes JSON lines {"command": "…"} and prints one compact
object a line, in order. A line may have its own identity, groups, claims, target, labels, account, shell, terminal,
source and at.

Exit status: 0 when it was explained, whatever the verdict (`bastion policy test` is what fails); 1 when lines of a
batch could not be used; 2 when the policy can not be read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import orjson

from bastion.cli.policies import asking
from bastion.errors import OperatorError

MAX_STDIN = 1 << 20
"""Bytes of a standard input that are read; a script is judged up to far fewer."""


def configure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `explain` to the subcommands of `bastion policy`."""
    parser = commands.add_parser(
        "explain",
        help="show what a policy says of a command, and why",
        usage="bastion policy explain [OPTION...] -- COMMAND",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    asking.add_policy(parser)
    asking.add_asker(parser)
    parser.add_argument("--stdin", metavar="FILE", type=Path, help="what the command reads on its standard input")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--batch", metavar="FILE", type=Path, help="judge JSON lines from FILE, or - for stdin")
    parser.add_argument("words", metavar="COMMAND", nargs="*", help="the command, after --")
    parser.set_defaults(command=_explain, trouble=asking.EXIT_TROUBLE, parser=parser)


def _explain(arguments: argparse.Namespace) -> int:
    if bool(arguments.words) == (arguments.batch is not None):
        arguments.parser.error("name a command after --, or lines of commands with --batch")
    # Loaded when it is needed: other subcommands do not wait for the analysis.
    from bastion.cli.policies import batch, report
    from bastion.policy import loader
    from bastion.policy.explain import explain

    asker = asking.asker(arguments, time.time())
    folder = asking.policy_folder(arguments)
    policy = loader.load(folder)
    if arguments.batch is not None:
        return batch.run(policy, asker, arguments.batch)
    command = b" ".join(os.fsencode(word) for word in arguments.words)
    stdin = None if arguments.stdin is None else _stdin(arguments.stdin)
    explained = explain(policy, asker, command, stdin)
    if arguments.json:
        sys.stdout.buffer.write(orjson.dumps(explained.told(), option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    heading = report.Heading(folder, tuple(asking.untold(arguments)))
    report.write(report.lines(explained, policy, heading, asker))
    return 0


def _stdin(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_STDIN)
    except OSError as error:
        raise OperatorError(f"{path}: can not be read: {error.strerror}") from error
