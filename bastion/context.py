"""Who, where, whence: what every decision is about. Made nowhere but by `gate.admit` (tests/laws holds this)."""

from __future__ import annotations

from dataclasses import dataclass

from bastion.identity.principal import Credential, Identity
from bastion.targets.target import Account, Target


@dataclass(frozen=True, slots=True)
class Context:
    """An identity that was let in to one account of one target.

    `connection` names the client's connection (one `ssh` process), `source` is the client's address as text.
    """

    credential: Credential
    target: Target
    account: Account
    connection: str
    source: str

    @property
    def identity(self) -> Identity:
        return self.credential.identity

    @property
    def tenant(self) -> str:
        return self.credential.identity.tenant
