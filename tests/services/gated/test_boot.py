"""The boot text, on a real terminal with real shells: where it finds a place, what it leaves, how it refuses."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.session.gated import boot, wire
from bastion.session.gated.boot import Kind
from tests.services.gated.target import SHELLS, Target, shell_named, started

NOBODY = 65534
TMP = "/tmp"  # noqa: S108  one of the places that boot tries, and the one it mostly finds


def made(shell: str, folder: Path, environment: dict[str, str] | None = None, user: int = 0) -> Target:
    return Target(shell_named(shell, folder), folder, environment, user)


def programs(folder: Path, *names: str) -> dict[str, str]:
    """An environment whose PATH has these programs and no more."""
    path = folder / "programs"
    path.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    return {"PATH": str(path)}


def folder_named(target: Target, base: str) -> Path:
    return Path(base) / (".bastion-" + hashlib.sha256(b"folder " + target.nonce.encode()).hexdigest()[:16])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that everyone may go into: pytest's own are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="bastion-test-"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    if os.getuid() == 0:
        os.chown(folder / "home", NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("shell", SHELLS)
def test_an_ordinary_account_has_a_gated_shell(shell: str, open_folder: Path) -> None:
    """Without root, and with a TMPDIR that can not be written to."""
    user = NOBODY if os.getuid() == 0 else 0
    target = made(shell, open_folder, {"TMPDIR": "/proc"}, user)
    target.begin()
    target.feed()
    try:
        assert target.fifo is not None
        assert Path(os.fsdecode(target.fifo)) == folder_named(target, TMP) / "c"
        target.write(wire.setup(target.kind, target.nonce))
        target.until_prompt(0)
        target.run("id -u; echo x > /dev/fd/9 || echo shut; for f in /proc/$$/fd/*; do [ ! -p $f ] || cat $f; done")
        assert "shut" in target.lines
        assert "Permission denied" in target.shown.decode()
        assert not folder_named(target, TMP).exists()
    finally:
        target.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_it_needs_neither_mktemp_nor_mkfifo(shell: str, tmp_path: Path) -> None:
    environment = programs(tmp_path, "mkdir", "rmdir", "rm", "mknod", "chmod", "cat", "tty", "id", "uname")
    with started(shell, tmp_path, environment) as target:
        target.run("echo fine")
        assert target.lines == ["fine"]


@pytest.mark.parametrize("shell", ["bash", "dash"])  # busybox ash has these programs inside
def test_without_mkfifo_and_mknod_it_refuses_and_leaves_nothing(shell: str, tmp_path: Path) -> None:
    target = made(shell, tmp_path, programs(tmp_path, "mkdir", "rmdir", "rm", "chmod", "cat"))
    target.begin()
    try:
        assert target.until_ended() == 125
        assert target.refused == "neither mkfifo nor mknod makes a FIFO"
        assert not folder_named(target, str(tmp_path)).exists()
        assert not folder_named(target, TMP).exists()
    finally:
        target.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_it_tries_one_place_after_another_and_refuses_when_there_is_none(shell: str, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    taken: list[Path] = []
    target = made(shell, tmp_path, {"TMPDIR": str(tmp_path / "none"), "XDG_RUNTIME_DIR": str(runtime)})
    try:
        for base in (TMP, "/var" + TMP, "/dev/" + "shm", str(runtime), str(target.home)):
            target.fifo = None
            target.begin()
            target.until(lambda: target.fifo is not None)
            path = Path(os.fsdecode(target.fifo or b""))
            assert path == folder_named(target, base) / "c"
            assert stat.S_ISFIFO(path.stat().st_mode)
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
            target.hang_up()
            target.process.wait(10)
            assert not path.parent.exists()
            path.parent.mkdir()
            taken.append(path.parent)
        target.begin()
        assert target.until_ended() == 125
        assert target.refused == (
            "no folder can be written to: TMPDIR, /tmp, /var/tmp, /dev/shm, XDG_RUNTIME_DIR and HOME were tried"
        )
    finally:
        target.close()
        for folder in taken:
            folder.rmdir()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_terminal_that_goes_before_the_feeder_comes_leaves_nothing(shell: str, tmp_path: Path) -> None:
    target = made(shell, tmp_path)
    target.begin()
    try:
        target.until(lambda: target.fifo is not None)
        target.hang_up()
        assert target.process.wait(10) != 0
        assert not folder_named(target, str(tmp_path)).exists()
    finally:
        target.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_terminal_that_goes_ends_the_session(shell: str, tmp_path: Path) -> None:
    with started(shell, tmp_path) as target:
        target.works("exec sleep 60")
        target.hang_up()
        target.process.wait(10)
        assert target.feeder is not None
        with contextlib.suppress(BrokenPipeError):
            target.write(b"\n")
        target.feeder.wait(10)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("odd", ["a b", "it's", '"', "$(touch canary)", "`x`", "*", "-n", "\\n%s", "é", "#"])
def test_a_folder_with_an_odd_name_is_no_trap(shell: str, odd: str, tmp_path: Path) -> None:
    folder = tmp_path / odd
    folder.mkdir()
    with started(shell, tmp_path, {"TMPDIR": str(folder)}) as target:
        assert target.fifo is not None
        assert os.fsdecode(target.fifo).startswith(str(folder))
        assert not (target.home / "canary").exists()
        assert list(folder.iterdir()) == []


def test_a_folder_whose_name_could_end_the_marker_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "a\x07b"
    folder.mkdir()
    with started("bash", tmp_path, {"TMPDIR": str(folder)}) as target:
        assert target.fifo is not None
        assert target.fifo.startswith(TMP.encode() + b"/.bastion-")


def test_the_folders_name_does_not_tell_the_nonce() -> None:
    nonce = "0123456789abcdef"
    text = boot.boot(nonce, Kind.BASH)
    assert b".bastion-" + nonce.encode() not in text
    assert text.count(nonce.encode()) == 2, "in the two markers and nowhere else"


@pytest.mark.parametrize("nonce", ["", "short", "A" * 20, "a" * 65, "a;b" * 8, "0123456789abcdef\n"])
def test_a_nonce_that_could_be_more_than_one_is_no_nonce(nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        boot.boot(nonce, Kind.BASH)
