"""Keys: are they there, private, of the right kind, and different where they must be?"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from bastion.cli.checks.finding import Finding, fail, ok, warn
from bastion.config import Api, Config, Tenant
from bastion.config.apart import public_blob
from bastion.errors import KeyUnusable
from bastion.identity.authority import Authority, fingerprint
from bastion.sinks.signature import key_of
from bastion.targets import login_shell
from bastion.targets.inventory import Inventory
from bastion.targets.keyring import Keyring
from bastion.targets.target import Secret

_SHOWN = 5
_EXPIRES_SOON = datetime.timedelta(days=14)
_UNDER_SYSTEMD = "while the bastion runs under systemd, root can check: sudo bastion doctor"


def check(config: Config, keyring: Keyring) -> Iterator[Finding]:
    """The host key, every authority, and the API's certificate."""
    seen: dict[bytes, str] = {}
    try:
        seen[public_blob(keyring.read(config.ssh.host_key), "host-key")] = "host-key"
        yield ok("key", f"host-key: {_place(config.ssh.host_key)}")
    except KeyUnusable as error:
        yield _unusable(config.ssh.host_key, f"host-key: {error}", "make one: ssh-keygen -t ed25519")
    authorities = {"host-ca": config.ssh.host_ca}
    for tenant in config.tenants.values():
        authorities[f"{tenant.name}: user-ca"] = tenant.user_ca
        if tenant.target_ca is not None:
            authorities[f"{tenant.name}: target-ca"] = tenant.target_ca
    for name, secret in authorities.items():
        try:
            authority = Authority.load(keyring.read(secret), None, name)
        except KeyUnusable as error:
            yield _unusable(secret, f"{name}: {error}", "`bastion ca init` makes the authorities")
            continue
        other = seen.setdefault(authority.public_blob, name)
        if other != name:
            yield fail("key", f"{name}: the same key as {other}", "each authority needs a key of its own (law 7)")
        else:
            yield ok("key", f"{name}: {fingerprint(authority.public_blob)}")
    for tenant in config.tenants.values():
        if tenant.console is not None and tenant.console.secret is not None:
            yield _client_secret(tenant.name, tenant.console.secret, keyring)
        for notice in tenant.notices:
            yield _webhook(tenant.name, notice.secret, keyring)
    if config.api is not None:
        yield from _tls(config.api, keyring)


def _client_secret(tenant: str, secret: Secret, keyring: Keyring) -> Finding:
    """What the console's client proves itself with to the issuer."""
    try:
        known = keyring.read(secret).strip()
    except KeyUnusable as error:
        return _unusable(secret, f"{tenant}: console's client secret: {error}", "put it where `client-secret` says")
    if not known:
        return fail("key", f"{tenant}: console's client secret is empty", "or leave `client-secret` out: PKCE alone")
    return ok("key", f"{tenant}: console's client secret: {_place(secret)}")


def _webhook(tenant: str, secret: Secret, keyring: Keyring) -> Finding:
    """What signs the notices of requests for approval."""
    try:
        key_of(keyring.read(secret))
    except KeyUnusable as error:
        return _unusable(secret, f"{tenant}: secret of a webhook: {error}", "put it where `notices` says")
    return ok("key", f"{tenant}: secret of a webhook: {_place(secret)}")


def accounts(tenant: Tenant, inventory: Inventory, keyring: Keyring) -> Iterator[Finding]:
    """Every held key of the inventory, unlocked; that there is an authority for accounts by certificate; and which
    accounts will be asked for their login shell."""
    usable = 0
    for target in inventory.targets:
        for account in target.accounts.values():
            where = f"{tenant.name}: {account.name} at {target.name}"
            if account.certificate and tenant.target_ca is None:
                yield fail("account", f"{where}: `certificate: true`, but there is no target-ca", "add `target-ca`")
                continue
            try:
                if not account.certificate:
                    keyring.private_key(account)
                usable += 1
            except KeyUnusable as error:
                yield _unusable(account.key, f"{where}: {error}", "mend the key, or take the account away")
    if asked := [
        f"{account.name} at {target.name}"
        for target in inventory.targets
        for account in target.accounts.values()
        if not login_shell.is_named(account.shell)
    ]:
        shown = ", ".join(asked[:_SHOWN]) + (", …" if len(asked) > _SHOWN else "")
        yield ok("account", f"{tenant.name}: no `shell` named, so asked at the first command: {shown}")
    if usable:
        yield ok("account", f"{tenant.name}: {usable} account(s) with a key that opens, or by certificate")


def _tls(api: Api, keyring: Keyring) -> Iterator[Finding]:
    if api.certificate is None or api.key is None:
        yield ok("tls", f"{api.listen}: none, on loopback")
        return
    try:
        certificate = x509.load_pem_x509_certificate(keyring.read(api.certificate))
        key = load_pem_private_key(keyring.read(api.key), None)
    except KeyUnusable as error:
        yield _unusable(api.key, str(error), "give the API a certificate and its key in PEM")
        return
    except (ValueError, TypeError):  # what the library says could quote the key
        yield fail("tls", "the API's certificate or key is not PEM, or the key has a passphrase", "give both in PEM")
        return
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if certificate.public_key().public_bytes(*spki) != key.public_key().public_bytes(*spki):
        yield fail("tls", "the API's key is not that of its certificate", "give the two that belong together")
    elif left <= datetime.timedelta():
        yield fail("tls", f"the API's certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}", "renew it")
    elif left < _EXPIRES_SOON:
        yield warn("tls", f"the API's certificate expires in {left.days} day(s)", "renew it")
    else:
        yield ok("tls", f"the API's certificate is good until {certificate.not_valid_after_utc:%Y-%m-%d}")


def _unusable(secret: Secret | None, text: str, remedy: str) -> Finding:
    """A credential that this user can not see is no proof that the service can not."""
    if secret is not None and secret.kind == "credential" and "no $CREDENTIALS_DIRECTORY" in text:
        return warn(
            "key", f"{text.partition(':')[0]}: credential {secret.name!r} can not be seen from here", _UNDER_SYSTEMD
        )
    return fail("key", text, remedy)


def _place(secret: Secret) -> str:
    return secret.name if secret.kind == "file" else f"credential {secret.name}"
