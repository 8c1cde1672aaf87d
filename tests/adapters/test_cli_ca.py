"""`bastion ca`: keys are made once, shown, and revocations reach the file."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from bastion.cli import main
from bastion.identity.authority import Authority
from bastion.identity.revocation import Revocations

NAMES = ["acme-target-ca", "acme-user-ca", "host-ca", "host-key"]


def test_init_makes_every_key_private_and_usable(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert main(["ca", "init", "--dir", str(folder), "--tenant", "acme"]) == 0
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".pub") == NAMES
    for name in NAMES:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        authority = Authority.load((folder / name).read_bytes(), None, name)
        assert (folder / f"{name}.pub").read_text() == f"{authority.public} {name}\n"
        shown = subprocess.run(["ssh-keygen", "-y", "-f", folder / name], capture_output=True, text=True, check=True)
        assert shown.stdout.split()[:2] == authority.public.split()


def test_init_never_overwrites_and_adds_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ca", "init", "--dir", str(tmp_path), "--tenant", "acme"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert main(["ca", "init", "--dir", str(tmp_path), "--tenant", "acme", "--tenant", "other"]) == 0
    told = capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before
    assert (tmp_path / "other-user-ca").exists()
    assert told.count("kept, it was there") == 4
    assert told.count(": made") == 2


@pytest.mark.parametrize("tenant", ["", "../x", "A", "a/b", "-a", "a b"])
def test_a_tenants_name_can_not_lead_elsewhere(tmp_path: Path, tenant: str) -> None:
    assert main(["ca", "init", "--dir", str(tmp_path / "keys"), f"--tenant={tenant}"]) == 1
    assert not (tmp_path / "keys").exists()


def test_show_tells_public_keys_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ca", "init", "--dir", str(tmp_path), "--tenant", "acme"])
    capsys.readouterr()
    assert main(["ca", "show", "--dir", str(tmp_path), "--json"]) == 0
    keys = json.loads(capsys.readouterr().out)
    assert [key["name"] for key in keys] == NAMES
    assert main(["ca", "show", "--dir", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert f"@cert-authority * {keys[2]['public']}" in told
    assert "PRIVATE" not in told


def test_show_of_nothing_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ca", "show", "--dir", str(tmp_path)]) == 1
    assert "bastion ca init" in capsys.readouterr().err


@pytest.mark.parametrize(
    "what", [["--serial", "7"], ["--key", "SHA256:" + "A" * 43], ["--identity", "agent", "--issuer", "https://i"]]
)
def test_revoke_adds_a_line_that_the_bastion_reads(tmp_path: Path, what: list[str]) -> None:
    path = tmp_path / "revocations.jsonl"
    assert main(["ca", "revoke", "--file", str(path), "--tenant", "acme", "--reason", "lost", *what]) == 0
    assert len(Revocations.load(path)) == 1


def test_revoke_warns_of_what_may_match_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "revocations.jsonl"
    what = ["--tenant", "acme", "--reason", "lost", "--identity", "agent-1 "]
    assert main(["ca", "revoke", "--file", str(path), *what]) == 0
    assert "may lock out nobody" in capsys.readouterr().err


def test_revoke_is_no_success_where_the_bastion_can_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "revocations.jsonl"
    path.write_text("torn")
    assert main(["ca", "revoke", "--file", str(path), "--tenant", "acme", "--reason", "lost", "--serial", "7"]) == 1
    assert "revocations.jsonl:1:1: not a revocation" in capsys.readouterr().err


@pytest.mark.parametrize(
    "what", [["--serial", "0"], ["--key", "MD5:x"], ["--identity", ""], ["--serial", "1", "--issuer", "i"]]
)
def test_revoke_refuses_what_would_revoke_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: list[str]
) -> None:
    path = tmp_path / "revocations.jsonl"
    assert main(["ca", "revoke", "--file", str(path), "--tenant", "acme", "--reason", "lost", *what]) == 1
    assert "nothing was revoked" in capsys.readouterr().err
    assert not path.exists()
