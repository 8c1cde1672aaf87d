"""`bastion policy check`: what it prints, where, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bastion.cli import main

GOOD = "version: 1\nrules:\n  - {id: look, effect: allow, commands: [ls]}\n"


def test_a_good_policy_is_one_line_and_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line tells how much was read and what holds where no rule does."""
    (tmp_path / "a.yaml").write_text(GOOD)
    assert main(["policy", "check", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == f"{tmp_path}: good: 1 rule in 1 file, mode enforce, default deny, undecidable deny\n"


def test_every_mistake_is_a_line_on_stderr_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """file:line:column: message, for all files."""
    (tmp_path / "a.yaml").write_text("version: 1\nmode: x\nrulse: []\n")
    (tmp_path / "b.yaml").write_text("version: 1\ndefault: yes\n")
    assert main(["policy", "check", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.rsplit("/", 1)[1].split(": ")[0] for line in told.err.splitlines()] == [
        "a.yaml:2:7",
        "a.yaml:3:1",
        "b.yaml:2:10",
    ]


def test_json_is_one_object_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the same facts, good or bad, and the same exit status."""
    (tmp_path / "a.yaml").write_text(GOOD)
    assert main(["policy", "check", "--json", str(tmp_path)]) == 0
    good = json.loads(capsys.readouterr().out)
    assert (good["ok"], good["rules"], good["files"]) == (True, 1, ["a.yaml"])
    (tmp_path / "a.yaml").write_text("version: 1\nmode: x\n")
    assert main(["policy", "check", "--json", str(tmp_path)]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == (f"{tmp_path}/a.yaml", 2, 7)


def test_what_is_not_read_is_a_warning_and_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "deny.json").write_text(GOOD)
    assert main(["policy", "check", "--json", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert told.err == f"warning: {tmp_path}/deny.json:1:1: {json.loads(told.out)['warnings'][0]['message']}\n"


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the command and of its subcommand."""
    for arguments in (["policy", "--help"], ["policy", "check", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert "bastion policy check policies/demo" in capsys.readouterr().out
