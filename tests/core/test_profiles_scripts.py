"""sed and awk scripts that are called harmless write no file and run nothing: the real programs are asked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
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
        "tx w f",
        ":x w f",
        "bx}w f",
        "b\\/ w f",
        ":\\y,i w f",
        "t/a/^w f",
        ":$w f",
        "b#;w f",
        ":a#;w f",
        "t x #;w f",
        "s/x\nw f\n/y/",
        "/x\nw f\n/p",
    ],
)
def test_what_versions_of_sed_take_for_a_label_or_the_next_command_is_not_read(script: str) -> None:
    assert scripts.sed(script.encode()).unknown


@pytest.mark.parametrize(
    "program",
    [
        """BEGIN { $/"/; system("touch f"); $/"/ }""",
        """BEGIN { x = 4 \\\n/ system("touch f") / 1 }""",
        """{ x = length / system("touch f") / 1 }""",
        """BEGIN { SYMTAB["ARGV"][1] = "/etc/shad" "ow"; SYMTAB["ARGC"] = 2 } { print }""",
    ],
)
def test_what_an_awk_runs_that_could_be_read_otherwise_is_told(program: str) -> None:
    assert scripts.awk(program.encode())
    assert AWKS


@pytest.mark.parametrize(
    ("read", "script"),
    [
        (scripts.sed, b"s/" + b"[:" * 395 + b"a" * 7000 + b"/b/"),
        (scripts.sed, b"s/" + b"[:" * 3900 + b"]/b/"),
        (scripts.sed, b"s/" + b"[a]" * 2700 + b"/b/"),
        (scripts.awk, b"]/" * 4000),
        (scripts.awk, b")/x/" * 2000),
    ],
    ids=["open classes", "a class", "brackets", "slashes", "either"],
)
def test_a_long_script_is_read_at_once(read: Callable[[bytes], object], script: bytes) -> None:
    """Well below the 50 ms that a decision may take, also where a reading could begin anew at each byte."""

    def seconds() -> float:
        began = time.process_time()
        read(script)
        return time.process_time() - began

    assert min(seconds() for _ in range(3)) < 0.025
