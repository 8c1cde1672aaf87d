"""Law 1: what was judged is what runs. The text sent to a target is printed from the judged tree."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis.shell import analyse
from bastion.asked import Asked
from bastion.audit.events import Event
from bastion.context import Context, Knock
from bastion.errors import Denied
from bastion.gate import Gate
from bastion.identity.principal import Credential, Identity
from bastion.policy.loader import load
from bastion.targets.inventory import Inventory
from bastion.targets.target import Account, Target
from bastion.verdicts import Tenant
from tests.core.evasions.cage import Cage
from tests.core.evasions.generator import evasions
from tests.core.oracle.sandbox import named
from tests.laws.not_asked import NotAsked

VECTORS = Path(__file__).parents[1] / "vectors"
SHELLS = [shell for name in ("bash", "dash") if (shell := shutil.which(name))]
PROGRAMS = ("ls", "rm", "find", "if", "time", "a=b", "ls;rm", "*")
"""Programs that exist in the stubs' folder, some with names that an unquoted shell would take for something else."""
STUB = '#!/bin/sh\nprintf \'%s\\0\' "${0##*/}" "$@" > "$LOG/$$"\n'
TEXTS = [
    str(json.loads(line)["text"])
    for name in (
        "analysis_words.jsonl",
        "analysis_undecidable.jsonl",
        "analysis_programs.jsonl",
        "analysis_commands.jsonl",
    )
    for line in (VECTORS / name).read_text().splitlines()
]
EVASIONS = [
    str(row["text"])
    for name in ("evasions.jsonl", "evasions_lookalikes.jsonl", "evasions_tricky.jsonl")
    for row in map(json.loads, (VECTORS / name).read_text().splitlines())
    if "times" not in row
]
PIECES = [
    "ls",
    "rm",
    "find",
    "if",
    "time",
    " ",
    "  ",
    "\t",
    "\n",
    "\\",
    "\\\n",
    "'",
    '"',
    "$'",
    "$",
    "`",
    "#",
    "~",
    "*",
    "?",
]
PIECES += ["{", "}", ",", ";", "&", "|", "<", ">", "(", ")", "!", "-x", "/", "=", "\\x3b", "\r", "é"]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs that do nothing but write down how they were called."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in PROGRAMS:
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    return folder


def ran(shell: str, text: bytes, stubs: Path, work: Path) -> list[list[bytes]]:
    """Every program that a login shell runs for `text`, with its arguments."""
    log = work / "log"
    log.mkdir()
    environment = {"PATH": str(stubs), "LOG": str(log), "LC_ALL": "C.UTF-8"}
    subprocess.run([shell, "-c", text], env=environment, cwd=work, capture_output=True, timeout=20, check=False)
    return [file.read_bytes().split(b"\0")[:-1] for file in log.iterdir()]


def judged(text: bytes) -> list[list[bytes | None]]:
    return [list(command.argv) for command in analyse(text).commands]


@pytest.mark.parametrize("shell", SHELLS)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=10).map("".join), st.sampled_from(["ls ", "rm ", ""]))
@settings(max_examples=250, deadline=None)
@example("\n\\rm -rf x", "ls")
@example("$'\\x3b'rm", "ls")
@example("'if' x", "")
def test_a_target_runs_exactly_what_was_judged(
    shell: str, stubs: Path, tmp_path_factory: pytest.TempPathFactory, text: str, head: str
) -> None:
    """The printed text, given to a real shell, runs the judged program with the judged words, and nothing else."""
    source = (head + text).encode()
    analysis = analyse(source, Path(shell).name)
    if analysis.runs is None:
        return
    work = tmp_path_factory.mktemp("work")
    commands = [command.argv for command in analysis.commands]
    calls = ran(shell, analysis.runs, stubs, work)
    assert all(any(named(tuple(call), argv) for argv in commands) for call in calls)
    stubbed = [list(argv) for argv in commands if argv and argv[0] in [name.encode() for name in PROGRAMS]]
    if len(commands) == 1 and stubbed and None not in stubbed[0] and not analysis.commands[0].redirections:
        assert calls == stubbed


@pytest.mark.parametrize("text", [*TEXTS, *EVASIONS], ids=ascii)
def test_what_would_be_sent_is_judged_the_same_again(text: str) -> None:
    """Reading the printed text gives the commands it was printed from: the printer says what the judge saw."""
    analysis = analyse(text.encode())
    if analysis.runs is None:
        return
    again = analyse(analysis.runs)
    assert again.commands == analysis.commands
    assert again.runs == analysis.runs


class NoAudit:
    """Takes every event and keeps none: what is told is not what is tested here."""

    async def write(self, event: Event) -> None: ...

    def write_soon(self, event: Event) -> None: ...


EVERYTHING = '["**"], interactive: true'


def everything_allowed(folder: Path, commands: str = EVERYTHING) -> tuple[Gate, Context]:
    """A gate whose policy denies nothing that can be read (or allows only `commands`), and someone let in."""
    (folder / "p.yaml").write_text(f"version: 1\nrules: [{{id: all, effect: allow, commands: {commands}}}]\n")
    account = Account("deploy", None, None, True, "bash")
    target = Target("t", "web", "host", 22, {}, (), (), {"deploy": account})
    tenant = Tenant("t", (), load(folder), Inventory([target]))
    gate = Gate(
        {"t": tenant}, NoAudit(), revoked=lambda _: None, clock=lambda: 0.0, shells=NotAsked(), approvals=NotAsked()
    )
    identity = Identity("t", "issuer", "subject", ("agent",), frozenset(), {})
    return gate, Context(Credential(identity, 1, "id", "SHA256:x", b"", 0, 1), target, account, Knock("c", "127.0.0.1"))


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
async def test_the_gate_permits_the_printed_text_or_nothing(text: str, tmp_path: Path) -> None:
    """Even where policy allows all, a permission carries what was printed, and text that can not be read has none."""
    gate, context = everything_allowed(tmp_path)
    analysis = analyse(text.encode())
    asked = Asked(session="s", kind="exec", text=text.encode(), environment={})
    if analysis.runs is None:
        with pytest.raises(Denied):
            await gate.judge(context, asked)
        return
    try:
        allowed = await gate.judge(context, asked)
    except Denied:
        return  # what rules can not cover yet is denied also where all is allowed
    assert allowed.runs == analysis.runs


async def test_no_evasion_that_the_gate_permits_runs_the_canary(tmp_path: Path) -> None:
    """Under a policy of echo, ls and cat, with words that only the target knows: what is sent runs nothing else."""
    gate, context = everything_allowed(tmp_path, '["echo **", "ls **", "cat **"], dynamic: true')
    cage = Cage()
    sent = []
    for text in evasions(seed=1, count=400):
        asked = Asked(session="s", kind="exec", text=cage.placed(text), environment={})
        with contextlib.suppress(Denied):
            sent.append((await gate.judge(context, asked)).runs)
    assert len(sent) > 40
    assert not any(cage.sang(("bash", runs) for runs in sent if runs is not None))
    cage.close()
