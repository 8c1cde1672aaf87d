"""Every address of the API, once: who may ask, what it takes, what it answers.

The router, the checks of who asks, the OpenAPI document and the tests of every route for every role are all made from
this table; a handler without a row is not served, and a row without a test's expectation fails the tests.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from bastion.api.params import Param
from bastion.api.roles import Role
from bastion.approvals.request import State

_ROLES = {role.value: role for role in Role}


class Needs(StrEnum):
    """Who may ask. `observer`: the socket, or a network of `api.observers`; `anyone`: any proven identity of a tenant,
    with a role or without."""

    NOBODY = "nobody"
    OBSERVER = "observer"
    ANYONE = "anyone"
    VIEWER = Role.VIEWER.value
    AUDITOR = Role.AUDITOR.value
    APPROVER = Role.APPROVER.value
    OPERATOR = Role.OPERATOR.value

    @property
    def role(self) -> Role | None:
        return _ROLES.get(self.value)


JSON, TEXT, EVENTS, CAST, NONE = "application/json", "text/plain", "text/event-stream", "application/x-asciicast", ""


@dataclass(frozen=True, slots=True)
class Route:
    """`name` is the operation's, and its handler's; `answer` a schema of schemas.py; `bucket` what its rate is counted
    under (limits); `strict` False where others put what they like into the query."""

    method: str
    path: str
    name: str
    needs: Needs
    about: str
    answer: str = ""
    status: int = 200
    kind: str = JSON
    query: tuple[Param, ...] = ()
    body: tuple[Param, ...] | None = None
    raw_body: str = ""
    bucket: str = "read"
    strict: bool = True


_TENANT = Param("tenant", "text", "which tenant is meant, where the caller could mean several", 1, 63)
_LIMIT = Param("limit", "integer", "members of a page", 1, 200)
_CURSOR = Param("cursor", "text", "`next` of the page before", 1, 256)
_PAGE = (_TENANT, _LIMIT, _CURSOR)
_STATES = tuple(state.value for state in State)
_COMMENT = Param("comment", "text", "told to the one who asked, and kept", 0, 2000)
_REASON = Param("reason", "text", "why, for those it hits and for the audit trail", 1, 500, required=True)
_SEARCH = (
    Param("kind", "text", "the event's kind, such as `command-judged`", 1, 64),
    Param("identity", "text", "the identity's name, whole"),
    Param("target", "text", "the target's name, whole"),
    Param("session", "text", "the session's id", 1, 128),
    Param("since", "time", "not before"),
    Param("until", "time", "before"),
    Param("text", "text", "stands anywhere in the event, in whichever case", 1, 256),
)
_V, _A, _P, _O = Needs.VIEWER, Needs.AUDITOR, Needs.APPROVER, Needs.OPERATOR

ROUTES: tuple[Route, ...] = (
    # -- who asks
    Route("GET", "/v1/login", "login", Needs.NOBODY, "Begin to log in with a browser", status=302, kind=NONE,
          query=(_TENANT, Param("next", "text", "where on this site to go afterwards", 1, 200)), bucket="login"),
    Route("GET", "/v1/callback", "callback", Needs.NOBODY, "Where the issuer sends the browser back to", status=302,
          kind=NONE, bucket="login", strict=False),
    Route("POST", "/v1/logout", "logout", Needs.ANYONE, "End the browser's session", status=204, kind=NONE,
          query=(_TENANT,)),
    Route("GET", "/v1/me", "me", Needs.ANYONE, "Who asks, and what they may", "Me", query=(_TENANT,)),
    # -- targets and sessions
    Route("GET", "/v1/targets", "targets", _V, "The targets of the tenant", "Targets", query=_PAGE),
    Route("GET", "/v1/sessions", "sessions", _V, "Sessions, the newest first", "Sessions",
          query=(*_PAGE, Param("live", "boolean", "only those that live, or only those that are over"))),
    Route("GET", "/v1/sessions/{session}", "session", _V, "One session", "Session", query=(_TENANT,)),
    Route("GET", "/v1/sessions/{session}/live", "follow", _A, "What a live session shows, as it is recorded: the "
          "events of its asciicast", kind=EVENTS, query=(_TENANT,), bucket="stream"),
    Route("POST", "/v1/sessions/{session}/terminate", "terminate", _O, "End a live session", "Session", 202,
          query=(_TENANT,), body=(_REASON,), bucket="write"),
    # -- recordings
    Route("GET", "/v1/recordings", "recordings", _A, "Closed recordings, the newest first", "Recordings", query=_PAGE),
    Route("GET", "/v1/recordings/{session}", "recording", _A, "One recording, and the commands in it",
          "RecordingWithCommands", query=(_TENANT,)),
    Route("GET", "/v1/recordings/{session}/cast", "cast", _A, "The recording itself (asciicast v2), or a range of it",
          kind=CAST, query=(_TENANT,), bucket="stream"),
    Route("POST", "/v1/recordings/{session}/verify", "verify", _A, "Compare the file with what the audit trail says",
          "Verified", query=(_TENANT,), bucket="search"),
    # -- approvals and grants
    Route("GET", "/v1/approvals", "approvals", _P, "Requests for approval, the newest first", "Approvals",
          query=(*_PAGE, Param("state", "choice", "only those in this state", choices=_STATES))),
    Route("GET", "/v1/approvals/{approval}", "approval", _P, "One request, and what its session did before",
          "ApprovalWithPast", query=(_TENANT,)),
    Route("POST", "/v1/approvals/{approval}/approve", "approve", _P, "Vote for it", "Approval", query=(_TENANT,),
          body=(_COMMENT, Param("grant", "boolean", "give the rule for as long as policy says, not for once")),
          bucket="write"),
    Route("POST", "/v1/approvals/{approval}/deny", "deny", _P, "Vote against it, which ends it", "Approval",
          query=(_TENANT,), body=(_COMMENT,), bucket="write"),
    Route("GET", "/v1/grants", "grants", _P, "Grants, the newest first", "Grants",
          query=(*_PAGE, Param("live", "boolean", "only those in force"))),
    Route("POST", "/v1/grants/{grant}/revoke", "revoke_grant", _O, "End a grant, and what runs under it", "Grant",
          query=(_TENANT,), body=(dataclasses.replace(_REASON, required=False),), bucket="write"),
    # -- the trail
    Route("GET", "/v1/audit", "audit", _A, "Events of the audit trail, the newest first", "Events",
          query=(*_PAGE, *_SEARCH), bucket="search"),
    # -- certificates
    Route("POST", "/v1/certificates", "issue", Needs.NOBODY, "Trade a token and a public key for a certificate",
          "Issued", 201, raw_body="PublicKey", bucket="", strict=False),
    Route("GET", "/v1/certificates", "certificates", _A, "Certificates, the newest first", "Certificates", query=_PAGE),
    Route("POST", "/v1/certificates/{serial}/revoke", "revoke_certificate", _O, "Revoke a certificate, and end what "
          "lives on it", "Certificate", query=(_TENANT,), body=(_REASON,), bucket="write"),
    Route("GET", "/v1/host-ca", "host_ca", Needs.NOBODY, "The authority that signs host certificates", kind=TEXT,
          bucket="other"),
    # -- policies
    Route("GET", "/v1/policies/current", "policy", _V, "The policy in force, and what came of the last reload",
          "CurrentPolicy", query=(_TENANT,)),
    Route("POST", "/v1/policies/validate", "validate", Needs.ANYONE, "Every problem of the files that are sent",
          "Validated", query=(_TENANT,), raw_body="Files", bucket="policies"),
    Route("POST", "/v1/policies/explain", "explain", Needs.ANYONE, "What a policy says of commands", "Explained",
          query=(_TENANT,), raw_body="Commands", bucket="policies"),
    # -- what changes, and how the bastion is
    Route("GET", "/v1/events", "events", _V, "What changes: approvals, sessions, policies", kind=EVENTS,
          query=(_TENANT,), bucket="stream"),
    Route("GET", "/healthz", "health", Needs.NOBODY, "Whether the bastion can serve", "Health", bucket="other"),
    Route("GET", "/readyz", "ready", Needs.OBSERVER, "Whether it can, and what keeps it from it", "Ready",
          bucket="other"),
    Route("GET", "/metrics", "metrics", Needs.OBSERVER, "Metrics, as Prometheus reads them", kind=TEXT,
          bucket="other"),
    Route("GET", "/v1/openapi.json", "openapi", Needs.NOBODY, "This document", "Document", bucket="other"),
)  # fmt: skip
