"""What could be meant: names of programs and paths for Tab, asked of the target on a channel of its own.

What is asked is a listing, `ls -1Ap -- FOLDER`, judged as if it had been typed: who may not list a folder is offered
nothing of it. Nothing of what is being typed runs, and no part of it but the folder's name, quoted, is sent.

Limits: the names in a folder are told to whoever could list it anyway. A word with a variable, a glob or a
substitution in it is not completed, since only the target knows what it stands for.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MAX_LISTING = 256 * 1024
"""Bytes of one listing that are looked at."""
MAX_SHOWN = 400
"""Candidates that are shown."""
SECONDS = 3.0
"""How long a listing may take."""

PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_SEPARATORS = re.compile(r"[;&|()<>`\n]|\$\(")
_SPECIAL = re.compile(r"[^A-Za-z0-9_@%+=:,./-]")
_UNKNOWN = re.compile(r"[*?\[$`\"'{}~!]")
_BEFORE_PROGRAM = frozenset(
    {"sudo", "env", "time", "nohup", "exec", "command", "xargs", "!", "then", "do", "else", "{"}
)

Listing = Callable[[str], Awaitable[bytes | None]]
"""Gives what `ls -1Ap -- FOLDERS` prints, given that text; None when it is not permitted, or fails."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What to insert at the cursor, and the candidates when there are several."""

    insert: str = ""
    candidates: tuple[str, ...] = ()


class Completer:
    """Life: `complete` at will. The names of programs are asked for once."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._programs: tuple[str, ...] | None = None

    async def complete(self, before: str, directory: bytes) -> Completed:
        """For what stands before the cursor, in a shell whose directory is `directory`."""
        word, program = _word(before)
        if word is None:
            return Completed()
        try:
            async with asyncio.timeout(SECONDS):
                names = await self._named(word, program, directory)
        except TimeoutError:
            return Completed()
        typed = word if program and "/" not in word else word.rpartition("/")[2]
        return _among(typed, [name for name in names if name.startswith(typed) and (typed or name[0] != ".")])

    async def _named(self, word: str, program: bool, directory: bytes) -> tuple[str, ...]:
        if program and "/" not in word:
            if self._programs is None:
                found = _names(await self._listing(_asked(*PROGRAM_FOLDERS)))
                self._programs = tuple(
                    sorted({name.rstrip("*@") for name in found if name[-1:] not in ("/", ":") and name[0] != "/"})
                )
            return self._programs
        folder = word.rpartition("/")[0] + ("/" if word.startswith("/") else "")
        try:
            here = directory.decode()
        except UnicodeDecodeError:
            return ()
        return _names(await self._listing(_asked(posixpath.join(here, folder) or ".")))


def _asked(*folders: str) -> str:
    quoted = " ".join("'" + folder.replace("'", "'\\''") + "'" for folder in folders)
    return f"ls -1Ap -- {quoted}"


def _names(listing: bytes | None) -> tuple[str, ...]:
    """The names that can be shown and typed; others are left out."""
    if listing is None:
        return ()
    lines = listing[:MAX_LISTING].decode("utf-8", "replace").split("\n")
    return tuple(sorted(line for line in lines if line and line.isprintable() and "\ufffd" not in line))


def _word(before: str) -> tuple[str | None, bool]:
    """The word that ends at the cursor, and whether it is a program's name. None for one that can not be told."""
    rest = _SEPARATORS.split(before)[-1].lstrip(" \t")
    words = _split(rest)
    if words is None:
        return None, False
    *earlier, last = words
    if _UNKNOWN.search(last):
        return None, False
    return last, all(word in _BEFORE_PROGRAM or re.match(r"\w+=", word) for word in earlier)


def _split(text: str) -> list[str] | None:
    """Words at unescaped blanks, backslashes taken away; the last one, perhaps empty, ends at the cursor."""
    words, escaped = [""], False
    for character in text:
        if escaped:
            words[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in " \t":
            if words[-1]:
                words.append("")
        else:
            words[-1] += character
    return None if escaped else words


def _among(typed: str, names: list[str]) -> Completed:
    if not names:
        return Completed()
    common = posixpath.commonprefix(names)
    insert = _SPECIAL.sub(lambda found: "\\" + found[0], common[len(typed) :])
    if len(names) == 1:
        return Completed(insert if names[0].endswith("/") else insert + " ")
    return Completed(insert, () if insert else tuple(names[:MAX_SHOWN]))
