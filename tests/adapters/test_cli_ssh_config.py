"""What `bastion ssh-config` prints, as OpenSSH itself reads it (`ssh -G`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bastion.cli import main
from bastion.identity.authority import generate

BASE = ["ssh-config", "--host", "bastion.example.com"]


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*BASE, *words]) == 0
    return capsys.readouterr().out


def read(folder: Path, text: str, host: str) -> dict[str, str]:
    """OpenSSH's own view: every option it would use for `host`."""
    config = folder / "config"
    config.write_text(text)
    done = subprocess.run(
        ["ssh", "-T", "-G", "-F", config, host],
        capture_output=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    assert done.stderr == ""
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("name", ["plain", "with blanks in it", "with % and %h", "ümlaut", "a#b", "a=b,c"])
def test_openssh_reads_the_same_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = tmp_path / name
    text = printed(capsys, "--out", str(out), "--targets", "web-*", "db-?")
    for host in ("bastion", "web-1", "db-2"):
        options = read(tmp_path, text, host)
        assert options["identityfile"].replace("%%", "%") == str(out / "bastion_ed25519")
        assert options["certificatefile"].replace("%%", "%") == str(out / "bastion_ed25519-cert.pub")
        assert options["userknownhostsfile"].replace("%%", "%").strip('"') == str(out / "bastion_known_hosts")
        assert (options["identitiesonly"], options["stricthostkeychecking"]) == ("yes", "true")
        assert options["ciphers"].startswith("aes128-gcm@openssh.com,aes256-gcm@openssh.com,")
        assert options["forwardagent"] == "no"


def test_targets_go_through_the_bastion_and_the_bastion_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "--port", "2200", "--user", "gate", "--targets", "web-*", "--account", "deploy")
    target, bastion, other = (read(tmp_path, text, host) for host in ("web-1", "bastion", "elsewhere"))
    assert (target["proxyjump"], target["user"], target["hostname"]) == ("bastion", "deploy", "web-1")
    assert (bastion["hostname"], bastion["port"], bastion["user"]) == ("bastion.example.com", "2200", "gate")
    assert "proxyjump" not in bastion
    assert "proxyjump" not in other
    assert other["stricthostkeychecking"] != "true"


def test_with_ssh_agent_no_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = read(tmp_path, printed(capsys, "--agent", "--targets", "web-*"), "web-1")
    assert options["identitiesonly"] == "no"
    assert "certificatefile" not in options


@pytest.mark.parametrize(
    ("host", "runs"), [("bastion", True), ("web-1", True), ("web-1.example.com", True), ("other", False)]
)
def test_the_renewal_runs_for_the_bastion_and_its_targets_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str, runs: bool
) -> None:
    """What runs is seen in what it leaves: its words, one a line, blanks and % inside words kept."""
    seen = tmp_path / "seen"
    recorder = tmp_path / "a folder" / "bastion"
    recorder.parent.mkdir()
    recorder.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {seen}\n")
    recorder.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(recorder)])
    words = ["--api", "https://api.example.com", "--token-command", "get token --for 100%"]
    text = printed(capsys, "--out", str(tmp_path / "o u t"), "--targets", "web-*", "--", *words)
    read(tmp_path, text, host)
    assert seen.exists() == runs
    if runs:
        assert seen.read_text().splitlines() == ["cert", "--if-needed", "--out", str(tmp_path / "o u t"), *words]


def test_shell_characters_in_the_renewal_are_only_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/true"])
    monkeypatch.setattr(sys, "executable", "/bin/true")
    touched = tmp_path / "touched"
    text = printed(
        capsys, "--targets", "web-*", "--", "--api", f"$(touch {touched}); touch {touched} & `touch {touched}`"
    )
    read(tmp_path, text, "web-1")
    assert not touched.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--out", 'a"b'],
        ["--out", "a'b"],
        ["--out", "a\\b"],
        ["--out", "a\nb"],
        ["--out", "${HOME}/x"],
        ["--alias", "a b"],
        ["--alias", "-oProxyCommand=x"],
        ["--account", "x\nProxyCommand y"],
        ["--user", "a b"],
        ["--port", "0"],
        ["--targets", "web *"],
        ["--targets", "web\n*"],
        ["--targets", "x", "--", "--api", 'a"b'],
        ["--targets", "x", "--", "--api", "a\nb"],
        ["--targets", "x", "--", "--api", "it's"],
    ],
)
def test_what_can_not_stand_in_the_file_is_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    options = [f"{words[0]}={words[1]}", *words[2:]] if words[1].startswith("-") else words
    assert main([*BASE, *options]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("bastion ssh-config: ")


AUTHORITY = generate()[1]


@pytest.mark.parametrize("end", ["", "\n", " a comment\n"])
def test_the_authority_in_place_is_told_in_a_comment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    (tmp_path / "bastion_known_hosts").write_text(f"@cert-authority * {AUTHORITY}{end}")
    text = printed(capsys, "--out", str(tmp_path), "--targets", "web-*")
    assert text.endswith(f"#   @cert-authority * {AUTHORITY}\n")
    assert read(tmp_path, text, "web-1")["proxyjump"] == "bastion"


@pytest.mark.parametrize(
    "content",
    [
        f'@cert-authority * {AUTHORITY}\nMatch all exec "touch /tmp/x"\n',
        f'@cert-authority * {AUTHORITY}\rMatch all exec "touch /tmp/x"\n',
        f'Match all exec "touch /tmp/x"\n@cert-authority * {AUTHORITY}\n',
        f"@revoked * {AUTHORITY}\n",
        f"github.com {AUTHORITY}\n",
        "@cert-authority * ssh-ed25519 AAAA\n",
        "\x1b[2J\n",
        "",
    ],
)
def test_nothing_else_of_that_file_comes_into_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "bastion_known_hosts").write_bytes(content.encode())
    assert main([*BASE, "--out", str(tmp_path), "--targets", "web-*"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "not written by `bastion cert`" in told.err


def test_a_file_that_is_not_text_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bastion_known_hosts").write_bytes(b"\xff\xfe")
    assert main([*BASE, "--out", str(tmp_path)]) == 1
    assert "not written by `bastion cert`" in capsys.readouterr().err
