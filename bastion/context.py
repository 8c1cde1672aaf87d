"""Who, where, whence: what every decision is about. A Context is made nowhere but by `gate.admit` (tests/laws holds
this); a Knock comes before it, and permits nothing."""

from __future__ import annotations

from dataclasses import dataclass

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
