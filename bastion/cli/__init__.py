"""The command `bastion`: one file a subcommand, imported only when it is called (`ssh` runs `bastion cert` often).

A subcommand's module has `configure(parser)` and `run(arguments) -> exit status`. Errors of the tree in
bastion.errors end as one line (or one a problem) on stderr. Exit statuses: 0; 1 an error; 2 wrong usage (argparse's);
3 there is no such thing; 4 one may not.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from bastion import __version__
from bastion.characters import shown
from bastion.errors import BastionError, ClientError, Denied, MayNotVote, NoSuchRequest

MAX_LINE = 4000
"""Characters of one line of an error."""

EXIT_USAGE, EXIT_NO_SUCH, EXIT_MAY_NOT = 2, 3, 4

COMMANDS = {
    "serve": "run the bastion (systemd runs this)",
    "demo": "run a bastion, a target and an issuer on this machine, to try it",
    "cert": "trade an OIDC token for a short-lived SSH certificate",
    "login": "the same for people: sign in with a browser",
    "ssh-config": "print what OpenSSH needs to reach targets through the bastion",
    "policy": "check, explain, test and compare policies",
    "mask": "show what output would look like by a policy's masks",
    "approvals": "see what waits for people, and decide on it",
    "sessions": "see sessions, watch a live one, end it",
    "recordings": "list, play, export and verify recordings",
    "grants": "see what was given for a while, and take it back",
    "audit": "search the audit trail, follow it, check that it is whole",
    "ca": "make the bastion's authorities, show them, revoke certificates",
    "doctor": "say what is missing or unsafe",
}


class WrongUsage(ClientError):
    """Options that do not go together, or a value that is none."""


def counted(number: int, name: str) -> str:
    """`1 rule`, `2 rules`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that has no `…` gets an escape, and not a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"bastion {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        print(f"bastion: no command {name!r}\n\n{_overview()}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"bastion.cli.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"bastion {name}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(parser)
    try:
        return int(module.run(parser.parse_args(rest)))
    except BastionError as error:
        # Who makes a message escapes what it quotes; this is for what was forgotten.
        told = "\n".join(shown(line, MAX_LINE) for line in str(error).split("\n"))
        print(f"bastion {name}: {told}", file=sys.stderr)
        return _status(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read our output has had enough (`| head`); what is still in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _status(error: BastionError) -> int:
    match error:
        case WrongUsage():
            return EXIT_USAGE
        case NoSuchRequest():
            return EXIT_NO_SUCH
        case Denied() | MayNotVote():
            return EXIT_MAY_NOT
    return 1


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(["usage: bastion COMMAND [OPTION...]", "", *lines, "", "bastion COMMAND --help shows an example."])
