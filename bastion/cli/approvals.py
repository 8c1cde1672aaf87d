"""See what waits for people, and decide on it.

examples: bastion approvals list
          bastion approvals list --all --json
          bastion approvals show k7m2q9x4bd
          bastion approvals approve k7m2q9x4bd --comment 'go on'
          bastion approvals deny k7m2q9x4bd --comment 'not on a Friday'
          bastion approvals watch
          bastion approvals list --dir ~/bastion-demo --as rev@demo

Whoever runs this is the bastion's operator, sees all, and is in no group: policy names groups that decide, so an
operator decides on nothing here. Approvers use the console, or, in the demo, `--as`.

What a client wrote is shown with everything escaped that a terminal would obey or a person would not see.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from bastion.approvals.request import OPEN, State
from bastion.approvals.told import TAKES_COMMANDS
from bastion.characters import shown
from bastion.cli import calling, tables
from bastion.cli.reach import Bastion, NoEvent, Sent, Told, named
from bastion.errors import Denied, NoSuchRequest, OperatorError, OutsideError

_HEAD = ("ID", "STATE", "WHO", "WHERE", "ASKED", "ENDS", "RULE", "WHAT")
_AGAIN, _LONGEST = 1.0, 15.0
"""Seconds before a stream that ended is begun again: at first, and at most."""
GIVES_UP = 600.0
"""Seconds for which a bastion that does not answer any more is asked again."""
_OPERATOR = "; decide in the console, or in the demo with --dir DIR --as PERSON"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | show | approve | deny | watch")
    of_list = actions.add_parser(
        "list", help="what waits, the newest first", epilog="example: bastion approvals list --json"
    )
    which = of_list.add_mutually_exclusive_group()
    states = [state.value for state in State]
    which.add_argument("--state", choices=states, default="pending", help="those in this state (default pending)")
    which.add_argument("--all", action="store_true", help="whatever became of them")
    calling.limit(of_list)
    calling.configure(of_list, json="print an array of objects, as the API tells them")
    of_show = actions.add_parser(
        "show", help="one request, and what its session did before", epilog="example: bastion approvals show k7m2q9x4bd"
    )
    of_show.add_argument("id", metavar="ID")
    calling.configure(of_show)
    for name, told in (("approve", "let it run"), ("deny", "end it")):
        deciding = actions.add_parser(
            name, help=told, epilog=f"example: bastion approvals {name} k7m2q9x4bd --comment 'seen'"
        )
        deciding.add_argument("id", metavar="ID")
        deciding.add_argument("--comment", default="", metavar="TEXT", help="told to the one who asked, and kept")
        calling.configure(deciding)
        if name == "approve":
            deciding.add_argument(
                "--grant", action="store_true", help="give the rule for as long as policy says, not for once"
            )
    of_watch = actions.add_parser(
        "watch",
        help="a line for each that waits, and for each change",
        epilog="example: bastion approvals watch --json",
    )
    calling.configure(of_watch, json="print one object a line")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "watch":
        _watch(arguments)
    with calling.bastion(arguments) as bastion:
        match arguments.action:
            case "list":
                _list(bastion, arguments)
            case "show":
                _show(bastion, arguments)
            case _:
                _decide(bastion, arguments)
    return 0


def _list(bastion: Bastion, arguments: argparse.Namespace) -> None:
    state = None if arguments.all else arguments.state
    found = list(bastion.items("/v1/approvals", calling.most(arguments), state=state))
    now, none = time.time(), "nothing waits" if state == "pending" else "none"
    tables.show(found, _HEAD, (_row(one, now) for one in found), json=arguments.json, none=none)


def _row(one: Told, now: float) -> tuple[object, ...]:
    return (
        one.get("id"),
        one.get("state"),
        one.get("identity"),
        f"{one.get('account')}@{one.get('target')}",
        tables.ago(one.get("asked"), now),
        tables.ago(one.get("ends"), now),
        one.get("rule"),
        what(one),
    )


def what(one: Told) -> str:
    """What will run, by the API's words."""
    return str(one.get("text", "")).removesuffix("\\x0a") or f"(a whole {one.get('kind')})"


def _show(bastion: Bastion, arguments: argparse.Namespace) -> None:
    one = bastion.get(f"/v1/approvals/{named(arguments.id)}")
    if arguments.json:
        print(json.dumps(one))
        return
    print("\n".join([*tables.pairs(_told(one, time.time())), *_past(one)]))


def _told(one: Told, now: float) -> Iterator[tuple[str, object]]:
    yield "id", one.get("id")
    yield "state", f"{one.get('state')}{', of the kind that comes again' if one.get('mode') == 'return' else ''}"
    yield "who", f"{one.get('identity')} ({one.get('issuer')})"
    yield "groups", _listed(one.get("groups"))
    yield "owners", _listed(one.get("owners"))
    yield "from", one.get("source")
    yield "where", f"{one.get('account')}@{one.get('target')}"
    yield "directory", one.get("directory")
    yield "runs", what(one)
    if one.get("written") != one.get("text"):
        yield "written", one.get("written")
    if one.get("escaped") or one.get("written_escaped"):
        yield "note", "it has characters that are not seen, or that a terminal obeys; they stand escaped"
    if one.get("takes_commands"):
        yield "note", TAKES_COMMANDS
    yield "rule", f"{one.get('rule')} (policy {one.get('policy')})"
    yield "reason", one.get("reason")
    yield "found", _listed([*one.get("categories", []), *one.get("techniques", [])])
    yield "takes", " and ".join(f"{clause['count']} of {', '.join(clause['groups'])}" for clause in one.get("by", []))
    if one.get("state") == "pending":
        yield "missing", one.get("missing")
    yield "asked", tables.when(one.get("asked"), now)
    yield "ends", tables.when(one.get("ends"), now)
    if one.get("grants"):
        yield "grants", f"approvers may give this rule for {tables.span(one['grants'])} (--grant)"
    for vote in one.get("votes", []):
        yes = "approved" if vote.get("approves") else "denied"
        comment = f": {vote['comment']}" if vote.get("comment") else ""
        yield yes, f"by {vote.get('person')}, {tables.ago(vote.get('at'), now)}{comment}"
    yield "settled", tables.when(one.get("settled"), now)
    yield "why", one.get("why")
    yield "session", one.get("session")
    if not one.get("may_vote") and one.get("state") == "pending":
        yield "you", f"may not decide: {one.get('why_not')}"


def _past(one: Told) -> Iterator[str]:
    """What its session did before."""
    past = one.get("past", [])
    if past:
        yield ""
        yield "its session was judged before for:"
        yield from tables.table(
            ("TIME", "VERDICT", "RULE", "WHAT"),
            ((event.get("time"), event.get("effect"), event.get("rule"), event.get("text")) for event in past),
            tables.columns(),
        )
    if not one.get("past_whole", True):
        yield "(that is not all that it did)"


def _listed(values: Any) -> str:
    return ", ".join(map(str, values or []))


def _decide(bastion: Bastion, arguments: argparse.Namespace) -> None:
    body: dict[str, Any] = {"comment": arguments.comment} if arguments.comment else {}
    if arguments.action == "approve" and arguments.grant:
        body["grant"] = True
    try:
        one = bastion.post(f"/v1/approvals/{named(arguments.id)}/{arguments.action}", body)
    except Denied as error:
        raise Denied(f"{error}{'' if arguments.person else _OPERATOR}") from error
    if arguments.json:
        print(json.dumps(one))
    else:
        missing = one.get("missing")
        more = f"; {missing} more must approve" if one.get("state") == "pending" and missing else ""
        print(f"{shown(one.get('id'))}: {shown(one.get('state'))}{more}: {shown(what(one), 2000)}")


class _Watch:
    """What was told so far, which a lost connection does not lose. Life: `follow` again and again."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._told: dict[str, str] = {}
        self._last = ""
        self.begun = False
        self.lost: float | None = None
        """When the connection was lost, by the clock that only goes forward; None while there is one."""

    def follow(self) -> None:
        """Until the bastion ends the stream, for its age or its token's. The next one is asked for by a new token."""
        with calling.bastion(self._arguments) as bastion, bastion.stream("/v1/events", self._last) as events:
            # No id to go on from, or a gap. Asked once it is known that no change from now on will be missed.
            if not self._last or self.lost is not None:
                _all(bastion, self._arguments, self._told)
            if self.lost is not None:
                print("bastion: connected again", file=sys.stderr, flush=True)
            self.begun, self.lost = True, None
            for event in events:
                self._last = event.id or self._last
                if event.kind == "reset":
                    _all(bastion, self._arguments, self._told)
                elif event.kind == "approval":
                    _changed(bastion, self._arguments, self._told, _id(event))


def _watch(arguments: argparse.Namespace) -> NoReturn:
    """Until the user ends it. A connection that is lost is made again, for GIVES_UP seconds; the first one is not."""
    watch, wait = _Watch(arguments), _AGAIN
    while True:
        try:
            watch.follow()
            wait = _AGAIN
        except NoEvent:
            raise
        except (OutsideError, OperatorError) as error:
            now = time.monotonic()
            if not watch.begun or (watch.lost is not None and now - watch.lost >= GIVES_UP):
                raise
            if watch.lost is None:
                watch.lost, wait = now, _AGAIN
                print(f"bastion: {error}; trying again", file=sys.stderr, flush=True)
            else:
                wait = min(2 * wait, _LONGEST)
        time.sleep(wait)


def _id(event: Sent) -> str:
    match event.value:
        case {"id": str(id)}:
            return id
    raise NoEvent


def _all(bastion: Bastion, arguments: argparse.Namespace, told: dict[str, str]) -> None:
    for one in reversed(list(bastion.items("/v1/approvals", calling.MOST, state="pending"))):
        _line(one, arguments, told)


def _changed(bastion: Bastion, arguments: argparse.Namespace, told: dict[str, str], id: str) -> None:
    try:
        _line(bastion.get(f"/v1/approvals/{named(id)}"), arguments, told)
    except NoSuchRequest:
        told.pop(id, None)  # forgotten meanwhile


def _line(one: Told, arguments: argparse.Namespace, told: dict[str, str]) -> None:
    """Once for each state and number of votes."""
    id, state = str(one.get("id")), f"{one.get('state')} {len(one.get('votes', []))}"
    if told.get(id) == state:
        return
    told[id] = state
    if str(one.get("state")) not in OPEN:
        del told[id]
    if arguments.json:
        print(json.dumps(one), flush=True)
        return
    now = time.time()
    more = (
        f", {one['missing']} missing, ends {tables.ago(one.get('ends'), now)}" if one.get("state") == "pending" else ""
    )
    where = f"{one.get('identity')} at {one.get('account')}@{one.get('target')}"
    stamp = time.strftime("%H:%M:%S", time.gmtime(now))
    line = f"{stamp} {id} {one.get('state')}{more}: {where} ({one.get('rule')}): {what(one)}"
    print(shown(line, tables.MAX_CELL), flush=True)
