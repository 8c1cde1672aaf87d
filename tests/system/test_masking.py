"""What comes back by stock ssh is masked: for the client, in the recording, the audit trail and the log (law 5), by
whichever way a secret comes, and by the policy of the moment."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd
from tests.system.terminal import Terminal
from tests.system.test_recorded import newest, recording, shown

CARD = "4111 1111 1111 1111"
MAIL = "grace.hopper" + "@example.com"
TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"[:36]
AWS = "AKIA" + "IOSFODNN7EXAMPL3"
BODY = base64.b64encode(b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(9))).decode()
_LINES = "\n".join(BODY[at : at + 64] for at in range(0, len(BODY), 64))
PEM = "-----BEGIN RSA PRIVATE {0}-----\n{1}\n-----END RSA PRIVATE {0}-----".format("KEY", _LINES)
SECRETS = [CARD, MAIL, TOKEN, AWS, *PEM.splitlines()[1:-1]]
TEXT = f"card {CARD} ok\nmail {MAIL} ok\ntoken {TOKEN} ok\nkey {AWS} ok\n{PEM}\nlast line 12345\n"

POLICY = """\
version: 1
rules:
  - id: tests
    effect: allow
    who: {{groups: [agents]}}
    commands: ["cat **", "printf **", "echo **", "sh -c *", "sleep *", "true", "dd **", "sed **", "python3 **"]
    interactive: true
    dynamic: true
  - {{id: shells, effect: allow, shell: gated}}
{rules}
mask:
  - id: {mask}
    detectors: [secrets, payment, email]
    {more}
"""


def policy(mask: str = "all", rules: str = "", more: str = "") -> str:
    return POLICY.format(mask=mask, rules=rules, more=more)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secrets") / "secrets.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with Bastion(folder, [Target.of("web-1", target)], policy=policy()) as served:
        yield served


def nowhere(bastion: Bastion, seen: bytes) -> None:
    """No secret stands in what was seen, nor in anything that the bastion wrote."""
    written = [path for path in (bastion.folder / "state").rglob("*") if path.is_file()]
    places = {"the client": seen, "the log": bastion.log.encode(), **{str(path): path.read_bytes() for path in written}}
    assert len(written) >= 2
    found = [(place, secret) for place, text in places.items() for secret in SECRETS if secret.encode() in text]
    assert found == []


SHOWS = 'import sys\nfor line in sys.stdin: print(open(line.strip()).read(), end="")'

WAYS = {
    "cat": "cat {}",
    "a pipeline": "cat {} | sed p",
    "stderr": "cat {} 1>&2",
    "both": "sh -c 'cat {}; cat {} >&2'",
    "byte by byte": "dd bs=1 status=none if={}",
    "coloured": "sed 's/./&\\x1b[31m/7' {}",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("terminal", [False, True], ids=["plain", "terminal"])
def test_no_secret_is_seen(way: str, terminal: bool, client: Maker, bastion: Bastion, secrets: Path) -> None:
    command = WAYS[way].replace("{}", str(secrets))
    if terminal:
        with Terminal(client().command("-tt", "-q", "web-1", command)) as person:
            assert person.finish() == 0, person.seen
        seen = person.seen
    else:
        done = client().run("web-1", command)
        assert done.returncode == 0, done.stderr
        seen = done.stdout + done.stderr
    assert b"last line 12345" in seen.replace(b"\x1b[31m", b"")
    assert b"ok" in seen
    nowhere(bastion, seen)
    _, events = recording(newest(bastion))
    assert "last line 12345" in shown(events).replace("\x1b[31m", "")
    told = bastion.audit("session-ended")[-1]
    assert told["mask" + "ed"]
    assert told["sent"] > 0


def test_without_a_mask_they_are_seen(tmp_path: Path, target: Sshd, secrets: Path) -> None:
    """So the tests above test something."""
    with Bastion(tmp_path / "b", [Target.of("web-1", target)]) as bare:
        assert Client(tmp_path / "c", bare).run("web-1", f"cat {secrets}").stdout == TEXT.encode()


def test_a_terminal_keeps_its_shape(client: Maker, secrets: Path) -> None:
    """Same width, line for line."""
    with Terminal(client().command("-tt", "-q", "web-1", f"cat {secrets}")) as person:
        assert person.finish() == 0
    lines = [len(line) for line in person.seen.decode().replace("\r", "").split("\n")]
    assert lines == [len(line) for line in TEXT.split("\n")]


def test_what_is_typed_in_a_gated_shell_and_what_it_prints(client: Maker, bastion: Bastion, secrets: Path) -> None:
    """Also the line itself, in the trail and in the recording's markers; and typed text appears at once."""
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(b"echo he")
        person.wait_for(b"echo he", seconds=1.0)
        person.type(b"llo " + TOKEN.encode() + b"\r")
        person.wait_for(b"hello *")
        person.wait_for(b"# ")
        person.type(f"cat {secrets}\r".encode())
        person.wait_for(b"last line 12345")
        person.wait_for(b"# ")
        person.type(b"exit\r")
        assert person.finish() == 0
    nowhere(bastion, person.seen)
    told = [event["text"] for event in bastion.audit("command-judged") if event["request"] == "line"]
    assert "echo hello [github-token]" in told


def test_a_new_mask_is_in_force_in_a_live_session(client: Maker, bastion: Bastion, secrets: Path) -> None:
    """From the next piece of output on; and what another mask no longer hides is shown again."""
    command = client().command("web-1", f"python3 -uc '{SHOWS}'")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None

    def ask() -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{secrets}\n".encode())
        process.stdin.flush()
        seen = b""
        while not seen.endswith(b"12345\n"):
            seen += process.stdout.readline()
        return seen

    try:
        assert MAIL.encode() not in ask()
        bastion.write_policy(policy(mask="some").replace("[secrets, payment, email]", "[secrets, payment]"))
        bastion.reloaded("policy")
        seen = ask()
        assert MAIL.encode() in seen
        assert CARD.encode() not in seen
    finally:
        process.communicate()
        bastion.write_policy(policy())
        bastion.reloaded("policy", 2)


def test_what_can_not_be_masked_needs_a_rule(tmp_path: Path, target: Sshd, secrets: Path) -> None:
    """scp's protocol is refused to who is masked, unless a rule says `unmasked: true`; and then it shows all."""
    allowed = '  - {id: files, effect: allow, commands: ["scp **"], interactive: true'
    with Bastion(tmp_path / "b", [Target.of("web-1", target)], policy=policy(rules=allowed + "}")) as bastion:
        copier = Client(tmp_path / "c", bastion)
        refused = copier.run("web-1", f"scp -f {secrets}")
        assert refused.returncode == 126
        assert b"denied by all: what scp carries can not be masked" in refused.stderr
        bastion.write_policy(policy(rules=allowed + ", unmasked: true}"))
        bastion.reloaded("policy")
        done = copier.run("web-1", f"scp -f {secrets}", stdin=b"\0\0\0\0")
        assert TEXT.encode() in done.stdout, done.stderr
