"""Where a demo's things are: a person's credentials are believed only from a file that nobody else can have made."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bastion.demo import folder as places
from bastion.demo.folder import Credentials
from bastion.errors import NoSuchRequest, OperatorError

REV = Credentials("http://127.0.0.1:1", "rev@demo", "s3cret")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    places.keep(tmp_path, {"rev@demo": Credentials("old", "old", "old"), "ops@demo": REV})
    places.keep(tmp_path, {"rev@demo": REV})
    return tmp_path


def test_what_is_kept_is_read_again_and_closed_to_others(folder: Path) -> None:
    assert places.credentials(folder, "rev@demo") == REV
    file = folder / "people" / "rev@demo"
    assert [stat.S_IMODE(place.stat().st_mode) for place in (file, file.parent)] == [0o600, 0o700]


def _others_can_read(file: Path) -> None:
    file.chmod(0o640)


def _a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def _a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _no_credentials(file: Path) -> None:
    file.write_text('{"issuer": "x"}')


def _no_json(file: Path) -> None:
    file.write_bytes(b"\xff[")


def _deep(file: Path) -> None:
    file.write_text("[" * 16_000)


@pytest.mark.parametrize("spoil", [_others_can_read, _a_link, _a_pipe, _no_credentials, _no_json, _deep])
def test_what_could_be_somebody_elses_is_refused(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder / "people" / "rev@demo")
    with pytest.raises(OperatorError) as refused:
        places.credentials(folder, "rev@demo")
    assert "s3cret" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_may_use_another_users_demo(folder: Path) -> None:
    os.chown(folder / "people" / "rev@demo", 65534, 65534)
    assert places.credentials(folder, "rev@demo") == REV


@pytest.mark.parametrize("person", ["nobody@demo", "", ".", "..", "../people/rev@demo", ".rev@demo.new", "x\0y"])
def test_whom_the_demo_has_not_is_told_with_whom_it_has(folder: Path, person: str) -> None:
    with pytest.raises(NoSuchRequest, match="there are: ops@demo, rev@demo"):
        places.credentials(folder, person)


def test_a_folder_without_a_demo_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is there a demo in"):
        places.credentials(tmp_path / "nothing", "rev@demo")
