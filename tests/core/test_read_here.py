"""Here-documents: real shells write the same for the printed text as for what was written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bastion.analysis.read_here import NotClosed, blank
from bastion.analysis.shell import analyse

VECTORS = Path(__file__).parents[1] / "vectors"
ROWS = [json.loads(line) for line in (VECTORS / "analysis_here.jsonl").read_text().splitlines()]
SHELLS = {"bash": ["bash"], "sh": ["dash", "mksh", "zsh", "bash"]}
CASES = [
    pytest.param(row["text"], login, shell, id=ascii(f"{login} {shell}: {row['text']}"))
    for row in ROWS
    for login in row["shells"]
    for shell in SHELLS[login]
    if shutil.which(shell)
]


def written(text: bytes, shell: str, folder: Path) -> bytes:
    folder.mkdir()
    done = subprocess.run(
        [shell, "-c", text], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    return done.stdout


@pytest.mark.parametrize(("text", "login", "shell"), CASES)
def test_a_printed_here_document_is_what_was_written(text: str, login: str, shell: str, tmp_path: Path) -> None:
    """The same output, by every shell that may read it; and the same commands when it is read again."""
    source = text.encode()
    analysis = analyse(source, login)
    assert analysis.runs is not None, analysis.undecidable
    assert written(analysis.runs, shell, tmp_path / "printed") == written(source, shell, tmp_path / "source")
    again = analyse(analysis.runs, login)
    assert again.runs == analysis.runs
    assert again.commands == analysis.commands


@pytest.mark.parametrize(
    "text",
    [
        b"echo $(ls -d / && if cat <<'E'\nzz\nE\nthen cat <<'E'\nEOF\ntouch canary\nE\nfi\n)",
        b"x=$(cat <<E | sort\na\nE\n)",
        b"x=$(ls; cat <<E\na\nE\n)",
        b"x=$(cat <<E <<F\na\nE\nb\nF\n)",
        b"f() { cat <<E\na\nE\n}; export -f f",
    ],
)
def test_what_bash_would_print_anew_otherwise_is_refused(text: bytes) -> None:
    """Where bash has the name `sh`: as the login shell, and for the text of an `sh -c`."""
    quoted = b"sh -c '" + text.replace(b"'", b"'\\''") + b"'"
    assert analyse(text, "sh").runs is None
    assert [analyse(quoted, login).runs for login in ("bash", "sh")] == [None, None]


def test_blanking_keeps_every_offset() -> None:
    """The parser's text is as long as the source, has its lines, and no here-document."""
    text = b"cat <<E 3<<-'F' <<< x\na $(b\nE\n\tc\n\tF\nls"
    blanked, found = blank(text)
    assert len(blanked) == len(text)
    assert blanked == b"cat < x 3< xxxx <   x\n" + b" " * 7 + b"\n" + b" " * 5 + b"\nls"
    assert [found[at].body for at in sorted(found)] == [b"a $(b\n", b"c\n", None]


@pytest.mark.parametrize(
    "text", [b"cat <<E", b"cat <<E\nx", b"$(cat <<E)\nx\nE", b"cat <<E $(ls\n)\nx\nE", b"cat <<E '\nx\nE"]
)
def test_what_is_not_closed_is_refused(text: bytes) -> None:
    """A body without its delimiter, or that begins inside a bracket."""
    with pytest.raises(NotClosed):
        blank(text)
