"""A target without SSH: a login shell on a local pseudo-terminal that runs `boot`, and a process that is the feeder."""

from __future__ import annotations

import fcntl
import os
import pty
import secrets
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from bastion.session.gated import boot, wire
from bastion.session.gated.boot import Kind
from bastion.session.gated.markers import Fifo, Markers, Output, Prompt, Refused

DEADLINE = 20.0
"""Seconds until a shell has long since answered, on any machine."""

SHELLS = ["bash", "dash", "ash"]


def shell_named(name: str, folder: Path) -> str:
    """The path of a shell called `name`; busybox is linked to as `ash`, by which it knows what to be."""
    if name != "ash":
        found = shutil.which(name)
        assert found is not None, f"{name} is not installed (tests/prepare.sh installs it)"
        return found
    link = folder / "ash"
    if not link.exists():
        busybox = shutil.which("busybox")
        assert busybox is not None, "busybox is not installed (tests/prepare.sh installs it)"
        link.symlink_to(busybox)
    return str(link)


class Target:
    """Life: made; `start` (or `begin` for the terminal alone); `run`, `send`, `keys`, `until`…; `close`."""

    def __init__(self, shell: str, folder: Path, environment: Mapping[str, str] | None = None, user: int = 0) -> None:
        self.kind = Kind.BASH if Path(shell).name == "bash" else Kind.POSIX
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.shell = shell
        self.user = user
        self.environment = {
            "HOME": str(self.home),
            "SHELL": shell,
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "TMPDIR": str(folder),
            **(environment or {}),
        }
        self.nonce = secrets.token_hex(16)
        self.markers = Markers(self.nonce)
        self.shown = b""
        """The output since the last unit was sent."""
        self.prompts: list[Prompt] = []
        self.fifo: bytes | None = None
        self.refused: str | None = None
        self.ended = False
        self.number = 0
        self.feeder: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """The terminal's channel: as sshd does it, the login shell with `-c` and the text, on a terminal of its own."""
        self.master, slave = pty.openpty()
        if self.user:
            os.fchown(slave, self.user, self.user)
        self.process = subprocess.Popen(
            [self.shell, "-c", boot.boot(self.nonce, self.kind)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self.environment,
            cwd=self.home,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # the terminal is the session's own
            user=self.user or None,
            group=self.user or None,
            extra_groups=[] if self.user else None,
        )
        os.close(slave)

    def feed(self) -> None:
        """The command channel, once the terminal has told the FIFO."""
        self.until(lambda: self.fifo is not None)
        assert self.fifo is not None
        self.feeder = subprocess.Popen(
            [self.shell, "-c", boot.feeder(self.fifo)],
            stdin=subprocess.PIPE,
            bufsize=0,
            env=self.environment,
            cwd=self.home,
            start_new_session=True,
            user=self.user or None,
            group=self.user or None,
            extra_groups=[] if self.user else None,
        )

    def start(self) -> Target:
        self.begin()
        self.feed()
        self.write(wire.setup(self.kind, self.nonce))
        self.until_prompt(0)
        return self

    def hang_up(self) -> None:
        """The terminal goes, as when the connection is cut."""
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.master >= 0:
            self.hang_up()
        self.process.kill()
        self.process.wait()
        if self.feeder is not None:
            assert self.feeder.stdin is not None
            self.feeder.kill()
            self.feeder.wait()
            self.feeder.stdin.close()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what the bastion does

    def write(self, data: bytes) -> None:
        """Into the command channel."""
        assert self.feeder is not None
        assert self.feeder.stdin is not None
        self.feeder.stdin.write(data)

    def send(self, text: str | bytes) -> int:
        """A unit; its number. It is sent as it is, where the bastion would print it."""
        self.number += 1
        self.shown = b""
        self.write(wire.unit(self.kind, self.number, text if isinstance(text, bytes) else text.encode()))
        return self.number

    def run(self, text: str | bytes) -> Prompt:
        """A unit, and the marker after it."""
        return self.until_prompt(self.send(text))

    def works(self, text: str) -> int:
        """A unit that a program of its own begins, by saying so: what follows meets a running program."""
        number = self.send("sh -c 'echo at work; " + text.replace("'", "'\\''") + "'")
        self.until_shown(b"at work")
        return number

    def keys(self, data: bytes) -> None:
        """Into the terminal."""
        os.write(self.master, data)

    def interrupt(self, key: bytes = b"\x03") -> None:
        """A signal's key, and the marker asked for again."""
        self.keys(key)
        self.write(wire.again(self.number))

    def interrupt_until(self, number: int) -> Prompt:
        """Ctrl-C, again and again as a person would, until the prompt of that unit: a job that was just brought to the
        front gets a key only once it is there."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and not any(prompt.number == number for prompt in self.prompts):
            self.interrupt()
            self.quiet(0.2)
        return self.until_prompt(number)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # -- what it sees

    def until(self, met: Callable[[], bool]) -> None:
        """Read the terminal until `met`; AssertionError after DEADLINE or at its end."""
        for _ in self._reading(DEADLINE):
            if met():
                return
        raise AssertionError(f"not met; ended: {self.ended}; shown: {self.shown!r}; prompts: {self.prompts[-2:]}")

    def until_prompt(self, number: int) -> Prompt:
        self.until(lambda: bool(self.prompts) and self.prompts[-1].number >= number)
        assert self.prompts[-1].number == number
        return self.prompts[-1]

    def until_shown(self, text: bytes) -> None:
        self.until(lambda: text in self.shown)

    def until_ended(self) -> int:
        """The exit status of the shell."""
        for _ in self._reading(DEADLINE):
            if self.ended:
                return self.process.wait(DEADLINE)
        raise AssertionError(f"it goes on; shown: {self.shown!r}")

    def quiet(self, seconds: float) -> None:
        """Read for so long."""
        for _ in self._reading(seconds):
            pass

    @property
    def lines(self) -> list[str]:
        return self.shown.decode("utf-8", "backslashreplace").replace("\r\n", "\n").splitlines()

    def _reading(self, seconds: float) -> Iterator[None]:
        yield
        end = time.monotonic() + seconds
        while not self.ended and (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                data = os.read(self.master, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                data = b""
            if not data:
                self.ended = True
                self.shown += self.markers.flush()
            for seen in self.markers.feed(data):
                match seen:
                    case Output(text):
                        self.shown += text
                    case Fifo(path):
                        self.fifo = path
                    case Refused(reason):
                        self.refused = reason
                    case Prompt():
                        self.prompts.append(seen)
            yield


@contextmanager
def started(shell: str, folder: Path, environment: Mapping[str, str] | None = None, user: int = 0) -> Iterator[Target]:
    """A target at its first prompt."""
    target = Target(shell_named(shell, folder), folder, environment, user)
    try:
        yield target.start()
    finally:
        target.close()
