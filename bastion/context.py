"""Who, where, whence: what every decision is about. A Context is made nowhere but by `gate.admit` (tests/laws holds
this); a Knock comes before it, and permits nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from bastion.identity.principal import Credential, Identity
from bastion.targets.target import Account, Target


@dataclass(frozen=True, slots=True)
class Knock:
    """Whence: `connection` is the name in the audit trail of the client's connection (one `ssh` process), `source`
    the client's address as text."""

    connection: str
    source: str


@dataclass(frozen=True, slots=True)
class Context:
    """An identity that was let in to one account of one target."""

    credential: Credential
    target: Target
    account: Account
    knock: Knock

    @property
    def identity(self) -> Identity:
        return self.credential.identity

    @property
    def tenant(self) -> str:
        return self.credential.identity.tenant


class _Who(TypedDict):
    """The fields that every event by a proven identity has."""

    tenant: str
    identity: str
    issuer: str
    subject: str
    serial: int
    source: str
    connection: str


class _AtAccount(_Who):
    target: str
    account: str


class _InSession(_AtAccount):
    session: str


def who(knock: Knock, credential: Credential) -> _Who:
    identity = credential.identity
    return {
        "tenant": identity.tenant,
        "identity": identity.name,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "serial": credential.serial,
        "source": knock.source,
        "connection": knock.connection,
    }


def at_account(context: Context) -> _AtAccount:
    """The fields that every event has of someone who was let in to an account."""
    return {
        **who(context.knock, context.credential),
        "target": context.target.name,
        "account": context.account.name,
    }


def in_session(context: Context, session: str) -> _InSession:
    """The fields that every event of a session has."""
    return {**at_account(context), "session": session}
