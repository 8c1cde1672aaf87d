"""`bastion policy explain --batch`: line by line, in order, whatever is on them, and however they come."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.cli import main
from bastion.cli.policies import batch
from bastion.policy import loader
from bastion.policy.asker import KEYS
from tests.core.test_cli_policy_explain import ASKER, POLICY, WHO, policies

__all__ = ["policies"]  # a fixture


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


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(("command", "stdin", *KEYS)), VALUES, max_size=4) | VALUES)
@settings(deadline=None)
def test_any_json_gets_an_answer_that_is_json(values: object) -> None:
    (told,) = answers([json.dumps(values).encode()])
    assert ("error" in told) is ("effect" not in told)
    assert orjson.loads(orjson.dumps(told)) == told


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


def test_standard_input_is_a_member_of_a_line() -> None:
    (line,) = answers([b'{"command": "bash -s", "stdin": "ls /\\nrm x\\n"}'])
    assert [command["argv"] for command in line["commands"]] == [["bash", "-s"], ["ls", "/"], ["rm", "x"]]
    (bad,) = answers([b'{"command": "bash -s", "stdin": 7}'])
    assert "'stdin' must be text" in bad["error"]
