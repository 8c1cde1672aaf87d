"""Login shells: which of them read what the printer writes, and the one question that finds out which an account has.

Every exec is read by the account's login shell, so a shell that reads a printed text otherwise than the judge did
would run what nobody judged. Tried with the real ones:

    bash, rbash           read it as bash (rbash only refuses more)
    dash, busybox ash     read it as POSIX says, and have no more than that
    zsh, mksh, ksh93      read the quotes alike, but evaluate quoted words of ordinary commands as arithmetic, and run
                          what stands in them: `printf '%d' 'path[$(rm x)]'`, `test 'x[$(rm x)]' -eq 1`
    fish, csh, tcsh       read the quotes otherwise

QUESTION is put to an account whose shell the inventory does not name. It is a constant, has no effect but its answer,
and does not only ask for a name: it has the shell read a quoted backslash and shows whether words are evaluated. An
answer that is not wholly known is refused, so the answer can let through no more than the inventory could.

Limits: what a target answers is its own word. One that lies about its shell could as well run anything else for a
command that was allowed. A shell that is changed later (chsh) is not noticed while the inventory's entry stands.
"""

from __future__ import annotations

import posixpath
import re

from bastion.characters import shown
from bastion.errors import Denied

SHELLS = ("sh", "bash", "rbash", "dash", "ash", "busybox")
"""What the inventory may name. `sh` says nothing about which shell it is: it is asked, as when nothing is named."""

RULE = "login-shell"
"""What decides, in the place of a rule's id, where an account's shell is not known or reads otherwise."""

_UNNAMED = frozenset({"", "sh"})
_BASH = frozenset({"bash", "rbash"})
_PLAIN = frozenset({"sh", "dash", "ash", "busybox"})
_EVALUATES = "it evaluates quoted words as arithmetic and runs what stands in them"
_OTHER_QUOTES = "it does not read quotes as POSIX shells do"
_NO_SHELL = "it runs no commands"
REFUSED = {
    "fish": "a backslash inside single quotes escapes there",
    "tcsh": "it expands '!' inside single quotes",
    "csh": "it expands '!' inside single quotes",
    **dict.fromkeys(("zsh", "ksh", "ksh93", "rksh", "mksh", "lksh", "pdksh", "oksh", "loksh", "posh"), _EVALUATES),
    "yash": "what it evaluates is not known well enough",
    **dict.fromkeys(("xonsh", "nu", "nushell", "elvish", "ion", "rc", "es", "pwsh", "powershell"), _OTHER_QUOTES),
    **dict.fromkeys(("osh", "oil", "ysh", "hush", "toybox"), "what it evaluates is not known well enough"),
    **dict.fromkeys(("nologin", "false", "true", "git-shell", "rssh", "lshell", "scponly"), _NO_SHELL),
}
"""Shells that are known, and why none of them may read a printed text."""

QUESTION = (
    b"printf 'bastion-shell %s %s %s %s %s %s\\n' "
    b'"${BASH_VERSION:+bash}${ZSH_VERSION:+zsh}${KSH_VERSION:+ksh}${YASH_VERSION:+yash}${POSH_VERSION:+posh}'
    b'${OILS_VERSION:+osh}-" '
    b'"$((6*7))" "$(printf %d 1+1 2>/dev/null)" "$(test 1+1 -eq 2 2>/dev/null && echo yes || echo no)" '
    b"'a\\' \"$0\""
)
"""The whole text that is asked: never anything else, and nothing of it from a client."""
MAX_ANSWER = 4096
"""Bytes of the answer that are looked at: start-up files may print before it."""
_ANSWER = re.compile(rb"^bastion-shell ([a-z]*)- ([^ \n]*) ([^ \n]*) (yes|no) a\\ ([!-~]{1,128})\r?$", re.MULTILINE)


def is_named(shell: str) -> bool:
    """Whether the inventory says which shell it is."""
    return shell not in _UNNAMED


def reading(shell: str) -> str:
    """How the analysis is to read a text for this shell: as `bash`, or as `sh`, which has what POSIX says."""
    return "bash" if shell in _BASH else "sh"


def read_answer(answer: bytes) -> str:
    """The shell that answered QUESTION so, one of SHELLS. Raises Denied for any that is not known to read right."""
    found = list(_ANSWER.finditer(answer[:MAX_ANSWER]))
    if len(found) != 1:
        raise _unknown(f"it answered {_told(answer[:MAX_ANSWER])}")
    version, product, printed, tested, called = found[0].groups()
    name: str = posixpath.basename(called.decode()).removeprefix("-")
    kind: str = version.decode() or name
    if kind in REFUSED:
        raise _unknown(f"it is {kind}: {REFUSED[kind]}")
    if product != b"42" or printed not in (b"", b"0", b"1") or tested != b"no":
        raise _unknown(f"{shown(kind, 40)} evaluates quoted words")
    if version == b"bash" and name in _BASH | {"sh"}:
        return name
    if not version and name in _PLAIN:
        return name
    raise _unknown(f"{shown(kind, 40)}, called as {shown(name, 40)}, is not one that is known")


def _told(answer: bytes) -> str:
    text = answer.strip()
    return f"“{shown(text, 60)}”" if text else "nothing"


def _unknown(why: str) -> Denied:
    return Denied(
        f"the account's login shell may read quotes otherwise than what was judged: {why}",
        rule=RULE,
        remedy="the bastion's operator can give the account bash or dash as its shell (chsh), or, where that is what "
        "reads commands there, write `shell: bash` (or dash, ash, busybox) for it in the inventory",
    )
