"""The store whole: one database, and each port on it."""

from __future__ import annotations

from bastion.store.approvals import Requests
from bastion.store.certificates import Certificates
from bastion.store.changes import Changes
from bastion.store.database import Database
from bastion.store.grants import Grants
from bastion.store.overview import Overview
from bastion.store.recordings import Recordings
from bastion.store.sessions import Sessions


class Store:
    """Life: `open`; its parts at will, in one event loop, beside `changes.run`; `close` once, when that has ended."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self.changes = changes
        self.requests = Requests(database, changes)
        self.grants = Grants(database, changes)
        self.overview = Overview(database)
        self.sessions = Sessions(database, changes)
        self.certificates = Certificates(database, changes)
        self.recordings = Recordings(database, changes)

    @classmethod
    async def open(cls, url: str) -> Store:
        """As Database.open; raises what that does."""
        database = await Database.open(url)
        try:
            return cls(database, await Changes.open(database))
        except BaseException:
            await database.close()
            raise

    async def close(self) -> None:
        await self._database.close()
