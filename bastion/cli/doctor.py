"""Say what is missing or unsafe, and what to do about it.

example: bastion doctor --config /etc/bastion/bastion.yaml --targets

One line a finding, `ok`, `warn` or `fail`. Exit status 1 when there is a `fail`, else 0. Nothing is changed, and no
secret is shown. Run it as the user that the bastion runs as. Credentials of systemd are looked for in
$CREDENTIALS_DIRECTORY, else in /run/credentials/bastion.service, which only root can see while the bastion runs.

What it can not see: whether a policy means what you meant, who owns what, and whether an issuer is up.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import orjson

from bastion import config
from bastion.cli.checks import files, keys, network, trust
from bastion.cli.checks.finding import Finding, fail, ok, warn
from bastion.config import Config
from bastion.config.apart import Secrets
from bastion.errors import BadFile, BastionError
from bastion.targets.keyring import Keyring

SERVICE_CREDENTIALS = Path("/run/credentials/bastion.service")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("/etc/bastion/bastion.yaml"), help="bastion.yaml")
    parser.add_argument("--targets", action="store_true", help="connect to every target and compare its host key")
    parser.add_argument("--json", action="store_true", help="print a list of objects instead of lines")


def run(arguments: argparse.Namespace) -> int:
    findings = []
    for finding in diagnose(arguments.config, targets=arguments.targets):
        findings.append(finding)
        if not arguments.json:
            print(finding)
    if arguments.json:
        sys.stdout.buffer.write(orjson.dumps([finding.as_data() for finding in findings], option=orjson.OPT_INDENT_2))
        sys.stdout.buffer.write(b"\n")
        sys.stdout.flush()
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def diagnose(path: Path, *, targets: bool) -> Iterator[Finding]:
    """Every finding, as it is found. Without a readable configuration only what does not depend on it."""
    yield _library()
    yield from files.clock()
    try:
        read = config.load(path)
    except BadFile as error:
        for problem in error.problems:
            yield fail("config", str(problem), "mend the file; systemd/bastion.example.yaml shows every key")
        return
    yield ok("config", f"{path}: {len(read.tenants)} tenant(s)")
    yield from _user()
    yield from _of(read, targets=targets)


def _of(read: Config, *, targets: bool) -> Iterator[Finding]:
    keyring, held = Keyring(_credentials()), Secrets(read, _credentials())
    yield from keys.check(read, keyring)
    yield from trust.public_halves(read, keyring)
    yield from trust.modes(read)
    yield from trust.revocations(read)
    yield from files.folders(read)
    inventories = {}
    for tenant in read.tenants.values():
        yield from files.policies(tenant)
        yield from trust.issuers(tenant)
        yield from trust.people(tenant)
        inventory, findings = files.inventory_of(tenant)
        yield from findings
        if inventory is not None:
            inventories[tenant.name] = inventory
            yield from keys.accounts(tenant, inventory, keyring)
            yield from trust.secrets_of(tenant, inventory, held)
            yield from files.names(read, tenant, inventory)
    yield from network.ports(read)
    if targets:
        for name, inventory in inventories.items():
            for target in inventory.targets:
                yield network.target(name, target)


def _credentials() -> Path | None:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        return Path(directory)
    return SERVICE_CREDENTIALS if SERVICE_CREDENTIALS.is_dir() else None


def _user() -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield warn("user", "this is root: what root may read says nothing about the bastion's own user")


def _library() -> Finding:
    """The hooks into asyncssh are written against one minor version: another may not call them."""
    try:
        installed = version("asyncssh")
        wanted = next((line for line in requires("bastion") or () if line.startswith("asyncssh")), "")
    except PackageNotFoundError as error:
        return fail("asyncssh", f"not installed: {error}", "install the bastion with pip, which brings what it needs")
    bounds = [part.strip() for part in wanted.split(";")[0].removeprefix("asyncssh").split(",") if part.strip()]
    try:
        fits = bool(bounds) and all(_fits(installed, bound) for bound in bounds)
    except ValueError as error:
        raise BastionError(f"asyncssh: the version {installed!r} can not be compared with {wanted!r}") from error
    if not fits:
        return fail("asyncssh", f"{installed} does not fit {','.join(bounds)}", f"pip install '{wanted}'")
    return ok("asyncssh", installed)


def _fits(installed: str, bound: str) -> bool:
    """Whether a version fits one bound (`>=2.24`, `<2.25`), number by number. ValueError for other forms."""
    have = tuple(int(number) for number in installed.split(".")[:2])
    if bound.startswith(">="):
        return have >= tuple(int(number) for number in bound[2:].split(".")[:2])
    if bound.startswith("<"):
        return have < tuple(int(number) for number in bound[1:].split(".")[:2])
    raise ValueError(bound)
