"""One client's lines must neither end its connection nor keep the bastion from everybody else."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hostile import Site, site
from tests.system.piped_scripts import serving

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "bash", "bash") as made:
        yield made


@pytest.mark.parametrize(
    "keys",
    [b"\n" * 600, b"\x1b[200~cat <<E\n" + b"a\n" * 600 + b"E\n\x1b[201~", b"sleep 1\r" + b"\n" * 600],
    ids=["empty lines", "a pasted here-document", "empty lines behind a command"],
)
def test_many_lines_at_once(place: Site, keys: bytes) -> None:
    """The session goes on, and so does the other one on the same connection."""
    with place.sit() as other, place.sit() as person:
        person.type(keys)
        person.look(4)
        assert other.process.poll() is None
        assert other.still_there()
        assert person.still_there(20)


def test_lines_of_one_open_command_are_cheap(place: Site) -> None:
    """4 KiB of newlines behind `if true`: another client is served meanwhile."""
    with place.sit() as person:
        person.type(b"if true\n")
        person.look(0.5)
        for _ in range(20):
            person.type(b"\n" * 200)
            person.look(0.05)
        began = time.monotonic()
        done = place.client.run("-S", "none", "gated", "echo hi")
        assert done.stdout == b"hi\n"
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("shell", ["bash", "dash", "ash"])
def test_a_shell_that_runs_nothing_more_ends(shell: str, tmp_path: Path) -> None:
    """`set -n` as in plain ssh: the end of the input ends it."""
    with serving(tmp_path, shell) as served:
        process = served.client.popen("-T", "web-1")
        try:
            process.communicate(b"echo a\nset -n\necho b\n", timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            pytest.fail("it hangs")
