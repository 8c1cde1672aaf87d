"""The JSON Schema of policy files, for editors.

bastion policy schema > policy.schema.json
bastion policy schema --cases > cases.schema.json
"""

from __future__ import annotations

import argparse
import json


def configure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `schema` to the subcommands of `bastion policy`."""
    parser = commands.add_parser(
        "schema",
        help="the JSON Schema of policy files, for editors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", action="store_true", help="of files of cases instead")
    parser.set_defaults(command=_schema)


def _schema(arguments: argparse.Namespace) -> int:
    from bastion.policy import schema

    print(json.dumps(schema.cases() if arguments.cases else schema.policy(), indent=1))
    return 0
