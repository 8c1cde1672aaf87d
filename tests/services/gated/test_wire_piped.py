"""What a shell without a terminal is written: run by real shells, each unit runs whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

import pytest

from bastion.session.gated.boot import Kind
from bastion.session.gated.markers import Markers, Output, Prompt
from bastion.session.gated.wire import NotAUnit
from bastion.session.gated.wire_piped import LEAVE, setup, unit

NONCE = "0123456789abcdef"


@dataclass(frozen=True)
class Shell:
    kind: Kind
    program: str
    name: str

    def run(self, text: bytes) -> tuple[int, bytes, list[tuple[int, int]]]:
        """Its status, its output, and the numbers and statuses of the prompts. All comes at once: so bash reads it a
        byte at a time, and `read` has the second line."""
        path = shutil.which(self.program)
        assert path is not None
        done = subprocess.run([self.name], executable=path, input=text, capture_output=True, timeout=30, check=False)
        seen = Markers(NONCE).feed(done.stdout)
        prompts = [(item.number, item.status) for item in seen if isinstance(item, Prompt)]
        return done.returncode, b"".join(item.data for item in seen if isinstance(item, Output)), prompts


BASH = Shell(Kind.BASH, "bash", "-bash")
SHELLS = [BASH, Shell(Kind.POSIX, "dash", "-dash"), Shell(Kind.POSIX, "busybox", "-ash")]


@pytest.fixture(params=SHELLS, ids=lambda shell: str(shell.name))
def shell(request: pytest.FixtureRequest) -> Shell:
    found = request.param
    assert isinstance(found, Shell)
    return found


def test_units_run_in_turn_and_the_last_status_is_the_shells(shell: Shell) -> None:
    units = [b"'echo' 'one'", b"x=2; (exit 3)", b"'echo' \"$? $x\"; (exit 4)"]
    text = setup(shell.kind, NONCE) + b"".join(unit(shell.kind, n, n, runs) for n, runs in enumerate(units, 1))
    status, output, prompts = shell.run(text + LEAVE)
    assert (status, output) == (4, b"one\n3 2\n")
    assert prompts[0] == (0, 0)
    assert prompts[-2:] == [(2, 3), (3, 4)]


@pytest.mark.parametrize("runs", [b"! 'true'", b"'false' && 'echo' 'no'"])
def test_a_status_that_is_no_error_ends_nothing(shell: Shell, runs: bytes) -> None:
    """Also with `set -e`."""
    units = [b"'set' '-e'", runs, b"'echo' \"$?\""]
    text = setup(shell.kind, NONCE) + b"".join(unit(shell.kind, n, n, runs) for n, runs in enumerate(units, 1))
    assert shell.run(text + LEAVE)[:2] == (0, b"1\n")


def test_nothing_is_run_of_no_units(shell: Shell) -> None:
    assert shell.run(setup(shell.kind, NONCE)) == (0, b"", [(0, 0)])


def test_no_program_has_the_descriptor_of_the_markers(shell: Shell) -> None:
    """Nor the shell's own input: each finds nothing to read."""
    text = setup(shell.kind, NONCE) + unit(shell.kind, 1, 1, b"'cat'; 'ls' /proc/self/fd")
    status, output, prompts = shell.run(text + LEAVE)
    assert (status, output.split()) == (0, [b"0", b"1", b"2", b"3"])
    assert prompts[-1] == (1, 0)


@pytest.mark.parametrize("runs", [b"exec > /dev/null", b"exec >&-", b"exec > /dev/null 2>&1"])
def test_markers_outlast_standard_output(shell: Shell, runs: bytes) -> None:
    text = setup(shell.kind, NONCE) + unit(shell.kind, 1, 1, runs) + unit(shell.kind, 2, 2, b"'true'")
    assert shell.run(text + LEAVE)[2][-1] == (2, 0)


def test_a_unit_that_lost_its_beginning_runs_nothing(shell: Shell) -> None:
    """Wherever it is cut: what it quotes is never a command."""
    one = unit(shell.kind, 1, 1, b"'true'")
    lost = unit(shell.kind, 2, 2, b"'echo' '\necho canary\n'")
    for at in range(1, len(lost), 7):
        output = shell.run(setup(shell.kind, NONCE) + one + lost[at:])[1]
        assert output in (b"", b"\necho canary\n\n")  # whole, where no more than a backslash is lost


@pytest.mark.parametrize("runs", [b"'echo' '\0'", b"__bastion_n='5'", b"'x' '__b'"])
def test_what_can_not_be_a_unit_is_none(runs: bytes) -> None:
    with pytest.raises(NotAUnit):
        unit(Kind.BASH, 1, 1, runs)


def test_bash_tells_the_lines_of_the_script() -> None:
    text = (
        setup(Kind.BASH, NONCE)
        + unit(Kind.BASH, 1, 3, b"'echo' \"$LINENO\"")
        + unit(Kind.BASH, 2, 7, b"'echo' \"$LINENO\"")
    )
    assert BASH.run(text)[1] == b"3\n7\n"
