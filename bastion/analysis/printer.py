"""The tree back to shell text: what is sent to the target is printed here, from the same form that was judged.

Every word is single-quoted by the rule of POSIX XCU 2.2.2, inside which nothing is special but the quote itself, so
bash, dash, busybox ash, mksh and zsh read the text as exactly the words that were judged. Quoting also stops aliases
and reserved words: 'if' is a program's name.

Limits: quoting does not stop a function of that name in the account's own start-up files. fish and csh read quotes
differently, which is why the inventory refuses such login shells.
"""

from __future__ import annotations

from collections.abc import Sequence

from bastion.analysis.command import Command


class NotPrintable(ValueError):
    """A form that this printer has no text for; the caller must treat it as undecidable."""


def quote(word: bytes) -> bytes:
    """One word, single-quoted. Raises NotPrintable for NUL, which no shell can hold."""
    if b"\0" in word:
        raise NotPrintable("a NUL in a word")
    return b"'" + word.replace(b"'", b"'\\''") + b"'"


def print_command(command: Command) -> bytes:
    """One simple command of literal words. Raises NotPrintable for anything else."""
    if command.environment or command.redirections:
        raise NotPrintable("an assignment or a redirection")
    if not command.argv or not command.argv[0]:
        raise NotPrintable("a command without a name")
    words = []
    for word in command.argv:
        if word is None:
            raise NotPrintable("a word that only the target could know")
        words.append(quote(word))
    return b" ".join(words)


def print_commands(commands: Sequence[Command]) -> bytes:
    """The text of a whole analysis; one simple command, so far. Raises NotPrintable."""
    if len(commands) != 1:
        raise NotPrintable("more than one command")
    return print_command(commands[0])
