"""Clients that are not OpenSSH: those that can use a certificate get through, the others are refused clearly.

    client                       certificate   jump                         without a jump (account%target)
    asyncssh 2.24                yes           tunnel=                      yes
    paramiko 3.5 to 5.1          yes           open_channel(direct-tcpip)   yes
    PuTTY's plink 0.78           yes, -cert    -proxycmd with plink -nc     yes
    Dropbear's dbclient 2022.83  no            no                           no: refused at the login

None of the last three knows host certificates without set-up of its own, so each pins the bastion's host key.
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from tests.system.asyncssh_client import jumped, outer
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.oracle import Programs

DIRECT = f"{ACCOUNT}%web-1"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd, programs: Programs) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=programs.policy) as served:
        yield served


# -- asyncssh


async def test_asyncssh_jumps(client: Maker, programs: Programs) -> None:
    """Through `tunnel=`, the host certificate checked by the authority's line."""
    async with jumped(client()) as connection:
        done = await connection.run(programs / "bytes", encoding=None)
    assert (done.stdout, done.stderr, done.exit_status) == (bytes(range(256)), bytes(range(256))[::-1], 0)


async def test_asyncssh_without_a_jump(client: Maker) -> None:
    async with outer(client(), username=DIRECT) as connection:
        done = await connection.run("cat", input="in and out")
    assert (done.stdout, done.exit_status) == ("in and out", 0)


# -- paramiko


@contextmanager
def paramiko_login(
    client: Client, bastion: Bastion, sock: object, user: str, *, certificate: bool = True
) -> Iterator[paramiko.Transport]:
    """A paramiko transport that is logged in, the bastion's host key pinned."""
    key = paramiko.Ed25519Key.from_private_key_file(str(client.key))
    if certificate:
        key.load_certificate(str(client.certificate))
    pinned = paramiko.Ed25519Key(data=_blob(bastion))
    transport = paramiko.Transport(sock)  # type: ignore[arg-type]  # a channel is as good as a socket
    try:
        transport.connect(hostkey=pinned, username=user, pkey=key)
        yield transport
    finally:
        transport.close()


def _blob(bastion: Bastion) -> bytes:
    return base64.b64decode((bastion.folder / "keys" / "host-key.pub").read_text().split()[1])


def _run(transport: paramiko.Transport, command: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    with transport.open_session(timeout=30) as channel:
        channel.settimeout(30)
        channel.exec_command(command)
        channel.sendall(stdin)
        channel.shutdown_write()
        out, err = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
        return channel.recv_exit_status(), out, err


def test_paramiko_jumps(client: Maker, bastion: Bastion, programs: Programs) -> None:
    """Through `direct-tcpip` to the target's name; bytes, streams, status and a refusal."""
    made = client()
    with paramiko_login(made, bastion, ("127.0.0.1", bastion.ssh_port), ACCOUNT) as tunnel:
        way = tunnel.open_channel("direct-tcpip", ("web-1", 22), ("127.0.0.1", 0))
        with paramiko_login(made, bastion, way, ACCOUNT) as inner:
            assert _run(inner, programs / "bytes") == (0, bytes(range(256)), bytes(range(256))[::-1])
            assert _run(inner, "cat", b"in") == (0, b"in", b"")
            status, out, err = _run(inner, "uname")
    assert (status, out) == (126, b"")
    assert err.startswith(b"bastion: denied by default")


def test_paramiko_without_a_jump(client: Maker, bastion: Bastion, programs: Programs) -> None:
    with paramiko_login(client(), bastion, ("127.0.0.1", bastion.ssh_port), DIRECT) as transport:
        assert _run(transport, f"{programs / 'exit'} 5") == (5, b"", b"")


def test_paramiko_without_a_certificate(client: Maker, bastion: Bastion) -> None:
    """The key alone gets nobody in."""
    with (
        pytest.raises(paramiko.AuthenticationException),
        paramiko_login(client(), bastion, ("127.0.0.1", bastion.ssh_port), ACCOUNT, certificate=False),
    ):
        pass


# -- PuTTY


@pytest.fixture
def plink(client: Maker, bastion: Bastion, tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """The words of a plink call with key, certificate and pinned host key, and its environment."""
    made = client()
    ppk = tmp_path / "id.ppk"
    subprocess.run(["puttygen", str(made.key), "-O", "private", "-o", str(ppk)], check=True, capture_output=True)
    pinned = subprocess.run(
        ["ssh-keygen", "-lf", str(bastion.folder / "keys" / "host-key.pub")], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    words = ["plink", "-batch", "-ssh", "-noagent", "-i", str(ppk), "-cert", str(made.certificate), "-hostkey", pinned]
    return words, {**os.environ, "HOME": str(tmp_path)}


def test_plink_jumps(plink: tuple[list[str], dict[str, str]], bastion: Bastion, programs: Programs) -> None:
    """With `-proxycmd`, itself a plink whose `-nc` is the jump."""
    words, environment = plink
    first = [*words, "-P", str(bastion.ssh_port), "-l", ACCOUNT, "-nc", "%host:%port", "127.0.0.1"]
    done = subprocess.run(
        [*words, "-proxycmd", shlex.join(first), "-l", ACCOUNT, "web-1", programs / "bytes"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, bytes(range(256))), done.stderr
    assert done.stderr.endswith(bytes(range(256))[::-1])


def test_plink_without_a_jump(plink: tuple[list[str], dict[str, str]], bastion: Bastion, programs: Programs) -> None:
    words, environment = plink
    done = subprocess.run(
        [*words, "-P", str(bastion.ssh_port), "-l", DIRECT, "127.0.0.1", programs / "exit", "9"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (9, b""), done.stderr


# -- Dropbear


def test_dbclient_is_refused_clearly(client: Maker, bastion: Bastion, target: Sshd, tmp_path: Path) -> None:
    """It can offer a plain key only: the login is refused, nothing is opened, and the trail says so."""
    made = client()
    converter = shutil.which("dropbearconvert") or "/usr/lib/dropbear/dropbearconvert"
    subprocess.run(
        [converter, "openssh", "dropbear", str(made.key), str(tmp_path / "id")], check=True, capture_output=True
    )
    (tmp_path / ".ssh").mkdir(mode=0o700)
    host_key = " ".join((bastion.folder / "keys" / "host-key.pub").read_text().split()[:2])
    (tmp_path / ".ssh" / "known_hosts").write_text(f"127.0.0.1 {host_key}\n[127.0.0.1]:{bastion.ssh_port} {host_key}\n")
    seen = target.connections
    done = subprocess.run(
        ["dbclient", "-p", str(bastion.ssh_port), "-i", str(tmp_path / "id"), f"{DIRECT}@127.0.0.1", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert b"No auth methods could be used." in done.stderr, done.stderr
    assert target.connections == seen
    bastion.wait_audit(lambda event: event["kind"] == "connection-refused" and "plain keys" in event["reason"])
