"""Keystrokes that walk round filters, typed at a gated shell and at the same shell without the gate.

The gated one never makes the canary. The raw one does for almost all of them, which shows that they are tricks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.hostile import SHELLS, Person, Site, Step, site

TOUCH = b"touch {canary}"
NONE: frozenset[str] = frozenset()
BASH, DASH, ASH = frozenset({"bash"}), frozenset({"dash"}), frozenset({"ash"})
TTY, EDITOR, ALL = BASH | DASH, BASH | ASH, BASH | DASH | ASH
HOME, LEFT, DELETE = b"\x1b[H", b"\x1b[D", b"\x1b[3~"

Tricks = Mapping[str, tuple[tuple[Step, ...], frozenset[str]]]
"""What is typed, by what it is called, and the shells in which it works where there is no gate."""

ENDS: Tricks = {
    "a carriage return": ((TOUCH + b"\r",), ALL),
    "a lone line feed": ((TOUCH + b"\n",), ALL),
    "both": ((TOUCH + b"\r\n",), ALL),
    "Ctrl-O": ((TOUCH + b"\x0f",), BASH),
    "a line feed in mid-chunk": ((b"echo a\n" + TOUCH + b"\necho b\n",), ALL),
    "a carriage return in mid-chunk": ((b"echo a\r" + TOUCH + b"\recho b\r",), ALL),
    "behind a program in one chunk": ((b"sleep 0.3\r" + TOUCH + b"\r", 0.5), ALL),
    "behind blank lines": ((b"\r\n\n\r" + TOUCH + b"\r",), ALL),
    "a byte at a time": (("each:touch {canary}\r",), ALL),
    "behind Ctrl-C": ((b"echo a\x03" + TOUCH + b"\r",), ASH),
    "behind Ctrl-Z": ((b"\x1a" + TOUCH + b"\r",), ALL),
    "behind Ctrl-Q and Ctrl-S": ((b"\x13\x11" + TOUCH + b"\r",), ALL),
    "behind a quit key": (
        (
            b"echo a\x1c",
            0.1,
            b"\x15" + TOUCH + b"\r",
        ),
        ALL,
    ),
    "after a vertical tab": ((b"echo a\x0b" + TOUCH + b"\r",), NONE),
    "after a form feed": ((b"echo a;\x0c" + TOUCH + b"\r",), EDITOR),
    "after NEL": ((b"echo a\xc2\x85" + TOUCH + b"\r",), NONE),
    "after U+2028": ((b"echo a\xe2\x80\xa8" + TOUCH + b"\r",), NONE),
    "after a NUL": ((b"\x00" + TOUCH + b"\r",), TTY),
    "behind the end of what is read": ((b"echo " + b"a" * 9000 + b"; " + TOUCH + b"\r",), BASH),
    "in a comment that ends": ((b"# a\n" + TOUCH + b"\n",), ALL),
}
EDITS: Tricks = {
    "DEL": ((b"echo\x7f\x7f\x7f\x7f" + TOUCH + b"\r",), ALL),
    "backspace": ((b"echo\b\b\b\b" + TOUCH + b"\r",), EDITOR),
    "kill and write anew": ((b"echo hi\x15" + TOUCH + b"\r",), ALL),
    "kill a word": ((b"echo\x17" + TOUCH + b"\r",), ALL),
    "delete from the front": ((b"echo " + TOUCH + b"\x01" + b"\x04" * 5 + b"\r",), EDITOR),
    "home and delete": ((b"echo " + TOUCH + HOME + DELETE * 5 + b"\r",), EDITOR),
    "arrows": ((b"ouch {canary} x" + LEFT * 200 + b"t\r",), EDITOR),
    "application arrows": ((b"uch {canary}" + b"\x1bOD" * 200 + b"o" + b"\x1bOD" + b"t\r",), EDITOR),
    "kill and yank": ((TOUCH + b"\x15echo hi\r", 0.2, b"\x19\r"), BASH),
    "history": ((b"echo " + TOUCH + b"\r", 0.2, b"\x10\x01\x1bd\r"), EDITOR),
    "arrow up": ((b"echo " + TOUCH + b"\r", 0.2, b"\x1b[A\x01" + b"\x04" * 5 + b"\r"), EDITOR),
    "search": ((b"echo " + TOUCH + b"\r", 0.2, b"\x12touch\x01" + b"\x04" * 5 + b"\r"), BASH),
    "Ctrl-O from the history": ((b"echo a\r", 0.2, TOUCH + b"\r", 0.2, b"\x10\x10\x0f", 0.2, b"\x0f"), EDITOR),
    "a quoted line feed": ((b"echo a\x16\n" + TOUCH + b"\r",), EDITOR),
    "a quoted carriage return": ((b"echo a;\x16\r" + TOUCH + b"\r",), ASH),
    "transposed": ((b"otuch {canary}" + HOME + b"\x1b[C\x14\r",), BASH),
    "a macro": ((b"\x18(" + TOUCH + b"\x18)\x15\x18e\r",), NONE),
    "expanded by the editor": ((b"echo $(" + TOUCH + b")\x1b\x05\r",), BASH),
    "an argument of the history": ((b"echo " + TOUCH + b"\r", 0.2, b"touch \x1b.\r"), BASH),
    "history expansion": ((b"echo " + TOUCH + b"\r", 0.2, b"!!:1*\r"), BASH),
    "a quick substitution": ((b"echo " + TOUCH + b"\r", 0.2, b"^echo ^^\r"), BASH),
    "vi keys": ((b"set -o vi\r", 0.3, b"xtouch {canary}\x1b0x\r", 0.2, b"set -o emacs\r"), BASH),
    "a completion": ((b"tou\tch {canary}\r",), EDITOR),
    "completion of another line": ((b"echo $(" + TOUCH + b")/\t\t\r",), EDITOR),
}
SEQUENCES: Tricks = {
    "a paste": ((b"\x1b[200~" + TOUCH + b"\n\x1b[201~\r",), BASH),
    "a paste of lines": ((b"\x1b[200~echo a\n" + TOUCH + b"\necho b\n\x1b[201~\r",), TTY),
    "an end in a paste": ((b"\x1b[200~echo a\n\x1b[201~" + TOUCH + b"\r\x1b[201~\r",), BASH),
    "a paste in a paste": ((b"\x1b[200~echo a\n\x1b[200~\n" + TOUCH + b"\n\x1b[201~\x1b[201~\r",), ALL),
    "a paste cut in its brackets": ((b"\x1b[20", b"0~echo a\n" + TOUCH + b"\n\x1b[2", b"01~\r"), TTY),
    "a paste without an end": ((b"\x1b[200~echo a\n" + TOUCH + b"\n",), DASH),
    "a paste without a beginning": ((b"\x1b[201~" + TOUCH + b"\r",), NONE),
    "a paste that runs a program": ((b"\x1b[200~sleep 0.2\n" + TOUCH + b"\n\x1b[201~\r",), ALL),
    "a position report": ((b"\x1b[5;10R" + TOUCH + b"\r",), ASH),
    "a title report": ((b"\x1b]l" + TOUCH + b"\r\x1b\\",), NONE),
    "a device report": ((b"\x1bP1$r" + TOUCH + b"\r\x1b\\\r",), NONE),
    "8-bit controls": ((b"\x9b200~" + TOUCH + b"\r\x9b201~\r",), NONE),
    "half a character": ((b"\xc3" + b"\r" + TOUCH + b"\r",), TTY),
    "an overlong line feed": ((b"echo a\xc0\x8a" + TOUCH + b"\r",), NONE),
    "half a sequence": ((b"\x1b[\r" + TOUCH + b"\r",), TTY),
    "a long sequence": ((b"\x1b[" + b"1;" * 600 + b"m" + TOUCH + b"\r",), NONE),
}


@pytest.fixture(scope="module", params=SHELLS, ids=list(SHELLS))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def tried(person: Person, tricks: Tricks, folder: Path) -> set[str]:
    """One after the other at one prompt: the names of those that made their canary."""
    worked = set()
    for number, (name, (steps, _)) in enumerate(tricks.items()):
        canary = folder / f"c{number}"
        person.do(steps, canary)
        person.settle()
        if canary.exists():
            worked.add(name)
    return worked


@pytest.mark.parametrize("tricks", [ENDS, EDITS, SEQUENCES], ids=["ends", "edits", "sequences"])
@pytest.mark.parametrize("kind", ["gated", pytest.param("raw", marks=pytest.mark.slow)])
def test_keys(place: Site, kind: str, tricks: Tricks, tmp_path: Path) -> None:
    with place.sit(kind) as person:
        worked = tried(person, tricks, tmp_path)
        if kind == "raw":
            assert worked >= {name for name, (_, raw) in tricks.items() if place.name in raw}
        else:
            assert not worked
            assert person.still_there()
