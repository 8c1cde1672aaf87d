"""Reload: told before it is in force, whole or not at all, and never stopped by a bad file or a full disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.audit.events import Event, PolicyReloaded
from bastion.errors import NotRecorded
from bastion.identity.principal import Credential, Identity
from bastion.identity.revocation import Revocation, Revocations, add
from bastion.policy import loader
from bastion.reload import Files, Reload
from bastion.session.registry import Registry
from bastion.targets import inventory
from bastion.verdicts import Tenant
from bastion.watch import Watch

GOOD = 'version: 1\nrules: [{id: one, effect: allow, who: {groups: [a]}, commands: ["true"]}]\n'
OTHER = GOOD.replace("one", "two")
BAD = "version: 1\nrules: [{id: one, effect: perhaps}]\n"
TARGETS = "version: 1\ntargets: []\n"
IDENTITY = Identity("acme", "https://i.example.com", "agent-1", ("agent-1",), frozenset(), {})


class World:
    """The files of one tenant, a reload over them, and what it has done."""

    def __init__(self, folder: Path) -> None:
        self.policy, self.targets = folder / "policies" / "p.yaml", folder / "inventory" / "acme.yaml"
        self.revoked_file = folder / "revocations" / "revocations.jsonl"
        for path, text in ((self.policy, GOOD), (self.targets, TARGETS)):
            path.parent.mkdir()
            path.write_text(text)
        self.revoked_file.parent.mkdir()
        self.tenant = Tenant("acme", (), loader.load(self.policy.parent), inventory.load(self.targets, "acme"))
        self.revocations = Revocations.load(self.revoked_file)
        self.events: list[Event] = []
        self.in_force_when_told: list[str] = []
        self.failing = False
        self.told: Callable[[], object] = lambda: None
        self.revoked: list[Sequence[Revocation]] = []
        self.read = 0
        self.changed = asyncio.Event()
        files = Files(self.policy.parent, self.targets)
        self.reload = Reload(
            {"acme": self.tenant},
            {"acme": files},
            self.revocations,
            self.revoked_file,
            self,
            self.end_revoked,
            self.was_read,
            load=lambda path, tenant: inventory.load(path, tenant),
        )

    async def write(self, event: Event) -> None:
        if self.failing:
            raise NotRecorded("the disk is full")
        self.told()
        self.events.append(event)
        self.in_force_when_told.append(self.tenant.policy.version)

    async def end_revoked(self, new: Sequence[Revocation]) -> None:
        self.revoked.append(new)

    def was_read(self) -> None:
        self.read += 1
        self.changed.set()

    async def until(self, what: Callable[[], bool], seconds: float = 15) -> None:
        """Wait until `what` holds, asking after each reading."""
        async with asyncio.timeout(seconds):
            while not what():
                self.changed.clear()
                await self.changed.wait()

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_policy_is_told_of_before_it_is_in_force(world: World) -> None:
    before = world.tenant.policy.version
    world.policy.write_text(OTHER)
    await world.reload.now()
    assert world.kinds == ["policy-reloaded"]
    assert world.in_force_when_told == [before]
    assert world.tenant.policy.version != before


async def test_what_a_policy_masks_is_compiled_before_it_is_in_force(world: World) -> None:
    world.policy.write_text(GOOD + "mask: [{id: m, detectors: [iban]}]\n")
    ready: list[bool] = []
    world.told = lambda: ready.append(world.tenant.choices.has(loader.load(world.policy.parent).masks))
    await world.reload.now()
    assert ready == [True]
    assert world.tenant.policy.masks


async def test_what_can_not_be_told_is_not_in_force_and_is_read_again(world: World) -> None:
    before = world.tenant.policy.version
    world.policy.write_text(OTHER)
    world.failing = True
    await world.reload.now()
    assert world.tenant.policy.version == before
    assert world.reload.problems == ["audit trail: the disk is full"]
    world.failing = False
    await world.reload.now()
    assert world.tenant.policy.version != before
    assert world.reload.problems == []


async def test_a_bad_policy_is_told_once_and_changes_nothing(world: World) -> None:
    before = world.tenant.policy
    world.policy.write_text(BAD)
    for _ in range(3):
        await world.reload.now()
    assert world.kinds == ["policy-rejected"]
    assert world.tenant.policy is before
    assert "p.yaml:2:" in world.reload.problems[0]
    world.policy.write_text(GOOD)
    await world.reload.now()
    assert world.reload.problems == []
    assert world.kinds == ["policy-rejected"]


async def test_a_tenants_people_learn_the_files_name_and_not_where_it_is(world: World, tmp_path: Path) -> None:
    """In the audit trail and in what the API tells of the tenant; the operator's status has the whole path."""
    world.policy.write_text(BAD)
    world.targets.write_text("version: 1\ntargets: 7\n")
    await world.reload.now()
    world.policy.unlink()
    await world.reload.now()
    told = [problem for event in world.events for problem in event.problems]  # type: ignore[attr-defined]  # of those kinds
    assert [problem.partition(": ")[0] for problem in told] == [
        *("p.yaml:2:9", "p.yaml:2:27"),
        *("acme.yaml:2:10", "policies:1:1"),
    ]
    assert str(tmp_path) not in str([told, world.reload.problems_of("acme")])
    assert {problem.partition(":")[0] for problem in world.reload.problems_of("acme")} == {"acme.yaml", "policies"}
    assert str(tmp_path) in world.reload.problems[0]


async def test_what_has_not_changed_is_not_told(world: World) -> None:
    await world.reload.now()
    assert world.events == []
    assert world.read == 1


async def test_a_bad_policy_does_not_keep_a_good_inventory_out(world: World) -> None:
    world.policy.write_text(BAD)
    world.targets.write_text("version: 1\ntargets: 7\n")
    await world.reload.now()
    assert world.kinds == ["policy-rejected", "inventory-rejected"]
    assert len(world.reload.problems) == 2


async def test_only_what_is_newly_revoked_is_handed_on(world: World) -> None:
    first = Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7)
    second = Revocation("acme", "left", "2026-01-31T12:00:00Z", identity="agent-1")
    for entry in (first, second):
        add(world.revoked_file, entry)
        await world.reload.now()
    assert [list(new) for new in world.revoked if new] == [[first], [second]]
    assert world.revocations.entry(Credential(IDENTITY, 7, "", "", b"", 0, 1)) == first
    assert world.revocations.entry(Credential(IDENTITY, 8, "", "", b"", 0, 1)) == second
    assert (first.name, second.name) == ("serial 7", "identity agent-1")


async def test_a_revocation_for_a_tenant_that_is_not_there_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    add(world.revoked_file, Revocation("acmee", "left", "2026-01-31T12:00:00Z", serial=7))
    await world.reload.now()
    assert "serial 7 locks out nobody: there is no tenant 'acmee'" in caplog.text


async def test_revocations_that_can_not_be_read_stay_in_force(world: World) -> None:
    add(world.revoked_file, Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7))
    await world.reload.now()
    for spoil in (lambda: world.revoked_file.write_text("{"), world.revoked_file.unlink):
        spoil()
        await world.reload.now()
        assert world.reload.problems[0].startswith("revocations: ")
        assert len(world.revocations) == 1


async def test_a_file_of_revocations_that_never_was_is_no_problem(world: World) -> None:
    await world.reload.now()
    assert world.reload.problems == []


@pytest.mark.parametrize("what", ["policy", "targets", "revoked_file"])
async def test_a_change_is_seen_without_being_told(world: World, what: str) -> None:
    """And goes on being seen after the audit trail has failed for a while."""
    line = Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7).line
    good = {"policy": OTHER, "targets": TARGETS, "revoked_file": line}[what]
    path: Path = getattr(world, what)
    world.reload.start()
    try:
        world.failing = True
        path.write_text("{")
        await world.until(lambda: "audit trail: the disk is full" in world.reload.problems)
        world.failing = False
        path.write_text(good)
        await world.until(lambda: world.reload.problems == [])
    finally:
        await world.reload.stop()
    assert world.reload.ended == ""


@pytest.mark.parametrize("what", ["policy", "targets", "revoked_file"])
async def test_a_folder_that_is_replaced_is_watched_again(world: World, what: str) -> None:
    """Moved away and made again: what is written there from then on is seen, twice."""
    path: Path = getattr(world, what)
    world.reload.start()
    try:
        await world.until(lambda: world.read >= 3)
        path.parent.rename(path.parent.with_name("old"))
        path.parent.mkdir()
        path.write_text("{")
        await world.until(lambda: any(f"{path.name}:" in problem for problem in world.reload.problems))
        path.write_text({"policy": GOOD, "targets": TARGETS, "revoked_file": "\n"}[what])
        await world.until(lambda: world.reload.problems == [])
    finally:
        await world.reload.stop()


async def test_a_file_that_is_being_written_is_not_read(world: World) -> None:
    """Half of a policy is mostly a good policy, with its deny rules missing."""
    before = world.tenant.policy.version
    world.reload.start()
    try:
        await world.until(lambda: world.read >= 3)
        with world.policy.open("w") as file:
            file.write(GOOD.replace("one", "half"))
            file.flush()
            await world.until(lambda: any("still being written" in problem for problem in world.reload.problems), 30)
            assert world.tenant.policy.version == before
            file.seek(0)
            file.write(OTHER)
            file.truncate()
        await world.until(lambda: world.reload.problems == [])
    finally:
        await world.reload.stop()
    assert [rule.id for rule in world.tenant.policy.rules] == ["two"]


async def test_a_revocation_is_in_force_while_its_file_is_still_written(world: World) -> None:
    """And nobody who was revoked is pardoned meanwhile."""
    entry = Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7)
    add(world.revoked_file, entry)
    await world.reload.now()
    other = replace(entry, serial=8)
    world.reload.start()
    try:
        with world.revoked_file.open("w") as file:
            file.write(other.line)
            file.flush()
            await world.until(lambda: len(world.revocations) == 2)
        await world.until(lambda: len(world.revocations) == 1)
    finally:
        await world.reload.stop()
    assert [list(new) for new in world.revoked if new] == [[entry], [other]]


SPOILED = {
    "digits": ("x.yaml", "version: " + "1" * 5000),
    "pipe": ("x.yaml", None),
    "name": (os.fsdecode(b"\xff.yaml"), "version: 2\n"),
    "control": ("a\nERROR forged\x1b[2J.yaml", "x"),
}


@pytest.mark.parametrize("how", SPOILED)
async def test_a_file_of_one_tenant_keeps_no_revocation_out(world: World, how: str) -> None:
    """It is a problem, told without control characters; what comes later is read."""
    name, text = SPOILED[how]
    path = world.policy.with_name(name)
    if text is None:
        os.mkfifo(path)
    else:
        path.write_text(text)
    await asyncio.wait_for(world.reload.now(), 10)
    assert world.kinds == ["policy-rejected"]
    (problem,) = world.reload.problems
    assert all(line.isprintable() and str(path.parent) in line for line in problem.splitlines())
    add(world.revoked_file, Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7))
    await world.reload.now()
    assert len(world.revocations) == 1
    path.unlink()
    await world.reload.now()
    assert world.reload.problems == []


@pytest.mark.parametrize("what", ["policy", "inventory"])
async def test_a_fault_of_the_reader_is_a_problem_and_not_the_end(
    world: World, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it raises: told in the trail, and the rest is read."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    if what == "policy":
        monkeypatch.setattr(loader, "load", broken)
    else:
        monkeypatch.setattr(world.reload, "_load", broken)
    add(world.revoked_file, Revocation("acme", "left", "2026-01-31T12:00:00Z", serial=7))
    for _ in range(2):
        await world.reload.now()
    assert world.kinds == [f"{what}-rejected"]
    assert "a fault of the bastion" in world.reload.problems[0]
    assert len(world.revocations) == 1


async def test_a_watch_that_ends_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on silently as if changes were seen."""

    async def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Watch, "changed", broken)
    world.reload.start()
    try:
        await asyncio.wait_for(world.reload._background.wait(), 10)
    finally:
        await world.reload.stop()
    assert "not noticed any more" in world.reload.ended


async def test_a_policy_that_only_observes_is_told_as_such(world: World) -> None:
    world.policy.write_text("mode: observe\n" + OTHER)
    await world.reload.now()
    (event,) = world.events
    assert isinstance(event, PolicyReloaded)
    assert event.mode == "observe"


class _Live:
    def __init__(self, serial: int) -> None:
        self.credential = Credential(IDENTITY, serial, "", "", b"", 0, 1)
        self.told: list[str] = []

    def notice(self, text: str) -> None:
        self.told.append(text)

    def end(self, reason: str) -> None:
        self.told.append(reason)


async def test_the_registry_waits_for_those_that_it_ended_and_no_others() -> None:
    registry, hit, other = Registry(), _Live(7), _Live(8)
    registry.add(hit)
    registry.add(other)
    ended = registry.end(lambda credential: "left" if credential.serial == 7 else None)
    assert list(ended) == [hit]
    assert (hit.told, other.told) == (["left"], [])
    gone = asyncio.ensure_future(registry.gone(ended))
    await asyncio.sleep(0)
    assert not gone.done()
    registry.remove(hit)
    await asyncio.wait_for(gone, 5)
    assert other in registry
    await registry.gone([])
