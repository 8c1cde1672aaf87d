"""See sessions, watch a live one, end it.

examples: bastion sessions list --live
          bastion sessions show 5d12c0ffee
          bastion sessions watch 5d12c0ffee
          bastion sessions kill 5d12c0ffee --reason 'not what was agreed'

`watch` writes to your terminal what the session shows, as it is, so your terminal obeys it; it takes no keys, and puts
the terminal right at its end. Everything else here escapes what a terminal would obey.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

from bastion.characters import shown
from bastion.cli import calling, tables
from bastion.cli.reach import Bastion, Sent, Told, named
from bastion.cli.terminal import Lent, size
from bastion.errors import OutsideError

_HEAD = ("ID", "WHO", "WHERE", "KIND", "STARTED", "STATE", "WHAT")


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | show | watch | kill")
    of_list = actions.add_parser(
        "list", help="sessions, the newest first", epilog="example: bastion sessions list --live --json"
    )
    which = of_list.add_mutually_exclusive_group()
    which.add_argument("--live", action="store_true", help="only those that live")
    which.add_argument("--past", action="store_true", help="only those that are over")
    calling.limit(of_list)
    calling.configure(of_list, json="print an array of objects, as the API tells them")
    of_show = actions.add_parser("show", help="one session", epilog="example: bastion sessions show 5d12c0ffee")
    of_show.add_argument("id", metavar="ID")
    calling.configure(of_show)
    of_watch = actions.add_parser(
        "watch",
        help="show on this terminal what a live session shows, as it is",
        description="Show what a live session shows, as it is recorded. It reaches your terminal raw, and your terminal"
        " obeys it; it is put right at the end. Ctrl-C stops watching, and the session goes on.",
        epilog="example: bastion sessions watch 5d12c0ffee",
    )
    of_watch.add_argument("id", metavar="ID")
    calling.configure(of_watch, json="print the asciicast's events, a line each")
    of_kill = actions.add_parser(
        "kill", help="end a live session", epilog="example: bastion sessions kill 5d12c0ffee --reason 'by mistake'"
    )
    of_kill.add_argument("id", metavar="ID")
    of_kill.add_argument(
        "--reason", default="ended on the command line", metavar="TEXT", help="told to whom it hits, and kept"
    )
    calling.configure(of_kill)


def run(arguments: argparse.Namespace) -> int:
    with calling.bastion(arguments) as bastion:
        match arguments.action:
            case "list":
                _list(bastion, arguments)
            case "show":
                _show(bastion, arguments)
            case "watch":
                _watch(bastion, arguments)
            case _:
                _kill(bastion, arguments)
    return 0


def _list(bastion: Bastion, arguments: argparse.Namespace) -> None:
    live = True if arguments.live else False if arguments.past else None
    found = list(bastion.items("/v1/sessions", calling.most(arguments), live=live))
    now = time.time()
    tables.show(found, _HEAD, (_row(one, now) for one in found), json=arguments.json)


def _row(one: Told, now: float) -> tuple[object, ...]:
    return (
        one.get("id"),
        one.get("identity"),
        f"{one.get('account')}@{one.get('target')}",
        one.get("kind"),
        tables.ago(one.get("started"), now),
        _state(one),
        _command(one),
    )


def _state(one: Told) -> str:
    if one.get("live"):
        return "ending" if one.get("ending") else "live"
    status = one.get("status")
    return f"exit {status}" if status is not None else "over"


def _command(one: Told) -> str:
    command = one.get("command")
    return "(not for you to see)" if command is None else str(command).removesuffix("\\x0a") or "-"


def _show(bastion: Bastion, arguments: argparse.Namespace) -> None:
    one = bastion.get(f"/v1/sessions/{named(arguments.id)}")
    print(json.dumps(one) if arguments.json else "\n".join(tables.pairs(_told(one, time.time()))))


def _told(one: Told, now: float) -> Iterator[tuple[str, object]]:
    yield "id", one.get("id")
    yield "state", _state(one)
    yield "who", f"{one.get('identity')} ({one.get('issuer')})"
    yield "principals", ", ".join(map(str, one.get("principals", [])))
    yield "certificate", one.get("serial")
    yield "from", one.get("source")
    yield "where", f"{one.get('account')}@{one.get('target')}"
    yield "kind", one.get("kind")
    yield "command", _command(one)
    yield "started", tables.when(one.get("started"), now)
    yield "ended", tables.when(one.get("ended"), now)
    yield "reason", one.get("reason")
    yield "recorded", "yes" if one.get("recorded") else "no"
    yield "bastion", one.get("instance")


def _kill(bastion: Bastion, arguments: argparse.Namespace) -> None:
    one = bastion.post(f"/v1/sessions/{named(arguments.id)}/terminate", {"reason": arguments.reason})
    if arguments.json:
        print(json.dumps(one))
    else:
        print(f"{shown(one.get('id'))}: {'is ending' if one.get('live') else 'ended'}: {shown(_command(one), 2000)}")


def _watch(bastion: Bastion, arguments: argparse.Namespace) -> None:
    with bastion.stream(f"/v1/sessions/{named(arguments.id)}/live") as events:
        if arguments.json:
            for event in events:
                print(json.dumps({"kind": event.kind or "event", "data": event.value}), flush=True)
            return
        ended = False
        with Lent() as lent:
            for event in events:
                ended = _shown(event, lent)
    if not ended:
        raise OutsideError("the bastion ended the stream: the session may go on")
    print("bastion: the session is over", file=sys.stderr)


def _shown(event: Sent, lent: Lent) -> bool:
    """One event of the stream; whether it is the last."""
    match event.kind, event.value:
        case "header", {"width": int(width), "height": int(height)}:
            mine = size()
            if mine is not None and (mine[0] < width or mine[1] < height):
                print(f"bastion: its terminal is {width}x{height}, larger than this one", file=sys.stderr)
        case "gap", {"bytes": int(lost)}:
            print(f"\r\nbastion: this connection was too slow: {lost} bytes are missing here\r", file=sys.stderr)
        case "end", _:
            return True
        case "", [_, "o", str(text)]:
            lent.write(text)
    return False
