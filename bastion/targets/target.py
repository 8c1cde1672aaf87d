"""A target as the inventory tells it: where it is, how it proves itself, and which accounts it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is, never the secret itself. `kind` is `file` (an absolute path) or `credential` (systemd's)."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Account:
    """A login on a target. Exactly one of `key` (a held private key) and `certificate` (minted for a minute) is set.

    `shell` is the account's login shell, one of login_shell.SHELLS; "" when the inventory does not say: it is asked.
    """

    name: str
    key: Secret | None
    passphrase: Secret | None
    certificate: bool
    shell: str


@dataclass(frozen=True, slots=True)
class Target:
    """One machine of one tenant. `host_keys` and `host_cas` are public keys in OpenSSH's one-line form, at least one
    of the two not empty: there is no trust on first use."""

    tenant: str
    name: str
    host: str
    port: int
    labels: Mapping[str, str]
    host_keys: tuple[str, ...]
    host_cas: tuple[str, ...]
    accounts: Mapping[str, Account]
