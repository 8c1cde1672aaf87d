"""What the API's JSON looks like: values of the services as objects, times as RFC 3339, texts of strangers escaped.

What a client, an agent or a target wrote is text for people here, and never anything else: hidden characters, controls
and bytes that are not UTF-8 stand as `\\xNN` or `\\u{NNNN}` (bastion.characters), and `escaped` says whether any did.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bastion.approvals.grant import Grant, live
from bastion.approvals.request import Person, Request, Vote, may_deny, refuses
from bastion.characters import shown
from bastion.kept import Certificate, Recording, Session
from bastion.targets.target import Target

MAX_SHOWN = 256 << 10
"""Characters of one text, before what is hidden is escaped; more than anything that is kept."""
IN_LIST = 1000
"""The same in lists, where a text that is longer ends in `…`, and `cut` says so."""

Told = dict[str, Any]


def moment(seconds: float | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def printed(text: bytes, most: int = MAX_SHOWN) -> tuple[str, bool]:
    """For people, and whether something of what is shown had to be escaped."""
    whole = text.decode("utf-8", "backslashreplace")
    safe = shown(whole, most)
    begin = whole if len(whole) <= most else f"{whole[:most]}…"
    return safe, safe != begin or not _is_utf_8(text)


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def target(found: Target) -> Told:
    return {
        "name": found.name,
        "address": f"[{found.host}]:{found.port}" if ":" in found.host else f"{found.host}:{found.port}",
        "labels": dict(found.labels),
        "accounts": [
            {"name": account.name, "shell": account.shell, "certificate": account.certificate}
            for account in found.accounts.values()
        ],
    }


def session(found: Session, *, contents: bool, most: int = MAX_SHOWN) -> Told:
    """`contents` False leaves out what was asked for, which is not for everyone to read."""
    command, escaped = printed(found.command, most)
    return {
        "id": found.id,
        "tenant": found.tenant,
        "live": found.ended is None,
        "connection": found.connection,
        "identity": found.identity,
        "issuer": found.issuer,
        "subject": found.subject,
        "principals": list(found.principals),
        "serial": found.serial,
        "source": found.source,
        "target": found.target,
        "account": found.account,
        "kind": found.kind,
        "command": command if contents else None,
        "escaped": escaped if contents else False,
        "cut": len(found.command) > most if contents else False,
        "recorded": bool(found.recording),
        "instance": found.instance,
        "started": moment(found.started),
        "ended": moment(found.ended),
        "status": found.status,
        "reason": found.reason,
        "ending": found.end_requested is not None and found.ended is None,
    }


def recording(found: Recording) -> Told:
    return {
        "session": found.session,
        "tenant": found.tenant,
        "sha256": found.sha256,
        "size": found.size,
        "commands": found.commands,
        "started": moment(found.started),
        "duration": round(found.duration, 3),
        "verified": moment(found.verified),
        "whole": found.whole,
    }


def certificate(found: Certificate) -> Told:
    return {
        "serial": found.serial,
        "tenant": found.tenant,
        "identity": found.identity,
        "issuer": found.issuer,
        "subject": found.subject,
        "principals": list(found.principals),
        "fingerprint": found.fingerprint,
        "source": found.source,
        "valid_after": moment(found.valid_after),
        "valid_before": moment(found.valid_before),
        "revoked": moment(found.revoked),
        "why": found.why,
    }


def grant(found: Grant, now: float) -> Told:
    return {
        "id": found.id,
        "tenant": found.holder.tenant,
        "identity": found.identity,
        "issuer": found.holder.issuer,
        "subject": found.holder.subject,
        "rule": found.holder.rule,
        "policy": found.holder.policy,
        "request": found.request,
        "by": list(found.by),
        "made": moment(found.made),
        "ends": moment(found.ends),
        "ended": moment(found.ended),
        "why": shown(found.why, MAX_SHOWN),
        "live": live(found, now),
    }


def approval(found: Request, person: Person, now: float, most: int = MAX_SHOWN) -> Told:
    """`person` is who looks: `may_vote`, `may_deny` and `why_not` are about them."""
    bound = found.bound
    text, escaped = printed(bound.text, most)
    written, also = printed(found.written, most)
    refused = refuses(found, person, now)
    return {
        "id": found.id,
        "state": found.state.value,
        "tenant": bound.tenant,
        "identity": bound.identity,
        "issuer": bound.issuer,
        "subject": bound.subject,
        "principals": list(found.principals),
        "groups": list(found.groups),
        "owners": list(found.owners),
        "serial": bound.serial,
        "source": found.source,
        "target": bound.target,
        "account": bound.account,
        "session": bound.session,
        "kind": bound.kind,
        "text": text,
        "escaped": escaped,
        "written": written,
        "written_escaped": also,
        "cut": max(len(bound.text), len(found.written)) > most,
        "directory": printed(bound.directory)[0],
        "rule": bound.rule,
        "reason": shown(found.reason, MAX_SHOWN),
        "categories": list(found.categories),
        "techniques": list(found.techniques),
        "takes_commands": found.takes_commands,
        "policy": bound.policy,
        "by": [{"groups": list(clause.by), "count": clause.count} for clause in found.clauses],
        "missing": found.missing,
        "asked": moment(found.asked),
        "ends": moment(found.ends),
        "mode": found.mode,
        "votes": [_vote(vote) for vote in found.votes],
        "may_vote": refused is None,
        "may_deny": may_deny(found, person, now),
        "why_not": refused,
        "settled": moment(found.settled),
        "why": _lines(found.why),
        "grants": found.may_grant,
    }


def _vote(vote: Vote) -> Told:
    return {
        "person": vote.person.name,
        "approves": vote.approves,
        "comment": _lines(vote.comment),
        "grant": vote.grant,
        "at": moment(vote.at),
    }


def _lines(text: str) -> str:
    """What a person wrote, line by line."""
    return "\n".join(shown(line, MAX_SHOWN) for line in text.split("\n"))


def past(events: Sequence[Told]) -> list[Told]:
    """Commands that a session was judged for, of the audit trail, the oldest first."""
    return [
        {
            "time": event.get("time"),
            "request": event.get("request"),
            "text": shown(event.get("text", ""), IN_LIST),
            "effect": event.get("effect"),
            "rule": event.get("rule"),
            "reason": shown(event.get("reason", ""), IN_LIST),
        }
        for event in reversed(events)
    ]
