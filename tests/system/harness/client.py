"""Stock clients: an identity, certificates good and bad, an ssh_config, and `ssh` itself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_key,
)

from bastion.identity import extension
from bastion.identity.principal import Identity
from tests.system.harness.bastion import ISSUER, TENANT, Bastion
from tests.system.harness.sshd import ACCOUNT, write_key

AGENT = Identity(TENANT, ISSUER, "agent-1", ("agent-1",), frozenset({"agents"}), {})
OTHER = Identity(TENANT, ISSUER, "agent-2", ("agent-2",), frozenset({"agents"}), {})


@dataclass(frozen=True)
class Paper:
    """A certificate to be written, every field free to be wrong. Times are seconds from now."""

    identity: Identity = AGENT
    signer: str = f"{TENANT}-user-ca"
    kind: SSHCertificateType = SSHCertificateType.USER
    principals: Sequence[str] | None = None
    """None: those of the identity. Empty: good for any (which must be refused)."""
    after: int = -30
    before: int = 600
    serial: int = 7
    extensions: Mapping[bytes, bytes] = field(
        default_factory=lambda: {b"permit-pty": b"", b"permit-port-forwarding": b""}
    )
    critical: Mapping[bytes, bytes] = field(default_factory=dict)

    def sign(self, public: str, signer: bytes) -> str:
        """The certificate, one line, for a public key's line, by a private key in OpenSSH's format."""
        key, authority = load_ssh_public_key(public.encode()), load_ssh_private_key(signer, None)
        assert isinstance(key, ed25519.Ed25519PublicKey)
        assert isinstance(authority, ed25519.Ed25519PrivateKey)
        now = int(time.time())
        principals = self.identity.principals if self.principals is None else self.principals
        builder = (
            SSHCertificateBuilder()
            .public_key(key)
            .type(self.kind)
            .serial(self.serial)
            .key_id(extension.user_key_id(self.identity))
            .valid_after(now + self.after)
            .valid_before(now + self.before)
        )
        if principals:
            builder = builder.valid_principals([name.encode() for name in principals])
        else:
            builder = builder.valid_for_all_principals()  # type: ignore[no-untyped-call]  # the library left it so
        extensions = {**self.extensions, extension.NAME: extension.pack(self.identity)}
        for name, value in sorted(extensions.items()):
            builder = builder.add_extension(name, value)
        for name, value in sorted(self.critical.items()):
            builder = builder.add_critical_option(name, value)
        return builder.sign(authority).public_bytes().decode()


GOOD = Paper()
BAD: Mapping[str, Paper] = {
    "expired": replace(GOOD, after=-700, before=-60),
    "not yet valid": replace(GOOD, after=600, before=1200),
    "too long-lived": replace(GOOD, before=30 * 86400),
    "wrong CA": replace(GOOD, signer="stranger-ca"),
    "host CA": replace(GOOD, signer="host-ca"),
    "target CA": replace(GOOD, signer=f"{TENANT}-target-ca"),
    "wrong tenant": replace(GOOD, identity=replace(AGENT, tenant="other")),
    "no principal": replace(GOOD, principals=()),
    "another's principal": replace(GOOD, principals=("agent-2",)),
    "host type": replace(GOOD, kind=SSHCertificateType.HOST),
    "unknown critical option": replace(GOOD, critical={b"verify-required": b""}),
    "another address": replace(GOOD, critical={b"source-address": b"192.0.2.0/24"}),
}
"""One certificate of each class that must be refused, by a name for the test's id."""


SOURCES = (f"127.1.{number // 250}.{number % 250 + 1}" for number in range(60_000))
"""Addresses of this machine, each handed out once."""


class Client:
    """A folder with a key, a certificate, known_hosts and an ssh_config; `run` is stock ssh with them.

    `targets` are the names that are reached by ProxyJump. `config` may be added to: each line goes to `Host *`.
    """

    def __init__(
        self,
        folder: Path,
        bastion: Bastion,
        targets: Sequence[str] = ("web-1",),
        *,
        paper: Paper | None = GOOD,
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = folder / "id"
        self.certificate = folder / "id-cert.pub"
        self.config = folder / "ssh_config"
        self.public = write_key(self.key)
        self._bastion = bastion
        self.port = bastion.ssh_port
        self.source = next(SOURCES)
        """The address that it comes from: what one causes by refused logins is not held against another."""
        if paper is not None:
            self.issue(paper)
        (folder / "known_hosts").write_text(f"@cert-authority * {bastion.host_ca}\n")
        self.config.write_text(self._ssh_config(targets, options))

    def issue(self, paper: Paper = GOOD) -> None:
        """Replace the certificate. A signer that the bastion does not have is made up on the spot."""
        path = self._bastion.folder / "keys" / paper.signer
        if not path.exists():
            write_key(path)
        self.certificate.write_text(paper.sign(self.public, path.read_bytes()) + "\n")

    def _ssh_config(self, targets: Sequence[str], options: Sequence[str]) -> str:
        jumped = [f"Host {' '.join(targets)}", "  ProxyJump bastion", f"  User {ACCOUNT}"] if targets else []
        lines = [
            "Host bastion",
            "  HostName 127.0.0.1",
            f"  BindAddress {self.source}",
            f"  Port {self._bastion.ssh_port}",
            "  HostKeyAlias bastion",
            *jumped,
            "Host *",
            *(f"  {option}" for option in options),
            f"  IdentityFile {self.key}",
            *([f"  CertificateFile {self.certificate}"] if self.certificate.exists() else []),
            "  IdentitiesOnly yes",
            "  IdentityAgent none",
            f"  UserKnownHostsFile {self.folder}/known_hosts",
            "  GlobalKnownHostsFile /dev/null",
            "  StrictHostKeyChecking yes",
            "  BatchMode yes",
            "  ConnectTimeout 20",
        ]
        return "\n".join(lines) + "\n"

    def command(self, *arguments: str, program: str = "ssh") -> list[str]:
        """The words of a stock client's call (`ssh`, `sftp`, `scp`) with this folder's configuration."""
        return [program, "-F", str(self.config), *arguments]

    def run(
        self, *arguments: str, stdin: bytes | None = None, seconds: float = 60.0, program: str = "ssh"
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, stdout and stderr apart. Without `stdin` it reads nothing but the end."""
        command = self.command(*arguments, program=program)
        return subprocess.run(command, input=stdin or b"", capture_output=True, timeout=seconds, check=False)

    def popen(self, *arguments: str, program: str = "ssh") -> subprocess.Popen[bytes]:
        """Start it with pipes for stdin, stdout and stderr, unbuffered."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments, program=program), stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
        )


Maker = Callable[..., Client]
"""What the fixture `client` gives: Client without its folder."""
