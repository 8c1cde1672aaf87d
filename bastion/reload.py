"""Hot reload: when a file of policy, inventory or revocation changes, it is read, checked whole, and swapped in.

A change is seen by the watch or told by SIGHUP. What is new is in the audit trail before it is in force, and in force
from the next command of live sessions. A file with problems changes nothing: the last good state stays, and the
problems go to the log, the audit trail and the status line. The trail, and whoever asks for one tenant's, learn where a
mistake stands by the file's name; where the bastion keeps its files is for the log and the status line. A revocation
ends the sessions that it hits at once.

Each tenant's policy, each inventory, and the revocations are watched and read apart, so that nothing in the files of
one can keep another's from being read. A file is read once nobody writes it any more; only revocations do not wait for
that to come into force (see identity.revocation for how one goes).

Limits: SIGHUP reads policies and inventories as they stand, half written or not. See watch for what it can not see.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from bastion.audit.events import (
    Event,
    InventoryRejected,
    InventoryReloaded,
    PolicyRejected,
    PolicyReloaded,
    RevocationsRejected,
)
from bastion.background import Background
from bastion.document import shown
from bastion.errors import BadFile, NotRecorded, OperatorError
from bastion.identity.revocation import Revocation, Revocations
from bastion.policy import loader
from bastion.policy.model import Policy
from bastion.targets import inventory
from bastion.targets.inventory import Inventory
from bastion.verdicts import Tenant
from bastion.watch import PATIENCE, Folders, Watch

log = logging.getLogger(__name__)


def _ready(tenant: Tenant, folder: Path) -> Policy:
    """The tenant's policy as it stands in its files, with all that it needs to be in force at once. BadFile."""
    policy = loader.load(folder)
    if policy.version != tenant.policy.version:
        tenant.prepare(policy)
    return policy


_Rejected = Callable[[tuple[str, ...]], Event]


class Audit(Protocol):
    async def write(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Files:
    """Where one tenant's policies (a folder) and inventory (a file) are."""

    policies: Path
    inventory: Path


@dataclass(slots=True)
class _Item:
    """What is watched and read by itself: `read` is told whether the file is settled."""

    what: str
    watch: Watch
    read: Callable[[bool], Awaitable[None]]
    early: bool = False
    """Read once before it is settled."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Reload:
    """Life: `start`, then `now` whenever told to (SIGHUP), then `stop`.

    `revoked` is called with what is newly revoked, and ends what lives on it; `read` after each reading. `load` reads
    an inventory; BadFile when it has problems, or names a secret that is not this tenant's.
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
        self._files = files
        self._tenants = tenants
        self._revocations = revocations
        self._audit = audit
        self._revoked = revoked
        self._read = read
        self._told: dict[str, str] = {}
        self._recorded: dict[str, str] = {}
        """What the audit trail has of `told`."""
        self._unrecorded: dict[str, NotRecorded] = {}
        self._ended = ""
        self._background = Background()
        self._folders = Folders()
        watch = Watch(self._folders, revocations_file, folder=False)
        self._items = [_Item("revocations", watch, self._read_revocations, early=True)]
        for name, tenant in tenants.items():
            policies, targets = files[name].policies, files[name].inventory
            self._add(f"policy of {name}", policies, True, partial(self._read_policy, tenant, policies))
            self._add(f"inventory of {name}", targets, False, partial(self._read_inventory, tenant, targets))

    def _add(self, what: str, path: Path, folder: bool, read: Callable[[bool], Awaitable[None]]) -> None:
        self._items.append(_Item(what, Watch(self._folders, path, folder=folder), read))

    @property
    def problems(self) -> list[str]:
        """What could not be read, a text each; empty when all that stands in the files is in force."""
        unrecorded = sorted({f"audit trail: {error}" for error in self._unrecorded.values()})
        return unrecorded + [text for _, text in sorted(self._told.items())]

    def problems_of(self, tenant: str) -> list[str]:
        """The same of one tenant's own files, a problem each, without their folders."""
        own = (f"inventory of {tenant}", f"policy of {tenant}")
        told = [self._told[what].removeprefix(f"{what}: ") for what in own if what in self._told]
        files = self._files[tenant]
        return [_below(_below(line, files.policies), files.inventory.parent) for line in "\n".join(told).splitlines()]

    @property
    def ended(self) -> str:
        """Why changes of some file are not noticed any more; empty as long as they are. A fault of the bastion."""
        return self._ended

    def start(self) -> None:
        """Watch the folders. OperatorError when one can not be watched."""
        try:
            self._folders.start()
        except OSError as error:
            raise OperatorError(f"the folders of policy can not be watched: {error}") from error
        for item in self._items:
            item.watch.begin()
            self._background.start(self._follow(item), f"reload of {item.what}")

    async def stop(self) -> None:
        await asyncio.to_thread(self._folders.stop)
        await self._background.stop()

    async def now(self) -> None:
        """Read everything again."""
        for item in self._items:
            if item.early:
                await self._once(item, settled=False)
            if not item.early or await item.watch.quiet(patience=0):
                await self._once(item, settled=True)
        self._read()

    async def _follow(self, item: _Item) -> None:
        try:
            while True:
                await item.watch.changed()
                if item.early:
                    await self._once(item, settled=False)
                if await item.watch.quiet():
                    await self._once(item, settled=True)
                else:
                    self._still_written(item)
                self._read()
        except Exception as error:
            self._ended = f"changes of the {item.what} are not noticed any more: {type(error).__name__}"
            raise

    def _still_written(self, item: _Item) -> None:
        names = ", ".join(shown(Path(name)) for name in item.watch.writing) or "it changes all the time"
        text = f"still being written after {PATIENCE:.0f} s, so not read; it is once it is closed, or on SIGHUP"
        self._note(item.what, f"{shown(item.watch.path)}: {text}: {names}")

    async def _once(self, item: _Item, *, settled: bool) -> None:
        async with item.lock:
            try:
                await item.read(settled)
            except NotRecorded as error:  # what could not be told is not in force; the next change is read again
                if item.what not in self._unrecorded:
                    log.error("%s: audit trail: %s", item.what, error)
                self._unrecorded[item.what] = error
            else:
                self._unrecorded.pop(item.what, None)

    async def _read_revocations(self, settled: bool) -> None:
        try:
            reading = await asyncio.to_thread(partial(self._revocations.reload, settled=settled))
        except Exception as error:  # noqa: BLE001 (whatever it is, the reading of files must go on; it is told)
            if settled:
                await self._reject("revocations", error, lambda problems: RevocationsRejected(problems=problems))
            return
        for entry in reading.new:
            if entry.tenant not in self._tenants:
                log.warning("revocations: %s locks out nobody: there is no tenant %r", entry.name, entry.tenant)
        if reading.new or settled:
            await self._revoked(reading.new)
        if reading.problems and settled:
            await self._reject(
                "revocations", BadFile(reading.problems), lambda problems: RevocationsRejected(problems=problems)
            )
        elif settled:
            self._good("revocations")

    async def _read_policy(self, tenant: Tenant, folder: Path, _: bool) -> None:
        what = f"policy of {tenant.name}"
        try:
            policy = await asyncio.to_thread(_ready, tenant, folder)
        except Exception as error:  # noqa: BLE001 (one tenant's file must not end the reading of others; it is told)
            stays = tenant.policy.version
            await self._reject(
                what,
                error,
                lambda problems: PolicyRejected(tenant=tenant.name, problems=problems, policy=stays),
                folder,
            )
            return
        self._good(what)
        if policy.version != tenant.policy.version:
            mode = "observe" if policy.observe else "enforce"
            await self._audit.write(PolicyReloaded(tenant=tenant.name, policy=policy.version, mode=mode))
            tenant.policy = policy
            log.info("%s: in force: %s", what, policy.version)

    async def _read_inventory(self, tenant: Tenant, file: Path, _: bool) -> None:
        what = f"inventory of {tenant.name}"
        try:
            read = await asyncio.to_thread(self._load, file, tenant.name)
        except Exception as error:  # noqa: BLE001 (one tenant's file must not end the reading of others; it is told)
            await self._reject(
                what, error, lambda problems: InventoryRejected(tenant=tenant.name, problems=problems), file.parent
            )
            return
        self._good(what)
        if read.targets != tenant.inventory.targets:
            await self._audit.write(InventoryReloaded(tenant=tenant.name, targets=len(read)))
            tenant.inventory = read
            log.info("%s: in force: %d targets", what, len(read))

    async def _reject(self, what: str, error: Exception, event: _Rejected, folder: Path | None = None) -> None:
        """Tell a new problem to the log, the status and the audit trail; to the latter without the path of `folder`."""
        match error:
            case BadFile():
                problems = tuple(str(problem) for problem in error.problems)
            case OperatorError():
                problems = (str(error),)
            case _:
                log.error("%s", what, exc_info=error)
                problems = (f"can not be read ({type(error).__name__}): a fault of the bastion, the log has the rest",)
        text = "\n".join(problems)
        self._note(what, text)
        if self._recorded.get(what) != text:
            told = problems if folder is None else tuple(_below(problem, folder) for problem in problems)
            await self._audit.write(event(told))
            self._recorded[what] = text

    def _good(self, what: str) -> None:
        self._told.pop(what, None)
        self._recorded.pop(what, None)

    def _note(self, what: str, problem: str) -> None:
        text = f"{what}: {problem}"
        if self._told.get(what) != text:
            log.error("%s; what was in force stays in force", text)
        self._told[what] = text


def _below(text: str, folder: Path) -> str:
    """`text` with what is below `folder` by its name there, and the folder by its own."""
    if folder.name:
        for path in (str(folder), shown(folder)):
            text = text.replace(f"{path}/", "").replace(path, folder.name)
    return text
