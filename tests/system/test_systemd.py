"""The unit files are what systemd takes, the sandbox is as tight as it is said to be, and the bastion lives in it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

UNITS = Path(__file__).parents[2] / "systemd"
EXPOSURE = "1.1"

# The kernel's own rule of the same meaning as MemoryDenyWriteExecute=, inherited over exec: prctl(PR_SET_MDWE,
# PR_MDWE_REFUSE_EXEC_GAIN), Linux 6.3.
NO_NEW_CODE = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
TAKES_NEW_CODE = """
import mmap
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
"""
LIBRARIES = """
import asyncssh, bcrypt, orjson, tree_sitter, tree_sitter_bash
import bastion.app
from bastion.analysis.shell import analyse
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
key = asyncssh.generate_private_key("ssh-ed25519")
key.generate_user_certificate(key, "x")
asyncssh.import_private_key(key.export_private_key(passphrase="p"), "p")
assert key.convert_to_public().verify(b"data", key.sign(b"data", b"ssh-ed25519"))
bcrypt.kdf(b"p", b"salt", 32, 4)
ChaCha20Poly1305(bytes(32)).encrypt(bytes(12), b"x", None)
assert analyse(b"ls -l").runs
"""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there: the package is not installed in /usr/bin here."""
    path = tmp_path / "bastion.service"
    text = (UNITS / "bastion.service").read_text()
    assert text.count("\nExecStart=/usr/bin/bastion ") == 1
    path.write_text(text.replace("\nExecStart=/usr/bin/bastion ", "\nExecStart=/bin/true "))
    return path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed here")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_takes_the_unit(unit: Path) -> None:
    """No unknown key, no wrong value: `systemd-analyze verify` has nothing to say."""
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_takes_the_drop_in_of_a_tenant(unit: Path) -> None:
    """The example of a tenant's keys is read with the unit."""
    folder = unit.with_name("bastion.service.d")
    folder.mkdir()
    shutil.copy(UNITS / "tenant.conf", folder / "acme.conf")
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exposure_is_what_the_documentation_says(unit: Path) -> None:
    """The sandbox does not get looser unseen."""
    done = analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for bastion.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= float(EXPOSURE)
    assert f"exposure of {EXPOSURE}" in (UNITS / "README.md").read_text()


def test_the_account_and_the_folders_are_made(tmp_path: Path) -> None:
    """sysusers.d and tmpfiles.d files make what the unit needs, with the modes that keep keys root's own."""
    if shutil.which("systemd-sysusers") is None or shutil.which("systemd-tmpfiles") is None:
        pytest.skip("systemd is not installed here")
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts and give folders away")
    root = f"--root={tmp_path}"
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", root, str(UNITS / "bastion.sysusers.conf")], check=True, timeout=60)
    subprocess.run(["systemd-tmpfiles", root, "--create", str(UNITS / "bastion.tmpfiles.conf")], check=True, timeout=60)
    account = next(line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("bastion:"))
    _, _, uid, gid, _, home, shell = account.split(":")
    assert (home, shell) == ("/var/lib/bastion", "/usr/sbin/nologin")
    found = {
        str(path.relative_to(tmp_path)): (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.stat().st_gid)
        for folder in ("etc/bastion", "var/lib/bastion")
        for path in (tmp_path / folder, *(tmp_path / folder).iterdir())
    }
    assert found == {
        "etc/bastion": (0o750, 0, int(gid)),
        "etc/bastion/policies": (0o750, 0, int(gid)),
        "etc/bastion/inventory": (0o750, 0, int(gid)),
        "etc/bastion/credentials": (0o700, 0, 0),
        "var/lib/bastion": (0o700, int(uid), int(gid)),
    }


@pytest.mark.parametrize(("script", "lives"), [(TAKES_NEW_CODE, False), (LIBRARIES, True)], ids=["the-rule", "ours"])
def test_the_libraries_need_no_new_code(script: str, lives: bool) -> None:
    """What the bastion runs on works where memory may not be writable and executable (and the rule does bite)."""
    command = [sys.executable, "-c", NO_NEW_CODE, script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE")
    assert (done.returncode == 0) is lives, done.stderr


def test_the_paths_are_the_configurations(unit: Path) -> None:
    """Unit, folders and the example configuration speak of the same places and credentials."""
    service = unit.read_text() + (UNITS / "tenant.conf").read_text()
    example = (UNITS / "bastion.example.yaml").read_text()
    loaded = set(re.findall(r"^LoadCredential=([\w-]+):/etc/bastion/credentials/\1$", service, re.MULTILINE))
    asked = set(re.findall(r"^ [^#\n]*\{credential: ([\w-]+)\}", example, re.MULTILINE))
    assert asked
    assert asked <= loaded
    assert "/var/lib/bastion" in example
