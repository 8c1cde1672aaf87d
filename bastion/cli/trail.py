"""`bastion audit tail` and `search`: the audit trail as the running bastion finds it.

The bastion looks for so many seconds a request and says where it stopped; what is left is asked for until there are
enough events, or none more. Events that belong to no tenant are not among them: the file has them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bastion.cli import calling, tables

if TYPE_CHECKING:
    from bastion.cli.reach import Bastion, Told

EVERY = 2.0
"""Seconds between two looks of `tail --follow`."""
_SPAN = re.compile(r"([0-9]{1,6})(s|m|h|d)\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EXACT = ("kind", "identity", "target", "session", "text")
_TEXTS = ("text", "command", "reason", "action", "why", "comment", "entry", "status")
"""Members of events that say most in a line, the first that is there."""
_HEAD = ("TIME", "KIND", "WHO", "TARGET", "WHAT")


def configure(actions: Any) -> None:
    """The two subcommands, beside those of the file."""
    tail = actions.add_parser("tail", help="the newest events", epilog="example: bastion audit tail -n 20 -f")
    tail.add_argument("-f", "--follow", action="store_true", help="and those that come, until Ctrl-C")
    search = actions.add_parser(
        "search",
        help="events that fit, the newest first",
        epilog="example: bastion audit search --since 2h --text sudo",
    )
    search.add_argument("--kind", help="such as command-judged")
    search.add_argument("--identity", help="the name, whole")
    search.add_argument("--target", help="the name, whole")
    search.add_argument("--session", metavar="ID")
    search.add_argument("--text", help="stands anywhere in the event, in whichever case")
    search.add_argument("--since", metavar="TIME", help="not before: 2h, or 2026-01-31T12:00:00Z")
    search.add_argument("--until", metavar="TIME", help="before")
    for parser in (tail, search):
        calling.limit(parser)
    calling.configure(tail, json="print one object a line")
    calling.configure(search, json="print an array of objects, as they stand in the trail")


def run(arguments: argparse.Namespace) -> int:
    with calling.bastion(arguments) as bastion:
        if arguments.action == "tail":
            _tail(bastion, arguments)
        else:
            _search(bastion, arguments)
    return 0


def _search(bastion: Bastion, arguments: argparse.Namespace) -> None:
    now = time.time()
    sought = {name: getattr(arguments, name) for name in _EXACT}
    sought |= {name: moment(getattr(arguments, name), now) for name in ("since", "until")}
    found = list(_found(bastion, calling.most(arguments), sought))
    tables.show(found, _HEAD, map(_row, found), json=arguments.json)


def _found(bastion: Bastion, most: int, sought: dict[str, str | None]) -> Iterator[Told]:
    """The newest first; says on stderr that it goes on where a search takes more than one look."""
    from bastion.cli.reach import PAGE

    cursor: str | None = None
    while most > 0:
        page = bastion.get("/v1/audit", limit=min(most, PAGE), cursor=cursor, **sought)
        found = page.get("items", [])
        yield from found
        most -= len(found)
        cursor = page.get("next")
        if cursor is None:
            return
        if not page.get("whole", True):
            print("bastion: the trail is long: looking further back", file=sys.stderr)


def _tail(bastion: Bastion, arguments: argparse.Namespace) -> None:
    last, since = 0, None
    most = calling.most(arguments)
    while True:
        found = list(_found(bastion, most, {"since": since}))
        for event in reversed(found):
            number = event.get("seq")
            if isinstance(number, int) and number <= last:
                continue  # of the same moment as the last one
            last = number if isinstance(number, int) else last
            since = str(event.get("time"))
            print(json.dumps(event) if arguments.json else tables.line(_row(event), tables.columns()), flush=True)
        if not arguments.follow:
            return
        most = calling.MOST
        time.sleep(EVERY)


def _row(event: Told) -> tuple[object, ...]:
    who = event.get("identity") or event.get("person") or "-"
    target = event.get("target")
    account = event.get("account")
    what = next((str(event[name]) for name in _TEXTS if event.get(name)), "")
    effect = f"{event['effect']} ({event.get('rule')})" if event.get("effect") else event.get("state", "")
    place = f"{account}@{target}" if account and target else target or "-"
    return (
        str(event.get("time", ""))[:19],
        event.get("kind"),
        who,
        place,
        ": ".join(str(part) for part in (effect, what) if part),
    )


def moment(text: str | None, now: float) -> str | None:
    """A time as the API takes it: `2h` is so long ago; what is neither it says itself."""
    found = _SPAN.match(text) if text else None
    if found is None:
        return text
    at = now - int(found[1]) * _UNITS[found[2]]
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
