"""`bastion policy diff`: which past commands are told, from which source, and with what exit status."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bastion.cli import main
from bastion.identity.authority import generate
from tests.core.test_asciicast_encoder import HEAD
from tests.core.test_audit_past import issued, judged, lines
from tests.services.test_recording_past import JUDGED, recording

OLD = """version: 1
rules:
  - {id: look, effect: allow, who: {groups: [agents]}, commands: ["ls **", "uptime", "id"]}
  - {id: never, effect: deny, commands: [rm]}
"""
NEW = """version: 1
rules:
  - {id: look-more, effect: allow, who: {groups: [agents]}, commands: ["ls **", "df"]}
  - {id: id, effect: allow, who: {groups: [agents]}, commands: [id]}
  - {id: never, effect: deny, commands: [rm], reason: ask the owners}
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return policies(tmp_path / "old", OLD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return policies(tmp_path / "new", NEW)


def policies(folder: Path, text: str) -> Path:
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "a.yaml").write_text(text)
    return folder


def record(folder: Path, *commands: str, **changes: Any) -> Path:
    for number, command in enumerate(commands):
        head = dataclasses.replace(HEAD, session=f"s{number}", command=command, **{"judged": JUDGED, **changes})
        recording(folder, head)
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    status = main(["policy", "diff", *map(str, arguments), "--json"])
    said = capsys.readouterr()
    return status, json.loads(said.out) if said.out else None, said.err


def test_what_would_be_judged_otherwise_is_told_with_both_verdicts(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stricter first; equal commands of equal askers once, with how often; what stays the same not at all."""
    recordings = record(tmp_path / "recordings", "df", "uptime", "ls -la", "rm x", "uptime", "id")
    status, found, err = told(capsys, old, new, "--recordings", recordings)
    assert (status, err, found["compared"]) == (1, "", 6)
    first, second = found["differences"]
    assert (first["command"], first["times"], first["stricter"]) == ("uptime", 2, True)
    assert (first["identity"], first["groups"]) == (["agent@acme", "repo:acme/x"], ["agents"])
    assert (first["target"], first["account"], first["tenant"]) == ("web-1", "deploy", "acme")
    assert (first["old"]["effect"], first["old"]["rule"]) == ("allow", "look")
    assert (first["new"]["effect"], first["new"]["rule"]) == ("deny", "default")
    assert first["old"]["place"] == {"file": f"{old}/acme/a.yaml", "line": 3, "column": 5}
    assert (second["command"], second["stricter"]) == ("df", False)


def test_the_report_is_for_people(tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recordings = record(tmp_path / "recordings", "uptime", "uptime", "df")
    assert main(["policy", "diff", str(old), str(new), "--recordings", str(recordings)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "STRICTER",
        "  uptime  (2 times)",
        "      agent@acme (agents) as deploy on web-1, tenant acme",
        f"      was  allow by look ({old}/acme/a.yaml:3:5)",
        "      now  deny by default: no rule allows uptime with these arguments here",
        "           allowed here: ls **, df, id",
        "",
        "LOOSER",
        "  df",
        "      agent@acme (agents) as deploy on web-1, tenant acme",
        "      was  deny by default",
        f"      now  allow by look-more ({new}/acme/a.yaml:3:5): allowed by this rule",
        "",
        "3 past commands compared: 1 stricter, 1 looser",
    ]


def test_no_difference_is_status_0(tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recordings = record(tmp_path / "recordings", "uptime", "rm x")
    status, found, _ = told(capsys, old, old, "--recordings", recordings)
    assert (status, found["differences"], found["compared"]) == (0, [], 2)


def test_nothing_compared_is_told(tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No difference, as there is none; and a word, as it may be the wrong folder."""
    (tmp_path / "recordings").mkdir()
    status, found, err = told(capsys, old, new, "--recordings", tmp_path / "recordings")
    assert (status, found["compared"], err) == (0, 0, "no past command was compared: is this where they are?\n")


def test_another_rule_alone_is_told_when_asked(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = record(tmp_path / "recordings", "ls", "id", "rm x")
    assert told(capsys, old, new, "--recordings", recordings)[0] == 0
    status, found, _ = told(capsys, old, new, "--recordings", recordings, "--rules")
    assert (status, [one["command"] for one in found["differences"]]) == (1, ["id", "ls"])


def test_a_recording_that_names_no_tenant_is_of_the_one_that_is_named(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = record(tmp_path / "recordings", "uptime", tenant="")
    for arguments in ((old / "acme", new / "acme"), (old, new), (old, new, "--tenant", "acme")):
        status, found, _ = told(capsys, *arguments, "--recordings", recordings)
        assert (status, found["compared"]) == (1, 1)


def test_a_torn_recording_is_told_and_skipped(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = record(tmp_path / "recordings", "uptime", "df")
    (recordings / "acme" / "s1.cast").write_bytes(b'{"version": 2, "wi')
    status, found, err = told(capsys, old, new, "--recordings", recordings)
    assert (status, found["compared"], len(found["differences"])) == (1, 1, 1)
    assert err == f"{recordings}/acme/s1.cast: skipped: line 1: torn: the header has no end\n"
    assert found["skipped"] == [err.rstrip()]


def test_groups_that_nothing_tells_are_tried_one_by_one(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old recording: a difference that one of the groups would see is never hidden."""
    recordings = record(tmp_path / "recordings", "uptime", judged={})
    status, found, _ = told(capsys, old, new, "--recordings", recordings)
    assert (status, [one["assumed_group"] for one in found["differences"]]) == (1, ["agents"])


def test_the_trail_tells_what_recordings_do_not(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One session in both is one command; the trail knows its groups."""
    audit = tmp_path / "audit.jsonl"
    audit.write_bytes(b"".join(lines(issued(7, ("others",)), judged(b"uptime"))))
    recordings = record(tmp_path / "recordings", "df", "uptime", judged={})
    status, found, _ = told(capsys, old, new, "--recordings", recordings, "--audit", audit)
    assert (found["compared"], [one["command"] for one in found["differences"]]) == (2, ["df"])
    audit.write_bytes(b"".join(lines(issued(7, ("agents",)), judged(b"uptime"))))
    status, found, _ = told(capsys, old, new, "--audit", audit)
    assert (status, [one["groups"] for one in found["differences"]]) == (1, [["agents"]])


def test_commands_of_a_file_have_their_asker_from_the_line_or_the_options(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "past.jsonl"
    file.write_text('{"command": "uptime"}\n{"command": "df", "groups": []}\nx\n')
    arguments = (old / "acme", new / "acme", "--commands", file, "--group", "agents", "--identity", "me")
    status, found, err = told(capsys, *arguments)
    assert (status, [(one["command"], one["identity"]) for one in found["differences"]]) == (1, [("uptime", ["me"])])
    assert err == f"{file}:3: skipped: not a line of JSON in UTF-8\n"


def test_labels_that_the_trail_does_not_tell_are_those_of_an_inventory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = "version: 1\nrules: [{id: a, effect: allow, where: {labels: {env: %s}}, commands: [uptime]}]\n"
    old, new = policies(tmp_path / "old", rule % "prod"), policies(tmp_path / "new", rule % "test")
    audit, targets = tmp_path / "audit.jsonl", tmp_path / "inventory.yaml"
    audit.write_bytes(b"".join(lines(issued(7, ("agents",)), judged(b"uptime"))))
    target = {
        "name": "web-1",
        "address": "10.0.0.1",
        "labels": {"env": "prod"},
        "accounts": {"x": {"certificate": True}},
    }
    targets.write_text(json.dumps({"version": 1, "targets": [{**target, "host-keys": [generate()[1]]}]}))
    assert told(capsys, old, new, "--audit", audit)[0] == 0
    assert told(capsys, old, new, "--audit", audit, "--inventory", targets)[0] == 1


def test_a_line_can_say_its_tenant(tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "past.jsonl"
    line = {"command": "uptime", "groups": ["agents"]}
    lines = [{**line, "tenant": "acme"}, {**line, "tenant": "../acme"}, {**line, "tenant": 7}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    status, found, err = told(capsys, old, new, "--commands", file)
    assert (status, found["compared"], found["differences"][0]["tenant"]) == (1, 1, "acme")
    assert "'tenant' must be text" in err
    assert "no policy of the tenant '../acme'" in err


def test_one_tenants_folder_takes_one_tenants_commands(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = record(record(tmp_path / "recordings", "uptime"), "df", tenant="other")
    status, _, err = told(capsys, old / "acme", new / "acme", "--recordings", recordings)
    assert status == 2
    assert "say --tenant" in err
    status, found, _ = told(capsys, old / "acme", new / "acme", "--recordings", recordings, "--tenant", "acme")
    assert (status, found["compared"]) == (1, 1)
    status, found, err = told(capsys, old, new, "--recordings", recordings)
    assert (status, found["compared"]) == (1, 1)
    assert f"{old}: no policy of the tenant 'other'" in err


def test_rules_about_times_are_asked_at_the_time_of_the_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = "version: 1\nrules: [{id: a, effect: allow, commands: [uptime]%s}]\n"
    old = policies(tmp_path / "old", rule % "")
    recordings = record(tmp_path / "recordings", "uptime")  # 2027-01-15T08:00:00Z, a Friday
    for when, status in (("{days: [fri]}", 0), ("{days: [sat]}", 1), ("{networks: [192.0.2.0/24]}", 0)):
        new = policies(tmp_path / when[1:5] / str(status), rule % f", when: {when}")
        assert told(capsys, old, new, "--recordings", recordings)[0] == status, when


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["old", "new"], "where are the past commands?"),
        (["old", "none", "--recordings", "recordings"], "none: no such folder"),
        (["old", "new", "--recordings", "none"], "no such folder of recordings"),
        (["old", "new", "--audit", "none"], "can not be read"),
        (["old", "broken", "--recordings", "recordings"], "broken/acme/a.yaml:1:10: this bastion reads"),
    ],
)
def test_trouble_is_status_2(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    record(tmp_path / "recordings", "uptime")
    policies(tmp_path / "broken", "version: 2\n")
    assert old.is_dir()
    assert new.is_dir()
    words = [word if word.startswith("--") else str(tmp_path / word) for word in arguments]
    assert main(["policy", "diff", *words]) == 2
    assert why in capsys.readouterr().err
