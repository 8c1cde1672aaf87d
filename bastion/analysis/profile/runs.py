"""Roles by which something runs: a nested command, text for a shell, code, a program of the caller's choice."""

from __future__ import annotations

import re

from bastion.analysis import names
from bastion.analysis.profile.acts import Nested, Tally, Word
from bastion.analysis.profile.inline import signs
from bastion.analysis.profile.options import At, Value

_ANY_SHELL = re.compile(rb"[A-Za-z0-9_@%+=:,./ \t\n;|&<>-]*\Z")
"""Words that no shell reads otherwise, with blanks and what joins commands between them."""
_PLAIN = re.compile(rb"[A-Za-z0-9_./+@:,%=-]+\Z")


def _read(at: At) -> None:
    for value in at.values:
        if value.word != b"-":
            at.tally.path_of("reads", value.word, value.index)


def shell(at: At) -> None:
    _shell_text(at.values, at.tally, at.name, remote=False)


def login_shell(at: At) -> None:
    """Text that $SHELL reads, or the shell of another account: it is read as sh's here, so it must be plain to any."""
    _shell_text(at.values, at.tally, at.name, remote=False)
    _plain_to_any_shell(at)


def remote_shell(at: At) -> None:
    _shell_text(at.values, at.tally, at.name, remote=True)
    _plain_to_any_shell(at)


def _plain_to_any_shell(at: At) -> None:
    """zsh and ksh evaluate some words of ordinary commands, quoted ones too; fish and csh quote in their own ways."""
    if any(value.word is not None and not _ANY_SHELL.match(value.word) for value in at.values):
        at.tally.unknown.append(f"{at.tally.program}: which shell reads the text in {at.name} is not known")


def _shell_text(values: tuple[Value, ...], tally: Tally, name: str, *, remote: bool) -> None:
    tally.acted = True
    words = [value.word for value in values if value.word is not None]
    if len(words) < len(values):
        tally.unknown.append(f"{tally.program}: the text for a shell in {name} is known to the target only")
        return
    place = (values[0].index, values[-1].index + 1)
    tally.nested.append(
        Nested(shell=b" ".join(words), words=place, prefix=values[0].prefix, remote=remote, folder=tally.folder)
    )


def command(at: At) -> None:
    _nest(at.values, at.tally)


def command_or_shell(at: At) -> None:
    """flock's command: -c is no option where it stands, and not a program either."""
    if at.values[0].word not in (b"-c", b"--command"):
        _nest(at.values, at.tally)
    elif len(at.values) == 2:
        login_shell(At(at.values[1:], at.tally, "-c"))
    else:
        code(at)


def container(at: At) -> None:
    _nest(at.values, at.tally, remote=True)


def command_more(at: At) -> None:
    replaced = at.tally.replaced
    if replaced == b"":
        _nest(at.values, at.tally, more=True)
        return
    kept = tuple(
        Value(None if replaced is None or value.word is None or replaced in value.word else value.word, value.index)
        for value in at.values
    )
    one = frozenset(i for i, value in enumerate(at.values) if replaced is not None and value.word is not None)
    _nest(kept, at.tally, single=one, replaced=True)


def replaces(at: At) -> None:
    at.tally.replaced = (at.values[0].word if at.values else b"{}") or None


def with_assignments(at: At) -> None:
    environment: list[tuple[bytes, Word]] = []
    for position, value in enumerate(at.values):
        if value.word is None or b"=" not in value.word:
            _nest(at.values[position:], at.tally, environment=tuple(environment))
            return
        key, _, content = value.word.partition(b"=")
        environment.append((key, content))


def by_login_shell(at: At) -> None:
    """sudo -i and -s escape every character but letters, digits, `_`, `-` and `$`."""
    if any(value.word is None or b"$" in value.word for value in at.values):
        at.tally.unknown.append(f"{at.tally.program}: a shell reads the words again")
    with_assignments(at)


def to_semicolon(at: At) -> None:
    """find's -exec. What find puts for {} begins with a starting point, so it is one word, and no option."""
    ended = bool(at.values) and at.values[-1].word in (b";", b"+")
    words = at.values[:-1] if ended else at.values
    more = ended and at.values[-1].word == b"+"
    plain = frozenset(i for i, value in enumerate(words) if value.word is not None and value.word.startswith(b"{}"))
    kept = tuple(
        Value(None if value.word is None or b"{}" in value.word else value.word, value.index) for value in words
    )
    _nest(kept, at.tally, more=more, plain=plain, replaced=True)


def _nest(
    values: tuple[Value, ...],
    tally: Tally,
    *,
    more: bool = False,
    remote: bool = False,
    single: frozenset[int] = frozenset(),
    plain: frozenset[int] = frozenset(),
    environment: tuple[tuple[bytes, Word], ...] = (),
    replaced: bool = False,
) -> None:
    tally.acted = True
    if not values:
        return
    if values[0].word is None:
        tally.unknown.append(f"{tally.program}: the program that it runs is known to the target only")
        return
    tally.nested.append(
        Nested(
            argv=tuple(value.word for value in values),
            more=more,
            words=(values[0].index, values[-1].index + 1),
            remote=remote,
            single=single,
            plain=plain,
            folder=tally.folder,
            environment=environment,
            replaced=replaced,
        )
    )


def program(at: At) -> None:
    """A program's name, split at blanks by some; what a shell would read otherwise is not judged."""
    word = at.values[0].word if at.values else None
    words = tuple(word.split(b" ")) if word else ()
    if word is not None and not word:
        return
    if words and all(_PLAIN.match(part) for part in words) and b"=" not in words[0]:
        at.tally.nested.append(Nested(argv=words, more=True))
    else:
        at.tally.code.append(f"{at.tally.program}: {at.name} names a program to run")
        at.tally.categories.add("shell-escape")
        at.tally.techniques.add("T1059")


_REACHED = re.compile(
    rb"(?:sudo )?rsync|rsh|(?:/usr/bin/)?ssh(?: +(?:-[46aACknqTxv]+|-[pilc] *[\w./~@:-]+"
    rb"|-o *(?:StrictHostKeyChecking|UserKnownHostsFile|ConnectTimeout|BatchMode|Port|User|IdentityFile"
    rb"|Compression|LogLevel|ServerAliveInterval|IdentitiesOnly)[= ][\w./~-]+))*"
)
_SHELL = re.compile(rb"(?:/usr)?(?:/local)?(?:/s?bin/)?(?:sh|bash|dash|ash|nologin|false)")


def remote_program(at: At) -> None:
    word = at.values[0].word
    if word is None or not _REACHED.fullmatch(word):
        code(at)


def shell_program(at: At) -> None:
    """The text itself is in another option: nothing more runs than that."""
    acted = at.tally.acted
    word = at.values[0].word
    if word is None or not _SHELL.fullmatch(word):
        code(at)
    at.tally.acted = acted


def forgets(at: At) -> None:
    """What is sent with a terminal is told to open no pager by its environment (pagers.py), which must stay."""
    gone = [value.word for value in at.values]
    if at.tally.terminal and (not gone or any(name is None or names.decides(name) for name in gone)):
        at.tally.code.append(f"{at.tally.program}: {at.name} takes away what keeps pagers shut on a terminal")


def shell_mode(at: At) -> None:
    """What a shell exports by itself its programs find in their environment, whatever a rule's `env` says."""
    acted = at.tally.acted
    if at.values[0].word in (None, b"allexport", b"keyword"):
        code(at)
    at.tally.acted = acted


def code(at: At) -> None:
    at.tally.acted = True
    at.tally.code.append(f"{at.tally.program}: {at.name} runs code that is not judged")
    at.tally.categories.add("shell-escape")
    at.tally.techniques.add("T1059")
    for value in at.values:
        shows(value.word, at.tally)


def shows(code: Word, tally: Tally) -> None:
    """What the text of code for an interpreter shows of itself."""
    categories, techniques = signs(code or b"")
    tally.categories |= categories
    tally.techniques |= techniques


def script(at: At) -> None:
    if all(value.word == b"-" for value in at.values):
        return
    at.tally.acted = True
    _read(at)
    for value in at.values:
        if value.word is not None:
            at.tally.runs.append(value.word)
        else:
            at.tally.outlined.append(("runs", at.tally.outlines.get(value.index, b"\0")))
    at.tally.code.append(f"{at.tally.program}: it runs a file whose text is not known here")
    at.tally.categories.add("shell-escape")
    at.tally.techniques.add("T1059")


def options_file(at: At) -> None:
    _read(at)
    at.tally.unknown.append(f"{at.tally.program}: {at.name} reads further options from a file")


def split_string(at: At) -> None:
    at.tally.acted = True
    at.tally.unknown.append(f"{at.tally.program}: {at.name} is split into further words")
