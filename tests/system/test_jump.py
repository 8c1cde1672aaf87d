"""Both hops with stock OpenSSH: ssh -J, account%target@bastion, host certificates, and what the wire offers."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from bastion.identity.authority import generate
from tests.system.asyncssh_client import jumped, outer
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Maker
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.harness.waiting import until

OFFERED = {
    "KEX algorithms": [
        "mlkem768x25519-sha256",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "ext-info-s",
        "kex-strict-s-v00@openssh.com",
    ],
    "host key algorithms": ["ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"],
    "ciphers ctos": ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
    "ciphers stoc": ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
    "MACs ctos": ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
    "MACs stoc": ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
    "compression ctos": ["none"],
    "compression stoc": ["none"],
}
"""All of it, so that whatever is added is a decision."""


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    entries = [Target.of("web-1", target), Target.of("web-2", target, certificate=True)]
    made = Bastion(tmp_path_factory.mktemp("bastion"), entries)
    target_ca = (made.folder / "keys" / "acme-target-ca.pub").read_text()
    (target.folder / "target_ca.pub").write_text(target_ca)
    with made as served:
        yield served


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("target")
    with Sshd(folder, options=[f"TrustedUserCAKeys {folder}/target_ca.pub"]) as sshd:
        yield sshd


def test_jump(client: Maker, bastion: Bastion) -> None:
    """`ssh -J bastion account@target command`: output, status, and the trail from login to end."""
    made = client(targets=())
    before = len(bastion.audit())
    done = made.run("-J", "bastion", f"{ACCOUNT}@web-1", "echo through")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"through\n", b"")
    events = bastion.audit()[before:]
    assert [event["kind"] for event in events] == ["login-accepted", "admitted", "command-judged", "session-ended"]
    assert {event["identity"] for event in events} == {"agent-1"}
    assert (events[-1]["target"], events[-1]["account"], events[-1]["status"]) == ("web-1", ACCOUNT, 0)


def test_without_a_jump(client: Maker, bastion: Bastion) -> None:
    """`ssh account%target@bastion command` is the same way for clients that can not jump."""
    before = len(bastion.audit())
    done = client().run("-l", f"{ACCOUNT}%web-1", "bastion", "echo directly")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"directly\n", b"")
    events = bastion.audit()[before:]
    assert [event["kind"] for event in events] == ["login-accepted", "admitted", "command-judged", "session-ended"]


def test_a_target_that_takes_certificates(client: Maker, target: Sshd) -> None:
    """`certificate: true`: the bastion mints one for the connection, whose key id names the agent to the target."""
    done = client(targets=("web-2",)).run("web-2", "echo minted")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"minted\n", b"")
    accepted = [line for line in target.log.splitlines() if "Accepted publickey" in line and "CERT" in line]
    assert "agent-1" in accepted[-1]


def test_the_held_key_never_leaves_the_bastion(client: Maker, target: Sshd) -> None:
    """What the client sees, at -vvv, holds nothing of the key that opened the target."""
    done = client().run("-vvv", "web-1", "true")
    assert done.returncode == 0
    blob = (target.folder / "held_key.pub").read_text().split()[1].encode()
    assert blob not in done.stderr + done.stdout
    assert target.host_key.split()[1].encode() not in done.stderr


def test_the_host_certificate_is_for_the_targets_name(client: Maker) -> None:
    """OpenSSH, strict, is satisfied with the authority's one line, and is shown a certificate for that name only."""
    done = client().run("-v", "web-1", "true")
    assert done.returncode == 0
    assert b"Host 'web-1' is known and matches the ED25519-CERT host certificate." in done.stderr
    assert b'ID "bastion:web-1"' in done.stderr


def test_a_host_certificate_for_another_name_is_no_good(client: Maker, target: Sshd) -> None:
    """Looked for under another name, the target's certificate does not match, and ssh stops before the login."""
    seen = target.connections
    done = client().run("-o", "HostKeyAlias=web-2", "web-1", "true")
    assert done.returncode == 255
    assert b"name is not a listed principal" in done.stderr
    assert target.connections == seen


def test_a_host_certificate_of_another_authority_is_no_good(client: Maker) -> None:
    """A client that trusts another authority is not talked into this one."""
    made = client()
    (made.folder / "known_hosts").write_text(f"@cert-authority * {generate()[1]}\n")
    done = made.run("web-1", "true")
    assert done.returncode == 255
    assert b"Host key verification failed." in done.stderr


@pytest.mark.parametrize("host", ["nowhere", "web-1.example.com", "127.0.0.1"])
def test_there_is_no_such_target(client: Maker, bastion: Bastion, target: Sshd, host: str) -> None:
    """A jump to what the inventory does not name is refused with 255 and a reason; nothing is connected to."""
    seen = target.connections
    done = client(targets=()).run("-J", "bastion", f"{ACCOUNT}@{host}", "true")
    assert done.returncode == 255
    assert b"no such target or account, or not permitted" in done.stderr
    bastion.wait_audit(lambda event: event["kind"] == "admission-refused" and event["target"] == host)
    assert target.connections == seen


def test_there_is_no_such_account(client: Maker, bastion: Bastion) -> None:
    """An account that the inventory does not have is refused at the inner login, with the same words."""
    done = client(targets=()).run("-J", "bastion", "nobody-here@web-1", "true")
    assert done.returncode == 255
    assert b"no such target or account, or not permitted" in done.stderr
    bastion.wait_audit(lambda event: event["kind"] == "admission-refused" and event["account"] == "nobody-here")


def test_another_port_of_a_target(client: Maker, bastion: Bastion) -> None:
    """A jump is to the SSH port; another port of a target is not forwarded to."""
    done = client(targets=()).run("-J", "bastion", "-p", "80", f"{ACCOUNT}@web-1", "true")
    assert done.returncode == 255
    bastion.wait_audit(lambda event: event.get("reason") == "not an SSH port: 80")


def test_what_both_hops_offer(client: Maker) -> None:
    """Each hop offers exactly this, mlkem768x25519 first, nothing weak, strict key exchange."""
    told = client().run("-vv", "web-1", "true").stderr.decode()
    proposals = told.split("peer server KEXINIT proposal")[1:]
    assert len(proposals) == 2
    for proposal in proposals:
        offered = dict(re.findall(r"debug2: ([\w ]+): (\S+)\r?$", proposal, re.MULTILINE)[: len(OFFERED)])
        assert {name: value.split(",") for name, value in offered.items()} == OFFERED


def test_what_is_first_on_the_wire(bastion: Bastion) -> None:
    """The KEXINIT as sent (RFC 4253, section 7.1): its first name-list begins with mlkem768x25519-sha256."""
    with socket.create_connection(("127.0.0.1", bastion.ssh_port), timeout=20) as wire, wire.makefile("rb") as lines:
        assert lines.readline() == b"SSH-2.0-bastion\r\n"
        wire.sendall(b"SSH-2.0-test\r\n")
        length, padding = int.from_bytes(lines.read(4), "big"), lines.read(1)[0]
        payload = lines.read(length - 1)[: -padding or None]
    assert payload[0] == 20
    size = int.from_bytes(payload[17:21], "big")
    names = payload[21 : 21 + size].split(b",")
    assert names[0] == b"mlkem768x25519-sha256"
    assert b"kex-strict-s-v00@openssh.com" in names


@pytest.mark.parametrize("kex", ["mlkem768x25519-sha256", "curve25519-sha256", "ecdh-sha2-nistp521"])
async def test_a_client_that_can_agrees_on_each_exchange(client: Maker, kex: str) -> None:
    """mlkem768x25519 is agreed on by a client that has it, on both hops; so are the others, alone."""
    made = client()
    async with outer(made, kex_algs=[kex]) as connection:
        assert connection.get_extra_info("username") == ACCOUNT
    async with jumped(made, kex_algs=[kex]) as connection:
        assert (await connection.run("echo there")).stdout == "there\n"


@pytest.mark.parametrize(
    "option",
    [
        "KexAlgorithms=diffie-hellman-group14-sha256",
        "KexAlgorithms=diffie-hellman-group-exchange-sha256",
        "Ciphers=aes128-ctr",
        "Ciphers=aes256-cbc",
        "HostKeyAlgorithms=rsa-sha2-512",
    ],
)
def test_a_client_that_insists_on_less_is_refused(client: Maker, bastion: Bastion, option: str) -> None:
    """No agreement, no login: 255, and the trail has the connection that came to nothing."""
    before = len(bastion.audit("connection-refused"))
    done = client().run("-o", "ProxyJump=none", "-o", option, "bastion", "true")
    assert done.returncode == 255
    assert b"no matching" in done.stderr
    until(lambda: len(bastion.audit("connection-refused")) > before)


def test_the_jump_alone_gets_no_session(client: Maker, bastion: Bastion) -> None:
    """`ssh bastion` itself has no shell or command: refused with what to do instead."""
    before = len(bastion.audit("command-judged"))
    done = client().run("bastion", "true")
    assert done.returncode == 255
    assert b"this bastion only jumps: use ssh -J, or name the target as account%target@bastion" in done.stderr
    assert len(bastion.audit("command-judged")) == before


def test_scp_goes_the_same_way(client: Maker) -> None:
    """The jump of scp and sftp is the one of ssh: they reach the policy's refusal as any subsystem does."""
    done = client().run("web-1:/etc/hostname", "/dev/null", program="scp")
    assert done.returncode != 0
    assert b"bastion: denied by default" in done.stderr
