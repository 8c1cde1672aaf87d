"""What tenants, and the bastion's own keys, must not share, judged by what it is and not by how its place is spelled.

Law 7. Two places are the same when they lead to the same file, through links, `..` or a second name; two authorities
when their public keys are. `Secrets` is asked whenever an inventory is read, so that no tenant's inventory can name a
key that another one's names, or one of the bastion's own: whoever writes an inventory chooses the address that a key is
used at.

Limits: files are compared as they stand when an inventory is read; a link that is turned later is seen at the next
reading. A held key that was copied to a second file is another file here.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from bastion.config import Config
from bastion.errors import BadFile, OperatorError, Place, Problem
from bastion.targets import inventory
from bastion.targets.inventory import Inventory
from bastion.targets.keyring import unlock
from bastion.targets.target import Secret

Where = tuple[str | int, ...]
"""A file by its device and number, or, where there is none yet, by its resolved path; a credential by its name."""


def public_blob(private_key: bytes, place: str) -> bytes:
    """The public half of a key in PEM, in SSH's wire format (RFC 4253 section 6.6). KeyUnusable names `place`."""
    key = load_ssh_private_key(unlock(private_key, None, place), None)
    return base64.b64decode(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])


def refuse_same(keys: Mapping[str, bytes]) -> None:
    """OperatorError unless all public keys, by their names for people, are different ones."""
    seen: dict[bytes, str] = {}
    for name, blob in keys.items():
        other = seen.setdefault(blob, name)
        if other != name:
            raise OperatorError(
                f"{name} is the same key as {other}: each needs a key of its own, or who holds a certificate of the one"
                " is let in by the other; `bastion ca init` makes keys"
            )


class Secrets:
    """Which secret belongs to whom. Life: made from the configuration; `load` for each inventory, whenever it is read,
    also from several threads. `credentials` is systemd's directory of credentials, None when there is none.
    """

    def __init__(self, config: Config, credentials: Path | None) -> None:
        self._credentials = credentials
        self._files = {name: tenant.inventory for name, tenant in config.tenants.items()}
        self._own = {self._where(secret): name for name, secret in _own(config)}
        self._tenants: dict[str, set[Where]] = {}
        self._lock = threading.Lock()
        """Guards the claims of tenants."""

    def load(self, path: Path, tenant: str) -> Inventory:
        """Read a tenant's inventory, as `inventory.load` does, and `claim` what it names. Raises BadFile."""
        read = inventory.load(path, tenant)
        self.claim(tenant, read)
        return read

    def claim(self, tenant: str, read: Inventory) -> None:
        """The secrets that an inventory names are this tenant's from now on, instead of those before.

        Raises BadFile, and changes nothing, when one of them is another tenant's or the bastion's own.
        """
        wanted = [(place, secret, self._where(secret)) for place, secret in _held(read)]
        with self._lock:
            problems = []
            for place, secret, where in wanted:
                owner = self._own.get(where) or self._tenant_with(where, tenant)
                if owner is not None:
                    told = f"{secret.kind} {secret.name!r} is {owner} already: give this account a key of its own"
                    problems.append(Problem(Place(str(self._files[tenant]), 1, 1), f"{place}: {told}"))
            if problems:
                raise BadFile(problems)
            self._tenants[tenant] = {where for _, _, where in wanted}

    def _tenant_with(self, where: Where, but: str) -> str | None:
        names = (name for name, held in self._tenants.items() if name != but and where in held)
        return next((f"a secret of tenant {name!r}" for name in names), None)

    def _where(self, secret: Secret) -> Where:
        path = Path(secret.name)
        if secret.kind == "credential":
            if self._credentials is None:
                return ("credential", secret.name)
            path = self._credentials / secret.name
        try:
            status = path.stat()
        except OSError:  # not there, or not to be seen: then it is told by its name, links resolved
            return ("path", os.path.realpath(path))
        except ValueError:  # no name that a file can have (a NUL in it), so no file
            return ("path", str(path))
        return ("file", status.st_dev, status.st_ino)


def _own(config: Config) -> Iterator[tuple[str, Secret]]:
    yield "the bastion's host key", config.ssh.host_key
    yield "the host authority", config.ssh.host_ca
    for tenant in config.tenants.values():
        yield f"the user authority of tenant {tenant.name!r}", tenant.user_ca
        if tenant.target_ca is not None:
            yield f"the target authority of tenant {tenant.name!r}", tenant.target_ca
        if tenant.console is not None and tenant.console.secret is not None:
            yield f"the client secret of tenant {tenant.name!r}", tenant.console.secret
        for notice in tenant.notices:
            yield f"a webhook's secret of tenant {tenant.name!r}", notice.secret
    if config.api is not None and config.api.key is not None:
        yield "the API's key", config.api.key
    if config.store.postgresql is not None:
        yield "the store's address", config.store.postgresql


def _held(read: Inventory) -> Iterator[tuple[str, Secret]]:
    for target in read.targets:
        for account in target.accounts.values():
            for secret in (account.key, account.passphrase):
                if secret is not None:
                    yield f"target {target.name!r}, account {account.name!r}", secret
