"""Login shells, with the real ones behind a real sshd: those that read a printed text as it was judged are asked and
used; those that would run something else of it are refused, and that they would is shown here."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bastion.analysis.printer import quote
from bastion.targets.login_shell import QUESTION
from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until

POLICY = """\
version: 1
rules:
  - {id: tests, effect: allow, who: {groups: [agents]}, commands: ["echo **", "cat **", "printf **", "test **"]}
"""
# What sshd does with an account's login shell: argv[0] is its name, and the text follows `-c`; without a text, for a
# shell, its name begins with a dash.
LOGIN = """\
#!{python}
import os, sys
sys.stdout.write({noise!r}); sys.stdout.flush()
os.environ["SHELL"] = {program!r}
text = os.environ.pop("SSH_ORIGINAL_COMMAND", None)
os.execv({program!r}, ["-" + {name!r}] if text is None else [{name!r}, "-c", text])
"""
READS_RIGHT = {"bash": "bash", "rbash": "rbash", "dash": "dash", "ash": "busybox", "sh": "sh"}
"""What the shell is called, and the program that it is."""


def installed(program: str) -> str:
    path = shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin")
    assert path is not None, f"no {program}: `sh tests/prepare.sh test` brings it"
    return path


def with_shell(folder: Path, name: str, program: str, noise: str = "") -> Sshd:
    """A server whose every command is read by that program, called `name`, as an account's login shell is."""
    folder.mkdir(parents=True, exist_ok=True)
    login = folder / "login"
    login.write_text(LOGIN.format(python=sys.executable, program=installed(program), name=name, noise=noise))
    login.chmod(0o755)
    return Sshd(folder, options=[f"ForceCommand {login}"])


@contextmanager
def asking(
    folder: Path, name: str, program: str, noise: str = "", policy: str = POLICY
) -> Iterator[tuple[Bastion, Client, Sshd]]:
    """A bastion whose inventory does not say which shell `web-1` has, and a client of it."""
    with with_shell(folder / "target", name, program, noise) as sshd:
        target = Target("web-1", sshd.host, sshd.port, sshd.host_key, sshd.key, shell="")
        with Bastion(folder / "bastion", [target], policy=policy) as bastion:
            yield bastion, Client(folder / "client", bastion), sshd


@pytest.mark.parametrize(("name", "program"), READS_RIGHT.items(), ids=list(READS_RIGHT))
def test_a_shell_that_reads_right_is_asked_once_and_used(tmp_path: Path, name: str, program: str) -> None:
    """Two commands and one question, which the trail has with its answer, before the command that it was for."""
    with asking(tmp_path, name, program) as (bastion, client, sshd):
        for _ in range(2):
            done = client.run("web-1", """echo 'a\\' "it's" '!x' '=ls' '~'""")
            assert (done.returncode, done.stdout, done.stderr) == (0, b"a\\ it's !x =ls ~\n", b"")
        (asked,) = bastion.audit("login-shell-asked")
        assert (asked["shell"], asked["question"].encode(), "problem" in asked) == (name, QUESTION, False)
        judged = bastion.audit("command-judged")
        assert [event["effect"] for event in judged] == ["allow", "allow"]
        assert asked["seq"] < judged[0]["seq"]
        assert until(lambda: sshd.log.count("Starting session")) == 3


@pytest.mark.parametrize(("name", "program"), READS_RIGHT.items(), ids=list(READS_RIGHT))
def test_it_reads_what_it_has_and_no_more(tmp_path: Path, name: str, program: str) -> None:
    """A here-string is bash's: given to another shell it is refused here, not left to fail there."""
    with asking(tmp_path, name, program) as (_, client, _sshd):
        done = client.run("web-1", "cat <<< hello")
    if name in ("bash", "rbash"):
        assert (done.returncode, done.stdout) == (0, b"hello\n")
    else:
        assert (done.returncode, done.stdout) == (126, b"")
        assert b"here-string" in done.stderr


def test_what_start_up_files_print_is_no_part_of_the_answer(tmp_path: Path) -> None:
    with asking(tmp_path, "dash", "dash", noise="Welcome to web-1\nbastion-shell\n") as (bastion, client, _):
        assert client.run("web-1", "echo hello").stdout.endswith(b"hello\n")
        assert bastion.audit("login-shell-asked")[0]["shell"] == "dash"


@pytest.mark.parametrize("name", ["zsh", "mksh", "fish", "tcsh", "nologin", "false"])
def test_a_shell_that_does_not_is_refused(tmp_path: Path, name: str) -> None:
    """126, why and what to do; the command is not sent, and the next one asks again."""
    with asking(tmp_path, name, name) as (bastion, client, sshd):
        for _ in range(2):
            done = client.run("web-1", "echo hello")
            assert (done.returncode, done.stdout) == (126, b"")
            first, second = done.stderr.decode().splitlines()
            assert first.startswith("bastion: denied by login-shell: the account's login shell may read quotes other")
            assert "write `shell: bash`" in second
        asked = bastion.audit("login-shell-asked")
        assert ["shell" in event for event in asked] == [False, False]
        assert {event["effect"] for event in bastion.audit("command-judged")} == {"deny"}
        assert until(lambda: sshd.log.count("Starting session")) == 2


HIDDEN = {
    "zsh": [b"printf", b"%d", b"path[$(echo ran > canary)1]"],
    "mksh": [b"test", b"x[$(echo ran > canary)]", b"-eq", b"1"],
    "fish": [b"echo", b"a\\", b"; echo ran > canary #"],
    "tcsh": [b"echo", b"a\necho ran > canary\n"],
}
"""Words that are data to the judge: quoted, for programs that do nothing but print or compare them."""


@pytest.mark.parametrize("name", HIDDEN)
def test_those_that_are_refused_would_run_what_was_not_judged(tmp_path: Path, name: str) -> None:
    """Which is why: the same text, as it is printed, in the shell itself. In dash and bash nothing of it runs."""
    text = b" ".join(map(quote, HIDDEN[name]))
    for shell in ("bash", "dash", "busybox"):
        applet = [b"sh"] if shell == "busybox" else []
        subprocess.run(
            [installed(shell), *applet, "-c", text], cwd=tmp_path, capture_output=True, timeout=20, check=False
        )
        assert not (tmp_path / "canary").exists(), shell
    subprocess.run([installed(name), "-c", text], cwd=tmp_path, capture_output=True, timeout=20, check=False)
    assert (tmp_path / "canary").exists()


def test_commands_that_come_at_once_ask_once(tmp_path: Path) -> None:
    with asking(tmp_path, "dash", "dash") as (bastion, client, _):
        done: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: done.append(client.run("web-1", "echo hello").stdout)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert done == [b"hello\n"] * 6
        assert len(bastion.audit("login-shell-asked")) == 1


def test_what_is_denied_anyway_asks_nobody(tmp_path: Path) -> None:
    with asking(tmp_path, "dash", "dash") as (bastion, client, sshd):
        assert client.run("web-1", "reboot").returncode == 126
        assert (bastion.audit("login-shell-asked"), sshd.connections) == ([], 0)


def test_an_entry_that_changes_is_asked_again(tmp_path: Path) -> None:
    """The shell was kept for the entry as it stood; one that names it is not asked at all."""
    with asking(tmp_path, "dash", "dash") as (bastion, client, sshd):
        for labels, shell, asked in (({"env": "test"}, "", 1), ({"env": "new"}, "", 2), ({"env": "new"}, "dash", 2)):
            times = len(bastion.audit("inventory-reloaded")) + (asked > 1 or shell != "")
            target = Target("web-1", sshd.host, sshd.port, sshd.host_key, sshd.key, labels=labels, shell=shell)
            bastion.write_inventory([target])
            if times:
                bastion.reloaded("inventory", times)
            assert client.run("web-1", "echo hello").stdout == b"hello\n"
            assert len(bastion.audit("login-shell-asked")) == asked


def test_a_target_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """255 within the bound; nothing of the command was sent, and both are in the trail."""
    folder = tmp_path / "silent"
    with Sshd(folder / "target", options=["ForceCommand sleep 60"]) as sshd:
        target = Target("web-1", sshd.host, sshd.port, sshd.host_key, sshd.key, shell="")
        with Bastion(folder / "bastion", [target], policy=POLICY) as bastion:
            done = Client(folder / "client", bastion).run("web-1", "echo hello")
            assert (done.returncode, done.stdout) == (255, b"")
            assert b"did not say within 5 s which login shell the account has" in done.stderr
            assert "did not say" in bastion.audit("login-shell-asked")[0]["problem"]
            (judged,) = bastion.audit("command-judged")
            assert (judged["effect"], judged["rule"], "runs" in judged) == ("deny", "unjudged", False)
