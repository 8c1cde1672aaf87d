"""The printer: real shells read what it prints as exactly the words that were judged."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis import tree
from bastion.analysis.guards import guard
from bastion.analysis.printer import NotPrintable, print_script, quote
from bastion.analysis.read import read
from bastion.analysis.read_words import Unreadable
from tests.core.oracle import trees

SHELLS = [shell for name in ("bash", "dash", "mksh", "zsh") if (shell := shutil.which(name))]
WORD = st.binary(max_size=24).map(lambda word: word.replace(b"\0", b"0"))
NASTY = st.text(alphabet="ab'\"\\$`!*?[]{}()~#;&|<> \t\n=é-", max_size=16).map(str.encode)


def of(*commands: tree.Command) -> tree.Script:
    return tree.Script(tuple(tree.AndOr(tree.Pipeline((command,))) for command in commands))


def simple(*words: bytes) -> tree.Simple:
    return tree.Simple(tuple(tree.Word((tree.Literal(word),)) for word in words))


def words_by(shell: str, printed: bytes) -> list[bytes]:
    done = subprocess.run([shell, "-c", b"printf '%s\\0' " + printed], capture_output=True, timeout=20, check=True)
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
@given(st.lists(WORD | NASTY, min_size=1, max_size=6).filter(lambda argv: bool(argv[0])))
@settings(max_examples=150, deadline=None)
@example([b"'", b"''", b"\\'", b"\n", b"", b"-n", b"\\", b"a\\\nb", b"\xff'\xfe"])
def test_shells_read_back_the_very_words(shell: str, argv: list[bytes]) -> None:
    """Quotes, newlines, backslashes and bytes that are no text come through bash and dash unchanged."""
    assert words_by(shell, print_script(of(simple(*argv)))) == argv


@given(st.lists(NASTY, min_size=1, max_size=6).filter(lambda argv: bool(argv[0])))
@settings(max_examples=400)
@example([b"if", b"a=b"])
@example([b"a=b", b"~", b"{a,b}"])
@example([b"time", b"x"])
def test_printing_a_command_is_stable(argv: list[bytes]) -> None:
    """What is printed is read again as the same command."""
    script = of(simple(*argv))
    printed = print_script(script)
    assert guard(printed) is None
    assert read(printed) == script


@given(trees.scripts)
@settings(max_examples=300, deadline=None)
def test_a_printed_tree_is_read_as_the_same_tree(script: tree.Script) -> None:
    """Whatever the tree: its text is never read as another one. (The parser can not read a few right texts.)"""
    printed = print_script(script)
    try:
        again = read(printed)
    except Unreadable:
        return
    assert again == script


def test_most_printed_trees_can_be_read() -> None:
    """The property above is not empty."""
    seen = {True: 0, False: 0}

    @given(trees.scripts)
    @settings(max_examples=200, deadline=None, database=None)
    def count(script: tree.Script) -> None:
        try:
            read(print_script(script))
        except Unreadable:
            seen[False] += 1
        else:
            seen[True] += 1

    count()
    assert seen[True] > seen[False]


@pytest.mark.parametrize("name", [b"if", b"time", b"{", b"!", b"alias-of-rm"])
def test_reserved_words_and_aliases_stay_names(name: bytes) -> None:
    """A quoted name is looked up as a program: the shell finds none, and runs nothing else."""
    script = b"alias alias-of-rm='echo pwned'\n" + print_script(of(simple(name, b"x")))
    done = subprocess.run(["bash", "-O", "expand_aliases", "-c", script], capture_output=True, timeout=20, check=False)
    assert done.returncode == 127
    assert done.stdout == b""


LITERAL = tree.Word((tree.Literal(b"x"),))


@pytest.mark.parametrize(
    "command",
    [
        simple(),
        simple(b""),
        simple(b"ls", b"a\0b"),
        tree.Simple((tree.Word(()),)),
        tree.Simple((LITERAL,), (tree.Assignment(b"a[$(rm)]", False, LITERAL),)),
        tree.Simple((LITERAL,), (), (tree.Redirection(b"1;rm ", b">", LITERAL),)),
        tree.Simple((LITERAL,), (), (tree.Redirection(b"", b">;rm ", LITERAL),)),
        tree.Simple((LITERAL,), (), (tree.Redirection(b"", b">&", LITERAL),)),
        tree.Simple((tree.Word((tree.Parameter(b"x}$(rm)", False),)),)),
        tree.Simple((tree.Word((tree.Parameter(b"x:-`rm`", True),)),)),
        tree.Simple((tree.Word((tree.Arithmetic(b"a[$(rm)]", True),)),)),
        tree.Simple((tree.Word((tree.Glob(b"*;rm"),)),)),
        tree.Simple((tree.Word((tree.Tilde(b"a;rm"),)),)),
        tree.Simple((tree.Word((tree.Tilde(b""), tree.Literal(b"x"))),)),
        tree.Simple((tree.Word((tree.Tilde(b""), tree.Parameter(b"x", True))),)),
        tree.Declaration(b"export", (b"-x;rm",), ()),
        tree.Simple((tree.Word((tree.Glob(b"[a;rm]"),)),)),
        tree.Declaration(b"export", (), (b"a[$(rm)]",)),
        tree.Test((b"~x;rm",)),
        tree.Function(b"f;rm", tree.Group(of(simple(b"ls")))),
        tree.Function(b"f", simple(b"ls")),
        tree.For(b"i;rm", (LITERAL,), of(simple(b"ls"))),
        tree.Group(tree.Script(())),
        tree.If((), None),
        tree.Case(LITERAL, (((LITERAL,), of(simple(b"ls")), b"; rm"),)),
    ],
)
def test_what_has_no_text_is_refused(command: tree.Command) -> None:
    """What stays unquoted is checked by the printer too, whoever built the tree."""
    with pytest.raises(NotPrintable):
        print_script(of(command))


@pytest.mark.parametrize(
    "parts", [(b"\xe6\x9c\xac$(touch x)",), (b"\xe6\x9c\xac", b"$(touch x)"), (b"\xff\\",), (b"\x80`",)]
)
def test_no_backslash_stands_behind_the_half_of_a_character(parts: tuple[bytes, ...]) -> None:
    """Where bytes are read as GBK, Big5 or Shift-JIS, bash took the backslash that escapes for its second half."""
    word = tree.Word((*map(tree.Literal, parts), tree.Parameter(b"x", True)))
    command = tree.Simple((LITERAL,), (), (tree.Redirection(b"", b"<<<", word),))
    with pytest.raises(NotPrintable):
        print_script(of(command), posix=True)


def test_an_empty_word_is_a_word() -> None:
    """The empty word is printed as ''."""
    assert quote(b"") == b"''"
    assert print_script(of(simple(b"ls", b""))) == b"'ls' ''"
