"""Law 5: held keys, authorities, passphrases and tokens are in no recording, audit event, log line or answer."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from tests.adapters.malformed import MALFORMED, PIECES
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import ACCOUNT, Sshd

PASSPHRASE = "plum-anvil-ninety-seven"
WRONG = "quince-hammer-forty-two"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkaXN0aW5jdGl2ZSJ9.c2lnbmF0dXJlLWRpc3RpbmN0aXZl"

pytestmark = pytest.mark.system


class _Locked(Bastion):
    """A bastion whose targets' keys have passphrases: `web-1`'s is right, `web-2`'s is not."""

    def start_with(self, folder: Path, sshd: Sshd) -> None:
        key = folder / "locked"
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", str(key)]
        subprocess.run(keygen, check=True, stdin=subprocess.DEVNULL)
        sshd.authorize((folder / "locked.pub").read_text().strip())
        good = replace(Target.of("web-1", sshd), key=key)
        self.write_inventory([good, replace(good, name="web-2")])
        path = self.folder / "inventory" / "acme.yaml"
        text = path.read_text()
        for name, passphrase in (("right", PASSPHRASE), ("wrong", WRONG)):
            secret = folder / name
            secret.touch(mode=0o600)
            secret.write_text(passphrase + "\n")
            text = text.replace('"shell"', f'"passphrase": {{"file": "{secret}"}}, "sheII"', 1)
        path.write_text(text.replace("sheII", "shell"))
        self.start(options=["--verbose"])


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[tuple[Bastion, str]]:
    """A bastion after good, denied, failed and refused use, and all that was said to clients meanwhile."""
    with Sshd(tmp_path / "target") as sshd:
        bastion = _Locked(tmp_path / "bastion", [])
        bastion.start_with(tmp_path, sshd)
        try:
            client = Client(tmp_path / "client", bastion, ("web-1", "web-2", "web-3"))
            said = [client.run("web-1", "echo opened"), client.run("web-1", "reboot"), client.run("web-1")]
            assert [done.returncode for done in said[:2]] == [0, 126]
            said += [client.run("web-2", "echo opened"), client.run("web-3", "echo opened")]
            assert 0 not in {done.returncode for done in said[2:]}
            answers = [done.stdout + done.stderr for done in said] + [_offer_token(bastion, client)]
        finally:
            bastion.stop()
        yield bastion, b"\n".join(answers).decode(errors="replace")


def _offer_token(bastion: Bastion, client: Client) -> bytes:
    """Ask for a certificate with a token that is no good, and then in ways that are not HTTP; the API's answers."""
    url = f"http://127.0.0.1:{bastion.api_port}/v1/certificates"
    answer = httpx2.post(url, json={"public_key": client.public}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code in (400, 401, 403)
    return answer.content + b"".join(_send(bastion, request) for request in MALFORMED.values())


def _send(bastion: Bastion, request: bytes) -> bytes:
    """The answer to bytes that are no request, or not a good one."""
    with socket.create_connection(("127.0.0.1", bastion.api_port), 20) as connection, connection.makefile("rb") as file:
        connection.sendall(request)
        answer = file.read()
    assert b" 4" in answer[:16], answer
    return answer


def _pieces(path: Path) -> Iterator[str]:
    """Pieces of a private key's base64 that stand in no other file by chance, the common header left out."""
    body = "".join(path.read_text().splitlines()[1:-1])
    yield from (body[start : start + 24] for start in range(200, len(body) - 24, 24))


def test_nothing_that_is_written_or_answered_holds_a_secret(ran: tuple[Bastion, str], tmp_path: Path) -> None:
    bastion, answers = ran
    keys = [path for path in (bastion.folder / "keys").iterdir() if path.suffix != ".pub"]
    keys += [tmp_path / "locked", tmp_path / "target" / "held_key", tmp_path / "client" / "id"]
    secrets = {piece for key in keys for piece in _pieces(key)}
    secrets |= {PASSPHRASE, WRONG, TOKEN, *TOKEN.split(".")[1:], *PIECES}
    written = [path for path in (bastion.folder / "state").rglob("*") if path.is_file()]
    assert len(bastion.recordings()) >= 3
    assert len(secrets) > 30
    texts = {str(path): path.read_bytes().decode("latin-1") for path in written} | {
        "answers": answers,
        "log": bastion.log,
    }
    assert [(name, secret) for name, text in texts.items() for secret in secrets if secret in text] == []
    assert ACCOUNT in texts[str(bastion.folder / "state" / "audit.jsonl")], "this reads the right file"
