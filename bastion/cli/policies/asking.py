"""Options that say whose command is judged, where, and by which policy: the same for explain, test and diff."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from bastion.errors import OperatorError
from bastion.policy import loader
from bastion.policy.asker import Asker, BadAsker

EXIT_TROUBLE = 2
"""A policy, or another file that is needed, can not be read."""

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Which policy: `--policies` and `--tenant`."""
    parser.add_argument(
        "--policies",
        metavar="DIR",
        type=Path,
        default=Path("policies"),
        help="the folder that holds one folder a tenant, or one tenant's folder (default: policies)",
    )
    parser.add_argument("--tenant", metavar="T", help="whose policy; may be left out where there is only one")


def add_asker(parser: argparse.ArgumentParser) -> None:
    """Who and where; what is left out is a name that no rule means."""
    add = parser.add_argument
    add("--identity", metavar="I", action="append", help="who asks (once more for a second name of the same identity)")
    add("--group", metavar="G", action="extend", nargs="+", default=[], help="a group of the identity; any number")
    add("--claim", metavar="K=V", action="append", default=[], help="a claim that the identity keeps; any number")
    add("--target", metavar="T", help="the target, by its name in the inventory")
    add("--label", metavar="K=V", action="append", default=[], help="a label of the target; any number")
    add("--account", metavar="A", help="the account on the target")
    add("--shell", metavar="NAME", help="its login shell: bash (the default), sh, dash, zsh …")
    add("--terminal", action="store_true", help="there is a terminal, as with ssh -t")
    add("--source", metavar="IP", help="the client's address, for rules that say `when: {networks: …}`")
    add("--at", metavar="TIME", help="when, such as 2026-01-31T09:30:00Z, for rules that say `when` (default: now)")


def asker(arguments: argparse.Namespace, now: float) -> Asker:
    """The Asker that the options tell. OperatorError for one that can not be used."""
    told: dict[str, object] = {
        "identity": arguments.identity,
        "groups": arguments.group or None,
        "claims": _pairs("--claim", arguments.claim),
        "target": arguments.target,
        "labels": _pairs("--label", arguments.label),
        "account": arguments.account,
        "shell": arguments.shell,
        "terminal": arguments.terminal,
        "source": arguments.source,
        "at": arguments.at,
    }
    try:
        return Asker(at=now).but({key: value for key, value in told.items() if value is not None})
    except BadAsker as error:
        option = {"groups": "group", "claims": "claim", "labels": "label"}.get(error.key, error.key)
        raise OperatorError(f"--{option} must be {error.wanted}") from error


def untold(arguments: argparse.Namespace) -> list[str]:
    """The options that rules commonly look at and that were left out."""
    return [f"--{name}" for name in ("identity", "group", "target", "account") if not getattr(arguments, name)]


def policy_folder(arguments: argparse.Namespace) -> Path:
    """The tenant's folder. OperatorError when it is not clear which."""
    return tenant_folder(arguments.policies, arguments.tenant)


def tenant_folder(policies: Path, tenant: str | None) -> Path:
    """The folder of `tenant`: `policies` itself where policy files lie in it, or the one of that name below it."""
    if tenant is not None and not is_tenant(tenant):
        raise OperatorError(f"{tenant!r} is not a tenant's name: lower-case letters, digits and '-' inside")
    if tenant is not None and (policies / tenant).is_dir():
        return policies / tenant
    if not policies.is_dir():
        raise OperatorError(f"{policies}: no such folder; --policies DIR says where the policies are")
    if any(True for _ in policies.glob("*.yaml")):
        return policies
    tenants = tenants_of(policies)
    if tenant is None and len(tenants) == 1:
        return policies / tenants[0]
    known = f"there are: {', '.join(tenants)}" if tenants else "there is none"
    if tenant is None:
        raise OperatorError(f"{policies}: which tenant? Say --tenant; {known}")
    raise OperatorError(f"{policies}: no folder of the tenant {tenant!r}; {known}")


def is_tenant(name: str) -> bool:
    """Whether a tenant can have that name."""
    return _TENANT.match(name) is not None


def tenants_of(policies: Path) -> list[str]:
    """The names of the folders that hold policy files."""
    return sorted({path.parent.name for path in policies.glob("*/*.yaml") if not path.name.endswith(loader.CASES)})


def _pairs(option: str, texts: list[str]) -> dict[str, str] | None:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise OperatorError(f"{option} {text!r}: expected NAME=VALUE")
        pairs[name] = value
    return pairs or None
