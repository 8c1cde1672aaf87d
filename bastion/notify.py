"""What systemd is told, and asks (sd_notify(3), sd_watchdog_enabled(3)): plain datagrams to $NOTIFY_SOCKET.

Without systemd (no $NOTIFY_SOCKET) every call does nothing. A notice that can not be sent is logged and nothing else
comes of it: a bastion that serves is worth more than one that told systemd so.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)


class Notifier:
    """Made once from the environment; each call sends one datagram and never waits long (it is local, and small)."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pid: int | None = None,
    ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._monotonic = monotonic
        self._interval = _interval(environment, os.getpid() if pid is None else pid)

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds after which to call `watchdog` again: half of what systemd waits. None when it does not watch."""
        return self._interval

    def ready(self, status: str = "") -> None:
        """Start-up is done, or a reload is."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """A reload begins; `ready` must follow."""
        # systemd compares this with its own CLOCK_MONOTONIC, in microseconds.
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._monotonic() * 1_000_000)}")

    def stopping(self, status: str = "") -> None:
        """The end has begun."""
        self._send("STOPPING=1", _status(status))

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(_status(text))

    def watchdog(self) -> None:
        """Still alive."""
        self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        message = "\n".join(filter(None, assignments))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            log.warning("systemd could not be told %r: %s", assignments[0], error.strerror)


def _status(text: str) -> str:
    """As an assignment, on one line; nothing when there is nothing to say."""
    return "STATUS=" + " ".join(text.split()) if text else ""


def _address(value: str) -> str | None:
    """The socket's address: a path, or `@name` for Linux's abstract namespace. Others (vsock) are not for us."""
    if value.startswith("@"):
        return "\0" + value[1:]
    return value if value.startswith("/") else None


def _interval(environment: Mapping[str, str], pid: int) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    owner = environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if owner and owner != str(pid):
        return None
    return int(microseconds) / 1_000_000 / 2
