"""The folder that holds key and certificate: when it is good, when it is renewed, and that it is never half written."""

from __future__ import annotations

import base64
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.cli.held import KEY_AGE, LEAST, Held, read_validity
from bastion.errors import OperatorError
from bastion.identity.authority import Authority, generate
from bastion.identity.principal import Identity

NOW = 1_800_000_000
AUTHORITY = Authority.load(generate()[0], None, "demo-user-ca")
IDENTITY = Identity("demo", "https://i", "agent", ("agent@demo",), frozenset(), {})
PRIVATE, PUBLIC = generate()
HOSTS = "@cert-authority * ssh-ed25519 AAAA\n"


def certificate(after: int, before: int, public: str = PUBLIC) -> str:
    return AUTHORITY.issue_user(public, IDENTITY, serial=1, valid_after=NOW + after, valid_before=NOW + before)


def held(folder: Path, after: int = 0, before: int = 900) -> Held:
    made = Held(folder / "held")
    made.save(PRIVATE, certificate(after, before), HOSTS)
    return made


@pytest.mark.parametrize(
    ("at", "fresh", "good"),
    [
        (-1, False, False),
        (0, True, True),
        (599, True, True),
        (600, False, True),
        (899, False, True),
        (900, False, False),
    ],
)
def test_a_certificate_is_renewed_in_the_last_third_of_its_life(
    tmp_path: Path, at: int, fresh: bool, good: bool
) -> None:
    place = held(tmp_path)
    assert (place.fresh(NOW + at), place.good(NOW + at)) == (fresh, good)


def test_a_short_lived_certificate_is_renewed_before_its_last_half_minute(tmp_path: Path) -> None:
    place = held(tmp_path, 0, 60)
    assert place.fresh(NOW + 60 - LEAST - 1)
    assert not place.fresh(NOW + 60 - LEAST)


@pytest.mark.parametrize("name", ["bastion_ed25519", "bastion_ed25519-cert.pub", "bastion_known_hosts"])
@pytest.mark.parametrize("damage", ["gone", "empty", "noise"])
def test_what_is_missing_or_damaged_is_not_fresh(tmp_path: Path, name: str, damage: str) -> None:
    place = held(tmp_path)
    file = place.folder / name
    file.unlink()
    if damage != "gone":
        if name == "bastion_known_hosts":
            return  # its content is not looked at: what ssh then says is clear
        file.write_bytes(b"" if damage == "empty" else os.urandom(300))
    assert not place.fresh(NOW)
    assert not place.good(NOW)


def test_a_certificate_for_another_key_is_not_good(tmp_path: Path) -> None:
    place = held(tmp_path)
    place.save(generate()[0], certificate(0, 900), HOSTS)
    assert not place.good(NOW)


def test_files_are_private_from_the_start_and_nothing_is_left_over(tmp_path: Path) -> None:
    place = held(tmp_path)
    names = sorted(path.name for path in place.folder.iterdir())
    assert names == [".bastion.lock", "bastion_ed25519", "bastion_ed25519-cert.pub", "bastion_known_hosts"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700


def test_a_renewal_leaves_the_key_as_it_was(tmp_path: Path) -> None:
    place = held(tmp_path)
    before = place.key.stat()
    place.save(None, certificate(10, 910), HOSTS)
    assert place.key.stat().st_ino == before.st_ino
    assert place.validity() == (NOW + 10, NOW + 910)


def test_the_key_is_kept_for_a_day_and_while_its_certificate_is_good(tmp_path: Path) -> None:
    place = held(tmp_path)
    os.utime(place.key, (NOW, NOW))
    assert place.keep_key(NOW + 10)
    assert not place.keep_key(NOW + 900)
    os.utime(place.key, (NOW - KEY_AGE, NOW - KEY_AGE))
    assert not place.keep_key(NOW + 10)


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(OperatorError, match="not yours alone"):
        Held(folder).save(PRIVATE, certificate(0, 900), HOSTS)
    assert list(folder.iterdir()) == []


def test_a_users_own_ssh_folder_keeps_what_it_has(tmp_path: Path) -> None:
    """`--out ~/.ssh`: nothing that OpenSSH knows by name is touched."""
    folder = tmp_path / "held"
    folder.mkdir(mode=0o700)
    own = {
        name: os.urandom(20)
        for name in ("id_ed25519", "id_ed25519-cert.pub", "id_ed25519.pub", "known_hosts", "config")
    }
    for name, content in own.items():
        (folder / name).write_bytes(content)
    place = held(tmp_path)
    assert place.good(NOW)
    assert {name: (folder / name).read_bytes() for name in own} == own


@pytest.mark.parametrize("name", ["bastion_ed25519", "bastion_ed25519-cert.pub", "bastion_known_hosts"])
def test_a_file_in_the_way_that_is_not_ours_stays(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "held"
    folder.mkdir(mode=0o700)
    (folder / name).write_text("another's")
    place = Held(folder)
    with pytest.raises(OperatorError, match="in the way"):
        place.save(PRIVATE, certificate(0, 900), HOSTS)
    with pytest.raises(OperatorError, match="in the way"), place.locked():
        pass
    assert {path.name: path.read_text() for path in folder.iterdir()} == {name: "another's"}


def test_the_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    place = Held(tmp_path / "held")
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(10)
        with place.locked():
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with place.locked():
        inside.set()
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


@given(st.binary(max_size=400))
def test_noise_has_no_validity(noise: bytes) -> None:
    assert read_validity(noise) is None


@given(st.integers(0, 2000))
def test_a_cut_certificate_has_no_validity_or_the_right_one(size: int) -> None:
    blob = base64.b64decode(certificate(0, 900).split()[1])
    assert read_validity(blob[:size]) in (None, (base64.b64decode(PUBLIC.split()[1])[-32:], NOW, NOW + 900))
