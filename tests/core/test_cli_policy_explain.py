"""`bastion policy explain`: the object, the report, batches, and how trouble is told."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.cli import main
from bastion.cli.policies import batch
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


# -- batches


def answers(lines: list[bytes]) -> list[dict[str, Any]]:
    policy = loader.load_texts({"a.yaml": POLICY.encode()})
    return list(batch.answers(policy, ASKER, lines))


def test_a_batch_answers_line_by_line_in_order() -> None:
    told = answers([b'{"command": "ls"}\n', b'{"command": "rm x", "id": 7}\n', b'{"command": "ls $(("}'])
    assert [one["rule"] for one in told] == ["look", "never", "undecidable"]
    assert "tried" not in told[0]
    assert "tried" not in told[0]["commands"][0]


def test_a_line_can_say_who_and_where() -> None:
    lines: list[dict[str, object]] = [
        {"command": "ls", "groups": []},
        {"command": "ls", "target": "db-1"},
        {"command": "ls", "account": "root"},
        {"command": "ls"},
    ]
    told = answers([json.dumps(line).encode() for line in lines])
    assert [one["rule"] for one in told] == ["default", "others", "default", "look"]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{",
        b"\xff\n",
        b"[]",
        b"{}",
        b'{"command": 7}',
        b'{"command": "ls", "groups": "x"}',
        b'{"command": "ls", "claims": {"\\ud800": 7}}',
        b"[" * 100_000,
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_rest_goes_on(line: bytes) -> None:
    good, bad, last = answers([b'{"command": "ls"}', line, b'{"command": "id"}'])
    assert (good["rule"], last["rule"]) == ("look", "look")
    assert set(bad) == {"error", "line"}
    assert bad["line"] == 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"command": "\\ud800"}',
        b'{"command": "a\\u0000b"}',
        b'{"command": "' + b"(" * (1 << 20) + b'"}',
        b'{"command": "\\u202e"}',
        b'{"command": ""}',
    ],
    ids=["surrogate", "nul", "brackets", "bidi", "empty"],
)
def test_hostile_text_gets_a_verdict(line: bytes) -> None:
    (told,) = answers([line])
    assert (told["effect"], told["runs"]) == ("deny", None)
    assert told["undecidable"]


def test_bytes_that_are_not_utf_8_are_escaped() -> None:
    """$'\\xff' is one byte, which JSON has no text for."""
    (told,) = answers([json.dumps({"command": "ls $'a\\xffb'"}).encode()])
    assert told["commands"][0]["argv"] == ["ls", "a\\xffb"]
    assert (told["runs"], told["rule"]) == (None, "undecidable")


class Stream(io.BytesIO):
    """Standard input or output that has bytes."""

    @property
    def buffer(self) -> Stream:
        return self


def test_standard_input_and_the_exit_status(
    policies: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 when every line could be used, whatever the verdicts; 1 when one could not."""
    for text, status in ((b'{"command": "rm x"}\n', 0), (b'{"command": "rm x"}\nx\n', 1)):
        monkeypatch.setattr(sys, "stdin", Stream(text))
        arguments = ["policy", "explain", "--policies", str(policies), "--tenant", "acme", *WHO, "--batch", "-"]
        assert main(arguments) == status
        lines = capsys.readouterr().out.splitlines()
        assert json.loads(lines[0])["rule"] == "never"
        assert len(lines) == len(text.splitlines())


def test_a_file_of_commands(policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["policy", "explain", "--policies", str(policies / "acme"), *WHO, "--batch"]
    file = tmp_path / "commands.jsonl"
    file.write_text('{"command": "id"}\n')
    assert main([*arguments, str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "look"
    assert main([*arguments, str(tmp_path / "none")]) == 2
    assert "can not be read" in capsys.readouterr().err


def test_a_reader_that_has_had_enough_ends_it_quietly(policies: Path, tmp_path: Path) -> None:
    """`bastion policy explain --batch … | head -1` leaves no traceback."""
    file = tmp_path / "commands.jsonl"
    file.write_text('{"command": "id"}\n' * 2000)
    command = [sys.executable, "-m", "bastion", "policy", "explain", "--policies", str(policies / "acme")]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run([*command, "--batch", str(file)], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


class Dribble:
    """A source that gives a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content = io.BytesIO(content)
        self._size = size

    def read1(self, _size: int, /) -> bytes:
        return self._content.read(self._size)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_lines_are_answered_however_they_come(size: int) -> None:
    content = b'{"command": "ls"}\nx\n\n{"command": "rm x"}'
    out = io.BytesIO()
    with batch.Workers(loader.load_texts({"a.yaml": POLICY.encode()}), ASKER) as workers:
        assert batch.serve(Dribble(content, size), workers, out) == 1
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one.get("rule", one.get("line")) for one in told] == ["look", 2, 3, "never"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # newer Pythons mind threads, and pytest may have some
def test_many_lines_are_shared_and_stay_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one process, the same answers in the same order, and the same line numbers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    lines = [json.dumps({"command": f"ls {number}"}).encode() for number in range(batch.MANY)]
    lines[batch.PART + 7] = b"x"
    policy = loader.load_texts({"a.yaml": POLICY.encode()})
    with batch.Workers(policy, ASKER) as workers:
        found = list(workers.judge(lines, 11))
        assert workers._pool is not None
    told = [json.loads(line) for answer, _ in found for line in answer.splitlines()]
    assert told == json.loads(json.dumps(list(batch.answers(policy, ASKER, lines, 11))))
    assert [good for _, good in found].count(False) == 1
    assert told[batch.PART + 7] == {"error": "not a line of JSON in UTF-8", "line": 11 + batch.PART + 7}


def test_one_process_is_enough_where_no_other_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise OSError("no semaphores here")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(multiprocessing, "get_context", refuse)
    with batch.Workers(loader.load_texts({"a.yaml": POLICY.encode()}), ASKER) as workers:
        found = list(workers.judge([b'{"command": "ls"}'] * batch.MANY, 1))
    assert sum(answer.count(b"\n") for answer, _ in found) == batch.MANY


def test_standard_input_is_judged_with_the_command(
    policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script for a shell is commands of the text; from a file, or as a member of a line."""
    script = tmp_path / "script"
    script.write_text("ls /\nrm x\n")
    told = explained(capsys, policies, "bash -s", options=("--stdin", str(script)))
    assert [command["argv"] for command in told["commands"]][1:] == [["ls", "/"], ["rm", "x"]]
    (line,) = answers([b'{"command": "bash -s", "stdin": "ls /\\nrm x\\n"}'])
    assert [command["argv"] for command in line["commands"]] == [command["argv"] for command in told["commands"]]
    (bad,) = answers([b'{"command": "bash -s", "stdin": 7}'])
    assert "'stdin' must be text" in bad["error"]
