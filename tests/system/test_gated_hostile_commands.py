"""Commands that would have a later word, a prompt or the shell itself run what nobody judged: refused, or harmless.

The rules cover every program in question, so that it is the reading of the command that holds it back. The same lines
in the shell without the gate make the canary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.hostile import Person, Site, Step, site

pytestmark = pytest.mark.slow

BOMB = "'a[$(touch {canary})]'"
CODE = "'$(touch {canary})'"
TYPED, CODED = b"touch {canary}\n", b"$(touch {canary})\n"
BOTH, BASH = frozenset({"bash", "dash"}), frozenset({"bash"})
NONE: frozenset[str] = frozenset()

Tricks = Mapping[str, tuple[tuple[Step, ...], frozenset[str]]]
"""Lines and keys, by what they are called, and the shells in which they work where there is no gate."""

VARIABLES: Tricks = {
    "PS1": ((f"PS1={CODE}", "echo"), BOTH),
    "PS1 exported": ((f"export PS1={CODE}", "echo"), BOTH),
    "PS1 declared": ((f"declare PS1={CODE}", "echo"), BASH),
    "PS1 read": ((b"read PS1\r", 0.2, CODED, 0.2, "echo"), BOTH),
    "PS1 read by a name that is not told": ((b"x=PS; read ${x}1\r", 0.2, CODED, 0.2, "echo"), BOTH),
    "PS1 of a loop": ((f"for PS1 in {CODE}; do true; done", "echo"), BOTH),
    "PS1 by default": (("unset PS1", f": ${{PS1={CODE}}}", "echo"), BOTH),
    "PS1 printed": ((f"printf -v PS1 %s {CODE}", "echo"), BASH),
    "PS1 by another name": (("declare -n ref=PS1", f"ref={CODE}", "echo"), BASH),
    "PS1 of the gate": ((b"x=__bast; read ${x}ion_ps1\r", 0.2, CODED, 0.2, "echo"), NONE),
    "PS4": ((f"PS4={CODE}", "set -x", "echo a", "set +x"), BOTH),
    "PS0": ((f"PS0={CODE}", "echo a"), BASH),
    "PROMPT_COMMAND": (("PROMPT_COMMAND='touch {canary}'", "echo"), BASH),
    "PROMPT_COMMAND of a loop": (("for PROMPT_COMMAND in 'touch {canary}'; do true; done", "echo"), BASH),
    "an array's place": ((f"x={BOMB}", "a[x]=1"), BASH),
    "an array's dynamic place": ((f"x={BOMB}", "echo ${a[$x]}"), BASH),
    "arithmetic": ((f"x={BOMB}", "echo $((x))"), BASH),
    "let": ((f"let x={BOMB}",), BASH),
    "a number's test": ((f"x={BOMB}", "[[ x -eq 1 ]]"), BASH),
    "a variable's test": ((f"x={BOMB}", 'test -v "$x"'), BASH),
    "a variable unset": ((f"a=(1); x={BOMB}", 'unset "$x"'), BASH),
    "a variable printed": ((f"x={BOMB}", 'printf -v "$x" a'), BASH),
    "a variable read": ((f"x={BOMB}", b'read "$x"\r', 0.2, b"a\r"), BASH),
    "a number's variable": (("declare -i n", f"n={BOMB}"), BASH),
    "a slice": ((f"y=abc x={BOMB}", "echo ${y:x}"), BASH),
    "a value as a prompt": ((f"x={CODE}", "echo ${x@P}"), BASH),
    "a value as a name": ((f"x={BOMB}", "echo ${!x}"), BASH),
}
DEFINITIONS: Tricks = {
    "a function": (("echo() { touch {canary}; }", "echo"), BOTH),
    "a function for what is not found": (("command_not_found_handle() { touch {canary}; }", "sort-x"), BASH),
    "an alias": (("alias echo=touch", "echo {canary}"), BOTH),
    "an alias of an alias": (("shopt -s expand_aliases", "alias x='touch {canary}'", "x"), BOTH),
    "a hashed program": (("hash -p /usr/bin/touch sort", "sort {canary}"), BASH),
    "a hash's member": (("BASH_CMDS[sort]=/usr/bin/touch", "sort {canary}"), BASH),
    "a trap for Ctrl-C": (("trap 'touch {canary}' INT", b"\x03", 0.1, b"sleep 0.2\r", 0.1, b"\x03"), BOTH),
    "a trap for each command": (("trap 'touch {canary}' DEBUG", "echo a", "trap - DEBUG"), BASH),
    "a trap for an error": (("trap 'touch {canary}' ERR", "false"), BASH),
    "a trap for a job": (("trap 'touch {canary}' CHLD", "sleep 0", b"\r"), BOTH),
    "a key": ((b"bind -x '\"Z\":touch {canary}'\r", 0.3, b"ZZ\r"), BASH),
    "eval": (("eval 'touch {canary}'",), BOTH),
    "eval of what is typed": ((b'eval "$(cat)"\r', 0.2, TYPED + b"\x04", 0.2), BOTH),
    "a file of commands": ((b". /dev/tty\r", 0.2, TYPED + b"\x04", 0.2), BOTH),
    "standard input as a file": ((b". /dev/stdin\r", 0.2, TYPED + b"\x04", 0.2), BOTH),
    "a callback": ((b"mapfile -C 'touch {canary}' -c 1 x\r", 0.2, b"a\n\x04", 0.2), BASH),
    "completion": (("compgen -C 'touch {canary}'",), BASH),
    "history": (("history -s touch {canary}", "fc -s touch"), BASH),
    "history again": (("echo touch {canary}", "fc -s echo= touch"), NONE),
    "PATH of a command": (("PATH=/nowhere:/usr/bin touch {canary}",), BOTH),
    "command": (("command touch {canary}",), BOTH),
    "builtin": (("builtin eval touch {canary}",), BASH),
    "exec": ((b"exec touch {canary}\r", 0.2), BOTH),
    "coproc": (("coproc touch {canary}",), BASH),
}
INPUTS: Tricks = {
    "typed at a program": ((b"sleep 0.4\r", 0.1, TYPED, 0.5), BOTH),
    "typed at a stopped program": ((b"cat\r", 0.2, b"\x1a", 0.2, TYPED), BOTH),
    "typed at a program in the background": ((b"cat &\r", 0.2, TYPED), BOTH),
    "the line editor of read": ((b"read -e x\r", 0.2, b"$(touch {canary})\x1b\x05\r", 0.2), BOTH),
    "typed behind a short read": ((b"read -n 1 x\r", 0.2, b"a" + TYPED, 0.2), BASH),
    "typed behind a late read": ((b"read -t 0.2 x\r", 0.4, TYPED, 0.2), BOTH),
    "typed at a loop": ((b"for i in 1 2 3; do sleep 0.1; done\r", 0.15, TYPED, 0.4), BOTH),
    "a lone line feed and no echo": (("stty -echo", TYPED), BOTH),
    "no canonical mode": (("stty -icanon min 1", TYPED), BOTH),
    "a raw terminal": (("stty raw", b"touch {canary}\r", 0.2), BASH),
    "line ends that change places": (("stty -icrnl inlcr", b"touch {canary}\r", 0.1, TYPED), BASH),
    "no carriage returns": (("stty igncr", TYPED), BOTH),
    "another end of line": (("stty eol Z", b"touch {canary}\n", b"Z"), BOTH),
    "another interrupt key": (("stty intr Z", b"Ztouch {canary}\n"), NONE),
    "the other screen": ((r"printf '\033[?1049h'", TYPED), BOTH),
    "another screen's end": ((r"printf '\033[?1049l\033[?2004l\033c'", TYPED), BOTH),
    "a paste begun by the target": ((r"printf '\033[200~'", TYPED), BOTH),
    "a question to the terminal": ((r"printf '\033[6n\033]52;c;?\007\005'", TYPED), BOTH),
    "another nonce": ((r"printf '\033]7777;%s;prompt;9;0\007' 0123456789abcdef0123456789abcdef", TYPED), BOTH),
    "the shell stopped": ((b"sleep 0.1; kill -STOP $$\r", 0.3, TYPED), NONE),
    "the shell interrupted": ((b"kill -INT $$\r", 0.2, TYPED), BOTH),
}
DESCRIPTORS = ("exec {n}</dev/tty", "exec {n}<&-", "exec {n}<&2", "sleep 0.2 {n}</dev/tty", "f() {{ exec {n}<&2; }}; f")
"""What is done to each descriptor by which a shell may hold its commands."""


@pytest.fixture(scope="module", params=["bash", "dash"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def tried(person: Person, steps: tuple[Step, ...], canary: Path) -> bool:
    person.do(steps, canary)
    person.look(0.1)
    return canary.exists()


@pytest.mark.parametrize("tricks", [VARIABLES, DEFINITIONS, INPUTS], ids=["variables", "definitions", "inputs"])
@pytest.mark.parametrize("kind", ["gated", pytest.param("raw", marks=pytest.mark.slow)])
def test_commands(place: Site, kind: str, tricks: Tricks, tmp_path: Path) -> None:
    """Each in a shell of its own, since some change it."""
    worked = set()
    for number, (name, (steps, _)) in enumerate(tricks.items()):
        with place.sit(kind) as person:
            if tried(person, steps, tmp_path / f"c{number}"):
                worked.add(name)
    assert worked >= {name for name, (_, raw) in tricks.items() if place.name in raw} if kind == "raw" else not worked


@pytest.mark.parametrize("text", DESCRIPTORS)
def test_the_shell_never_reads_its_commands_from_the_terminal(place: Site, text: str, tmp_path: Path) -> None:
    """Whichever of its descriptors is turned to the terminal or closed: it goes on, or it ends."""
    canary = tmp_path / "canary"
    for number in (0, 9, 10, 11, 255) if place.name == "bash" else (0, 9):  # dash reads but one digit
        with place.sit() as person:
            line = text.format(n=number).encode()
            person.do((line + b"\r", 0.15, b"sleep 0.3\r", 0.1, TYPED, TYPED.replace(b"\n", b"\r"), 0.3), canary)
            assert not canary.exists(), line
