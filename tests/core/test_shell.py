"""What a text would do: the vectors, the bounds, and bash as the oracle of every decidable text."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis.bounds import MAX_COMMANDS, MAX_FINDINGS
from bastion.analysis.command import Analysis, Earlier, FindingKind
from bastion.analysis.guards import MAX_OPENERS, MAX_TEXT
from bastion.analysis.shell import analyse

VECTORS = Path(__file__).parents[1] / "vectors"
BASH = shutil.which("bash") or "bash"


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def argv_of(analysis: Analysis) -> list[bytes | None]:
    (command,) = analysis.commands
    return list(command.argv)


def as_bash_reads(text: bytes, cwd: Path) -> list[bytes]:
    """The words of a decidable text by bash itself: no program is found, and what it may write lands in `cwd`."""
    done = subprocess.run(
        [BASH, "--norc", "-c", b"printf '%s\\0' " + text.lstrip(b" \t\n")],
        env={"PATH": "/nowhere", "LC_ALL": "C.UTF-8"},
        cwd=cwd,
        capture_output=True,
        timeout=20,
        check=True,
    )
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("row", rows("analysis_words.jsonl"), ids=lambda row: ascii(row["text"]))
def test_literal_words_are_evaluated_as_bash_does(row: dict[str, object], tmp_path: Path) -> None:
    """A simple command of literal words is decidable, and its words are bash's."""
    text = str(row["text"]).encode()
    analysis = analyse(text)
    assert analysis.unreadable is None
    assert isinstance(row["argv"], list)
    assert argv_of(analysis) == [word.encode() for word in row["argv"]]
    assert as_bash_reads(text, tmp_path) == argv_of(analysis)


@pytest.mark.parametrize("row", rows("analysis_undecidable.jsonl"), ids=lambda row: ascii(row["text"]))
def test_everything_else_is_undecidable_with_place_and_reason(row: dict[str, object]) -> None:
    """Nothing is printed to run, and the finding lies inside the text."""
    text = str(row["text"]).encode()
    analysis = analyse(text)
    assert analysis.runs is None
    assert "undecidable" in analysis.categories
    found = analysis.unreadable
    assert found is not None
    assert str(row["reason"]) in "; ".join(finding.reason for finding in analysis.undecidable)
    assert all(0 <= finding.start <= finding.end <= len(text) for finding in analysis.undecidable)


@pytest.mark.parametrize("row", rows("analysis_commands.jsonl"), ids=lambda row: ascii(row["text"]))
def test_every_command_of_a_script_is_named(row: dict[str, object]) -> None:
    """All simple commands with their words, None for what only the target knows; the same again when printed."""
    analysis = analyse(str(row["text"]).encode())
    assert isinstance(row["commands"], list)
    found = [[None if word is None else word.decode() for word in command.argv] for command in analysis.commands]
    assert found == row["commands"]
    assert [finding.reason for finding in analysis.undecidable] == row["doubts"]
    assert analysis.runs is not None
    again = analyse(analysis.runs)
    assert again.commands == analysis.commands
    assert again.runs == analysis.runs


@pytest.mark.parametrize(
    "text",
    [b"ls <<< x", b"[[ -f x ]]", b"ls <(id)", b"a=(b)", b"a+=b ls", b"ls {a,b}", b"echo ${x/a/b}", b"echo ${x:1}",
     b"select x in a; do ls; done", b"coproc ls", b"case x in a) ls;& b) id;; esac",
     b"sh -c 'ls {a,b}'", b"path=/tmp; ls", b"kill 12>/dev/null", b"time ls", b"ls 10>&1",
     b"for path in /tmp; do ls; done"],
)  # fmt: skip
def test_what_posix_shells_read_otherwise_is_undecidable_for_them(text: bytes) -> None:
    """A bashism on an account whose login shell is another one."""
    assert analyse(text, shell="sh").runs is None
    assert analyse(text).runs is not None or text.startswith(b"sh ")


@pytest.mark.parametrize("text", [b"ls &> x", b"ls |& id", b"ls $'a'", b"function f { ls; }"])
def test_what_has_a_posix_form_is_printed_in_it(text: bytes) -> None:
    """These bashisms have a form that every POSIX shell reads the same."""
    runs = analyse(text, shell="sh").runs
    assert runs is not None
    assert not any(bashism in runs for bashism in (b"&>", b"|&", b"$'", b"function"))


@pytest.mark.parametrize("row", rows("analysis_programs.jsonl"), ids=lambda row: ascii(row["text"]))
def test_a_program_that_takes_commands_is_found_and_printed(row: dict[str, object]) -> None:
    """Such a program is a finding of its own kind; the printed text stays, for a rule that says interactive."""
    analysis = analyse(str(row["text"]).encode())
    assert analysis.runs is not None
    acts = analysis.takes_commands
    if row["acts"] is None:
        assert analysis.undecidable == ()
    else:
        assert acts is not None
        assert str(row["acts"]) in acts.reason
        assert acts.kind in (FindingKind.TAKES_COMMANDS, FindingKind.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (b"rm -rf x", "destroys-data"),
        (b"/tmp/rm x", "destroys-data"),
        (b"find . -delete", "destroys-data"),
        (b"mkfs.ext4 /dev/sda", "destroys-data"),
        (b"sudo ls", "privilege"),
        (b"systemctl --no-block stop x", "stops-service"),
        (b"nc -e sh h 1", "reverse-shell"),
        (b"crontab x", "persistence"),
        (b"vim x", "shell-escape"),
    ],
)
def test_categories_of_programs(text: bytes, category: str) -> None:
    """A program's effects are named by category, wherever the program lies."""
    assert category in analyse(text).categories


@pytest.mark.parametrize("text", [b"echo \xff", b"\xc3", b"echo \xed\xa0\x80"])
def test_text_that_is_not_utf_8_is_undecidable(text: bytes) -> None:
    """Bytes that a person can not be shown are not judged."""
    found = analyse(text).unreadable
    assert found is not None
    assert found.reason == "not UTF-8"


def test_the_longest_text_is_decidable_and_one_byte_more_is_not() -> None:
    """8 KiB is the bound."""
    assert analyse(b"echo " + b"x" * (MAX_TEXT - 5)).runs is not None
    found = analyse(b"echo " + b"x" * (MAX_TEXT - 4)).unreadable
    assert found is not None
    assert str(MAX_TEXT) in found.reason


@pytest.mark.parametrize("unit", [b"a=(", b"${", b"<<a ", b"`", b"a[", b"a|", b"a) "])
def test_what_makes_the_parser_slow_is_not_parsed(unit: bytes) -> None:
    """A text of many openers, pipes or closers is refused by count, before the parser sees it."""
    found = analyse(unit * (MAX_OPENERS + 1)).unreadable
    assert found is not None
    assert str(MAX_OPENERS) in found.reason


def test_findings_are_bounded_in_number_and_nesting_does_not_recurse() -> None:
    """However many faults a text has, and however deep, a few are told."""
    assert 1 <= len(analyse(b"let x; " * 200).undecidable) <= MAX_FINDINGS
    assert analyse(b"ls;" * MAX_COMMANDS).runs is not None
    assert analyse(b"ls;" * (MAX_COMMANDS + 1)).runs is None
    assert analyse(b"(" * MAX_OPENERS).runs is None
    assert analyse(b"! " * 2000 + b"ls").runs is None


# No letter of a program that could do harm; what bash may open or write is a file of these names in a fresh folder.
PIECES = [
    "a",
    "b",
    "-",
    "=",
    "1",
    " ",
    "  ",
    "\t",
    "\n",
    "\\",
    "\\\n",
    "'",
    '"',
    "$'",
    "\\x61",
    "\\'",
    "$",
    "`",
    "#",
    "~",
]
PIECES += ["*", "?", "[", "]", "{", "}", ",", ";", "&", "|", "<", ">", "(", ")", "!", "if", "time", "{a,b}", "é", "\r"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@settings(max_examples=600, deadline=None)
@example("a\\ b 'c'\"d\"$'\\x61'")
@example("a \\\n b")
@example("a ``a")
@example("a $( )a")
@example("(a)")
def test_bash_reads_every_decidable_text_the_same(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever is decidable has the argv that bash gives it; the rest is undecidable, and nothing raises."""
    analysis = analyse(text.encode())
    if analysis.runs is None:
        assert analysis.unreadable is not None
        return
    assert analyse(analysis.runs).commands == analysis.commands, "what is printed is judged the same again"
    words = [command.argv for command in analysis.commands]
    if (
        len(words) != 1
        or not words[0]
        or None in words[0]
        or analysis.commands[0].environment
        or analysis.commands[0].redirections
        or "\n" in text
        or "#" in text
    ):
        return
    folder = tmp_path_factory.mktemp("empty")
    if (
        text.strip()[-1] not in "&;"
        and text.strip()[0] not in "({"
        and "!" not in text
        and "time" not in text
        and words[0] == analysis.commands[0].argv
    ):
        assert as_bash_reads(text.encode(), folder) == argv_of(analysis)


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_have_an_answer(text: bytes) -> None:
    """Never an exception, and never neither a command nor a finding."""
    analysis = analyse(text)
    assert (analysis.runs is None) == (analysis.unreadable is not None)
    assert analysis.runs is None or analysis.commands


@pytest.mark.parametrize(
    ("folder", "text", "secret"),
    [
        (b"/etc", b"cat shadow", True),
        (b"/etc", b"cat ./shadow", True),
        (b"/tmp", b"cat shadow", False),
        (b"", b"cat shadow", False),
        (b"/etc", b"cd /tmp && cat ../etc/shadow", True),
    ],
)
def test_a_line_is_judged_in_the_folder_that_the_lines_before_it_went_to(
    folder: bytes, text: bytes, secret: bool
) -> None:
    assert ("credential-access" in analyse(text, earlier=Earlier((folder,))).categories) == secret


def test_a_variable_may_be_an_array_that_an_earlier_line_made() -> None:
    text = b"declare x=$y"
    assert analyse(text).runs is not None
    assert analyse(text).undecidable == ()
    assert any("array" in found.reason for found in analyse(text, earlier=Earlier()).undecidable)
