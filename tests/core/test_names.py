"""The variables that decide what other commands do, held against what shells say of their own."""

import re
import subprocess

from bastion.analysis import names
from tests.core.test_shell import BASH


def test_every_integer_of_bash_decides() -> None:
    """Whatever is given to one is evaluated as arithmetic, and so is a command in a subscript of it."""
    listed = subprocess.run([BASH, "--norc", "--noprofile", "-c", "declare -pi"], capture_output=True, check=True)
    found = set(re.findall(rb"^declare -\w+ (\w+)", listed.stdout, re.MULTILINE))
    assert {b"OPTIND", b"RANDOM", b"UID"} <= found
    assert {name for name in found if not names.decides(name)} == set()
