"""The printer: real shells read what it prints as exactly the words that were judged."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis.command import Command
from bastion.analysis.guards import guard
from bastion.analysis.printer import NotPrintable, print_command, print_commands, quote
from bastion.analysis.shell import analyse

SHELLS = [shell for name in ("bash", "dash", "mksh", "zsh") if (shell := shutil.which(name))]
WORD = st.binary(max_size=24).map(lambda word: word.replace(b"\0", b"0"))
NASTY = st.text(alphabet="ab'\"\\$`!*?[]{}()~#;&|<> \t\n=é-", max_size=16).map(str.encode)


def words_by(shell: str, printed: bytes) -> list[bytes]:
    done = subprocess.run([shell, "-c", b"printf '%s\\0' " + printed], capture_output=True, timeout=20, check=True)
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
@given(st.lists(WORD | NASTY, min_size=1, max_size=6).filter(lambda argv: bool(argv[0])))
@settings(max_examples=150, deadline=None)
@example([b"'", b"''", b"\\'", b"\n", b"", b"-n", b"\\", b"a\\\nb", b"\xff'\xfe"])
def test_shells_read_back_the_very_words(shell: str, argv: list[bytes]) -> None:
    """Quotes, newlines, backslashes and bytes that are no text come through bash and dash unchanged."""
    assert words_by(shell, print_command(Command(tuple(argv)))) == argv


@given(st.lists(NASTY, min_size=1, max_size=6).filter(lambda argv: bool(argv[0])))
@settings(max_examples=400)
@example([b"if", b"a=b"])
@example([b"a=b", b"~", b"{a,b}"])
def test_printing_is_stable(argv: list[bytes]) -> None:
    """What is printed is decidable again, gives the same command, and prints the same text."""
    printed = print_command(Command(tuple(argv)))
    assert guard(printed) is None
    again = analyse(printed)
    assert [command.argv for command in again.commands] == [tuple(argv)]
    assert again.runs == printed


@pytest.mark.parametrize("name", [b"if", b"time", b"{", b"!", b"alias-of-rm"])
def test_reserved_words_and_aliases_stay_names(name: bytes) -> None:
    """A quoted name is looked up as a program: the shell finds none, and runs nothing else."""
    script = b"alias alias-of-rm='echo pwned'\n" + print_command(Command((name, b"x")))
    done = subprocess.run(["bash", "-O", "expand_aliases", "-c", script], capture_output=True, timeout=20, check=False)
    assert done.returncode == 127
    assert done.stdout == b""


@pytest.mark.parametrize(
    "command",
    [
        Command(()),
        Command((b"",)),
        Command((b"ls", None)),
        Command((b"ls", b"a\0b")),
        Command((b"ls",), environment=((b"A", b"b"),)),
        Command((b"ls",), redirections=((">", b"x"),)),
    ],
)
def test_what_has_no_text_is_refused(command: Command) -> None:
    """No silent loss: a part that can not be printed is an error."""
    with pytest.raises(NotPrintable):
        print_command(command)


def test_only_one_command_is_printed_so_far() -> None:
    """None and two are refused rather than joined."""
    for commands in ((), (Command((b"ls",)), Command((b"id",)))):
        with pytest.raises(NotPrintable):
            print_commands(commands)


def test_an_empty_word_is_a_word() -> None:
    """The empty word is printed as ''."""
    assert quote(b"") == b"''"
