"""Files: policies and inventories that load, folders that are writable and private, and a clock that is right."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from bastion.cli.checks.finding import Finding, fail, ok, warn
from bastion.config import Config, Tenant
from bastion.errors import BadFile, OperatorError
from bastion.policy import loader
from bastion.targets import inventory
from bastion.targets.inventory import Inventory

_MIB = 1 << 20
_LITTLE_SPACE = 1024 * _MIB
_NO_SPACE = 64 * _MIB
_BUILT = 1_767_225_600
"""2026-01-01: a clock before it is wrong for certain."""
_SYNCHRONISED = ("/run/systemd/timesync/synchronized", "/run/chrony", "/run/ntpd.pid", "/var/run/openntpd.sock")


def clock() -> Iterator[Finding]:
    """Certificates live for minutes, so a clock that is off by more refuses everyone or lets them in for longer."""
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _BUILT:
        yield fail("clock", f"it is {shown}, says this machine", "set the clock, and let NTP keep it")
    elif not any(Path(sign).exists() for sign in _SYNCHRONISED):
        yield warn("clock", f"{shown}; nothing seen that keeps it right", "run an NTP client, unless the host does")
    else:
        yield ok("clock", shown)


def policies(tenant: Tenant) -> Iterator[Finding]:
    """The policy as `serve` would load it."""
    if not tenant.policies.is_dir():
        yield fail("policy", f"{tenant.name}: {tenant.policies} is no folder", "make it, and put *.yaml files in it")
        return
    try:
        policy = loader.load(tenant.policies)
    except BadFile as error:
        for problem in error.problems:
            yield fail("policy", f"{tenant.name}: {problem}", f"bastion policy check {tenant.policies}")
        return
    except OperatorError as error:
        yield fail("policy", f"{tenant.name}: {error}", f"bastion policy check {tenant.policies}")
        return
    if policy.rules:
        yield ok("policy", f"{tenant.name}: {len(policy.rules)} rule(s)")
    else:
        yield warn("policy", f"{tenant.name}: no rule, so everything is denied", f"write one in {tenant.policies}")


def inventory_of(tenant: Tenant) -> tuple[Inventory | None, list[Finding]]:
    """The inventory, if it loads, and what is to be said about it."""
    try:
        read = inventory.load(tenant.inventory, tenant.name)
    except BadFile as error:
        return None, [fail("inventory", f"{tenant.name}: {problem}", "mend the file") for problem in error.problems]
    if not read.targets:
        return read, [warn("inventory", f"{tenant.name}: no target", f"add one in {tenant.inventory}")]
    return read, [ok("inventory", f"{tenant.name}: {len(read)} target(s)")]


def names(config: Config, tenant: Tenant, read: Inventory) -> Iterator[Finding]:
    """A target that is called as the bastion is can not be jumped to: OpenSSH calls that a loop."""
    for name in config.ssh.names:
        if read.find(name) is not None:
            yield warn(
                "inventory", f"{tenant.name}: target {name!r} is called as the bastion itself", "rename one of the two"
            )


def folders(config: Config) -> Iterator[Finding]:
    """Where recordings, the audit trail and revocations go. They are made when missing, if their parent allows it."""
    wanted = {
        "recordings": config.recordings,
        "audit": config.audit.parent,
        "revocations": config.revocations.parent,
    }
    for about, folder in wanted.items():
        yield _folder(about, folder)
    yield _space(config.recordings)


def _folder(about: str, folder: Path) -> Finding:
    try:
        status = folder.stat()
    except FileNotFoundError:
        above = _existing(folder)
        if not os.access(above, os.W_OK | os.X_OK):
            return fail(
                "folder", f"{about}: {folder} is missing, and {above} is not writable", f"install -d -m 700 {folder}"
            )
        return ok("folder", f"{about}: {folder} will be made")
    except OSError as error:
        return fail("folder", f"{about}: {folder}: {error.strerror}", "let the bastion's user get there")
    if not stat.S_ISDIR(status.st_mode):
        return fail("folder", f"{about}: {folder} is no folder", "move it out of the way")
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail("folder", f"{about}: {folder} is not writable", f"give it to the bastion's user: chown … {folder}")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        return fail("folder", f"{about}: {folder} is open to others (mode {mode:04o})", f"chmod 700 {folder}")
    return ok("folder", f"{about}: {folder}")


def _space(folder: Path) -> Finding:
    above = _existing(folder)
    try:
        free = shutil.disk_usage(above).free
    except OSError as error:
        return fail("space", f"{above}: {error.strerror}", "let the bastion's user get there")
    text = f"{free // _MIB} MiB free for recordings at {above}"
    if free < _NO_SPACE:
        return fail("space", text, "make room: a session that can not be recorded is ended (exit status 254)")
    return warn("space", text, "make room before it runs out") if free < _LITTLE_SPACE else ok("space", text)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
