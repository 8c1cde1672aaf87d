"""Trust: who else may change what the bastion believes, and whose tokens and keys it believes.

Modes are looked at of each file and of the folder that it is in: who may write the folder may put another file there.
Limit: folders further up are not looked at, and neither is who owns what.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

from bastion.cli.checks.finding import Finding, fail, ok, warn
from bastion.config import Config, Tenant
from bastion.config.apart import Secrets, public_blob
from bastion.errors import BadFile, KeyUnusable, OperatorError
from bastion.identity.revocation import Revocations
from bastion.targets.inventory import Inventory
from bastion.targets.keyring import Keyring
from bastion.targets.target import Secret

_SHARED = {
    "GitHub Actions": r"https://token\.actions\.githubusercontent\.com(/.*)?",
    "GitLab.com": r"https://gitlab\.com",
    "Google": r"https://accounts\.google\.com",
    "Azure": r"https://(sts\.windows\.net|login\.microsoftonline\.com)/.*",
    "AWS": r"https://(oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?|([a-z0-9-]+\.)*sts\.([a-z0-9-]+\.)*(api\.aws|amazonaws\.com))(/.*)?",
    "Bitbucket": r"https://api\.bitbucket\.org/.*",
    "CircleCI": r"https://oidc\.circleci\.com/.*",
}
"""Issuers that sign tokens for everybody who has an account there, not only for those who run this bastion."""


def modes(config: Config) -> Iterator[Finding]:
    """Files and folders of configuration, policy, inventory, revocations and keys that others may write."""
    policies = [tenant.policies for tenant in config.tenants.values()]
    files = {config.path, config.revocations, *(tenant.inventory for tenant in config.tenants.values())}
    files |= {Path(secret.name) for secret in _secrets(config) if secret.kind == "file"}
    files |= {path for folder in policies if folder.is_dir() for path in folder.glob("*.yaml")}
    places = files | {path.parent for path in files} | set(policies)
    open_ones = [path for path in sorted(places) if _others_may_write(path)]
    for path in open_ones:
        yield fail("mode", f"{path} may be written by others than its owner", f"chmod go-w {path}")
    if not open_ones:
        yield ok("mode", f"{len(places)} files and folders that only their owners may write")


def _others_may_write(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:  # not there, or not to be seen: other checks tell that
        return False
    return bool(status.st_mode & 0o022)


def revocations(config: Config) -> Iterator[Finding]:
    """The file of revocations as `serve` would read it."""
    try:
        read = Revocations.load(config.revocations)
    except BadFile as error:
        for problem in error.problems:
            yield fail("revoked", str(problem), "mend or take out the line: until then no later revocation is in force")
    except OperatorError as error:
        yield fail("revoked", str(error), "let the bastion's user read it")
    else:
        yield ok("revoked", f"{config.revocations}: {len(read)} in force")


def public_halves(config: Config, keyring: Keyring) -> Iterator[Finding]:
    """A `.pub` beside a key is what people hand to clients and targets: it must be that key's."""
    for secret in _secrets(config):
        path = Path(f"{secret.name}.pub")
        if secret.kind != "file" or not path.is_file():
            continue
        try:
            blob = public_blob(keyring.read(secret), secret.name)
            told = base64.b64decode(path.read_bytes().split()[1], validate=True)
        except KeyUnusable:
            continue  # told where keys are checked
        except (OSError, ValueError, IndexError):
            yield fail("public", f"{path} is no public key", f"make it anew: ssh-keygen -y -f {secret.name} > {path}")
            continue
        if told != blob:
            yield fail(
                "public",
                f"{path} is not the public half of {secret.name}: whoever is given it would trust another key",
                f"find out who changed it, then make it anew: ssh-keygen -y -f {secret.name} > {path}",
            )


def secrets_of(tenant: Tenant, read: Inventory, held: Secrets) -> Iterator[Finding]:
    """No secret of another tenant, and none of the bastion's own."""
    try:
        held.claim(tenant.name, read)
    except BadFile as error:
        for problem in error.problems:
            yield fail("account", f"{tenant.name}: {problem}", "give each account a key of its own (law 7)")


def issuers(tenant: Tenant) -> Iterator[Finding]:
    """An issuer that everybody can have a token of, and nothing that says whose tokens are meant."""
    for issuer in tenant.issuers:
        if issuer.require:
            continue
        for name, pattern in _SHARED.items():
            if re.fullmatch(pattern, issuer.issuer):
                yield warn(
                    "issuer",
                    f"{tenant.name}: {issuer.issuer} ({name}) signs for everybody who has an account there",
                    "name yours by `require`, such as `require: {repository_owner: [acme]}`",
                )


def people(tenant: Tenant) -> Iterator[Finding]:
    """People who can log in and may do nothing, or roles that nobody can come by."""
    if tenant.console is not None and not tenant.roles:
        yield warn(
            "roles",
            f"{tenant.name}: people log in, and only approvers whom policy names may do anything",
            "give groups a role: `roles: {viewer: [staff]}`",
        )
    groups = {group for issuer in tenant.issuers for group in issuer.groups}
    if tenant.roles and not groups:
        yield warn(
            "roles",
            f"{tenant.name}: roles are given to groups, and no issuer makes any",
            'add `groups: ["{groups?}"]` to the issuer of people',
        )


def _secrets(config: Config) -> Iterator[Secret]:
    yield config.ssh.host_key
    yield config.ssh.host_ca
    for tenant in config.tenants.values():
        yield tenant.user_ca
        if tenant.target_ca is not None:
            yield tenant.target_ca
        if tenant.console is not None and tenant.console.secret is not None:
            yield tenant.console.secret
        for notice in tenant.notices:
            yield notice.secret
