"""Shell builtins whose arguments are code, or are evaluated: `read`, `unset` and `test -v` run a quoted `a[$(rm)]`.

What is here is undecidable whatever the arguments say, or is decidable only in the forms that can hide nothing.

Limits: about bash, dash, busybox ash, mksh and zsh; a builtin that a start-up file loads is a program like any other.
Where `sh` is a Korn shell (OpenBSD, Android, AIX), a test of numbers evaluates the value of a variable, which is not
known here: `[ "$x" -eq 1 ]` is undecidable only where the shell says by its name that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bastion.analysis import names

Word = bytes | None

_ALWAYS = {
    b"alias": "alias changes what later commands mean",
    b"unalias": "unalias changes what later commands mean",
    b"bind": "bind runs commands at a key",
    b"complete": "complete runs commands while a line is typed",
    b"compgen": "compgen evaluates its arguments",
    b"compopt": "compopt changes what completion runs",
    b"enable": "enable changes what later commands mean",
    b"fc": "fc runs commands again",
    b"let": "let evaluates its arguments",
    b"source": "a file of commands that is not known",
    b".": "a file of commands that is not known",
    b"noglob": "a builtin that runs others",
    b"-": "a builtin that runs others",
    b"disable": "disable changes what later commands mean",
    b"zstyle": "zstyle -e runs commands",
    b"bindkey": "bindkey runs commands at a key",
    b"nocorrect": "a builtin that runs others",
    b"zmodload": "zmodload changes the shell",
    b"autoload": "autoload changes the shell",
    b"functions": "functions changes the shell",
    b"sched": "sched runs commands later",
    b"vared": "vared evaluates its arguments",
    b"zle": "zle runs functions",
    b"compdef": "compdef runs functions",
    b"emulate": "emulate changes how later commands are read",
    b"setopt": "setopt changes how later commands are read",
    b"unsetopt": "unsetopt changes how later commands are read",
    b"mapfile": "mapfile can run commands",
    b"readarray": "readarray can run commands",
    b"typeset": "a declaration that is not read as one",
    b"declare": "a declaration that is not read as one",
    b"export": "a declaration that is not read as one",
    b"readonly": "a declaration that is not read as one",
    b"local": "a declaration that is not read as one",
    b"integer": "integer evaluates its arguments",
    b"float": "float evaluates its arguments",
    b"nameref": "nameref makes one variable stand for another",
    b"print": "print -v and its kin evaluate their arguments",
}
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\Z")
_UNARY = frozenset(b"-a -b -c -d -e -f -g -h -k -n -p -r -s -t -u -w -x -z -G -L -N -O -S".split())
_BINARY = frozenset(b"= == != < > -nt -ot -ef -eq -ne -lt -le -gt -ge".split())
_EVALUATED = frozenset({b"-v", b"-R"})
_NUMERIC = frozenset(b"-eq -ne -lt -le -gt -ge".split())
_NUMBER = re.compile(rb"[ \t]*[-+]?[0-9]{1,18}[ \t]*\Z")
_HARMLESS_SET = re.compile(rb"[-+][befhmprtuvxBCEHPT]+\Z|--?\Z")
_HARMLESS_MODES = frozenset(b"errexit nounset pipefail noclobber noglob verbose xtrace monitor".split())
_READ_FLAGS = re.compile(rb"-[rs]+\Z")
_READ_VALUED = re.compile(rb"-[rs]*[dnNtup]\Z")


def fault(argv: Sequence[Word], single: frozenset[int], shell: str = "bash") -> str | None:
    """Why this command is undecidable as far as the shell's own builtins go, or None. `single`: the indices of unknown
    words that are exactly one word. Korn shells evaluate also what other shells only compare or count."""
    name = argv[0] if argv else None
    if name is None:
        return None
    if name in _ALWAYS:
        return _ALWAYS[name]
    check = _CHECKS.get(name)
    wrong = None if check is None else check(argv[1:], frozenset(index - 1 for index in single))
    return wrong or _numbers(name, argv[1:], unknown_too=shell.endswith("ksh"))


def _numbers(name: bytes, arguments: Sequence[Word], unknown_too: bool) -> str | None:
    """mksh runs what `test 'a[$(rm)]' -eq 1` and `shift 'a[$(rm)]'` hide: a number must be one."""
    if name in (b"test", b"["):
        beside = [
            word for at, word in enumerate(arguments) if not _NUMERIC.isdisjoint(arguments[max(0, at - 1) : at + 2])
        ]
        counted = [word for word in beside if word not in _NUMERIC]
    else:
        counted = list(arguments) if name == b"shift" else []
    if any(unknown_too if word is None else not _NUMBER.match(word) for word in counted):
        return f"{name.decode()} of something that may be no number, which some shells evaluate"
    return None


def _names(arguments: Sequence[Word], _single: frozenset[int]) -> str | None:
    for word in arguments:
        if word is None:
            return "a variable's name that only the target would know"
        if word[:1] != b"-" and (not _NAME.match(word) or names.decides(word)):
            return "a variable of a kind that is evaluated, or decides what other commands do"
    return None


def _read(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    """`read [-rs] [-d x] [-n 1] [-t 1] [-u 3] [-p text] name …`."""
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word is None:
            return "a variable's name that only the target would know"
        if _READ_VALUED.match(word):
            if at + 1 >= len(arguments) or (arguments[at + 1] is None and at + 1 not in single):
                return "an option's value that only the target would know"
            at += 2
        elif _READ_FLAGS.match(word) or (word == b"-a" and at + 1 < len(arguments)):
            at += 1
        elif word[:1] == b"-":
            return "an option of read that is not known to be harmless"
        else:
            return _names(arguments[at:], single)
    return None


def _unset(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    if any(word is not None and word[:1] == b"-" and word not in (b"-v", b"-f") for word in arguments):
        return "an option of unset that is not known to be harmless"
    return _names(arguments, single)


def _printf(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    if arguments and arguments[0] is None and (0 not in single or len(arguments) > 1):
        return "a format that only the target would know, and could be an option"
    if arguments and arguments[0] is not None and arguments[0].startswith(b"-v"):
        return "printf -v evaluates its argument"
    return None


def _bracket(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    if not arguments or arguments[-1] != b"]":
        return "a test that is not closed"
    return _test(arguments[:-1], single)


def _test(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    """`test -v NAME` evaluates a subscript in the name; so what may be an operator must be literal."""
    for index, word in enumerate(arguments):
        if word in _EVALUATED:
            following = arguments[index + 1] if index + 1 < len(arguments) else b""
            if following is None or not (following == b"" or _NAME.match(following)):
                return "test -v evaluates its argument"
        if word is not None:
            continue
        if index not in single:
            return "an unquoted word in a test, which could be an operator"
        before = arguments[index - 1] if index else None
        after = arguments[index + 1] if index + 1 < len(arguments) else None
        alone = len(arguments) == 1 or (len(arguments) == 2 and arguments[0] == b"!")
        if not (alone or before in _UNARY or before in _BINARY or after in _BINARY):
            return "a word in a test that could be an operator"
    return None


def _set(arguments: Sequence[Word], _single: frozenset[int]) -> str | None:
    """Options that change no reading of later commands, nor what they find in their environment (allexport), and
    positional parameters."""
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word is None:
            return None if at else "an option of set that only the target would know"
        if word in (b"--", b"-"):
            return None
        if word in (b"-o", b"+o") or re.match(rb"[-+][a-z]*o\Z", word):
            following = arguments[at + 1] if at + 1 < len(arguments) else b""
            if following and following not in _HARMLESS_MODES:
                return "an option of set that is not known to be harmless"
            if following is None:
                return "an option of set that only the target would know"
            at += 2
        elif word[:1] in (b"-", b"+"):
            if not _HARMLESS_SET.match(word):
                return "an option of set that is not known to be harmless"
            at += 1
        else:
            return None
    return None


def _getopts(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    if arguments and arguments[0] == b"--":
        arguments = arguments[1:]
    return _names(arguments[1:2], single) if len(arguments) > 1 else "getopts without a name"


def _wait(arguments: Sequence[Word], single: frozenset[int]) -> str | None:
    for index, word in enumerate(arguments):
        if (word is None and index not in single) or (word is not None and word[:1] == b"-" and word != b"-n"):
            return "wait -p evaluates its argument"
    return None


def _jobs(arguments: Sequence[Word], _single: frozenset[int]) -> str | None:
    return None if all(word in (b"-l", b"-p", b"-n", b"-r", b"-s") for word in arguments) else "jobs -x runs a command"


def _shopt(arguments: Sequence[Word], _single: frozenset[int]) -> str | None:
    harmless = (
        b"-s",
        b"-u",
        b"-q",
        b"-p",
        b"nullglob",
        b"dotglob",
        b"failglob",
        b"nocaseglob",
        b"globstar",
        b"lastpipe",
    )
    return (
        None if all(word in harmless for word in arguments) else "an option of shopt that is not known to be harmless"
    )


def _hash(arguments: Sequence[Word], _single: frozenset[int]) -> str | None:
    """zsh has `hash ls=/tmp/x` for what bash calls `hash -p /tmp/x ls`."""
    flags = (b"-r", b"-l", b"-t")
    harmless = all(word in flags or (word is not None and word[:1] != b"-" and b"=" not in word) for word in arguments)
    return None if harmless else "hash can name another program"


_CHECKS = {
    b"read": _read,
    b"unset": _unset,
    b"printf": _printf,
    b"test": _test,
    b"[": _bracket,
    b"set": _set,
    b"getopts": _getopts,
    b"wait": _wait,
    b"jobs": _jobs,
    b"shopt": _shopt,
    b"hash": _hash,
}
JUDGED = frozenset(_CHECKS)
"""Builtins whose every form that is not a fault does nothing but what it says."""
