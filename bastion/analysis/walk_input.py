"""Standard input of a command: which redirection gives it, and the form in which a shell is given a script by it.

A shell reads its script while it runs it, from the descriptor that its commands inherit: one of them may take a part of
the text, or put another file in its place (`exec < file`), and the shell reads on there; after some errors it drops the
rest of a line and reads the next one, which may be the inside of a quoted word. So a script is given in one line that
the shell has read whole before it runs any of it:

    ( eval 'the script' ); exit

The subshell keeps what happens to descriptors, and every error, to itself; `eval` keeps the line readable whatever the
script is; `exit` ends the shell with the script's status.

Limits: the script sees an empty input where it could have read its own text, and `$$` is the outer shell's number.
A sudo that is set up to read a password from any input (`visiblepw`) reads a line of the script first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bastion.analysis.printer import print_whole
from bastion.analysis.tree import (
    AndOr,
    Command,
    Literal,
    Pipeline,
    Redirection,
    Script,
    ShellText,
    Simple,
    Subshell,
    Word,
)

ASKS = frozenset({"shell", "sql"})
"""Kinds of commands that can be judged, so that a program may be given them by standard input."""
_PASSES = frozenset(
    ["sudo", "doas", "env", "nice", "ionice", "chrt", "taskset", "timeout", "stdbuf", "setsid", "nohup", "exec"]
)
_READS_ITSELF = re.compile(rb"-[A-Za-z]*[Sis]|--(?:st|lo|sh)")
_FROM_FILES = frozenset({b"<", b"<<<", b"<>", b"<&"})


def passes(program: str, before: Sequence[bytes | None]) -> bool:
    """Whether a program hands its standard input on to the command that it runs, and reads none of it itself. `before`
    are the words up to that command: sudo -S reads a password, and -i and -s have a shell read its own files first."""
    asks = program in ("sudo", "doas") and any(word is None or _READS_ITSELF.match(word) for word in before)
    return program in _PASSES and not asks


def setting(redirections: tuple[Redirection, ...]) -> int | None:
    """The index of the redirection that sets standard input, the last that does so; None when none does."""
    for index in reversed(range(len(redirections))):
        given = redirections[index]
        # `00` is descriptor 0 too, and `0>&3` sets it as well as `0<&3` does.
        if not given.descriptor.strip(b"0") and (given.descriptor or given.operator in _FROM_FILES):
            return index
    return None


def given_input(redirections: tuple[Redirection, ...], piped: bytes | None) -> bytes | None:
    """Literal standard input: of the redirection that sets it, or what the pipe brings."""
    index = setting(redirections)
    if index is None:
        return piped
    if redirections[index].operator != b"<<<":
        return None
    literal = shown(redirections[index].target)
    return None if literal is None else literal + b"\n"


def shown(word: Word) -> bytes | None:
    """A word's value, where text for a shell counts as what is printed."""
    if isinstance(word.parts[-1], ShellText):
        values = [
            part.value if isinstance(part, Literal) else print_whole(part)
            for part in word.parts
            if isinstance(part, Literal | ShellText)
        ]
        return b"".join(values)
    return word.literal


def inside(script: Script) -> bytes | None:
    """The text in a script of the form above: such a script is that text. None for any other."""
    first = script.items[0].first.commands[0] if script.items else None
    if not isinstance(first, Subshell):
        return None
    evaluation = first.body.items[0].first.commands[0]
    if not isinstance(evaluation, Simple) or len(evaluation.words) < 2:
        return None
    text = evaluation.words[1].literal
    return text if text is not None and script == _wrapped(text) else None


def _wrapped(text: bytes) -> Script:
    body = Simple((Word((Literal(b"eval"),)), Word((Literal(text),))))
    return _of(Subshell(_of(body)), Simple((Word((Literal(b"exit"),)),)))


def _of(*commands: Command) -> Script:
    return Script(tuple([AndOr(Pipeline((command,))) for command in commands]))
