"""`bastion policy explain`: the object, the report, batches, and how trouble is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.cli import main
from bastion.policy import loader
from bastion.policy.asker import Asker

POLICY = """version: 1
rules:
  - id: look
    effect: allow
    who: {groups: [agents]}
    where: {targets: ["web-*"], accounts: [deploy]}
    commands: ["ls **", "cat /var/log/**", "id"]
  - {id: write, effect: allow, commands: ["sort **"], writes: ["/tmp/**"]}
  - {id: never, effect: deny, commands: [rm], reason: ask the owners}
  - {id: no-privilege, effect: deny, categories: [privilege]}
  - {id: others, effect: allow, where: {targets: [db-1]}, commands: ["**"]}
"""
WHO = ["--identity", "agent@acme", "--group", "agents", "--target", "web-1", "--account", "deploy"]
ASKER = Asker(("agent@acme",), frozenset({"agents"}), target="web-1", account="deploy")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    for tenant in ("acme", "other"):
        (folder / tenant).mkdir(parents=True)
        (folder / tenant / "a.yaml").write_text(POLICY)
    return folder


def explained(capsys: pytest.CaptureFixture[str], policies: Path, *words: str, options: tuple[str, ...] = ()) -> Any:
    assert (
        main(["policy", "explain", "--policies", str(policies / "acme"), *WHO, *options, "--json", "--", *words]) == 0
    )
    told = capsys.readouterr()
    assert told.err == ""
    return json.loads(told.out)


def test_the_object_has_all_that_led_to_the_verdict(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'sudo rm -rf "$x" </etc/hosts; psql -c "drop table t"'
    told = explained(capsys, policies, text)
    assert (told["effect"], told["rule"], told["would"]) == ("deny", "no-privilege", None)
    assert told["place"] == {"file": str(policies / "acme" / "a.yaml"), "line": 10, "column": 5}
    assert "privilege" in told["reason"]
    assert "allowed here: " in told["remedy"]
    assert told["policy"] == loader.load(policies / "acme").version
    assert [command["argv"] for command in told["commands"]] == [
        ["sudo", "rm", "-rf", None],
        ["rm", "-rf", None],
        ["psql", "-c", "drop table t"],
    ]
    first, second, third = told["commands"]
    assert (second["via"], second["effect"], second["rule"], second["reason"]) == (
        ["sudo"],
        "deny",
        "never",
        "ask the owners",
    )
    assert first["redirections"] == [{"operator": "<", "path": "/etc/hosts"}]
    assert text[third["start"] : third["end"]] == 'psql -c "drop table t"'
    assert {"destroys-data", "privilege", "sql-destructive"} <= set(told["categories"])
    assert told["categories"] == sorted(told["categories"])
    assert "T1485" in told["techniques"]
    assert told["sql"][0]["kinds"] == ["drop"]
    assert told["runs"].startswith("'sudo' 'rm' '-rf'")
    assert isinstance(told["undecidable"], list)


def test_every_rule_that_concerns_the_asker_was_tried(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, policies, "sort a >/tmp/x")
    (command,) = told["commands"]
    tried = {one["rule"]: one for one in command["tried"]}
    assert set(tried) == {"look", "write", "never"}
    assert tried["write"]["applies"]
    assert not tried["look"]["applies"]
    assert tried["look"]["why"] == "no pattern of it matches"
    assert [(one["rule"], one["applies"]) for one in told["tried"]] == [("no-privilege", False)]
    assert told["effect"] == "allow"
    assert told["runs"] == "'sort' 'a' > '/tmp/x'"


def test_words_are_joined_as_ssh_does(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, policies, "ls", "-la", "--", "a b")["runs"] == "'ls' '-la' '--' 'a' 'b'"


def test_what_can_not_be_read_runs_nothing(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, policies, "ls $((")
    assert (told["effect"], told["rule"], told["runs"], told["commands"]) == ("deny", "undecidable", None, [])
    assert told["categories"] == ["undecidable"]
    assert len(told["undecidable"]) == 1


def test_options_reach_the_subject(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rule that asks for all of them covers with them, and not without one."""
    rule = (
        "version: 1\nrules:\n  - {id: all, effect: allow, commands: [id], who: {claims: {env: prod}}, "
        "where: {labels: {tier: web}}, when: {networks: [192.0.2.0/24], hours: '09:00-10:00'}}\n"
    )
    (policies / "acme" / "a.yaml").write_text(rule)
    options = ("--claim", "env=prod", "--label", "tier=web", "--source", "192.0.2.7", "--at", "2026-01-31T09:30:00Z")
    assert explained(capsys, policies, "id", options=options)["rule"] == "all"
    for left_out in range(0, len(options), 2):
        if options[left_out] != "--at":  # without it the time is now
            less = options[:left_out] + options[left_out + 2 :]
            assert explained(capsys, policies, "id", options=less)["effect"] == "deny", options[left_out]
    later = (*options[:-1], "2026-01-31T10:30:00Z")
    assert explained(capsys, policies, "id", options=later)["effect"] == "deny"


def test_the_shell_and_the_terminal_change_the_reading(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, policies, "ls <(id)", options=("--shell", "bash"))["runs"] is not None
    assert explained(capsys, policies, "ls <(id)", options=("--shell", "dash"))["runs"] is None


def test_mode_observe_tells_what_would_have_been(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = policies / "acme" / "a.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 1\nmode: observe"))
    told = explained(capsys, policies, "rm x")
    assert (told["effect"], told["would"], told["rule"]) == ("allow", "deny", "observe")


REPORT = """\
agent@acme (agents) as deploy on web-1
POLICY: 5 rules in 1 file, VERSION

    cat /var/log/a | sort >/etc/x; rm "$y"

TREE
  list
    pipeline
      command  cat /var/log/a
      command  sort
        redirect  > /etc/x
    command  rm "${y}"

COMMANDS
  1  cat /var/log/a
     profile: reads /var/log/a
     ALLOWED by look: allowed by this rule
     + allow   look  a.yaml:3
"""


def test_the_report_is_for_people(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """80 columns, no colour where there is no terminal, and the tree, the commands, the rules, the verdict."""
    folder = policies / "acme"
    command = 'cat /var/log/a | sort >/etc/x; rm "$y"'
    assert main(["policy", "explain", "--policies", str(folder), *WHO, "--", command]) == 0
    out = capsys.readouterr().out
    version = loader.load(folder).version[:19]
    told = " ".join(out.split())
    wanted = REPORT.replace("POLICY", str(folder)).replace("VERSION", version)
    assert " ".join(wanted.split()) in told
    assert "\x1b" not in out
    assert all(len(line) <= 80 or str(folder) in line for line in out.splitlines())
    for line in (
        "  3  rm <?>",
        "     DENIED by never: ask the owners",
        "     ! deny    never a.yaml:9",
        "DENIED by never",
        "  runs    'cat' '/var/log/a' | 'sort' > '/etc/x'; 'rm' \"${y}\"",
        "  1 rule about another who, where or when: others",
    ):
        assert line in out.splitlines(), line


def test_of_many_rules_those_that_apply_are_all_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = "".join(f"  - {{id: r{n}, effect: allow, commands: [p{n % 100}]}}\n" for n in range(500))
    (tmp_path / "a.yaml").write_text(f"version: 1\nrules:\n{rules}")
    assert main(["policy", "explain", "--policies", str(tmp_path), *WHO, "--", "p99"]) == 0
    out = capsys.readouterr().out
    assert out.count("     + allow ") == 5
    assert out.count("     - allow ") == 60
    assert "435 more that do not apply" in out


def test_a_terminal_without_the_letters_gets_escapes(policies: Path) -> None:
    command = [sys.executable, "-m", "bastion", "policy", "explain", "--policies", str(policies / "acme"), "--", "id ö"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"id \\xf6" in done.stdout


def test_the_place_of_what_can_not_be_read_is_pointed_at(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain", "--policies", str(policies / "acme"), *WHO, "--", "ls; echo $(("]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("    ls; echo $((")
    assert lines[at + 1].strip("^ ") == ""
    assert lines[at + 1].index("^") == lines[at].index("echo") + 5


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_text_sends_a_terminal_what_it_would_obey(text: str) -> None:
    from bastion.cli.policies import report
    from bastion.policy.explain import explain

    policy = loader.load_texts({"a.yaml": POLICY.encode()})
    told = report.lines(explain(policy, ASKER, text.encode()), policy, report.Heading(Path("x")), ASKER)
    for line in told:
        plain = report.plain(line)
        assert plain.isprintable(), ascii(plain)


# -- which policy


def test_a_folder_of_tenants_needs_to_know_which(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain", "--policies", str(policies), "--tenant", "acme", *WHO, "--json", "--", "id"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "look"
    assert main(["policy", "explain", "--policies", str(policies), *WHO, "--", "id"]) == 2
    assert "which tenant? Say --tenant; there are: acme, other" in capsys.readouterr().err
    assert main(["policy", "explain", "--policies", str(policies), "--tenant", "x", *WHO, "--", "id"]) == 2
    assert "no folder of the tenant 'x'; there are: acme, other" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--policies", "/nonexistent"], "no such folder"),
        (["--tenant", "../acme"], "not a tenant's name"),
        (["--claim", "x"], "--claim 'x': expected NAME=VALUE"),
        (["--label", "=x"], "--label '=x': expected NAME=VALUE"),
        (["--shell", "fish"], "--shell must be one of"),
        (["--at", "noon"], "--at must be a date and time"),
        (["--identity", ""], "--identity must be text"),
    ],
)
def test_an_option_that_can_not_be_used_is_one_line_and_status_2(
    policies: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert main(["policy", "explain", "--policies", str(policies / "acme"), *options, "--", "id"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.splitlines()) == 1


def test_every_problem_of_a_broken_policy_is_told_and_status_is_2(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (policies / "acme" / "a.yaml").write_text("version: 1\nmode: x\nrulse: []\n")
    assert main(["policy", "explain", "--policies", str(policies / "acme"), "--", "id"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("a.yaml:")[1].split(": ")[0] for line in lines] == ["2:7", "3:1"]


@pytest.mark.parametrize("arguments", [[], ["--"], ["--batch", "-", "--", "ls"]])
def test_a_command_or_a_batch_is_needed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["policy", "explain", *arguments])
    assert ended.value.code == 2
    assert "name a command after --" in capsys.readouterr().err


def test_standard_input_is_judged_with_the_command(
    policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script for a shell is commands of the text."""
    script = tmp_path / "script"
    script.write_text("ls /\nrm x\n")
    told = explained(capsys, policies, "bash -s", options=("--stdin", str(script)))
    assert [command["argv"] for command in told["commands"]][1:] == [["ls", "/"], ["rm", "x"]]
