"""The local operator's door: a Unix socket, STATE/bastion.sock, that asks the kernel who is at the other end.

Root and the bastion's own user are operators of every tenant. The socket is made with mode 0600 (its permissions are
set before it is bound, so there is no moment without them) and the peer's user is asked of the kernel (SO_PEERCRED,
unix(7)) at each connection; anybody else's is cut. A request over TCP is never a local operator's, whatever it says.

Limits: whoever is this user or root on this machine can do more than this anyway. The peer is whoever connected: a
process that hands its connection on hands on what it may.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bastion.errors import OperatorError
from bastion.identity.principal import Identity

NAME = "bastion.sock"
ISSUER = "unix"
"""The issuer of identities that the kernel vouches for. No OIDC issuer has this name: theirs are URLs."""
_CREDENTIALS = struct.Struct("=iII")
_MAX_PATH = 107


class Asked(Protocol):
    """A socket, as far as the kernel is asked about it."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def listen(path: Path) -> socket.socket:
    """A socket bound there, in place of one that nobody listens on any more. OperatorError when it can not be had."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(made.fileno(), 0o600)
        _clear(path)
        with _reachable(path) as place:
            made.bind(place)
        made.listen(128)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise OperatorError(f"the socket {path} can not be made: {error.strerror or error}") from error
    except OperatorError:
        made.close()
        raise
    return made


def connect(path: Path) -> socket.socket:
    """A client's connection. Raises OSError."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reachable(path) as place:
            client.connect(place)
    except OSError:
        client.close()
        raise
    return client


def remove(path: Path) -> None:
    """When nothing listens any more."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def peer(connection: Asked) -> int | None:
    """The user at the other end, if they may come in."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user) if user in (0, os.geteuid()) else None


def identity(user: int, tenant: str) -> Identity:
    """Who that is, in one tenant. In no group, so never an approver by policy's `by`."""
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return Identity(tenant, ISSUER, f"uid {user}", (f"unix:{name}",), frozenset(), {})


def _clear(path: Path) -> None:
    """Take away a socket that a killed bastion left. OperatorError when one is alive, or it is something else."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise OperatorError(f"{path} is in the way: it is not a socket")
    try:
        connect(path).close()
    except (ConnectionRefusedError, FileNotFoundError):
        remove(path)
        return
    raise OperatorError(f"{path} is in use: another bastion runs with it")


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """The path, or a shorter way to it: the kernel takes 107 bytes."""
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
