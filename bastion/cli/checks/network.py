"""The network: can the bastion listen where it is told to, and are its targets there and who they should be?"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

from bastion.cli.checks.finding import Finding, fail, ok, warn
from bastion.config import Address, Config
from bastion.errors import TargetDown
from bastion.ssh.probe import probe
from bastion.targets.target import Target

_SECONDS = 5.0
_OURS = b"SSH-2.0-bastion"


def ports(config: Config) -> Iterator[Finding]:
    """Every address to listen on: free, or taken by a bastion that runs."""
    running = False
    for address in config.ssh.listen:
        finding, ours = _port("ssh", address, running=False)
        running = running or ours
        yield finding
    if config.api is not None:
        yield _port("api", config.api.listen, running=running)[0]


def _port(about: str, address: Address, *, running: bool) -> tuple[Finding, bool]:
    where = f"{about}: {address}"
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family) as probe_socket:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe_socket.bind((address.host, address.port))
            probe_socket.listen()  # two may bind with SO_REUSEADDR; only one may listen
    except socket.gaierror as error:
        return fail("port", f"{where}: no such host: {error.strerror}", "name an address of this machine"), False
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            if running or _banner(address).startswith(_OURS):
                return ok("port", f"{where} is in use, by the bastion that runs"), True
            return fail("port", f"{where} is in use", f"find out by whom: ss -ltnp 'sport = :{address.port}'"), False
        if error.errno == errno.EACCES:
            remedy = "take a port from 1024 on, or give AmbientCapabilities=CAP_NET_BIND_SERVICE"
            return fail("port", f"{where}: not permitted", remedy), False
        return fail("port", f"{where}: {error.strerror}", "name an address of this machine"), False
    if address.port == 0:
        return warn("port", f"{where}: another port at every start", "name a port, or clients will not find it"), False
    return ok("port", f"{where} is free"), False


def _banner(address: Address) -> bytes:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 -- asked, not bound
    try:
        with socket.create_connection((host, address.port), _SECONDS) as connection:
            return connection.recv(255)
    except OSError:  # whoever it is, it does not answer as we would
        return b""


def target(tenant: str, wanted: Target) -> Finding:
    """Connect, and compare the host key with the pinned ones. Nobody logs in."""
    where = f"{tenant}: {wanted.name} at {wanted.host} port {wanted.port}"
    try:
        shown = probe(wanted, _SECONDS)
    except TargetDown as error:
        return fail("target", f"{where}: {error}", "start it, open the way to it, or mend its address or host key")
    return ok("target", f"{where}: {shown}")
