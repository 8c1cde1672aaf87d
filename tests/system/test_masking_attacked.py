"""What was found by attack on the whole bastion: secrets that are seen or kept, sessions that hang, break or stall."""

from __future__ import annotations

import base64
import hashlib
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.hostile import site
from tests.system.terminal import Terminal
from tests.system.test_masking import policy

RULES = """\
  - {id: open, effect: allow, commands: ["tail **"], interactive: true, unmasked: true}
  - {id: no, effect: deny, commands: ["rm **"]}
  - {id: ask, effect: approve, commands: ["uptime **"], approval: {by: [sre], mode: return}}
"""
POLICY = policy(rules=RULES, more="columns: [name]")


def token(number: int) -> str:
    """One that no other test uses."""
    text = base64.b64encode(hashlib.sha512(b"%d" % number).digest(), b"ab").decode()
    return "ghp_" + text[:36]


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    with Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)], policy=POLICY) as served:
        yield served


def kept(bastion: Bastion, secret: str) -> list[str]:
    """The files that the bastion wrote in which it stands."""
    files = [path for path in (bastion.folder / "state").rglob("*") if path.is_file()]
    return sorted(path.name for path in files if secret.encode() in path.read_bytes())


def test_a_secret_at_the_top_of_a_cleared_screen(client: Maker, bastion: Bastion, tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text(f"{token(1)}\n")
    with Terminal(client().command("-tt", "-q", "web-1", f"printf '\\033[H\\033[2J'; cat {file}")) as person:
        assert person.finish() == 0
    assert (token(1).encode() in person.seen, kept(bastion, token(1))) == (False, [])


def test_what_runs_behind_an_unmasked_command_stays_masked(client: Maker, bastion: Bastion, tmp_path: Path) -> None:
    """A job in the background prints while `tail -f`, which alone may show all, is in front."""
    file, empty = tmp_path / "t", tmp_path / "empty"
    file.write_text(f"{token(2)}\nprinted last\n")
    empty.write_text("")
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(f"sh -c 'sleep 2; cat {file}' &\r".encode())
        person.wait_for(b"# ")
        person.type(f"tail -f {empty}\r".encode())
        person.wait_for(b"printed last")
        person.type(b"\x03")
        person.wait_for(b"# ")
        person.type(b"exit\r")
        person.finish()
    assert (token(2).encode() in person.seen, kept(bastion, token(2))) == (False, [])


DENIED = {"a file that is written": "echo x > /tmp/{}", "the program": "no-{}"}


@pytest.mark.parametrize("way", DENIED)
def test_the_reason_of_a_refusal_in_the_trail(way: str, client: Maker, bastion: Bastion) -> None:
    secret = token(10 + len(way))
    done = client().run("web-1", DENIED[way].format(secret))
    assert done.returncode == 126
    assert secret.encode() not in done.stderr
    assert kept(bastion, secret) == []


def test_a_column_in_the_text_of_a_command(client: Maker, bastion: Bastion) -> None:
    """`columns` are masks too, and masks hide what stands in the text of a command."""
    done = client().run("web-1", """echo '{"name":"Hedwig-Lamarr"}'""")
    assert b"Hedwig" not in done.stdout
    assert kept(bastion, "Hedwig-Lamarr") == []


COMMANDS = {
    "mysql": "echo mysql -p{} x",
    "curl": "echo curl -u bob:{} x",
    "an option": "echo x --password {} y",
    "sshpass": "echo sshpass -p {} ssh x",
    "a header": 'echo curl -H "X-Api-Key: {}"',
    "an assignment": "echo export PASSWORD={}",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_password_in_the_words_of_a_command(name: str, client: Maker, bastion: Bastion) -> None:
    """The trail has the text that runs too, in which every word stands in quotes."""
    secret = "Hunter2x9" + name.title().replace(" ", "")
    done = client().run("web-1", COMMANDS[name].format(secret))
    assert (done.returncode, secret.encode() in done.stdout) == (0, False)
    assert kept(bastion, secret) == []


def test_a_password_in_what_people_are_asked_to_approve(client: Maker, bastion: Bastion) -> None:
    done = client().run("web-1", "uptime --password Hunter2x9Asked y")
    assert done.returncode == 125
    assert kept(bastion, "Hunter2x9Asked") == []


def test_a_password_at_the_end_of_a_command_in_the_markers(client: Maker, bastion: Bastion) -> None:
    """What the bastion says of the command stands on the same line there, and the value is at no line's end."""
    done = client().run("web-1", "echo password: Hunter2x9Marked")
    assert done.stdout == b"password: [password-assigned]\n"
    assert [name for name in kept(bastion, "Hunter2x9Marked") if name.endswith(".cast")] == []


def test_a_line_that_is_edited_before_a_secret(client: Maker, bastion: Bastion) -> None:
    """The bastion's own editor draws the rest of the line anew."""
    secret = token(20)
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(f"echo {secret}".encode())
        person.wait_for(b"*" * 40)
        person.type(b"\x1b[D" * 25)
        person.look(0.5)
        person.type(b"z")
        person.wait_for(b"*" * 41)
        person.type(b"\x05\x15exit\r")
        person.finish()
    assert (secret[-25:].encode() in person.seen, kept(bastion, secret[-25:])) == (False, [])


PROMPTS = ["Password for grace", "Continue 4", "user@host", "0000", r"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_program_over_a_pipe_that_waits_for_an_answer_is_seen(prompt: str, client: Maker) -> None:
    """Both sides wait for ever otherwise: `docker -H ssh://` is answered OK, without a line end."""
    program = f'import sys; sys.stdout.write("{prompt}"); sys.stdout.flush(); sys.stdin.readline()'
    command = client().command("web-1", f"python3 -c '{program}'")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    wanted, seen, deadline = prompt.encode().decode("unicode_escape").encode(), b"", time.monotonic() + 5
    try:
        while seen != wanted and select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            seen += os.read(process.stdout.fileno(), 4096)
        assert seen == wanted
    finally:
        process.communicate(b"\n")


def test_a_comment_in_the_policy_within_a_private_key(client: Maker, bastion: Bastion) -> None:
    line = token(30)[4:] + token(31)[4:24]
    program = (
        'import sys; print("-----BEGIN RSA PRIVATE " + "KEY-----"); print("started"); sys.stdout.flush();'
        f' sys.stdin.readline(); print("{line[::-1]}"[::-1])'
    )
    process = subprocess.Popen(
        client().command("web-1", f"python3 -c '{program}'"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    before = len(bastion.audit("policy-reloaded"))
    try:
        assert os.read(process.stdout.fileno(), 100) == b"[private-key]"
        bastion.write_policy(f"# a comment\n{POLICY}")
        bastion.reloaded("policy", before + 1)
    finally:
        out, _ = process.communicate(b"\n")
        bastion.write_policy(POLICY)
        bastion.reloaded("policy", before + 2)
    assert line.encode() not in out


def served(tmp_path: Path, target: Sshd, masks: str) -> Bastion:
    return Bastion(tmp_path / "b", [Target.of("web-1", target)], policy=policy().partition("mask:")[0] + masks)


def test_a_pattern_that_ends_within_a_character_breaks_no_session(tmp_path: Path, target: Sshd) -> None:
    """`.` is one byte of two of the letter at the end."""
    with served(tmp_path, target, "mask: [{id: a, patterns: [{id: b, pattern: 'caf.'}]}]\n") as bastion:
        assert Client(tmp_path / "c", bastion).run("web-1", "echo caf\u00e9").returncode == 0


def test_masks_that_can_not_be_used_are_told(tmp_path: Path, target: Sshd) -> None:
    """The client is told why, and the log or the trail tells it too; the connection stays."""
    with served(tmp_path, target, "mask: [{id: a, detectors: [email]}]\n") as bastion:
        bastion.write_policy(
            policy().partition("mask:")[0] + "mask: [{id: email, words: [foobar], detectors: [email]}]\n"
        )
        until(lambda: bastion.audit("policy-reloaded") or "email" in bastion.log, told=lambda: bastion.log)
        done = Client(tmp_path / "c", bastion).run("web-1", "true")
    assert b"bastion:" in done.stderr or done.returncode == 0


def test_one_session_s_output_does_not_stall_another(client: Maker, bastion: Bastion, tmp_path: Path) -> None:
    """20 KB that begin like a wide table."""
    lines = ["\t".join(["id"] * 1000 + ["name"] * 1000), " a \t" * 2500, " a \t" * 500, "x\t" * 300, ""]
    file = tmp_path / "wide"
    file.write_text("\n".join(lines))
    slow = subprocess.Popen(client().command("web-1", f"cat {file}"), stdout=subprocess.DEVNULL)
    try:
        until(lambda: bastion.audit("command-judged")[-1]["text"] == f"cat {file}", told=lambda: bastion.log)
        begin = time.monotonic()
        done = client().run("web-1", "true")
        assert (done.returncode, time.monotonic() - begin < 5) == (0, True)
    finally:
        slow.kill()
        slow.communicate()


WORDS = """\
import sys, time
for _ in range(40):
    sys.stdout.write("a" * 40)
    sys.stdout.flush()
    time.sleep(0.004)
    sys.stdout.write("1")
    sys.stdout.flush()
    time.sleep(0.1)
"""


def test_a_long_word_and_a_digit_on_a_terminal_do_not_stop_the_bastion(tmp_path: Path, target: Sshd) -> None:
    """One session's 41 bytes, in two pieces, and nobody is served any more."""
    (tmp_path / "words.py").write_text(WORDS)
    with Bastion(tmp_path / "b", [Target.of("web-1", target)], policy=POLICY) as bastion:
        command = Client(tmp_path / "c", bastion).command("-tt", "-q", "web-1", f"python3 {tmp_path / 'words.py'}")
        with Terminal(command) as person:
            person.look(3.0)
            done = subprocess.run(Client(tmp_path / "d", bastion).command("web-1", "true"), timeout=20, check=False)
            print(person.seen)
            assert done.returncode == 0


GATED = """\
version: 1
rules:
  - {id: gated, effect: allow, where: {labels: {shell: gated}}, shell: gated}
  - id: look
    effect: allow
    dynamic: true
    reads: ["/**"]
    commands: ["echo **", "cat **", "sleep **", "head **", "tail **"]
mask:
  - {id: all, columns: [ssn]}
"""


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_table_that_goes_on_behind_a_prompt(tmp_path: Path, shell: str) -> None:
    """A job in the background prints the rest of it; and no table goes on where nothing runs."""
    table = tmp_path / "t.csv"
    table.write_text("id,ssn,name\n" + "".join(f"{row},987-65-400{row},bob{row}\n" for row in range(6)))
    with site(tmp_path / "site", shell, policy=GATED) as place, place.sit() as person:
        assert b"bob5" in person.run(f"cat {table}")
        assert b"\nhello" in person.run("echo hello")
        person.run(f"(head -n 2 {table}; sleep 2; tail -n +3 {table}) &")
        person.wait_for(b"bob0")
        person.run("echo between")
        person.wait_for(b"bob5")
    assert b"987-65" not in person.seen
