"""What a target tells of itself must open nothing: a forged directory, a mask that is off for another's output.

The nonce is no secret from the one who types: in dash and ash PS1 holds it, in bash `set`, `set -x` and `set -v` show
it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.system.hostile import Person, Site, site

SHELLS = """\
version: 1
rules:
  - {id: gated, effect: allow, where: {labels: {shell: gated}}, shell: gated}
  - {id: raw, effect: allow, where: {labels: {shell: raw}}, shell: raw}
"""
LOOK = (
    SHELLS
    + """\
  - {id: tests, effect: allow, dynamic: true, commands: ["echo **", "cat **", "cd **", "ls **", "sleep *"]}
  - {id: told, effect: allow, commands: ["set", "printf **"]}
  - {id: kept, effect: deny, categories: [credential-access]}
"""
)
MASKED = (
    SHELLS
    + """\
  - {id: tests, effect: allow, dynamic: true, reads: ["/dev/tty"], commands: ["echo **", "read **"]}
  - {id: shown, effect: allow, unmasked: true, commands: ["sleep *"]}
mask:
  - {id: personal, detectors: [email]}
"""
)
SECRET = b"joe@example.com"


def number(place: Site) -> int:
    return int(place.bastion.audit("command-judged")[-1]["number"])


def nonce(person: Person, shell: str) -> str:
    found = re.search(rb"7777;([0-9a-f]{16,64});", person.run("set" if shell == "bash" else 'echo "$PS1"'))
    return found[1].decode() if found else "0" * 32


@pytest.mark.parametrize("shell", ["bash", "dash", "ash"])
def test_a_forged_directory_opens_nothing(shell: str, tmp_path: Path) -> None:
    """In /etc `shadow` is a credential whatever the target prints; in dash and ash `echo` and `cd` are enough."""
    with site(tmp_path, shell, policy=LOOK) as place, place.sit() as person:
        person.run("cd /etc")
        assert b"denied by kept" in person.run("cat shadow")
        word = nonce(person, shell)
        say = "printf" if shell == "bash" else "echo"
        marker = (
            rf"\033]7777;{word};prompt;{number(place) + 1};0\007/tmp\033]7777;{word};at\007$ \033]7777;{word};end\007"
        )
        person.run(f"{say} '{marker}'")
        person.type(b"cat shadow\r")
        person.look(2)
        ended = [event["directory"] for event in place.bastion.audit("line-ended")]
        assert set(ended) == {"/etc"}, "line-ended tells a directory that the shell was never in"
        assert place.bastion.audit("command-judged")[-1]["effect"] == "deny"


@pytest.mark.parametrize(
    "lines",
    [
        ("{ read -t 1 x; echo joe@example.com; } < /dev/tty &", "sleep 3"),
        ("sleep() { echo joe@example.com; }", "sleep 1"),
    ],
    ids=["a job in the background", "a function by its name"],
)
def test_an_unmasked_line_shows_what_it_covers_and_no_more(lines: tuple[str, ...], tmp_path: Path) -> None:
    """The mask is off for `sleep *`; what another line has started or defined is masked as ever."""
    with site(tmp_path, "bash", policy=MASKED) as place, place.sit() as person:
        assert SECRET not in person.run("echo joe@example.com").split(b"\n", 1)[1]
        for line in lines:
            seen = person.run(line).split(b"\n", 1)[1]
            assert SECRET not in seen


def test_no_program_is_given_the_nonce(tmp_path: Path) -> None:
    """With a forced command, as README has it for other shells, sshd puts the text of the channel's exec in the
    environment: nothing of it is left there for what the shell runs."""
    with site(tmp_path, "bash", policy=LOOK) as place, place.sit() as person:
        assert b"7777;" not in person.run('echo "$SSH_ORIGINAL_COMMAND"')


def test_a_directory_without_end_does_not_tell_the_nonce(tmp_path: Path) -> None:
    """Its name is longer than a marker may be: the prompt comes, and no piece of the marker is shown."""
    with site(tmp_path / "bash", "bash") as place, place.sit() as person:
        tmp_path.chmod(0o755)
        here = os.open(tmp_path, os.O_RDONLY)
        for _ in range(70):
            os.mkdir("d" * 250, dir_fd=here)
            here, before = os.open("d" * 250, os.O_RDONLY, dir_fd=here), here
            os.close(before)
        os.close(here)
        person.run(f"cd {tmp_path}")
        person.type(b"while cd dddd*; do true; done\r")
        person.look(4)
        assert b"\x1b]7777;" not in person.seen
        person.ready()


def test_the_trail_tells_of_each_allowed_line_what_became_of_it(tmp_path: Path) -> None:
    """A line that is withdrawn while it is judged does not run: an `allow` must not be the last word of it."""
    with site(tmp_path, "bash") as place:
        with place.sit() as person:
            for number in range(20):
                person.type(f"echo w{number}\r".encode())
                person.look(0.001 * (number % 4))
                person.type(b"\x03")
                person.look(0.4)
            person.look(8)
            withdrawn = person.seen.count(b"it was withdrawn")
        judged = [event for event in place.bastion.audit("command-judged") if event["request"] == "line"]
        last = {event["number"]: event["effect"] for event in judged}
        ended = {event["number"] for event in place.bastion.audit("line-ended")}
        assert not {number for number, effect in last.items() if effect == "allow"} - ended, withdrawn
