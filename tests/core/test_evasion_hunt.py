"""A canary in a real shell: whatever is allowed, it never runs, and what runs is what was judged.

Thousands of generated evasions try to run it: spelled in some way, inside shells, encodings, here-documents, builtins
that evaluate their words. Each is judged under policies that allow echo, ls and cat (as they are; with words that only
the target knows; with files; with all of that), and under one that allows anything except the canary. The printed text
of what is allowed runs in bash and in dash. The originals run too, ungated: most tests of this kind prove nothing,
because what they try could not have worked.

`EVASION_SECONDS` says how long the long form hunts (600, if it is not set).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings

from bastion.analysis.command import Analysis
from tests.core.evasions.cage import Cage
from tests.core.evasions.generator import drawn, evasions
from tests.core.evasions.judge import allowed, named
from tests.core.evasions.spellings import SPELLINGS
from tests.core.evasions.wrappings import HIDES, RUNS
from tests.core.oracle.sandbox import Sandbox
from tests.core.oracle.sandbox import named as names

SEED, COUNT = 3, 2000
POLICIES = ("strict", "dynamic", "files", "loose", "anything-but-the-canary")
SHELLS = tuple(shell for shell in ("bash", "dash", "mksh", "zsh") if shutil.which(shell))
TEETH = 0.35
"""The share of the originals that must run the canary when nothing judges them; 0.43 did when this was written."""


@pytest.fixture(scope="module")
def cage() -> Iterator[Cage]:
    made = Cage()
    yield made
    made.close()


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


def let_through(policy: str, texts: list[str], cage: Cage, shell: str) -> list[tuple[str, bytes, Analysis]]:
    """The texts that are allowed, with what would be sent to the target."""
    found = []
    for text in texts:
        analysis = allowed(named(policy), cage.placed(text), shell)
        if analysis is not None and analysis.runs is not None:
            found.append((text, analysis.runs, analysis))
    return found


def heard(passed: list[tuple[str, bytes, Analysis]], cage: Cage, shell: str) -> list[str]:
    """Which of them ran the canary."""
    sang = cage.sang((shell, runs) for _, runs, _ in passed)
    return [text for (text, _, _), ran in zip(passed, sang, strict=True) if ran]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_canary_is_heard_where_it_runs(shell: str, cage: Cage) -> None:
    """Also from a printed text, with other programs before it, and without an environment; and only then."""
    texts = [b"canary", b"'canary' 'x'", b"ls; cd /; canary &", b"env -i ./../bin/canary", b"echo canary", b"ls"]
    assert cage.sang((shell, text) for text in texts) == [True, True, True, True, False, False]


def test_most_evasions_would_work(cage: Cage) -> None:
    """Every wrapping and every spelling runs the canary now and then, and of all texts a large share does."""
    texts = evasions(SEED, COUNT)
    sang = cage.sang(("bash", cage.placed(text)) for text in texts)
    assert sum(sang) >= TEETH * COUNT
    assert len(SPELLINGS) >= 14
    assert len(RUNS) >= 120
    assert len(HIDES) >= 35


@pytest.mark.parametrize("form", RUNS, ids=ascii)
def test_every_wrapping_runs_what_it_is_given(form: str, cage: Cage) -> None:
    """One that does not would try nothing."""
    if "xxd" in form and not shutil.which("xxd"):
        pytest.skip("there is no xxd here")
    text = form.format(t="canary", q="'canary'", b="Y2FuYXJ5", x="63616e617279", r="'yranac'", e="canary", n=2)
    assert cage.sang([("bash", cage.placed(text))]) == [True]


@pytest.mark.parametrize(
    ("policy", "shell"),
    [*((policy, "bash") for policy in POLICIES), *((policy, shell) for policy in POLICIES[3:] for shell in SHELLS[1:])],
)
def test_the_canary_never_runs_when_the_verdict_is_allow(policy: str, shell: str, cage: Cage) -> None:
    """Of those that are let through, which must be some, none runs it."""
    passed = let_through(policy, evasions(SEED, COUNT), cage, shell)
    assert len(passed) >= COUNT // 20
    assert heard(passed, cage, shell) == []


def test_what_runs_is_what_was_named(cage: Cage, box: Sandbox) -> None:
    """With every builtin and program a stub, bash calls those commands that the analysis named, and no others."""
    passed = let_through("loose", evasions(SEED, COUNT), cage, "bash")
    endless = 0
    for text, runs, analysis in passed:
        own = [command.argv for command in analysis.commands if command.argv and not command.via]
        try:
            called = box.calls(runs, seconds=5)
        except subprocess.TimeoutExpired:  # a loop whose condition is always true, as no stub fails
            endless += 1
            continue
        assert [call for call in called if not any(names(call, argv) for argv in own)] == [], text
    assert endless < len(passed) // 10


@given(drawn)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("declare -a x='($(canary))'")
@example("x=(); declare x='($(canary))'")
@example("echo `ls` `canary`")
@example("ls\n\\canary")
@example("x=$(y=(\"'\") ls >';') ls; echo '\ncanary\n'")
def test_no_choice_of_disguises_gets_it_to_run(cage: Cage, text: str) -> None:
    """The same, with the choices in hypothesis' hands, so that what fails is made small."""
    for policy in ("loose", "anything-but-the-canary"):
        for shell in SHELLS:
            assert heard(let_through(policy, [text], cage, shell), cage, shell) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_long_hunt_finds_nothing(cage: Cage) -> None:
    """New seeds until the time is over."""
    until = time.monotonic() + float(os.environ.get("EVASION_SECONDS", "600"))
    seed = int(time.time())
    while time.monotonic() < until:
        seed += 1
        texts = evasions(seed, COUNT)
        for policy in ("loose", "anything-but-the-canary"):
            for shell in SHELLS:
                found = heard(let_through(policy, texts, cage, shell), cage, shell)
                assert found == [], f"seed {seed}"
