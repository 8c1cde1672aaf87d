"""The demo's target: a real OpenSSH server where there is one, and a login shell that may be used;
else one made of asyncssh, which has /bin/sh read the commands. Loopback only.

OpenSSH's sshd is run once a connection, in its inetd mode (`sshd -i`), on a socket that this process accepted: so
the port is free for certain, and nothing is left behind when the demo ends. It runs as whoever runs the demo and lets
in only that user, with the one key that the bastion holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import pwd
import shutil
import socket
from pathlib import Path

import asyncssh

from bastion.background import Background
from bastion.demo import private
from bastion.errors import OperatorError
from bastion.targets.login_shell import SHELLS

_SSHD_CONFIG = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {user}
PrintMotd no
LogLevel ERROR
"""


class Target:
    """Life: `prepare` writes its files, `start` listens, `stop` ends it and every session on it.

    `host_key` is the public line to pin, `held_key` the file of the private key that opens it, once prepared.
    """

    def __init__(self, folder: Path) -> None:
        self.user = getpass.getuser()
        self.held_key = folder / "held_key"
        self.host_key = ""
        self._folder = folder
        self._sshd, self._why_not = _sshd_for(_login_shell())
        self._background = Background()
        self._listening: socket.socket | None = None
        self._embedded: asyncssh.SSHAcceptor | None = None
        self._running: set[asyncio.subprocess.Process] = set()

    @property
    def kind(self) -> str:
        return f"OpenSSH ({self._sshd})" if self._sshd else f"asyncssh, as {self._why_not}"

    def prepare(self) -> None:
        """Make the keys, or take those that an earlier demo left in the same folder, which is this user's alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._sshd is not None and os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's own unit makes it; it will not run without
        host = _key(self._folder / "host_key")
        held = _key(self.held_key)
        private.replace(self._folder / "authorized_keys", held.export_public_key())
        sshd_config = _SSHD_CONFIG.format(folder=self._folder, user=self.user)
        private.replace(self._folder / "sshd_config", sshd_config.encode())
        self.host_key = " ".join(host.export_public_key().decode().split()[:2])

    async def start(self) -> int:
        """The port on 127.0.0.1."""
        if self._sshd is None:
            return await self._start_embedded()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._background.start(self._accept(self._listening, self._sshd), "demo target")
        return int(self._listening.getsockname()[1])

    async def stop(self) -> None:
        await self._background.stop()
        if self._listening is not None:
            self._listening.close()
        for process in list(self._running):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                process.terminate()
        for process in list(self._running):
            await process.wait()
        if self._embedded is not None:
            self._embedded.close()
            await self._embedded.wait_closed()

    async def _accept(self, listening: socket.socket, sshd: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
            with connection:
                connection.setblocking(True)
                process = await asyncio.create_subprocess_exec(
                    *(sshd, "-i", "-e", "-f", str(self._folder / "sshd_config")),
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=asyncio.subprocess.DEVNULL,
                )
            self._running.add(process)
            self._background.start(self._reap(process), "demo target's sshd")

    async def _reap(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._running.discard(process)

    async def _start_embedded(self) -> int:
        self._embedded = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[str(self._folder / "host_key")],
            authorized_client_keys=str(self._folder / "authorized_keys"),
            process_factory=_run,
            encoding=None,
        )
        return int(self._embedded.get_port())


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run one command with this user's shell, as sshd would; a shell or a terminal is more than a stand-in does."""
    if process.command is None or process.get_terminal_type() is not None:
        process.stderr.write(b"this stand-in target runs commands without a terminal only\n")
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", process.command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    status = await child.wait()
    await process.stdout.drain()
    process.exit(status if status >= 0 else 128 - status)


def _login_shell() -> str:
    """This user's; empty, which is /bin/sh (passwd(5)), also where the user is in no database."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_shell
    except KeyError:
        return ""


def _sshd_for(shell: str) -> tuple[str | None, str]:
    """The server, by its absolute path, as it wants to be called; or why there is none for a user with this shell."""
    name = Path(shell or "/bin/sh").name
    if name not in SHELLS:
        return None, f"this user's login shell is {name}, which the bastion refuses"
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which("sshd", path=path), "no sshd was found"


def _key(path: Path) -> asyncssh.SSHKey:
    content = private.hold(path, lambda: asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    try:
        return asyncssh.import_private_key(content)
    except asyncssh.KeyImportError as error:
        raise OperatorError(f"{path} is no private key: {error}; choose another --dir") from error
