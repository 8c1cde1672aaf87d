"""`bastion policy test`: what it prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bastion.cli import main

POLICY = (
    "version: 1\nrules:\n  - {id: look, effect: allow, commands: [ls]}\n  - {id: never, effect: deny, commands: [rm]}\n"
)
GOOD = "version: 1\ncases:\n  - {command: ls, effect: allow, rule: look}\n"
BAD = GOOD + "  - {command: rm x, effect: allow, about: it should}\n"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    for tenant in ("acme", "other"):
        (tmp_path / tenant).mkdir()
        (tmp_path / tenant / "a.yaml").write_text(POLICY)
    (tmp_path / "acme" / "a.cases.yaml").write_text(GOOD)
    return tmp_path


def test_good_cases_are_one_line_and_the_rules_without_one_are_named(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "test", str(policies / "acme")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{policies}/acme: 1 case as expected; 1 of 2 rules exercised"
    assert second == f"    no case is decided by never ({policies}/acme/a.yaml:4:5)"


def test_a_case_that_fails_is_told_at_its_place_and_status_is_1(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (policies / "acme" / "a.cases.yaml").write_text(BAD)
    assert main(["policy", "test", str(policies / "acme")]) == 1
    out = capsys.readouterr().out
    assert out.splitlines() == [
        f"{policies}/acme/a.cases.yaml:4:15: rm x (it should)",
        "    as        anyone as anyone on anywhere",
        "    expected  allow",
        f"    decided   deny by never ({policies}/acme/a.yaml:4:5): this rule forbids rm with these arguments",
        f"{policies}/acme: 1 of 2 cases failed; 2 of 2 rules exercised",
    ]


def test_json_is_one_object(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policies / "acme" / "a.cases.yaml").write_text(BAD)
    assert main(["policy", "test", "--json", str(policies / "acme")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    (one,) = told["policies"]
    assert (one["cases"], one["rules"], one["never_exercised"]) == (2, 2, [])
    (failed,) = one["failed"]
    assert failed["place"] == {"file": f"{policies}/acme/a.cases.yaml", "line": 4, "column": 15}
    assert failed["expected"] == {"effect": "allow", "rule": None}
    assert (failed["decided"]["effect"], failed["decided"]["rule"]) == ("deny", "never")


def test_every_tenant_below_is_tested_and_one_without_cases_is_told(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "test", str(policies)]) == 0
    told = capsys.readouterr()
    assert f"{policies}/acme: 1 case as expected" in told.out
    assert told.err == f"{policies}/other: no cases\n"


def test_nothing_tested_is_never_a_pass(policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, why in (
        (policies / "other", "no cases here"),
        (empty, "no policy here"),
        (tmp_path / "none", "no policy"),
    ):
        assert main(["policy", "test", str(folder)]) == 2
        assert why in capsys.readouterr().err


def test_what_can_not_be_read_is_told_whole_and_status_is_2(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policies / "acme" / "a.cases.yaml").write_text("version: 2\nx: 1\n")
    (policies / "other" / "a.yaml").write_text("version: 3\n")
    assert main(["policy", "test", str(policies)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4
    assert main(["policy", "test", "--json", str(policies)]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], len(told["problems"])) == (False, 4)
