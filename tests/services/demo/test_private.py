"""The demo's folder: what another user of the machine may have put there is refused before any of it is used."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bastion.demo import private
from bastion.demo.demo import Demo
from bastion.errors import OperatorError

STRANGER = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_new_folder_is_private_and_its_own_is_taken_again(folder: Path) -> None:
    for _ in range(2):
        private.own(folder)
        assert mode(folder) == 0o700
        (folder / "bastion").mkdir(exist_ok=True)
        (folder / "bastion" / "file").write_text("x")


def test_a_folder_that_others_may_read_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    private.own(folder)
    assert mode(folder) == 0o700


def _open_folder(folder: Path) -> None:
    folder.chmod(0o777)


def _group_folder(folder: Path) -> None:
    folder.chmod(0o770)


def _open_subfolder(folder: Path) -> None:
    (folder / "client").mkdir()
    (folder / "client").chmod(0o757)


def _open_secret(folder: Path) -> None:
    (folder / "client").mkdir()
    (folder / "client" / "secret").touch()
    (folder / "client" / "secret").chmod(0o666)


def _link_inside(folder: Path) -> None:
    (folder / "target").symlink_to(folder.parent)


def _link_itself(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def _not_a_folder(folder: Path) -> None:
    folder.rmdir()
    folder.touch()


def _open_above(folder: Path) -> None:
    folder.parent.chmod(0o777)


@pytest.mark.parametrize(
    "plant",
    [
        _open_folder,
        _group_folder,
        _open_subfolder,
        _open_secret,
        _link_inside,
        _link_itself,
        _not_a_folder,
        _open_above,
    ],
)
def test_what_others_could_have_written_is_refused(folder: Path, plant: Callable[[Path], None]) -> None:
    folder.mkdir(mode=0o700)
    plant(folder)
    with pytest.raises(OperatorError, match="--dir"):
        private.own(folder)


@root_only
@pytest.mark.parametrize("what", [".", "target", "target/held_key"])
def test_what_belongs_to_another_user_is_refused(folder: Path, what: str) -> None:
    (folder / "target").mkdir(mode=0o700, parents=True)
    (folder / "target" / "held_key").touch(mode=0o600)
    os.chown(folder / what, STRANGER, STRANGER)
    with pytest.raises(OperatorError, match="another user"):
        private.own(folder)


@root_only
async def test_the_demo_uses_no_key_that_was_planted(folder: Path) -> None:
    """As a user who was there first would do it: folder, held key and client secret are theirs."""
    for name in ("target/held_key", "client/secret"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("planted")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    with pytest.raises(OperatorError, match="another user"):
        await Demo(folder).start()
    assert (folder / "client/secret").read_text() == "planted"


def test_a_secret_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert private.hold(path, lambda: b"one") == b"one"
    assert private.hold(path, lambda: b"two") == b"one"
    assert mode(path) == 0o600


def test_a_secret_that_others_can_read_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x")
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="others can read"):
        private.hold(path, lambda: b"y")


def test_a_secret_is_not_read_through_a_link(tmp_path: Path) -> None:
    private.hold(tmp_path / "real", lambda: b"x")
    (tmp_path / "key").symlink_to(tmp_path / "real")
    with pytest.raises(OperatorError, match="can not be made or read"):
        private.hold(tmp_path / "key", lambda: b"y")


def test_a_replaced_secret_is_a_new_file(tmp_path: Path) -> None:
    """Who holds the old one open reads nothing of the new one."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o666)
    with path.open() as held:
        private.replace(path, b"new")
        assert held.read() == "old"
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


async def test_the_demo_starts_twice_in_one_folder(folder: Path, request: pytest.FixtureRequest) -> None:
    """And leaves nothing in it that others may write, also for a user whose files are open to their group."""
    before = os.umask(0o002)
    request.addfinalizer(lambda: os.umask(before))
    held = set()
    for _ in range(2):
        demo = Demo(folder)
        await demo.start()
        await demo.stop()
        held.add(demo.target.held_key.read_bytes())
        assert [path for path in folder.rglob("*") if path.lstat().st_mode & 0o022] == []
    assert len(held) == 1
    assert mode(folder / "client" / "secret") == 0o600
