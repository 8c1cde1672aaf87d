"""Profile files are read strictly, and a folder of one's own adds to those that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion.analysis.profile import judge
from bastion.analysis.profile.loader import load, shipped
from bastion.errors import BadFile
from tests.core.test_profiles import reads_only

GOOD = """
sets:
  loud: {harmless: "-v --verbose"}
programs:
  deploy deploy-*:
    about: puts a release in place
    same: true
    options: {use: loud, writes: "-o: --output=", harmless: "--colour=?"}
    operands: "reads* writes"
    commands:
      run: {style: posix, operands: "harmless command", stdin: none}
      status st: {unknown: harmless}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "own.yaml").write_text(text)
    return folder


def test_a_folder_adds_programs(tmp_path: Path) -> None:
    library = load(write(tmp_path, GOOD))
    assert library.find("sort") is shipped().find("sort")
    found = judge.acts(library, [b"deploy-web", b"-v", b"run", b"x", b"rm", b"y"])
    assert [inner.argv for inner in found.nested] == [(b"rm", b"y")]
    assert reads_only(judge.acts(library, [b"deploy", b"st", b"--anything"]))
    assert judge.acts(library, [b"deploy", b"--anything", b"st"]).unknown


def test_a_profile_of_ones_own_replaces_the_shipped_one(tmp_path: Path) -> None:
    text = "programs:\n  sort: {about: another sort, operands: 'deletes*'}\n"
    library = load(write(tmp_path, text))
    assert judge.acts(library, [b"sort", b"x"]).deletes == (b"x",)
    assert judge.acts(shipped(), [b"sort", b"x"]).deletes == ()


def test_a_word_behind_the_end_of_options_hides_none(tmp_path: Path) -> None:
    """One that is an option is one there too, with its value; and both are words, as they are for getopt."""
    text = "programs:\n  show: {about: shows, options: {writes: into, harmless: 'as:'}, operands: 'reads*'}\n"
    library = load(write(tmp_path, text))
    found = judge.acts(library, [b"show", b"--", b"as", b"/etc/shadow", b"into"])
    assert found.reads == (b"as", b"/etc/shadow", b"into")
    assert found.writes == (None,)


def test_a_longer_prefix_wins_and_an_exact_name_most(tmp_path: Path) -> None:
    text = "programs:\n  x*: {about: a}\n  xy*: {about: b}\n  xyz: {about: c}\n"
    library = load(write(tmp_path, text))
    told = [profile.about for name in ("xa", "xya", "xyz") if (profile := library.find(name))]
    assert told == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("use", "place", "reason"),
    [
        ("operands: nonsense", ":3:", "no role 'nonsense'"),
        ("operands: 'reads* writes*'", ":3:", "two roles that repeat"),
        ("options: {nonsense: -a}", ":3:", "no role 'nonsense'"),
        ("options: {harmless: '-a=b'}", ":3:", "not the notation of an option"),
        ("options: {harmless: '-a -a'}", ":3:", "'-a' twice"),
        ("options: {harmless: '-a:nonsense'}", ":3:", "no role 'nonsense'"),
        ("options: {use: nonsense}", ":3:", "no set of options 'nonsense' above"),
        ("style: nonsense", ":3:", "'nonsense' is not one of"),
        ("nonsense: 1", ":3:", "unknown key 'nonsense'"),
        ("categories: [nonsense]", ":3:", "unknown categories: nonsense"),
        ("techniques: [nonsense]", ":3:", "not the id of an ATT&CK technique"),
        ("when: [{given: -z}]", ":3:", "given: no option '-z' here"),
        ("commands: {'a b': {}, b: {}}", ":3:", "the subcommand 'b' twice"),
        ("unknown: harmless\n    options: {writes: '-o:'}", ":3:", "'unknown: harmless' beside writes"),
        ("unknown: harmless\n    operands: command", ":3:", "'unknown: harmless' beside command"),
        ("options: {harmless: '-a', writes: '-a:'}", ":3:", "'-a:' twice"),
        ("options: {harmless: '-a', writes: '-a'}", ":3:", "'-a' twice"),
        ("operands: 'harmless command'", ":3:", "say by `stdin` what it does where there are none"),
        ("when: [{at_least: 2, operands: command}]", ":3:", "say by `stdin` what it does where there are none"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, use: str, place: str, reason: str) -> None:
    text = f"programs:\n  x:\n    {use}\n    about: x\n"
    with pytest.raises(BadFile) as raised:
        load(write(tmp_path, text))
    (problem,) = [problem for problem in raised.value.problems if reason in problem.message]
    assert place in str(problem)


def test_a_profile_says_what_its_program_is(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="missing key 'about'"):
        load(write(tmp_path, "programs:\n  x: {}\n"))


def test_a_program_has_one_profile(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="has a profile already"):
        load(write(tmp_path, "programs:\n  x y: {about: a}\n  y: {about: b}\n"))


SHARED = "programs:\n  x y:\n    about: a\n    %s\n"
RUNS = "options: {harmless: '-a'}, operands: command, stdin: none"


@pytest.mark.parametrize("use", [RUNS.replace(", ", "\n    "), f"commands: {{run: {{{RUNS}}}}}"])
def test_programs_that_run_a_command_share_options_only_where_that_is_said(tmp_path: Path, use: str) -> None:
    """An option that one of them reads with a value, and another without, shifts the command by a word."""
    with pytest.raises(BadFile, match="several programs share options that stand before a command"):
        load(write(tmp_path, SHARED % use))
    assert load(write(tmp_path, SHARED % f"same: true\n    {use}")).find("y")
    assert load(write(tmp_path, (SHARED % use).replace("x y", "x"))).find("x")


def test_an_option_of_a_set_is_not_listed_with_another_number_of_values(tmp_path: Path) -> None:
    text = "sets:\n  s: {harmless: '-a'}\nprograms:\n  x: {about: a, options: {use: s, writes: '-a:'}}\n"
    with pytest.raises(BadFile, match="with a value and without"):
        load(write(tmp_path, text))
