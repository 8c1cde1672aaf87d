"""What the bastion proves itself with: one host key, and a host certificate for each name that it answers to; and the
other options of its server sides.

A client trusts the host authority with one `@cert-authority` line and is never asked about a key. The outer server
shows a certificate for the bastion's own names, each inner one a certificate for its target's name. Clients that know
no certificates get the plain key, which they can pin.

Limit: certificates live `LIFETIME`; an attacker who takes the host key can use it that long, so the key must be kept
as well as the authority's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import asyncssh

from bastion.ssh import algorithms
from bastion.ssh.intake import MAX_PACKET, WINDOW

KEEPALIVE = 30
"""Seconds of silence after which a client is asked whether it is there; the third unanswered time ends it."""
LIFETIME = 7 * 86400
"""Seconds that a host certificate is good for."""
RENEW = 86400
"""Seconds after which the next connection gets a new one."""
MAX_NAMES = 4096
"""Target names whose options are kept; past it all are made anew."""


class HostAuthority(Protocol):
    """Signs host certificates (one line each, as in ssh-keygen's files)."""

    def issue_host(
        self, public_key: str, names: Sequence[str], *, serial: int, key_id: str, valid_after: int, valid_before: int
    ) -> str: ...


class HostKeys:
    """Options of the server sides, by the names they answer to."""

    def __init__(
        self,
        private_key: bytes,
        authority: HostAuthority,
        names: Sequence[str],
        handshake: int,
        clock: Callable[[], float],
        serial: Callable[[], int],
    ) -> None:
        self._key = asyncssh.import_private_key(private_key)
        self._authority = authority
        self._names = tuple(names)
        self._handshake = handshake
        self._clock = clock
        self._serial = serial
        self._options: dict[tuple[str, ...], tuple[float, asyncssh.SSHServerConnectionOptions]] = {}

    def outer(self) -> asyncssh.SSHServerConnectionOptions:
        """For connections to the bastion itself."""
        return self._for(self._names)

    def inner(self, target: str) -> asyncssh.SSHServerConnectionOptions:
        """For the server that answers in the place of `target`."""
        return self._for((target,))

    def _for(self, names: tuple[str, ...]) -> asyncssh.SSHServerConnectionOptions:
        now = self._clock()
        made, options = self._options.get(names, (None, None))
        if made is None or options is None or not 0 <= now - made < RENEW:
            if len(self._options) >= MAX_NAMES:
                self._options.clear()
            options = self._make(names, int(now))
            self._options[names] = (now, options)
        return options

    def _make(self, names: tuple[str, ...], now: int) -> asyncssh.SSHServerConnectionOptions:
        certificate = self._authority.issue_host(
            self._key.export_public_key().decode(),
            names,
            serial=self._serial(),
            key_id=f"bastion:{names[0]}",
            valid_after=now - 300,
            valid_before=now + LIFETIME,
        )
        # asyncssh offers the plain key beside the certificate, for clients that know none.
        return _server_options([(self._key, asyncssh.import_certificate(certificate))], self._handshake)


def _server_options(keys: Sequence[object], handshake: int) -> asyncssh.SSHServerConnectionOptions:
    """The options of a server side that shows the given host keys (a key, or a key with its certificate)."""
    return asyncssh.SSHServerConnectionOptions(
        config=None,
        server_host_keys=list(keys),
        server_version="bastion",
        login_timeout=handshake,
        keepalive_interval=KEEPALIVE,
        kex_algs=algorithms.KEY_EXCHANGE,
        encryption_algs=algorithms.CIPHERS,
        mac_algs=algorithms.MACS,
        compression_algs=algorithms.COMPRESSION,
        signature_algs=algorithms.SIGNATURES,
        public_key_auth=True,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        gss_kex=False,
        gss_auth=False,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        line_editor=False,
        encoding=None,
        window=WINDOW,
        max_pktsize=MAX_PACKET,
    )
