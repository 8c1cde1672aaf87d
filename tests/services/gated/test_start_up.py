"""The first unit: what the account's start-up files set is there, as in a login shell, and nothing of the protocol."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bastion.session.gated import wire
from tests.services.gated.target import Target, shell_named, started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_start_up_files_are_read_as_a_login_shell_reads_them(home: Path, tmp_path: Path) -> None:
    (home / ".profile").write_text("PROFILE=yes; export PROFILE\nstty -ixon\nread -t 0.1 x\n. ~/.bashrc\n")
    (home / ".bashrc").write_text(
        "alias ll='ls -l'\nPS1='\\[\\e[1m\\]\\u:\\w\\$\\[\\e[0m\\] '\nPROMPT_COMMAND='LAST=$?'\n"
    )
    with started("bash", tmp_path) as target:
        assert target.prompts[0].prompt.startswith(b"\x1b[1m")
        assert target.prompts[0].prompt.endswith(b":~" + (b"#" if os.getuid() == 0 else b"$") + b"\x1b[0m ")
        target.run("false")
        target.run('echo $PROFILE $LAST $-; shopt -q login_shell && echo login; alias ll; echo "$PS1"')
        assert target.lines[0].startswith("yes 1 ")
        assert target.lines[1:] == ["login", "alias ll='ls -l'", "\\[\\e[1m\\]\\u:\\w\\$\\[\\e[0m\\] "]
        assert target.run('PS1="(venv) $PS1"').prompt.startswith(b"(venv) \x1b[1m")
        assert target.run('echo "${PS1:0:7}"').prompt.startswith(b"(venv) \x1b[1m")
        assert target.lines == ["(venv) "]


def test_posix_start_up_files_are_read_too(home: Path, tmp_path: Path) -> None:
    (home / ".profile").write_text("PROFILE=yes\nexport ENV=$HOME/.shrc\nPS1='$PWD: '\n")
    for shell in ("dash", "ash"):
        with started(shell, tmp_path) as target:
            target.run("echo $PROFILE")
            assert target.lines == ["yes"]
            assert target.prompts[-1].prompt == str(home).encode() + b": "


def test_history_keeps_nothing_of_the_protocol(home: Path, tmp_path: Path) -> None:
    """And what the account's own history held is still there."""
    (home / ".bash_history").write_text("an old command\n")
    with started("bash", tmp_path) as target:
        target.run("echo a")
        target.run('history; echo "<$HISTFILE>"; set -o | grep -e hist')
        assert [line.split() for line in target.lines] == [
            ["1", "an", "old", "command"],
            ["<>"],
            ["histexpand", "off"],
            ["history", "off"],
        ]
        target.send("exit")
        target.until_ended()
    assert (home / ".bash_history").read_text() == "an old command\n"


def refused(shell: str, folder: Path) -> str | None:
    """Why a target's first unit refuses."""
    target = Target(shell_named(shell, folder), folder)
    target.begin()
    try:
        target.feed()
        target.write(wire.setup(target.kind, target.nonce))
        assert target.until_ended() == 125
        return target.refused
    finally:
        target.close()


def test_a_read_only_prompt_command_is_refused(home: Path, tmp_path: Path) -> None:
    """What looks after bash's input could not be put there."""
    (home / ".profile").write_text("readonly PROMPT_COMMAND='echo hi'\n")
    assert refused("bash", tmp_path) == "PROMPT_COMMAND is read-only"


def test_an_sh_that_is_bash_is_refused(home: Path, tmp_path: Path) -> None:
    """As the script of an interactive bash the channel would end with the first Ctrl-C."""
    assert home.exists()
    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / "ash").symlink_to(bash)
    assert refused("ash", tmp_path) == "sh is bash here: the account's shell should be told as bash"
