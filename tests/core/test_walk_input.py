"""Scripts that a shell reads from its standard input, run by real shells: only what was judged runs, and all of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bastion.analysis.command import Analysis
from bastion.analysis.shell import analyse

VECTORS = Path(__file__).parents[1] / "vectors"
ROWS = [json.loads(line) for line in (VECTORS / "analysis_stdin.jsonl").read_text().splitlines()]
CASES = [
    pytest.param(shell, row, id=ascii(f"{shell}: {row['script']}"))
    for row in ROWS
    for shell in row["shells"]
    if shutil.which(shell)
]


def ran(text: bytes, folder: Path) -> bytes:
    """What a text writes in a folder with a file whose commands were never judged."""
    (folder / "evil").write_text("touch pwned\n")
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    assert not (folder / "pwned").exists(), "ran what was not judged"
    return done.stdout


def names(analysis: Analysis) -> list[list[bytes | None]]:
    return [list(command.argv) for command in analysis.commands]


@pytest.mark.parametrize(("shell", "row"), CASES)
@pytest.mark.parametrize("options", ["", "-s one two"])
def test_a_script_by_standard_input_runs_as_judged(
    shell: str, row: dict[str, str], options: str, tmp_path: Path
) -> None:
    """Whatever the script does to the input that its shell reads it from, nothing else is read as commands."""
    text = f"{shell} {options} <<'E'\n{row['script']}\nE".encode()
    analysis = analyse(text)
    assert analysis.undecidable == ()
    assert analysis.runs is not None
    written = ran(analysis.runs, tmp_path)
    assert written == (row["writes"] if options else row["writes"].replace(" one", "")).encode()
    again = analyse(analysis.runs)
    assert again.commands == analysis.commands
    assert again.runs == analysis.runs
    judged = analyse(f"{'bash' if shell == 'bash' else 'sh'} -c {_quoted(row['script'])}".encode())
    assert names(analysis)[1:] == names(judged)[1:]


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


@pytest.mark.parametrize(
    "text",
    [
        "bash <<< ls <<< 'touch pwned'",
        "bash <<E <<< 'touch pwned'\nls\nE",
        "exec 3< evil; bash <<< ls <&3",
        "exec 3< evil; bash <<< ls 0>&3",
        "exec 3< evil; bash <<< ls 00<&3",
        "exec 3< evil; echo ls | bash 0>&3",
        "bash <<< ls 0<>evil",
        "bash <<< ls <evil",
        "bash 3<<< ls < evil",
    ],
)
def test_the_last_redirection_of_standard_input_is_the_one_that_is_read(text: str, tmp_path: Path) -> None:
    """What a shell reads is what was judged, or a doubt; not an earlier or another descriptor's text."""
    analysis = analyse(text.encode())
    if analysis.undecidable:
        return
    assert analysis.runs is not None
    assert b"touch" in {word for command in analysis.commands for word in command.argv}
    with pytest.raises(AssertionError, match="not judged"):
        ran(analysis.runs, tmp_path)
