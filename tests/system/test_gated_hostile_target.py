"""A target that helps the client: false prompts, a stolen nonce, writing into the shell's files, start-up files.

What the account's own start-up files define is the target's, and holds here as in any shell: see the last tests, which
show the limits and not a wish.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hostile import NOBODY, Person, Site, site

MARKER = r"\033]7777;{nonce};prompt;{number};0\007/\033]7777;{nonce};at\007$ \033]7777;{nonce};end\007"

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="it reads another's memory, or becomes another account")


@pytest.fixture(scope="module", params=["bash", "dash"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def process(person: Person) -> int:
    """The shell's, as it tells."""
    (found,) = re.findall(rb"pid-([0-9]+)-", person.run("echo pid-$$-").split(b"\n", 1)[1])
    return int(found)


def stolen(shell: int) -> str:
    """The session's nonce, out of the memory of its shell: root may."""
    for line in Path(f"/proc/{shell}/maps").read_text().splitlines():
        first, last = (int(number, 16) for number in line.split()[0].split("-"))
        if " rw" in line and "[v" not in line:
            with Path(f"/proc/{shell}/mem").open("rb") as memory:
                memory.seek(first)
                if found := re.search(rb"\x1b\]7777;([0-9a-f]{32});prompt", memory.read(last - first)):
                    return found[1].decode()
    raise AssertionError("no nonce")


def number(place: Site) -> int:
    """Of the last line that was judged."""
    return int(place.bastion.audit("command-judged")[-1]["number"])


@ROOT
@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_a_prompt_of_the_targets_own_making(place: Site, ahead: int, tmp_path: Path) -> None:
    """With the right nonce: a unit's number can not be guessed, so the keys stay the program's."""
    canary = tmp_path / "c"
    with place.sit() as person:
        nonce = stolen(process(person))
        marker = MARKER.format(nonce=nonce, number=number(place) + ahead)
        person.type(f"printf '{marker}'; sleep 1\r".encode())
        person.look(0.4)
        person.type(b"touch %s\n" % str(canary).encode())
        person.look(1.5)
        assert b"no rule allows touch" not in person.seen
        assert person.still_there()
        person.do((b"touch {canary}\r", 0.2, b"\x03touch {canary}\r", 0.2), canary)
    assert not canary.exists()


@ROOT
def test_markers_of_the_command_channel_and_refusals_come_too_late(place: Site, tmp_path: Path) -> None:
    """A second `fifo` opens nothing; `refused` ends the session and no more."""
    canary, trap = tmp_path / "c", tmp_path / "trap"
    with place.sit() as person:
        nonce = stolen(process(person))
        person.run(rf"printf '\033]7777;{nonce};fifo;{trap}\007'")
        assert person.still_there()
        person.type(rf"printf '\033]7777;{nonce};refused;x\007'; sleep 9".encode() + b"\r")
        person.finish(5)
    assert not trap.exists()
    assert not canary.exists()


def test_jobs_in_the_background_print_and_read_nothing(place: Site, tmp_path: Path) -> None:
    """What they print stands above the prompt; what they would read is not theirs."""
    canary = tmp_path / "c"
    with place.sit() as person:
        person.run("(sleep 0.3; echo noise; printf 'touch'; cat) &")
        person.type(b"tou")
        person.look(0.6)
        person.type(b"ch %s\n" % str(canary).encode())
        person.ready()
        assert b"noise" in person.seen
        assert b"no rule allows touch" in person.seen
        person.run("kill %1")
        assert person.still_there()
    assert not canary.exists()


@pytest.mark.parametrize("bytes_eaten", [1, 7, 11, 20, 45, 200])
def test_who_eats_of_the_command_channel_gets_units_and_no_commands(
    place: Site, bytes_eaten: int, tmp_path: Path
) -> None:
    """What is left of a unit is no command, though its text is one. (In dash no command can name the channel.)"""
    canary = tmp_path / "c"
    with place.sit() as person:
        person.type(b"(sleep 0.4; head -c %d <&10) &\r" % bytes_eaten)
        person.ready()
        person.look(0.6)
        for _ in range(3):
            person.type(b"echo ';touch %s;' '\n'\r" % str(canary).encode())
            person.look(0.2)
    assert not canary.exists()


@ROOT
@pytest.mark.parametrize("name", ["bash", "dash"])
def test_the_account_can_not_write_into_its_shell(name: str, tmp_path: Path) -> None:
    """By no open file of any of its processes, be it by a program that no gate stands before. A rule for all of /proc
    does not cover these files either."""
    canary = tmp_path / "c"
    tmp_path.chmod(0o777)
    with site(tmp_path / "site", name, user=NOBODY) as place, place.sit() as person:
        shell = process(person)
        refused = place.client.run("gated", f"printf 'touch {canary}\\n' > /proc/{shell}/fd/0")
        assert b"a rule must name that in `writes`" in refused.stderr
        files = [file for found in processes(NOBODY) for file in found]
        assert len(files) > 4
        channels = [file for file in files if (Path(file).stat().st_mode & 0o170000) == 0o010000]
        (held,) = [file for file in channels if file.startswith(f"/proc/{shell}/")]
        refused = place.client.run("gated", f"printf 'touch {canary}\\n' | tee {held}")
        assert b"Permission denied" in refused.stderr
        written = [file for file in files if as_account(f"printf 'touch {canary}\\n' > {file}") == 0]
        assert not set(channels) & set(written)
        assert person.still_there()
        person.look(0.3)
    assert not canary.exists()


def processes(user: int) -> Iterator[list[str]]:
    """The open files of each of its processes."""
    for status in [found / "status" for found in Path("/proc").iterdir() if found.name.isdigit()]:
        try:
            if re.search(rf"^Uid:\s+{user}\s", status.read_text(), re.MULTILINE):
                yield [str(path) for path in (status.parent / "fd").iterdir()]
        except OSError:
            continue  # it ended meanwhile


def as_account(text: str) -> int:
    """The status of a program of the account that came by another way than the bastion."""
    user = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
    command = ["setpriv", *user, "timeout", "1", "sh", "-c", text]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


def test_start_up_files_define_what_the_target_wants(tmp_path: Path) -> None:
    """An alias never applies. A function does, as in any shell: who writes start-up files writes the account's
    commands, and a rule that lets a client write them gives the shell away."""
    alias, function = tmp_path / "alias", tmp_path / "function"
    for name, file in (("bash", ".bash_profile"), ("dash", ".profile")):
        folder = tmp_path / name
        (folder / "target").mkdir(parents=True)
        (folder / "target" / file).write_text(f"alias echo='touch {alias}'\nsort() {{ touch {function}; }}\n")
        with site(folder, name) as place, place.sit() as person:
            assert b"\nhello\r\n" in person.run("echo hello")
            person.run("sort /dev/null")
        assert not alias.exists()
        assert function.exists()
        function.unlink()


@ROOT
def test_root_writes_into_the_shell_by_another_way(tmp_path: Path) -> None:
    """No mode holds root back. Rules for root that let a program write where it likes give the shell away, as they give
    away the start-up files."""
    canary = tmp_path / "c"
    with site(tmp_path / "site", "bash") as place, place.sit() as person:
        Path(f"/proc/{process(person)}/fd/0").write_text(f"touch {canary}\n")
        person.look(0.5)
    assert canary.exists()
