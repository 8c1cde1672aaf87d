"""See what was given for a while, and take it back.

examples: bastion grants list
          bastion grants list --all --json
          bastion grants revoke k7m2q9x4bd --reason 'an incident'

A grant lets one identity use one rule until a fixed time without asking again. Revoking one ends what runs under it.
"""

from __future__ import annotations

import argparse
import json
import time

from bastion.characters import shown
from bastion.cli import calling, tables
from bastion.cli.reach import Bastion, Told, named

_HEAD = ("ID", "STATE", "WHO", "RULE", "MADE", "ENDS", "BY")


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | revoke")
    of_list = actions.add_parser(
        "list", help="grants in force, the newest first", epilog="example: bastion grants list --all"
    )
    of_list.add_argument("--all", action="store_true", help="also those that are over")
    calling.limit(of_list)
    calling.configure(of_list, json="print an array of objects, as the API tells them")
    of_revoke = actions.add_parser(
        "revoke",
        help="end one, and what runs under it",
        epilog="example: bastion grants revoke k7m2q9x4bd --reason 'an incident'",
    )
    of_revoke.add_argument("id", metavar="ID")
    of_revoke.add_argument("--reason", metavar="TEXT", help="why: whom it hits is told, and the audit trail has it")
    calling.configure(of_revoke)


def run(arguments: argparse.Namespace) -> int:
    with calling.bastion(arguments) as bastion:
        if arguments.action == "list":
            _list(bastion, arguments)
        else:
            body = {} if arguments.reason is None else {"reason": arguments.reason}
            one = bastion.post(f"/v1/grants/{named(arguments.id)}/revoke", body)
            told = f"{shown(one.get('id'))}: revoked: {shown(one.get('rule'))} for {shown(one.get('identity'))}"
            print(json.dumps(one) if arguments.json else told)
    return 0


def _list(bastion: Bastion, arguments: argparse.Namespace) -> None:
    found = list(bastion.items("/v1/grants", calling.most(arguments), live=None if arguments.all else True))
    now = time.time()
    tables.show(found, _HEAD, (_row(one, now) for one in found), json=arguments.json)


def _row(one: Told, now: float) -> tuple[object, ...]:
    return (
        one.get("id"),
        "live" if one.get("live") else "ended" if one.get("ended") else "over",
        one.get("identity"),
        one.get("rule"),
        tables.ago(one.get("made"), now),
        tables.ago(one.get("ends"), now),
        ", ".join(map(str, one.get("by", []))),
    )
