"""How the bastion logs in to targets: by a key that it holds, or by a certificate that it mints for the moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bastion.context import Context
from bastion.errors import KeyUnusable
from bastion.identity.authority import Authority
from bastion.targets.keyring import Keyring

LIFETIME = 60
"""Seconds that a certificate for a target is good for: it is used at once."""


class Logins:
    """What upstream.Keys asks for. `authorities` are the tenants' target-ca, `serial` makes a certificate's number."""

    def __init__(self, keyring: Keyring, authorities: Mapping[str, Authority], serial: Callable[[], int]) -> None:
        self._keyring = keyring
        self._authorities = authorities
        self._serial = serial

    def held(self, context: Context) -> bytes | None:
        """The account's private key; None where it takes certificates. KeyUnusable."""
        return None if context.account.certificate else self._keyring.private_key(context.account)

    def minted(self, context: Context, public_key: str) -> str:
        """A certificate for `public_key`, whose key id names the agent. KeyUnusable without a target-ca."""
        authority = self._authorities.get(context.tenant)
        if authority is None:
            raise KeyUnusable(f"tenant {context.tenant} has no target-ca for account {context.account.name}")
        now = int(time.time())
        return authority.issue_upstream(
            public_key,
            context.account.name,
            context.credential,
            serial=self._serial(),
            valid_after=now - LIFETIME,
            valid_before=now + LIFETIME,
        )
