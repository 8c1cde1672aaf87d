"""What people are told of a request for approval: as JSON for programs, and as a message that Slack draws.

Nothing is told that the request itself does not hold, and of no text more than MAX_TEXT characters. What a client wrote
is text: hidden characters stand escaped (bastion.characters), and Slack's own markup is not obeyed, so that no command
can name a channel, draw a link or end the frame it is shown in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from bastion.approvals.request import Request
from bastion.approvals.told import TAKES_COMMANDS, needed
from bastion.characters import shown

MAX_TEXT = 2500
"""Characters; a section of Slack's has at most 3000, escapes included."""
_SHORT = 300
_MAX_SLACK = 2900


class Kind(StrEnum):
    REQUESTED = "approval.requested"
    REMINDED = "approval.reminded"
    SETTLED = "approval.settled"


_TITLES = {Kind.REQUESTED: "Waits for approval", Kind.REMINDED: "Still waits for approval"}


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(kind: Kind, request: Request, link: str, now: float) -> bytes:
    """As Standard Webhooks recommends: `type`, `timestamp`, `data`."""
    bound = request.bound
    data = {
        "id": request.id,
        "state": request.state.value,
        "tenant": bound.tenant,
        "identity": shown(bound.identity),
        "groups": [shown(group) for group in request.groups[:100]],
        "source": request.source,
        "target": bound.target,
        "account": bound.account,
        "session": bound.session,
        "kind": bound.kind,
        "text": shown(bound.text, MAX_TEXT),
        "whole": len(bound.text.decode("utf-8", "backslashreplace")) <= MAX_TEXT,
        "rule": bound.rule,
        "reason": shown(request.reason, MAX_TEXT),
        "categories": list(request.categories),
        "techniques": list(request.techniques),
        "takes_commands": request.takes_commands,
        "by": [{"groups": list(clause.by), "count": clause.count} for clause in request.clauses],
        "missing": request.missing,
        "mode": request.mode,
        "asked": moment(request.asked),
        "ends": moment(request.ends),
        "votes": [{"person": shown(vote.person.name), "approves": vote.approves} for vote in request.votes],
        "why": shown(request.why, MAX_TEXT),
        "link": link or None,
    }
    return orjson.dumps({"type": kind.value, "timestamp": moment(now), "data": data})


def slack(kind: Kind, request: Request, link: str) -> bytes:
    """Blocks, and `text` for where they are not drawn."""
    bound = request.bound
    title = _TITLES.get(kind, request.state.value.capitalize())
    where = f"{bound.account}@{bound.target}"
    summary = f"{title}: {shown(bound.identity)} at {shown(where)} ({bound.rule})"
    blocks: list[Mapping[str, Any]] = [
        {"type": "header", "text": _text(f"{title}: {request.id}"[:150])},
        _what(request),
        {"type": "section", "fields": [_text(f"{name}: {value}") for name, value in _fields(kind, request, where)]},
    ]
    if link:
        blocks.append(
            {"type": "section", "text": {"type": "mrkdwn", "text": f"<{_address(link)}|Open it in the console>"}}
        )
    return orjson.dumps({"text": _escaped(shown(summary, _SHORT)), "blocks": blocks})


def _fields(kind: Kind, request: Request, where: str) -> list[tuple[str, str]]:
    """At most ten, which is Slack's bound."""
    bound = request.bound
    fields = [
        ("Who", f"{bound.identity}, from {request.source}"),
        ("Where", where),
        ("Rule", f"{bound.rule}: {request.reason}"),
    ]
    if request.takes_commands:
        fields.append(("Note", TAKES_COMMANDS))
    if kind is Kind.SETTLED:
        people = ", ".join(f"{vote.person.name} ({'yes' if vote.approves else 'no'})" for vote in request.votes)
        return [*fields, ("Decided by", people or "nobody"), ("Why", request.why or "-")]
    until = datetime.fromtimestamp(request.ends, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [*fields, ("Takes", " and ".join(needed(request))), ("Until", until)]


def _what(request: Request) -> Mapping[str, Any]:
    """What will run. In a frame, where nothing in it could end the frame."""
    text = shown(request.bound.text, MAX_TEXT) or f"(a whole {request.bound.kind})"
    escaped = _escaped(text)
    if "`" in text or len(escaped) > _MAX_SLACK:
        return {"type": "section", "text": _text(text, _MAX_SLACK)}
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"```{escaped}```"}}


def _text(value: str, bound: int = _SHORT) -> Mapping[str, Any]:
    """Text in which Slack sees no markup; cut so that escapes fit."""
    safe = shown(value, bound)
    while len(_escaped(safe)) > _MAX_SLACK:
        safe = safe[: len(safe) * 3 // 4] + "…"
    return {"type": "plain_text", "text": _escaped(safe), "emoji": False}


def _escaped(text: str) -> str:
    """The three characters that Slack's text has escapes for."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _address(link: str) -> str:
    return _escaped(link).replace("|", "%7C")
