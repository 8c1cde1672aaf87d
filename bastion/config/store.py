"""Where the store is: a file of SQLite by default, or a PostgreSQL server, whose address is a secret.

store: {sqlite: /var/lib/bastion/store.db}      # STATE/store.db where the section is left out
store: {postgresql: {credential: store-url}}    # postgresql://user:password@host:5432/bastion
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bastion.document import Node
from bastion.errors import OperatorError
from bastion.targets.keyring import Keyring, secret
from bastion.targets.target import Secret

NAME = "store.db"


@dataclass(frozen=True, slots=True)
class Store:
    """One of the two is set. The file's path is absolute."""

    sqlite: Path | None
    postgresql: Secret | None

    def url(self, keyring: Keyring) -> str:
        """The address, which holds a password. OperatorError, KeyUnusable."""
        if self.postgresql is None:
            return f"sqlite:///{self.sqlite}"
        url = keyring.read(self.postgresql).decode("utf-8", "replace").strip()
        if not url.startswith(("postgresql://", "postgres://")):
            raise OperatorError("the store's secret is not an address such as postgresql://user:password@host/bastion")
        return url


def read_store(node: Node, folder: Path) -> Store | None:
    """The section `store`; None when it is wrong."""
    section = node.section()
    sqlite, postgresql = section.take("sqlite"), section.take("postgresql")
    section.close()
    if sqlite is not None and postgresql is None:
        path = sqlite.text()
        return None if path is None else Store(folder / path, None)
    if postgresql is not None and sqlite is None:
        found = secret(postgresql)
        return None if found is None else Store(None, found)
    section.problem("the store is in one place: say `sqlite: FILE` or `postgresql: SECRET`")
    return None
