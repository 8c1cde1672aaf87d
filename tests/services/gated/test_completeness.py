"""Whether a text is whole, as bash itself says; and scripts cut into the commands an interactive shell would read."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.session.gated.completeness import MAX_OPEN, first, more

VECTORS = Path(__file__).parents[2] / "vectors"
OPEN = [json.loads(line) for line in (VECTORS / "gated_open.jsonl").read_text().splitlines()]
SCRIPTS = [json.loads(line) for line in (VECTORS / "gated_scripts.jsonl").read_text().splitlines()]
TEXTS = [vector["script"] for vector in SCRIPTS]


def cut(text: str, shell: str) -> tuple[list[str], str]:
    """The whole commands at the head of `text`, and the rest."""
    commands: list[str] = []
    while (found := first(text, shell)) is not None:
        ends, command = found
        text = text[ends:]
        if command is not None:
            commands.append(command)
    return commands, text


def bash_says(text: str) -> str:
    """`open`, `whole`, or `error` for what is wrong in any other way."""
    checked = subprocess.run(
        ["bash", "-n"],
        input=text.encode(),
        capture_output=True,
        env={"LANG": "C", "PATH": "/usr/bin:/bin"},
        timeout=20,
        check=False,
    )
    told = checked.stderr.decode()
    if any(sign in told for sign in ("unexpected end of file", "unexpected EOF", "delimited by end-of-file")):
        return "open"
    return "error" if told else "whole"


@pytest.mark.parametrize("vector", OPEN, ids=lambda vector: repr(vector["text"]))
def test_what_is_open(vector: dict[str, str | None]) -> None:
    assert more(vector["text"] or "", "bash") == vector["open"]


@given(st.sampled_from(TEXTS), st.floats(0, 1))
@settings(max_examples=250)
def test_every_beginning_of_a_script_is_open_where_bash_says_so(text: str, part: float) -> None:
    """What is wrong in another way is bash's to tell; a last backslash is one that `bash -n` lets pass, and so is the
    first of two brackets."""
    beginning = text[: int(part * len(text)) + 1]
    says = bash_says(beginning)
    if says == "error" or beginning.rstrip("\n").endswith("\\") or beginning == "for ((i=0;i<3;i++)":
        return
    assert (more(beginning, "bash") is not None) == (says == "open"), (beginning, says)


@given(st.sampled_from([text for text in TEXTS if "<<" not in text]), st.floats(0, 1))
@settings(max_examples=150)
def test_dash_says_the_same_of_what_it_can_read(text: str, part: float) -> None:
    """Not where a redirection or a `!` has nothing after it: a newline would be an error there."""
    beginning = text[: int(part * len(text)) + 1]
    checked = subprocess.run(["dash", "-n"], input=beginning.encode(), capture_output=True, timeout=20, check=False)
    told = checked.stderr.decode()
    opened = any(sign in told for sign in ("end of file unexpected", "Unterminated", "EOF in", "Missing"))
    if (told and not opened) or beginning.rstrip().endswith(("<", ">", "&", "!", "\\")):
        return
    assert (more(beginning, "dash") is not None) == opened, (beginning, told)


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.sampled_from(["\n", "; ", " && ", "\n\n# x\n"]))
@settings(max_examples=150)
def test_whole_scripts_beside_one_another_are_whole(texts: list[str], between: str) -> None:
    text = between.join(texts)
    if bash_says(text) == "whole":
        assert more(text, "bash") is None


@pytest.mark.parametrize("vector", SCRIPTS, ids=lambda vector: repr(vector["script"])[:40])
def test_a_script_is_cut_into_commands(vector: dict[str, object]) -> None:
    commands, rest = cut(str(vector["script"]) + "\n", "bash")
    assert (commands, rest) == (vector["commands"], vector.get("rest", ""))


@given(st.lists(st.sampled_from(TEXTS), max_size=4).map("\n".join), st.lists(st.integers(0, 400), max_size=20))
@example("cat <<E\nhi\nE\necho 'a\nb'\n", list(range(40)))
@example("echo " + "a" * MAX_OPEN + "'", [100, 9000])
def test_cut_anywhere_the_commands_are_the_same(text: str, cuts: list[int]) -> None:
    places = sorted({min(place, len(text)) for place in cuts})
    found: list[str] = []
    rest = ""
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        commands, rest = cut(rest + text[start:end], "bash")
        found += commands
    assert (found, rest) == cut(text, "bash")


@given(st.text(alphabet="ab ifdone'\"$(){}`\\<>|&;\n#=[]", max_size=60))
@settings(max_examples=1000)
def test_nothing_is_lost_and_nothing_breaks(text: str) -> None:
    """Any text: each command is a stretch of it, in order, and the rest is its end."""
    commands, rest = cut(text, "bash")
    place = 0
    for command in commands:
        place = text.index(command, place) + len(command)
    assert text.endswith(rest)
    more(text, "dash")


def test_what_stays_open_for_too_long_is_given_out() -> None:
    commands, rest = cut("echo '" + "a" * 3 * MAX_OPEN, "bash")
    assert len(commands) == 3
    assert all(len(command) > MAX_OPEN for command in commands)
    assert len(rest) <= MAX_OPEN


@pytest.mark.parametrize(
    "piece", ["(", "$(", "{ ", "if ", "'a' ", '"${', "[[ ", "((", "<<E\n", "a;", "\\\n", "case x in "]
)
def test_no_text_takes_long(piece: str) -> None:
    """8 KiB of it."""
    text = piece * (MAX_OPEN // len(piece))
    began = time.process_time()
    more(text, "bash")
    cut(text, "bash")
    assert time.process_time() - began < 2
