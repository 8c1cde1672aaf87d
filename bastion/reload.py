"""Hot reload: when a file of policy, inventory or revocation changes, it is read, checked whole, and swapped in.

A change is seen by watchdog (inotify) or told by SIGHUP. What is new is in the audit trail before it is in force, and
in force from the next command of live sessions. A file with problems changes nothing: the last good state stays, and
the problems go to the log, the audit trail and the status line. A revocation ends the sessions that it hits at once.

Limit: the watch sees the folders that hold the files, links in them among it (Kubernetes swaps such a link), but not
a change behind a link, or of a link above the folder; SIGHUP always works.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from bastion.audit.events import Event, InventoryRejected, InventoryReloaded, PolicyRejected, PolicyReloaded
from bastion.background import Background
from bastion.errors import BadFile, NotRecorded, OperatorError
from bastion.gate import Tenant
from bastion.identity.revocation import Revocation, Revocations
from bastion.policy import loader
from bastion.targets import inventory
from bastion.targets.inventory import Inventory

log = logging.getLogger(__name__)

SETTLE = 0.1
"""Seconds between a change and its reading: an editor writes, renames and chmods in one go."""
_CHANGES = {"created", "modified", "deleted", "moved", "closed"}


class Audit(Protocol):
    async def write(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Files:
    """Where one tenant's policies (a folder) and inventory (a file) are."""

    policies: Path
    inventory: Path


class Reload:
    """Life: `start`, then `now` whenever told to (SIGHUP), then `stop`.

    `revoked` is called with what is newly revoked, and ends what lives on it; `read` after each reading of it all.
    `load` reads an inventory; BadFile when it has problems, or names a secret that is not this tenant's.
    """

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        files: Mapping[str, Files],
        revocations: Revocations,
        revocations_file: Path,
        audit: Audit,
        revoked: Callable[[Sequence[Revocation]], Awaitable[None]],
        read: Callable[[], object] = lambda: None,
        *,
        load: Callable[[Path, str], Inventory] = inventory.load,
    ) -> None:
        self._load = load
        self._tenants = tenants
        self._files = files
        self._revocations = revocations
        self._revocations_file = revocations_file
        self._audit = audit
        self._revoked = revoked
        self._read = read
        self._told: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._background = Background()
        self._observer = Observer()

    @property
    def problems(self) -> list[str]:
        """What could not be read, a line each; empty when all that stands in the files is in force."""
        return [text for _, text in sorted(self._told.items())]

    def start(self) -> None:
        """Watch the folders. OperatorError when one can not be watched."""
        loop = asyncio.get_running_loop()
        single = {self._revocations_file, *(files.inventory for files in self._files.values())}
        policies = {files.policies for files in self._files.values()}
        folders = {file.parent for file in single} | policies
        handler = _Handler(single, policies, lambda: loop.call_soon_threadsafe(self._changed.set))
        try:
            for folder in sorted(folders):
                self._observer.schedule(handler, str(folder), recursive=False)
            self._observer.start()
        except OSError as error:
            raise OperatorError(f"the folders of policy can not be watched: {error}") from error
        self._background.start(self._follow(), "reload")

    async def stop(self) -> None:
        self._observer.stop()
        await asyncio.to_thread(self._observer.join)
        await self._background.stop()

    async def now(self) -> None:
        """Read everything again."""
        async with self._reading:
            try:
                await self._read_revocations()
                for name, tenant in self._tenants.items():
                    await self._read_policy(tenant, self._files[name].policies)
                    await self._read_inventory(tenant, self._files[name].inventory)
                self._note("audit trail", None)
            except NotRecorded as error:  # what could not be told is not in force; the next change is read again
                self._note("audit trail", error)
            self._read()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE)
            self._changed.clear()
            await self.now()

    async def _read_revocations(self) -> None:
        try:
            new = await asyncio.to_thread(self._revocations.reload)
        except OperatorError as error:
            self._note("revocations", error)
            return
        self._note("revocations", None)
        await self._revoked(new)

    async def _read_policy(self, tenant: Tenant, folder: Path) -> None:
        try:
            policy = await asyncio.to_thread(loader.load, folder)
        except BadFile as error:
            if self._note(f"policy of {tenant.name}", error):
                problems = tuple(str(problem) for problem in error.problems)
                await self._audit.write(
                    PolicyRejected(tenant=tenant.name, problems=problems, policy=tenant.policy.version)
                )
            return
        self._note(f"policy of {tenant.name}", None)
        if policy.version != tenant.policy.version:
            await self._audit.write(PolicyReloaded(tenant=tenant.name, policy=policy.version))
            tenant.policy = policy

    async def _read_inventory(self, tenant: Tenant, file: Path) -> None:
        try:
            read = await asyncio.to_thread(self._load, file, tenant.name)
        except BadFile as error:
            if self._note(f"inventory of {tenant.name}", error):
                problems = tuple(str(problem) for problem in error.problems)
                await self._audit.write(InventoryRejected(tenant=tenant.name, problems=problems))
            return
        self._note(f"inventory of {tenant.name}", None)
        if read.targets != tenant.inventory.targets:
            await self._audit.write(InventoryReloaded(tenant=tenant.name, targets=len(read)))
            tenant.inventory = read

    def _note(self, what: str, error: Exception | None) -> bool:
        """Remember the problem, or that there is none; whether it is a new one, which is then logged."""
        text = "" if error is None else f"{what}: {error}"
        before = self._told.get(what, "")
        if text:
            self._told[what] = text
        else:
            self._told.pop(what, None)
        if text and text != before:
            log.error("%s; what was in force stays in force", text)
            return True
        return False


class _Handler(FileSystemEventHandler):
    """Calls back, in watchdog's thread, when one of the files, or anything in the folders, has changed.

    Reading a file is no change, and neither is a neighbour of a single file (the audit trail may be one), unless that
    file is a link: then what it leads through may be the neighbour, as `..data` is in a volume of Kubernetes.
    """

    def __init__(self, files: Set[Path], folders: Set[Path], changed: Callable[[], object]) -> None:
        self._files = files
        self._folders = folders
        self._call = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _CHANGES:
            return
        for place in (event.src_path, event.dest_path):
            path = Path(os.fsdecode(place))
            linked = any(file.parent == path.parent and file.is_symlink() for file in self._files)
            if path in self._files or path.parent in self._folders or linked:
                self._call()
                return
