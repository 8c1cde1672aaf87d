"""A script is cut into the same commands however its bytes come, and what waits is bounded by who asks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.session.gated.completeness import MAX_OPEN
from bastion.session.gated.script import LONG, MAX_WAITING, Command, Script

TEXT = "echo 'ä☃'\n\n# a comment\nfor x in a\ndo\n  echo $x\ndone; cat <<E\nif\nE\necho \"a\nb\"\nfalse".encode()
COMMANDS = [
    Command("echo 'ä☃'", 1),
    Command("for x in a\ndo\n  echo $x\ndone; cat <<E\nif\nE", 4),
    Command('echo "a\nb"', 10),
    Command("false", 12),
]


def taken(script: Script) -> list[Command]:
    return list(iter(script.take, None))


@given(st.lists(st.integers(0, len(TEXT))))
def test_it_is_cut_alike_wherever_its_bytes_are(cuts: list[int]) -> None:
    script, found = Script("bash"), []
    for low, high in itertools.pairwise([0, *sorted(cuts), len(TEXT)]):
        script.feed(TEXT[low:high])
        found += taken(script)
    script.end()
    assert found + taken(script) == COMMANDS
    assert script.done


def test_a_command_waits_for_its_end() -> None:
    script = Script("sh")
    for piece in (b"if true", b"\nthen", b" echo x\n", b"fi"):
        script.feed(piece)
        assert script.take() is None
    script.feed(b"\n")
    assert script.take() == Command("if true\nthen echo x\nfi", 1)
    assert not script.done


def test_what_is_open_at_the_end_is_a_command_as_it_is() -> None:
    script = Script("bash")
    script.feed(b"echo 'x\n")
    assert script.take() is None
    script.end()
    assert (script.take(), script.done) == (Command("echo 'x\n", 1), True)


@pytest.mark.parametrize("text", [b"", b"\n \n", b"# only this", b"   "])
def test_nothing_is_no_command(text: bytes) -> None:
    script = Script("bash")
    script.feed(text)
    script.end()
    assert (script.take(), script.done) == (None, True)


@pytest.mark.parametrize("text", [b"echo \xff", b"echo \xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_text_are_kept_as_they_came(text: bytes) -> None:
    """The judge refuses them."""
    script = Script("bash")
    script.feed(text)
    script.end()
    command = script.take()
    assert command is not None
    assert command.text.encode("utf-8", "surrogateescape") == text


def test_a_line_without_an_end_comes_out_too_long_for_the_judge() -> None:
    script = Script("bash")
    script.feed(b"x" * MAX_OPEN)
    assert script.take() is None
    script.feed(b"x")
    command = script.take()
    assert command is not None
    assert len(command.text) == MAX_OPEN + 1


def test_what_waits_tells_that_it_is_much() -> None:
    """More than so many characters, or an open command that is not to be looked at for each packet."""
    script = Script("bash")
    script.feed(b"echo '" + b"x" * LONG + b"\n")
    assert (script.take(), script.long, script.full) == (None, True, False)
    script.feed(b"'\n" + b"true\n" * (MAX_WAITING // 5))
    assert script.full
    assert script.take() is not None
    assert (script.long, script.full) == (False, False)
    script.drop()
    assert (script.take(), script.long, script.full) == (None, False, False)
