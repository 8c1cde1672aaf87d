"""Make the bastion's keys, show them, revoke certificates.

examples: bastion ca init --dir /etc/bastion/keys --tenant acme
          bastion ca show --dir /etc/bastion/keys
          bastion ca revoke --tenant acme --serial 4711 --reason 'laptop lost' --file /var/lib/bastion/revocations.jsonl

`init` makes what is missing and never overwrites: host-key, host-ca, and for each tenant TENANT-user-ca and
TENANT-target-ca (its public line goes to the targets, as TrustedUserCAKeys of sshd_config). `revoke` takes effect
at once and ends the live sessions it hits; an identity stays revoked until its line is taken out of the file.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bastion.errors import KeyUnusable, OperatorError
from bastion.identity import revocation
from bastion.identity.authority import fingerprint, generate

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="init | show | revoke")
    init = actions.add_parser("init", help="make the keys that are missing")
    init.add_argument("--dir", type=Path, required=True)
    init.add_argument("--tenant", action="append", default=[], metavar="NAME", help="may be given more than once")
    show = actions.add_parser("show", help="print the public lines and fingerprints")
    show.add_argument("--dir", type=Path, required=True)
    show.add_argument("--json", action="store_true")
    revoke = actions.add_parser("revoke", help="add a line to the file of revocations")
    revoke.add_argument("--file", type=Path, required=True, help="the file that bastion.yaml names as `revocations`")
    revoke.add_argument("--tenant", required=True)
    revoke.add_argument("--reason", required=True)
    what = revoke.add_mutually_exclusive_group(required=True)
    what.add_argument("--serial", type=int)
    what.add_argument("--key", metavar="SHA256:…", help="a public key's fingerprint, as `ssh-keygen -l` prints it")
    what.add_argument("--identity", metavar="NAME", help="a principal, or the token's subject")
    revoke.add_argument("--issuer", metavar="URL", help="with --identity: only that issuer's")


def run(arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "init":
            _init(arguments.dir, arguments.tenant)
        case "show":
            _show(arguments.dir, arguments.json)
        case _:
            _revoke(arguments)
    return 0


def _init(folder: Path, tenants: Sequence[str]) -> None:
    for tenant in tenants:
        if not _TENANT.match(tenant):
            raise OperatorError(f"{tenant!r} is not a tenant's name: lower-case letters, digits and '-' inside")
    names = ["host-key", "host-ca"]
    names += [f"{tenant}-{kind}" for tenant in tenants for kind in ("user-ca", "target-ca")]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{folder}: can not be made: {error.strerror}") from error
    for name in names:
        path = folder / name
        print(f"{path}: {'made' if _make(path) else 'kept, it was there'}")


def _make(path: Path) -> bool:
    """A key pair, on the disk whole; False when the private key is there already."""
    private, public = generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise OperatorError(f"{path}: can not be made: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
        file.flush()
        os.fsync(file.fileno())
    path.with_name(f"{path.name}.pub").write_text(f"{public} {path.name}\n")
    return True


def _show(folder: Path, as_json: bool) -> None:
    keys = [
        {"name": name, "public": line, "fingerprint": fingerprint(base64.b64decode(line.split()[1]))}
        for name, line in _public_lines(folder)
    ]
    if not keys:
        raise KeyUnusable(f"{folder}: no public keys there; `bastion ca init` makes them")
    if as_json:
        print(json.dumps(keys))
        return
    for key in keys:
        print(f"{key['name']}  {key['fingerprint']}\n    {key['public']}")
        if key["name"] == "host-ca":
            print(f"    for clients' known_hosts: @cert-authority * {key['public']}")


def _public_lines(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.pub")):
        words = path.read_text().split()
        if len(words) >= 2 and words[0] == "ssh-ed25519":
            yield path.stem, f"{words[0]} {words[1]}"


def _revoke(arguments: argparse.Namespace) -> None:
    try:
        entry = revocation.Revocation(
            tenant=arguments.tenant,
            reason=arguments.reason,
            time=revocation.now(time.time),
            serial=arguments.serial,
            key=arguments.key,
            identity=arguments.identity,
            issuer=arguments.issuer,
        )
    except ValueError as error:
        raise OperatorError(f"nothing was revoked: {error}") from error
    for doubt in revocation.doubts(entry):
        print(f"warning: {doubt}; this may lock out nobody", file=sys.stderr)
    revocation.add(arguments.file, entry)
    revocation.verify(arguments.file, entry)
    print(f"{arguments.file}: {entry.line}")
