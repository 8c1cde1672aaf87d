"""The question for a login shell and its answers: the shells that read right are told by name, all else is refused."""

from __future__ import annotations

import pytest

from bastion.analysis.guards import guard
from bastion.errors import Denied
from bastion.targets.login_shell import (
    MAX_ANSWER,
    QUESTION,
    REFUSED,
    RULE,
    SHELLS,
    is_named,
    read_answer,
    reading,
)

GOOD = {
    "bash": rb"bashell bash- 42 1 no a\ bash",
    "rbash": rb"bashell bash- 42  no a\ rbash",
    "sh": rb"bashell - 42 1 no a\ sh",
    "dash": rb"bashell - 42 1 no a\ dash",
    "ash": rb"bashell - 42 0 no a\ ash",
    "busybox": rb"bashell - 42 0 no a\ busybox",
}
"""What each of them prints, but for the first word."""


def printed(line: bytes) -> bytes:
    return line.replace(b"bashell", b"bastion-shell") + b"\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_reads_right_is_told_by_name(shell: str) -> None:
    assert read_answer(printed(GOOD[shell])) == shell


@pytest.mark.parametrize(
    ("answer", "shell"),
    [
        (rb"bashell - 42 1 no a\ /bin/sh", "sh"),
        (rb"bashell - 42 1 no a\ -dash", "dash"),
        (rb"bashell bash- 42 1 no a\ sh", "sh"),
        (b"Welcome!\nbastion is near\nbashell - 42 1 no a\\ dash", "dash"),
        (b"bashell bash- 42 1 no a\\ bash\r", "bash"),
    ],
)
def test_how_it_was_called_and_what_start_up_files_print_do_not_matter(answer: bytes, shell: str) -> None:
    """bash that is called sh behaves as POSIX says, and is read so."""
    assert read_answer(printed(answer)) == shell


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "it answered nothing"),
        (b"This account is currently not available.\n", "it answered “This account is"),
        (b"\x1b]0;x\x07", r"\x1b]0;x\x07"),
        (rb"bashell zsh- 42 2 no a\ zsh", "it is zsh: it evaluates quoted words"),
        (rb"bashell ksh- 42 1 yes a\ mksh", "it is ksh: it evaluates quoted words"),
        (rb"bashell yash- 42 1 no a\ yash", "it is yash"),
        (rb"bashell bashzsh- 42 1 no a\ bash", "bashzsh, called as bash, is not one that is known"),
        (rb"bashell bash- 42 1 no a\ zsh", "bash, called as zsh, is not one that is known"),
        (rb"bashell - 42 1 no a\ mystery", "mystery, called as mystery, is not one that is known"),
        (rb"bashell - 42 1 no a\ fish", "it is fish"),
        (rb"bashell - 42 1 yes a\ sh", "sh evaluates quoted words"),
        (rb"bashell - 42 2 no a\ sh", "sh evaluates quoted words"),
        (rb"bashell bash- 42 2 no a\ bash", "bash evaluates quoted words"),
        (rb"bashell - 6*7 1 no a\ sh", "sh evaluates quoted words"),
        (rb"bashell - 42 1 no a sh", "it answered"),
        (rb"bashell - 42 1 maybe a\ sh", "it answered"),
        (b"bashell - 42 1 no a\\ sh\nbashell bash- 42 1 no a\\ bash", "it answered"),
        (rb"$PS1 bashell - 42 1 no a\ sh", "it answered"),
        (b" " * MAX_ANSWER + b"\nbashell - 42 1 no a\\ sh", "it answered nothing"),
    ],
)
def test_any_other_answer_is_refused_and_says_what_to_do(answer: bytes, why: str) -> None:
    with pytest.raises(Denied) as caught:
        read_answer(printed(answer) if answer else b"")
    assert why in caught.value.reason
    assert caught.value.rule == RULE
    assert "write `shell: bash`" in (caught.value.remedy or "")
    assert caught.value.reason.isprintable()


def test_what_is_refused_and_what_is_accepted_have_nothing_in_common() -> None:
    assert not set(SHELLS) & set(REFUSED)


def test_only_bash_is_read_as_bash() -> None:
    assert {shell for shell in SHELLS if reading(shell) == "bash"} == {"bash", "rbash"}
    assert {reading(shell) for shell in SHELLS} == {"bash", "sh"}


def test_sh_is_no_name() -> None:
    """It is bash here, dash there, and a ksh elsewhere."""
    assert [shell for shell in ("", *SHELLS) if not is_named(shell)] == ["", "sh"]


def test_the_question_is_one_printable_line() -> None:
    """What the audit trail shows of it is what is sent."""
    assert QUESTION.decode("ascii").isprintable()
    assert guard(QUESTION) is None
