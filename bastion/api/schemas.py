"""The shapes of answers and bodies as JSON Schema, by name: `components/schemas` of the OpenAPI document.

An object is closed: a member that is not told here is not answered, which the tests hold against every answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bastion.approvals.request import State

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
YES: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXTS: Schema = {"type": "array", "items": TEXT}


def maybe(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def closed(members: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def page(of: str) -> Schema:
    return closed({"items": listed(ref(of)), "next": maybe(TEXT)})


def and_(name: str, more: Mapping[str, Schema]) -> Schema:
    """A schema of SCHEMAS with more members."""
    base = SCHEMAS[name]
    return closed({**base["properties"], **more})


_WHO = {"tenant": TEXT, "identity": TEXT, "issuer": TEXT, "subject": TEXT}
_DIGEST = closed({"sha256": TEXT, "size": NUMBER})
_OPEN: Schema = {"type": "object"}

SCHEMAS: dict[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "properties": {"type": TEXT, "title": TEXT, "status": NUMBER, "detail": TEXT},
        "required": ["type", "title", "status", "detail"],
    },
    "Me": closed(
        {
            **_WHO,
            "principals": TEXTS,
            "groups": TEXTS,
            "roles": listed({"enum": ["viewer", "auditor", "approver", "operator"]}),
            "how": {"enum": ["token", "cookie", "socket"]},
        }
    ),
    "Target": closed(
        {
            "name": TEXT,
            "address": TEXT,
            "labels": {"type": "object", "additionalProperties": TEXT},
            "accounts": listed(closed({"name": TEXT, "shell": TEXT, "certificate": YES})),
        }
    ),
    "Session": closed(
        {
            **_WHO,
            "id": TEXT,
            "live": YES,
            "connection": TEXT,
            "principals": TEXTS,
            "serial": NUMBER,
            "source": TEXT,
            "target": TEXT,
            "account": TEXT,
            "kind": TEXT,
            "command": maybe(TEXT),
            "escaped": YES,
            "cut": YES,
            "recorded": YES,
            "instance": TEXT,
            "started": TIME,
            "ended": maybe(TIME),
            "status": maybe(NUMBER),
            "reason": TEXT,
            "ending": YES,
        }
    ),
    "Recording": closed(
        {
            "session": TEXT,
            "tenant": TEXT,
            "sha256": TEXT,
            "size": NUMBER,
            "commands": NUMBER,
            "started": TIME,
            "duration": {"type": "number"},
            "verified": maybe(TIME),
            "whole": maybe(YES),
        }
    ),
    "Verified": closed(
        {"session": TEXT, "whole": maybe(YES), "why": TEXT, "file": maybe(_DIGEST), "trail": maybe(_DIGEST)}
    ),
    "Approval": closed(
        {
            **_WHO,
            "id": TEXT,
            "state": {"enum": [state.value for state in State]},
            "principals": TEXTS,
            "groups": TEXTS,
            "owners": TEXTS,
            "serial": NUMBER,
            "source": TEXT,
            "target": TEXT,
            "account": TEXT,
            "session": TEXT,
            "kind": TEXT,
            "text": TEXT,
            "escaped": YES,
            "written": TEXT,
            "written_escaped": YES,
            "cut": YES,
            "directory": TEXT,
            "rule": TEXT,
            "reason": TEXT,
            "categories": TEXTS,
            "techniques": TEXTS,
            "takes_commands": YES,
            "policy": TEXT,
            "by": listed(closed({"groups": TEXTS, "count": NUMBER})),
            "missing": NUMBER,
            "asked": TIME,
            "ends": TIME,
            "mode": {"enum": ["hold", "return"]},
            "votes": listed(closed({"person": TEXT, "approves": YES, "comment": TEXT, "grant": YES, "at": TIME})),
            "may_vote": YES,
            "may_deny": YES,
            "why_not": maybe(TEXT),
            "settled": maybe(TIME),
            "why": TEXT,
            "grants": NUMBER,
        }
    ),
    "Grant": closed(
        {
            **_WHO,
            "id": TEXT,
            "rule": TEXT,
            "policy": TEXT,
            "request": TEXT,
            "by": TEXTS,
            "made": TIME,
            "ends": TIME,
            "ended": maybe(TIME),
            "why": TEXT,
            "live": YES,
        }
    ),
    "Certificate": closed(
        {
            **_WHO,
            "serial": NUMBER,
            "principals": TEXTS,
            "fingerprint": TEXT,
            "source": TEXT,
            "valid_after": TIME,
            "valid_before": TIME,
            "revoked": maybe(TIME),
            "why": TEXT,
        }
    ),
    "Event": {
        "type": "object",
        "description": "One event of the audit trail, as it stands there",
        "properties": {"seq": NUMBER, "time": TIME, "kind": TEXT, "tenant": TEXT},
        "required": ["seq", "time", "kind", "tenant"],
    },
    "CurrentPolicy": closed(
        {
            "tenant": TEXT,
            "version": TEXT,
            "files": TEXTS,
            "rules": NUMBER,
            "mode": {"enum": ["enforce", "observe"]},
            "default": TEXT,
            "undecidable": TEXT,
            "problems": TEXTS,
        }
    ),
    "PublicKey": closed({"public_key": TEXT, "tenant": TEXT}, optional=("tenant",)),
    "Issued": closed(
        {
            "certificate": TEXT,
            "serial": NUMBER,
            "valid_after": TIME,
            "valid_before": TIME,
            "principals": TEXTS,
            "tenant": TEXT,
            "host_ca": TEXT,
            "names": TEXTS,
        }
    ),
    "Files": closed(
        {
            "files": {"type": "object", "additionalProperties": TEXT, "minProperties": 1, "maxProperties": 100},
            "tenant": TEXT,
        },
        optional=("tenant",),
    ),
    "Commands": {
        "type": "object",
        "description": "One command or several, and who would ask for it where: see policies/README.md",
        "properties": {
            "command": TEXT,
            "stdin": TEXT,
            "commands": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 100},
        },
    },
    "Validated": {
        "type": "object",
        "properties": {"ok": YES, "problems": listed(_OPEN)},
        "required": ["ok", "problems"],
    },
    "Explained": _OPEN,
    "Health": closed({"status": {"const": "ok"}}),
    "Ready": closed({"ready": YES, "status": TEXT}),
    "Document": _OPEN,
    "Targets": page("Target"),
    "Sessions": page("Session"),
    "Recordings": page("Recording"),
    "Approvals": page("Approval"),
    "Grants": page("Grant"),
    "Certificates": page("Certificate"),
}
SCHEMAS["Events"] = closed({"items": listed(ref("Event")), "next": maybe(TEXT), "whole": YES})
SCHEMAS["RecordingWithCommands"] = and_(
    "Recording",
    {"markers": listed(closed({"time": {"type": "number"}, "label": TEXT})), "markers_whole": YES},
)
SCHEMAS["ApprovalWithPast"] = and_(
    "Approval",
    {
        "past": listed(closed({name: maybe(TEXT) for name in ("time", "request", "text", "effect", "rule", "reason")})),
        "past_whole": YES,
    },
)
