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


def ran(text: bytes, folder: Path, login: str = "bash") -> bytes:
    """What a text writes in a folder with a file whose commands were never judged."""
    (folder / "evil").write_text("touch pwned\n")
    done = subprocess.run(
        [login, "-c", text], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    assert not (folder / "pwned").exists(), "ran what was not judged"
    return done.stdout


def names(analysis: Analysis) -> list[list[bytes | None]]:
    return [list(command.argv) for command in analysis.commands]


@pytest.mark.parametrize(("shell", "row"), CASES)
@pytest.mark.parametrize("options", ["", "-s one two"])
@pytest.mark.parametrize("login", ["bash", "dash"])
def test_a_script_by_standard_input_runs_as_judged(
    shell: str, row: dict[str, str], options: str, login: str, tmp_path: Path
) -> None:
    """Whatever the script does to the input that its shell reads it from, nothing else is read as commands."""
    text = f"{shell} {options} <<'E'\n{row['script']}\nE".encode()
    analysis = analyse(text, login)
    assert analysis.undecidable == ()
    assert analysis.runs is not None
    written = ran(analysis.runs, tmp_path, login)
    assert written == (row["writes"] if options else row["writes"].replace(" one", "")).encode()
    again = analyse(analysis.runs, login)
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


@pytest.mark.parametrize("login", ["bash", "dash"])
@pytest.mark.parametrize(("shell", "row"), CASES)
def test_a_script_on_the_texts_own_standard_input_is_judged_and_printed(
    shell: str, row: dict[str, str], login: str, tmp_path: Path
) -> None:
    """What a client pipes into `ssh host SHELL -s` is judged as if it stood in the text, and runs so."""
    asked = analyse(f"{shell} -s one".encode())
    assert asked.wants_stdin
    assert not asked.stdin_used
    analysis = analyse(f"{shell} -s one".encode(), login, stdin=row["script"].encode())
    assert analysis.stdin_used
    assert not analysis.wants_stdin
    assert analysis.undecidable == ()
    assert analysis.runs is not None
    assert ran(analysis.runs, tmp_path, login) == row["writes"].encode()
    assert analysis.commands == analyse(f"{shell} -s one <<'E'\n{row['script']}\nE".encode(), login).commands


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("bash", True),
        ("bash -s", True),
        ("sh -s a b", True),
        ("cd /tmp && bash -s", True),
        ("if true; then bash -s; fi", True),
        ("(bash -es)", True),
        ('bash -s -- "$x"', True),
        ('bash -s "$x"', False),
        ("psql -d app", True),
        ('psql "$url"', False),
        ("mysql app", True),
        ("sqlite3 x.db", True),
        ("bash -s | wc -l", True),
        ("sudo bash -s", True),
        ("sudo -u app psql", True),
        ("sudo env A=1 nice -n 5 sh -s x", True),
        ("timeout 60 bash", True),
        ("sudo -S bash", False),
        ("sudo -i bash", False),
        ("docker exec -i c sh", False),
        ("find . -exec bash \\;", False),
        ("nice xargs bash", False),
        ("sudo bash; sudo sh", False),
        ("ls", False),
        ("cat", False),
        ("python3 -", False),
        ("bash x.sh", False),
        ("bash -c ls", False),
        ("bash; bash", False),
        ("bash; vim", False),
        ("bash; psql", False),
        ("bash < x", False),
        ("bash 0<&3", False),
        ("cat | bash", False),
        ("echo ls | bash", False),
        ("bash &", False),
        ("for x in 1 2; do bash; done", False),
        ("while true; do bash; done", False),
        ("f() { bash; }; f", False),
        ("{ bash; } < x", False),
        ("echo $(bash)", False),
        ("diff <(bash) x", False),
        ("bash -i", False),
        ("bash -s $x", False),
        ("bash -c 'bash -s'", False),
        ("xargs bash -s", False),
        ("bash -s; echo `", False),
    ],
)
def test_a_text_tells_that_it_wants_a_script(text: str, wants: bool) -> None:
    """Exactly one shell or SQL client that reads the text's own standard input, and no other doubt; else the input is
    not asked for, and not used."""
    assert analyse(text.encode()).wants_stdin == wants
    analysis = analyse(text.encode(), stdin=b"select 1" if "sql" in text else b"ls")
    if wants:
        assert analysis.stdin_used
        assert analysis.undecidable == ()
    elif analysis.stdin_used:
        assert analysis.undecidable or "bash" not in text
    assert not analyse(text.encode(), terminal=True).wants_stdin


def test_a_script_that_can_not_be_judged_is_no_less_a_finding() -> None:
    """Nothing runs when the script is unreadable, too long or has bytes that can not be shown; its doubts are told."""
    for script in (b"echo `", b"\xff", b"a\0", b"echo a\x1b[2J", b"#" * 8193):
        analysis = analyse(b"bash -s", stdin=script)
        assert analysis.runs is None
        assert not analysis.stdin_used
    assert analyse(b"psql", stdin=b"select\0").runs is None
    assert [f.reason for f in analyse(b"bash -s", stdin=b"ls\nvim x").undecidable] == [
        "vim: an editor runs commands and writes files"
    ]
    assert "sql-destructive" in analyse(b"psql", stdin=b"drop table x;\n").categories
    assert analyse(b"psql", stdin=b"drop table x;\n").runs == b"'psql' <<< 'drop table x;'"


def test_other_programs_are_not_given_it_and_one_program_only() -> None:
    """A program that reads data has its own input, and the second shell has none."""
    assert analyse(b"cat", stdin=b"x").runs == b"'cat'"
    twice = analyse(b"bash; sh", stdin=b"ls")
    assert [found.reason for found in twice.undecidable] == ["sh: it takes commands from its standard input"]
    assert twice.stdin_used


@pytest.mark.parametrize("wrapper", ["env", "env A=1", "nice", "timeout 9", "env nice -n 1"])
def test_a_wrapper_hands_its_input_on(wrapper: str, tmp_path: Path) -> None:
    """A script for a shell inside another program that reads none of it is judged and runs as the shell's own."""
    for text, stdin in ((f"{wrapper} bash -s one <<'E'\nexec < evil; echo $1\nE", None), (f"{wrapper} bash -s one", 1)):
        analysis = analyse(text.encode(), stdin=b"exec < evil; echo $1\n" if stdin else None)
        assert analysis.undecidable == ()
        assert analysis.stdin_used == bool(stdin)
        assert analysis.runs is not None
        assert ran(analysis.runs, tmp_path) == b"one\n"
        again = analyse(analysis.runs)
        assert again.runs == analysis.runs
        assert again.commands == analysis.commands
        assert [b"exec"] in names(analysis)


@pytest.mark.parametrize(
    "text", ["sudo -S bash <<< ls", "sudo -i sh <<< ls", "find . -exec bash \\; <<< ls", "sudo bash < x"]
)
def test_a_wrapper_that_may_read_it_does_not(text: str) -> None:
    """A password that sudo reads, the files that a login shell reads first, many runs: it is not what is read."""
    assert analyse(text.encode()).undecidable
