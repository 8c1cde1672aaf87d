"""The keyring: keys come out unlocked or not at all, and no message tells a secret."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import asyncssh
import pytest

from bastion.errors import KeyUnusable
from bastion.targets.keyring import MAX_SECRET_BYTES, Keyring
from bastion.targets.target import Account, Secret

PASSPHRASE = "correct-horse-battery"


def keygen(path: Path, *options: str, passphrase: str = "") -> Path:
    """A key pair by stock ssh-keygen; the private key's path."""
    command = ["ssh-keygen", "-q", "-N", passphrase, "-C", "", "-f", str(path), *(options or ("-t", "ed25519"))]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def private(path: Path, content: bytes) -> Secret:
    path.write_bytes(content)
    path.chmod(0o600)
    return Secret("file", str(path))


def account(key: Path, passphrase: Secret | None = None) -> Account:
    return Account("deploy", Secret("file", str(key)), passphrase, certificate=False, shell="sh")


def public(path: Path) -> str:
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519"),
        ("-t", "ecdsa", "-b", "384"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "rsa", "-b", "2048", "-m", "PEM"),
        ("-t", "rsa", "-b", "2048", "-m", "PKCS8"),
    ],
)
def test_a_key_of_each_kind_and_format_comes_out_usable_by_asyncssh(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = keygen(tmp_path / "key", *options)
    key = asyncssh.import_private_key(Keyring(None).private_key(account(path)))
    assert key.export_public_key().decode().split()[:2] == public(path).split()


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_passphrase_unlocks_a_key_whatever_ends_its_line(tmp_path: Path, ending: bytes) -> None:
    path = keygen(tmp_path / "key", passphrase=PASSPHRASE)
    secret = private(tmp_path / "pass", PASSPHRASE.encode() + ending)
    key = asyncssh.import_private_key(Keyring(None).private_key(account(path, secret)))
    assert key.export_public_key().decode().split()[:2] == public(path).split()


def test_credentials_are_read_from_the_directory_systemd_names(tmp_path: Path) -> None:
    (tmp_path / "deploy-key").write_bytes(b"anything")
    (tmp_path / "deploy-key").chmod(0o440)  # how systemd's ACL looks
    assert Keyring(tmp_path).read(Secret("credential", "deploy-key")) == b"anything"


def test_without_systemd_a_credential_is_unusable_and_the_message_says_what_to_do() -> None:
    with pytest.raises(KeyUnusable, match="LoadCredential=deploy-key"):
        Keyring(None).read(Secret("credential", "deploy-key"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    secret = private(tmp_path / "key", b"x")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        Keyring(None).read(secret)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match=r"nothing-here: can not be read: No such file"):
        Keyring(None).read(Secret("file", str(tmp_path / "nothing-here")))


def test_a_directory_or_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("folder", "fifo"):
        with pytest.raises(KeyUnusable, match="not a regular file"):
            Keyring(None).read(Secret("file", str(tmp_path / name)))


def test_an_empty_or_an_oversized_file_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="empty"):
        Keyring(None).read(private(tmp_path / "empty", b""))
    largest = private(tmp_path / "largest", b"x" * MAX_SECRET_BYTES)
    assert len(Keyring(None).read(largest)) == MAX_SECRET_BYTES
    with pytest.raises(KeyUnusable, match="larger than"):
        Keyring(None).read(private(tmp_path / "large", b"x" * (MAX_SECRET_BYTES + 1)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    secret = private(tmp_path / "key", b"x")
    os.chown(tmp_path / "key", 12345, -1)
    with pytest.raises(KeyUnusable, match="belongs to user 12345"):
        Keyring(None).read(secret)


def test_a_key_that_was_replaced_is_the_one_read_next(tmp_path: Path) -> None:
    path, keyring = keygen(tmp_path / "key"), Keyring(None)
    before = keyring.private_key(account(path))
    keygen(tmp_path / "new").replace(path)
    assert keyring.private_key(account(path)) != before


def _wrong_passphrase(folder: Path) -> Account:
    return account(keygen(folder / "key", passphrase="another"), private(folder / "pass", PASSPHRASE.encode()))


def _no_passphrase(folder: Path) -> Account:
    return account(keygen(folder / "key", passphrase=PASSPHRASE))


def _needless_passphrase(folder: Path) -> Account:
    return account(keygen(folder / "key"), private(folder / "pass", PASSPHRASE.encode()))


def _weak(folder: Path) -> Account:
    return account(keygen(folder / "key", "-t", "rsa", "-b", "1024"))


def _rubbish(folder: Path) -> Account:
    private(folder / "key", PASSPHRASE.encode())
    return account(folder / "key")


def _damaged(folder: Path) -> Account:
    path = keygen(folder / "key")
    lines = path.read_text().splitlines()
    private(path, "\n".join([lines[0], PASSPHRASE, *lines[2:]]).encode())
    return account(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_wrong_passphrase, "passphrase is wrong"),
        (_no_passphrase, "needs a passphrase"),
        (_needless_passphrase, "has no passphrase, but one is given"),
        (_weak, "1024 bits is weak"),
        (_rubbish, "not a private key"),
        (_damaged, "not a private key in PEM, or damaged"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_unusable_key_says_why_and_never_what_it_was_given(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(KeyUnusable, match=message) as caught:
        Keyring(None).private_key(make(tmp_path))
    assert PASSPHRASE not in str(caught.value) + repr(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__, "a traceback would tell the library's"


def test_an_account_by_certificate_has_no_key_to_read() -> None:
    with pytest.raises(KeyUnusable, match="by certificate"):
        Keyring(None).private_key(Account("app", None, None, certificate=True, shell="sh"))


def test_nothing_read_shows_in_a_repr(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    secret = private(tmp_path / "pass", PASSPHRASE.encode())
    keyring.read(secret)
    assert PASSPHRASE not in repr(keyring) + repr(secret) + repr(vars(keyring))
