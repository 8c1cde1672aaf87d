"""bash as the oracle of the whole analysis: what it runs of a printed text is what the analysis named."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from bastion.analysis import tree
from bastion.analysis.printer import NotPrintable, print_script
from bastion.analysis.shell import analyse
from tests.core.oracle import texts, trees
from tests.core.oracle.sandbox import Call, Sandbox, named

VECTORS = Path(__file__).parents[1] / "vectors"
ROWS = [json.loads(line)["text"] for line in (VECTORS / "analysis_commands.jsonl").read_text().splitlines()]
ENDLESS = ("while ", "coproc", "sleep")
"""Loops whose condition is always true in the sandbox, and what is not waited for."""


pytestmark = pytest.mark.timeout(400)  # what does not end is waited for, five seconds each time


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def unnamed(called: Counter[Call], commands: list[tuple[bytes | None, ...]]) -> list[Call]:
    return [call for call in called if not any(named(call, argv) for argv in commands)]


def own(text: bytes) -> list[tuple[bytes | None, ...]]:
    """The commands that the shell itself would run: those inside another program's words are that program's."""
    return [command.argv for command in analyse(text).commands if not command.via and command.argv]


@pytest.mark.parametrize("text", [text for text in ROWS if not any(word in text for word in ENDLESS)], ids=ascii)
def test_bash_runs_nothing_of_a_vector_that_was_not_named(text: str, box: Sandbox) -> None:
    """Every text that is decidable: what bash runs of the printed text has a name and words that were judged."""
    runs = analyse(text.encode()).runs
    assert runs is not None
    assert unnamed(box.calls(runs), own(text.encode())) == []


def _numbered(called: Counter[Call]) -> Counter[Call]:
    """Which number a process substitution gets depends on when an earlier one was closed."""
    return Counter(tuple(re.sub(rb"/dev/fd/[0-9]+", b"/dev/fd/n", word) for word in call) for call in called.elements())


def agree(text: str, box: Sandbox) -> None:
    """The printed text runs what the original runs, and all of it was named; where it is decidable."""
    source = text.encode()
    analysis = analyse(source)
    if analysis.runs is None or "$$" in text:  # the number of a process is another one in another run
        return
    try:
        printed = box.calls(analysis.runs, seconds=5)
        original = box.calls(source, seconds=5)
    except subprocess.TimeoutExpired:
        return
    assert unnamed(printed, own(source)) == [], "ran what was not judged"
    assert _numbered(printed) == _numbered(original), "ran something else than what was written"
    assert analyse(analysis.runs).commands == analysis.commands, "what is printed is judged the same again"


@given(texts.lines)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("ls\n\\rm x; q")
@example("p `q a` `rm b`; q")
@example("p 2>a -delete; q")
@example("r\\\nm x; q")
@example("p|q -200>a; q")
@example("p a<(q); q")
@example("p | q | ls && rm a; q")
@example("x=$(x=(\"'\") p >';') p; p 'a\nq\n'")
def test_lines_run_as_written_or_not_at_all(box: Sandbox, text: str) -> None:
    """Ordinary lines with words in every spelling."""
    agree(text, box)


@given(texts.soup)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("{a,{b,c}}; } ")
@example("<(p) || rmrm \\\ncase<(p)  ")
@example("p \\  -delete")
@example("p {fd}>a")
@example("x=a:~ p; x=~:~/b:~; p $x")
@example("a=* |& p if")
@example("x=$y <<E\n$x\nE\n")
@example('!"p"')
def test_soup_runs_as_written_or_not_at_all(box: Sandbox, text: str) -> None:
    """Pieces of shell syntax in any order."""
    agree(text, box)


@pytest.mark.parametrize("posix", [False, True], ids=["bash", "bash called sh"])
@given(script=trees.scripts)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_printed_tree_runs_nothing_that_is_not_in_it(box: Sandbox, script: tree.Script, posix: bool) -> None:
    """Trees of any shape, also such as no text that was read had. With here-documents, where bash has the name `sh`:
    what is in a substitution it prints anew, and reads again."""
    commands: list[tuple[bytes | None, ...]] = []
    _collect(script, commands)
    try:
        printed = print_script(script, posix)
    except NotPrintable:
        assert posix, "only here-documents have places where they can not be printed"
        return
    try:
        called = box.calls(printed, seconds=5)
    except subprocess.TimeoutExpired:
        return
    assert unnamed(called, commands) == []


@given(trees.flat.filter(lambda script: all(_always_runs(item) for item in script.items)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_no_command_of_a_printed_tree_is_lost(box: Sandbox, script: tree.Script) -> None:
    """Commands one after the other: as many calls as commands."""
    commands: list[tuple[bytes | None, ...]] = []
    _collect(script, commands)
    assert sum(box.calls(print_script(script)).values()) == len(commands)


def _always_runs(item: tree.AndOr) -> bool:
    pipelines = [item.first, *(pipeline for _, pipeline in item.rest)]
    commands = [command for pipeline in pipelines for command in pipeline.commands]
    return all(operator == b"&&" and not pipeline.negated for operator, pipeline in item.rest) and all(
        isinstance(command, tree.Simple) and not command.redirections and not item.first.negated for command in commands
    )


def _collect(node: object, commands: list[tuple[bytes | None, ...]]) -> None:
    """Every simple command of a tree, wherever it stands."""
    if isinstance(node, tree.Simple) and node.words:
        commands.append(tuple(word.literal for word in node.words))
    if isinstance(node, tuple):
        for member in node:
            _collect(member, commands)
    elif hasattr(node, "__slots__"):
        for name in node.__slots__:
            _collect(getattr(node, name), commands)
