"""The set-up tells what only root can install, and changes nothing without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def bare() -> Iterator[Path]:
    """A PATH with a shell and little else, which any user can see."""
    folder = Path(tempfile.mkdtemp(prefix="bastion-bare-"))
    folder.chmod(0o755)
    for name in ("sh", "id", "printf", "sort", "tr", "touch"):
        program = shutil.which(name)
        assert program is not None
        (folder / name).symlink_to(program)
    yield folder
    shutil.rmtree(folder)


def prepare(goal: str, path: Path) -> subprocess.CompletedProcess[str]:
    """tests/prepare.sh as a user who is not root, in a folder where nothing can be written."""
    user = NOBODY if os.geteuid() == 0 else None
    return subprocess.run(
        ["sh", "-s", "--", goal],
        input=(ROOT / "tests/prepare.sh").read_text(),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=user,
        env={"PATH": str(path), "VENV": "/nonexistent/venv"},
    )


@pytest.mark.parametrize(
    ("goal", "wanted"),
    [
        ("test", {"openssh-client", "python3-venv", "tmux", "asciinema", "putty-tools", "nodejs", "npm"}),
        ("demo", {"openssh-client", "python3-venv"}),
    ],
)
def test_without_root_every_missing_package_is_listed_once_and_the_set_up_ends(
    goal: str, wanted: set[str], bare: Path
) -> None:
    done = prepare(goal, bare)
    assert done.returncode == 1
    assert done.stdout == ""
    command = next(line for line in done.stderr.splitlines() if "apt-get install" in line)
    packages = command.split("--no-install-recommends")[1].split()
    assert wanted <= set(packages)
    assert len(packages) == len(set(packages))
    assert not ({"tmux", "nodejs"} & set(packages) and goal == "demo"), "the demo needs less than the tests"


def test_the_scripts_can_be_run_and_stop_at_the_first_failure() -> None:
    for name in (".ci/run", "tests/prepare.sh"):
        path = ROOT / name
        assert os.access(path, os.X_OK)
        assert "\nset -eu\n" in path.read_text()
