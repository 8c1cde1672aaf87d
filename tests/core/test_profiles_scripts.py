"""sed and awk scripts that are called harmless write no file and run nothing: the real programs are asked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.analysis.profile import scripts

SED = shutil.which("sed") or "sed"
AWKS = [path for name in ("mawk", "gawk", "original-awk", "busybox") if (path := shutil.which(name))]

# What a file could come of: `w`, `W`, `e` with a redirection, and all that could hide them from the reading.
SED_TOKENS = st.sampled_from(
    [
        *"s/we ;{}1,$!pabdrWcity:gn[]\\|#^~0",
        "\n",
        "w f",
        "e >f",
        " >f",
        "s/a/b/",
        "/a/",
        "s|a|>f|e",
        "\\/",
        "[/]",
        "a\\\n",
    ]
)
AWK_TOKENS = st.sampled_from(
    [
        *['"', "/", "(", ")", " ", ";", "{", "}", ">", "|", ",", "$", "1", "x", "\n", "#", "\\", "[", "]", "!", "~"],
        *["print", "printf", ' > "f"', 'system("echo > f")', '"echo > f" | getline', "getline", "++", "--", "if (1)"],
        *["\\\n", "case", "length", "next", "[\\]", '/[\\]/ "]/', '$/"/', "]/", "/ 2", "/ 3", "x = 1 ", "SYMTAB"],
        *["/a/", '/"/', "BEGIN{", 'print "x"', "x = 1", '"y"', "=", "&&", "?", ":", "in", "[/]", 'print | "cat > f"'],
    ]
)


def left_behind(program: list[str]) -> list[str]:
    """The files that it made in an empty directory, given a few lines of input."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(program, input=b"a b\nb a\n/a/\n", cwd=folder, capture_output=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            # It hung (a loop): what it wrote until then counts.
            return sorted(path.name for path in Path(folder).iterdir())
        return sorted(path.name for path in Path(folder).iterdir())


@settings(max_examples=1500)
@given(st.lists(SED_TOKENS, min_size=1, max_size=14).map("".join))
def test_a_sed_script_that_is_called_harmless_makes_no_file(script: str) -> None:
    reading = scripts.sed(script.encode())
    if not reading.unknown and not reading.runs and not reading.writes:
        assert left_behind([SED, "-n", "-e", script]) == []


@settings(max_examples=1500)
@given(st.lists(AWK_TOKENS, min_size=1, max_size=14).map("".join))
def test_an_awk_program_that_is_called_harmless_makes_no_file(program: str) -> None:
    for awk in AWKS if not scripts.awk(program.encode()) else ():
        assert left_behind([awk, *(["awk"] if awk.endswith("busybox") else []), program]) == []


@pytest.mark.parametrize(
    "script",
    [
        "s/a/b/w f",
        "w f",
        "1,/b/w f",
        "s/a/b/;w f",
        "/a/{w f\n}",
        "s,a,>f,e",
        "e >f",
        "1!e >f",
        "s/a/b/gw f",
        "y/a/b/;w f",
        "p;w f",
        "/x\\/y/!w f",
        "\\,a,w f",
        "$!{$!w f\n}",
        "W f",
        "b x;: x\nw f",
        "#x\nw f",
        "i\\\nx\nw f",
    ],
)
def test_a_sed_script_that_makes_a_file_is_told(script: str) -> None:
    """And the oracle can tell: each of these makes the file."""
    reading = scripts.sed(script.encode())
    assert reading.unknown or reading.runs or reading.writes == [b"f"]
    assert left_behind([SED, "-e", script]) == ["f"]


@given(st.binary(max_size=60))
def test_no_script_raises(script: bytes) -> None:
    scripts.sed(script)
    scripts.awk(script)


@pytest.mark.parametrize(
    "script",
    [
        *["tx w f", ":x w f", "bx}w f", "b\\/ w f", ":\\y,i w f", "t/a/^w f", ":$w f", "b#;w f", ":a#;w f", "t#;w f"],
        *["#\rw f", "p\fw f", "y/a/b/\vw f"],
        *[
            "T#;w f",
            "b #;w f",
            "bx}#;w f",
            "{b}#;w f\n}",
            "{:a}\n}",
            ":a#",
            ":a;i\\\nw f",
            "ba;s/a/b\\\nw f/",
            ":a;a x\\\ne",
        ],
    ],
)
def test_what_versions_of_sed_take_for_a_label_or_the_next_command_is_not_read(script: str) -> None:
    assert scripts.sed(script.encode()).unknown


@pytest.mark.parametrize(
    "program",
    [
        'BEGIN { $/"/; system("echo > f"); $/"/ }',
        'BEGIN { x = $/"/; print "x" > "f"; x = $/"/ }',
        'BEGIN { x = 1 \\\n/ 2; system("echo > f"); y = 1 / 3 }',
        'BEGIN { case / 2; system("echo > f"); y = 1 / 3 }',
        '/[\\]/ "]/; system("echo > f"); #"',
    ],
)
def test_an_awk_program_that_hides_code_behind_a_slash_is_told(program: str) -> None:
    """And the oracle can tell: some awk makes the file."""
    assert scripts.awk(program.encode())
    awks = [[awk, *(["awk"] if awk.endswith("busybox") else [])] for awk in AWKS]
    assert ["f"] in [left_behind([*awk, program]) for awk in awks]


@pytest.mark.parametrize(
    "program",
    [
        'BEGIN { a[1]/"; system("echo > f"); "/ }',
        'BEGIN { length / "; system("echo > f"); "/ }',
        'BEGIN { x++ / "; system("echo > f"); "/ }',
        'BEGIN { next / "; system("echo > f"); "/ }',
        'BEGIN { "a" / "; system("echo > f"); "/ }',
        'BEGIN { (1) \n/ "; system("echo > f"); "/ }',
        'BEGIN { 1 /=/ "; system("echo > f"); "/ }',
        'BEGIN { /a/ / "; system("echo > f"); "/ }',
        '{ if (k in /"; system("echo > f"); "/ }',
        '#\rBEGIN { system("echo > f") }',
        '{ gsub(/[/]"/, "x"); system("echo > f") }',
    ],
)
def test_a_slash_that_awks_may_read_in_two_ways_is_not_read(program: str) -> None:
    assert scripts.awk(program.encode())


@pytest.mark.parametrize(
    "program",
    [
        'BEGIN { SYMTAB["ARGV"][1] = "/etc/passwd"; SYMTAB["ARGC"] = 2 } { print }',
        "BEGIN { for (x in FUNCTAB) print x }",
        'BEGIN { awk::SYMTAB["a"] = 1 }',
        'BEGIN { ARGV[1] = "x"; ARGC = 2 }',
        'BEGIN { f = "x"; @f() }',
        '@include "x"',
        '@load "x"',
        '@namespace "x"',
    ],
)
def test_what_reaches_variables_and_functions_by_their_names_is_told(program: str) -> None:
    assert scripts.awk(program.encode())


@pytest.mark.parametrize(
    "program",
    [
        "$1 / 2 > 3 && NF > 1",
        "/a/ && !/b/ { print x / y, NR/2 }\n/c|d/ { n += 1 }\nEND { print n / 2 }",
        '{ gsub(/[^[:space:]>]+/, "x"); print $NF / 1024 }',
        "$0 ~ /a|b/, /c/ { if ($1 > 2) print; else print $2 }",
        '{ gsub(/[/]/, "x"); print a[1] / 2, (x + y) / 3, length / 2 }',
        "$1 > 1 \\\n && $2 > 2",
    ],
)
def test_an_ordinary_awk_program_is_read(program: str) -> None:
    assert scripts.awk(program.encode()) == ""


@pytest.mark.parametrize(
    "script",
    [
        "s/x\nw f\n/y/",
        "s/x/y\nw f\n/",
        "y/x\nw f\n/abcdef/",
        "y/abcdef/x\nw f\n/",
        "/x\nw f\n/p",
        "\\,x\nw f\n,p",
        "s/[[:alpha:][]/]/;y/w f/x f/",
        "s/[/]/x/",
        "s/a[/x/",
        "s/[[.x.]]/y/",
    ],
)
def test_an_expression_that_may_end_elsewhere_is_not_read(script: str) -> None:
    assert scripts.sed(script.encode()).unknown


@pytest.mark.parametrize(
    "script",
    [
        ":a;N;$!ba;s/\\n/ /g",
        ":a\ns/x/y/;ta\n$!{N;ba\n}",
        "/a/{s/b/c/;b};p\n:x;/b/{tx}",
        "s/[][]//g;s/[^[:space:]]*$//;s/[^[]*//",
        "s/a/b\\\nc/",
        "/x/,/y/{/[0-9]/!d}",
        "b end;p\n:end\np",
    ],
)
def test_an_ordinary_sed_script_is_read(script: str) -> None:
    reading = scripts.sed(script.encode())
    assert (reading.unknown, reading.runs, reading.writes, reading.reads) == ("", False, [], [])
