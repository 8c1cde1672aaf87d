"""What the API asks, for its tests: services that are simple, and one of everything in each of two tenants."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from bastion.api.searching import Page
from bastion.approvals.grant import Grant, Holder, ended
from bastion.approvals.request import Bound, Person, Request, State, Vote, with_vote
from bastion.audit.events import Event
from bastion.audit.search import Sought
from bastion.errors import BadToken, Denied, NoSuchRequest
from bastion.identity.issuance import Issued
from bastion.identity.principal import Identity
from bastion.kept import Certificate, Recording, Session
from bastion.policy.decision import Approval
from bastion.recording.follow import Follower
from bastion.recording.recorder import Head, Recordings
from bastion.targets.target import Account, Target

NOW = 1_800_000_000.0
TENANTS = ("acme", "other")
GROUPS = {"viewer": ("viewers",), "auditor": ("auditors",), "approver": ("approvers",), "operator": ("operators",)}
CALLERS = ("nobody", "none", "viewers", "auditors", "approvers", "sre", "operators")
"""Groups; `none` is a member of a group without a role, `sre` what the policy names as approvers."""
POLICY = """version: 1
rules:
  - {id: look, effect: allow, commands: ["ls **"]}
  - {id: restarts, effect: approve, commands: ["systemctl restart *"], approval: {by: [sre], count: 1, within: 10m}}
"""
HOSTILE = b"echo \x1b[31m\xe2\x80\xae<script>alert(1)</script>\n"


class Tokens:
    """The port to identities. `revoked` are names of identities, `ends` is when every token does."""

    def __init__(self) -> None:
        self.revoked: dict[str, str] = {}
        self.ends = NOW + 86400

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, float]:
        of, _, group = token.partition(":")
        if of not in TENANTS or tenant not in (None, of):
            raise BadToken("the token is not one that is trusted here")
        identity = person(of, group)
        reason = self.revoked_why(identity)
        if reason is not None:
            raise Denied(f"this identity is revoked: {reason}")
        return identity, self.ends

    async def issue(self, token: str, public_key: str, tenant: str | None, source: str) -> Issued:  # noqa: ARG002  (the port's words)
        return Issued("ssh-ed25519-cert-v01@openssh.com AAAA", 4711, (await self.identify(token, tenant))[0], 0, 900)

    def revoked_why(self, identity: Identity) -> str | None:
        return self.revoked.get(identity.name)


def person(tenant: str, group: str) -> Identity:
    name = f"{group}@{tenant}"
    return Identity(tenant, "https://i.example.com", name, (name,), frozenset({group}), {})


class Pages:
    """Any of the store's tables: values of a tenant, the newest first."""

    def __init__(self, values: Iterable[Any], time: str, id: str) -> None:
        self.values = list(values)
        self._place: Callable[[Any], tuple[float, str]] = lambda one: (getattr(one, time), str(getattr(one, id)))

    def of(self, tenant: str, before: tuple[float, str] | None, limit: int) -> list[Any]:
        found = [one for one in self.values if one.tenant == tenant and (before is None or self._place(one) < before)]
        return sorted(found, key=self._place, reverse=True)[:limit]

    async def find(self, tenant: str, id: Any) -> Any:
        return next((one for one in self.values if (one.tenant, self._place(one)[1]) == (tenant, str(id))), None)

    def change(self, one: Any, **values: Any) -> Any:
        self.values.remove(one)
        self.values.append(dataclasses.replace(one, **values))
        return self.values[-1]


class KeptSessions(Pages):
    async def page(self, tenant: str, live: bool | None, before: tuple[float, str] | None, limit: int) -> list[Session]:
        found: list[Session] = self.of(tenant, before, 10_000)
        return [one for one in found if live is None or (one.ended is None) == live][:limit]

    async def request_end(self, tenant: str, id: str, at: float, reason: str) -> bool:
        self.change(await self.find(tenant, id), end_requested=at, end_reason=reason)
        return True


class KeptRecordings(Pages):
    async def page(self, tenant: str, before: tuple[float, str] | None, limit: int) -> list[Recording]:
        return self.of(tenant, before, limit)

    async def verified(self, tenant: str, session: str, at: float, whole: bool) -> None:
        self.change(await self.find(tenant, session), verified=at, whole=whole)


class KeptCertificates(Pages):
    async def page(self, tenant: str, before: tuple[float, str] | None, limit: int) -> list[Certificate]:
        return self.of(tenant, before, limit)

    async def revoked(self, tenant: str, serial: int, at: float, why: str) -> Certificate:
        found: Certificate = self.change(await self.find(tenant, serial), revoked=at, why=why)
        return found


class Deciding:
    """Requests and grants by the pure rules of approvals.request."""

    def __init__(self) -> None:
        self.requests = {one.id: one for tenant in TENANTS for one in (request(tenant, "pending"),)}
        self.granted = {f"grant-{tenant}": grant(tenant) for tenant in TENANTS}

    async def vote(self, person: Person, id: str, approves: bool, comment: str, grant: bool = False) -> Request:
        found = await self.request(person.tenant, id)
        self.requests[id] = with_vote(found, Vote(person, approves, comment, NOW, grant))
        return self.requests[id]

    async def request(self, tenant: str, id: str) -> Request:
        found = self.requests.get(id)
        if found is None or found.bound.tenant != tenant:
            raise NoSuchRequest
        return found

    async def page(
        self, tenant: str, states: Iterable[State], before: tuple[float, str] | None, limit: int
    ) -> list[Request]:
        wanted = set(states)
        found = [one for one in self.requests.values() if one.bound.tenant == tenant and one.state in wanted]
        found.sort(key=lambda one: (one.asked, one.id), reverse=True)
        return [one for one in found if before is None or (one.asked, one.id) < before][:limit]

    async def grants(
        self, tenant: str, before: tuple[float, str] | None, limit: int, *, past: bool = False
    ) -> list[Grant]:
        found = [one for one in self.granted.values() if one.holder.tenant == tenant and (past or one.ended is None)]
        return [one for one in found if before is None or (one.made, one.id) < before][:limit]

    async def grant(self, tenant: str, id: str) -> Grant:
        found = self.granted.get(id)
        if found is None or found.holder.tenant != tenant:
            raise NoSuchRequest("no such grant, or it is over")
        return found

    async def revoke_grant(self, person: Person, id: str, why: str = "") -> Grant:
        found = await self.grant(person.tenant, id)
        self.granted[id] = ended(found, NOW, f"revoked by {person.name}{f': {why}' if why else ''}")
        return self.granted[id]


class Searches:
    """What is asked of the searcher; `events` are answered to whatever is sought of their tenant."""

    def __init__(self) -> None:
        self.asked: list[Sought] = []
        self.events: list[dict[str, Any]] = [
            {"seq": 1, "time": "2027-01-15T08:00:00.000000Z", "kind": "admitted", "tenant": tenant}
            for tenant in TENANTS
        ]

    async def search(self, sought: Sought, before: int | None, most: int) -> Page:  # noqa: ARG002  (the port's words)
        self.asked.append(sought)
        return Page(tuple(one for one in self.events if one["tenant"] == sought.tenant)[:most], None, True)

    async def digest(self, tenant: str, session: str) -> tuple[bool | None, str, int]:  # noqa: ARG002  (the port's words)
        return True, "0" * 64, 4

    async def commands(self, *_: object) -> tuple[list[dict[str, Any]] | None, bool]:
        return [{"time": 1.5, "label": "uptime"}], True


class Live:
    """Sessions of this process: their recordings are real."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self.ended: list[tuple[str, str, str]] = []

    def follow(self, tenant: str, session: str, wake: Callable[[], None]) -> Follower | None:
        return self._recordings.follow(tenant, session, wake)

    def end(self, tenant: str, session: str, reason: str) -> None:
        self.ended.append((tenant, session, reason))


class Audit:
    """The trail; `error` is raised when there is one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: Exception | None = None

    async def write(self, event: Event) -> None:
        if self.error is not None:
            raise self.error
        self.events.append(event)

    @property
    def told(self) -> list[dict[str, object]]:
        return [event.record() for event in self.events]


def session(tenant: str, id: str, **values: Any) -> Session:
    whole: dict[str, Any] = {
        "connection": "c1",
        "identity": "agent-1",
        "issuer": "https://i.example.com",
        "subject": "agent-1",
        "principals": ("agent-1",),
        "serial": 4711,
        "source": "192.0.2.1",
        "target": "web-1",
        "account": "deploy",
        "kind": "exec",
        "command": HOSTILE,
        "instance": "one",
        "started": NOW,
    }
    return Session(tenant, id, **{**whole, **values})


def request(tenant: str, state: str) -> Request:
    bound = Bound(
        tenant=tenant,
        identity="agent-1",
        issuer="https://i.example.com",
        subject="agent-1",
        serial=4711,
        target="web-1",
        account="deploy",
        session=f"live-{tenant}",
        kind="exec",
        text=HOSTILE,
        policy="v1",
        rule="restarts",
    )
    return Request(
        id=f"request-{tenant}",
        bound=bound,
        written=HOSTILE,
        reason="a restart drops live requests",
        categories=("stops-service",),
        techniques=("T1489",),
        clauses=(Approval(("sre",), 1, 600, 1800),),
        owners=(f"owner@{tenant}",),
        principals=("agent-1",),
        groups=("agents",),
        source="192.0.2.1",
        asked=NOW,
        ends=NOW + 600,
        state=State(state),
    )


def grant(tenant: str) -> Grant:
    holder = Holder(tenant, "https://i.example.com", "agent-1", "restarts", "v1")
    return Grant(f"grant-{tenant}", holder, "agent-1", f"request-{tenant}", (f"sre@{tenant}",), NOW, NOW + 1800)


def target(tenant: str) -> Target:
    accounts = {"deploy": Account("deploy", None, None, True, "bash")}
    return Target(tenant, f"web-{tenant}", "10.0.0.1", 22, {"env": "prod"}, ("ssh-ed25519 AAAA",), (), accounts)


def head(tenant: str, session: str) -> Head:
    return Head(
        session=session,
        connection="c1",
        tenant=tenant,
        identity="agent-1",
        issuer="https://i.example.com",
        subject="agent-1",
        target="web-1",
        account="deploy",
        command="uptime",
        kind="exec",
    )
