"""What is refused of a text before it is parsed: by size, by encoding, by characters that a person can not see.

A parser and a shell agree about ordinary characters. About NUL, carriage returns, odd blanks and bytes that are no
text they do not, and a reviewer who reads such a text sees something else than what would run.

Limits: a letter that only looks like another one (a Cyrillic `а`) is not refused; rules compare bytes, so it matches
no rule written with the Latin one.
"""

from __future__ import annotations

import re
import unicodedata

from bastion.analysis.command import Finding
from bastion.characters import drawn_as_nothing

MAX_TEXT = 8 * 1024
"""Bytes of one text. The parser is quadratic on some inputs."""
MAX_OPENERS = 400
"""Opening brackets, backticks and `<` in one text: what the parser's quadratic inputs are made of (8 KiB of `a=(` took
444 ms; 400 openers take less than 10). Counted rather than timed, so that the same text has the same answer always."""

_OPENERS = b"([{<`"
_SEPARATORS = b"|)"
"""Counted apart, by the same bound: 8 KiB of `a|` took the parser 436 ms, of `a) ` in a case 144 ms, 400 take 7."""
LONG = 1024
"""Bytes from which on a text is counted once more, without what is quoted in it: where the parser follows several
readings at once it took up to 30 us a word, 8 KiB of such words 220 ms. Within these bounds they take 40."""
_BARE = (
    (1024, b" \t\n", "blanks"),
    (200, _OPENERS, "brackets, backticks and redirections"),
    (100, b"[", "square brackets"),
    (300, b";&", "separators"),
    (300, b"|)>", "pipes, closing brackets and redirections"),
    (400, b"$", "expansions"),
)
_BLANKS = re.compile(rb"[ \t\n]+")
_TEST = re.compile(rb"(?<![^ \t\n;&|(!])\[\[[ \t\n]")
_MAX_TEST = 512
_CONTROLS_ALLOWED = "\t\n"
_BLANK_LOOKALIKES = frozenset({"Zs", "Zl", "Zp"})
_HIDDEN_CATEGORIES = frozenset({"Cf", "Co", "Cn", "Cs"})


def guard(text: bytes) -> Finding | None:
    """The first reason not to parse `text` at all, or None."""
    if len(text) > MAX_TEXT:
        return Finding(0, len(text), f"the command is longer than {MAX_TEXT} bytes")
    if sum(text.count(opener) for opener in _OPENERS) > MAX_OPENERS:
        return Finding(0, len(text), f"more than {MAX_OPENERS} brackets, backticks and redirections")
    if sum(text.count(separator) for separator in _SEPARATORS) > MAX_OPENERS:
        return Finding(0, len(text), f"more than {MAX_OPENERS} pipes and closing brackets")
    return guard_characters(text)


def guard_bare(bare: bytes) -> str | None:
    """Why a long text is not parsed, or None. `bare` is the text without what is quoted in it (read_here.py)."""
    bare = _BLANKS.sub(b" ", bare).replace(b"${", b"$")
    for most, characters, named in _BARE:
        if sum(bare.count(character) for character in characters) > most:
            return f"more than {most} {named} that are not quoted"
    for found in _TEST.finditer(bare):
        if bare.find(b"]]", found.end(), found.end() + _MAX_TEST) < 0:
            return f"a test of more than {_MAX_TEST} bytes"
    return None


def guard_characters(text: bytes) -> Finding | None:
    """The first character that a person could not be shown, or None. For what is printed as for what is read."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        return Finding(error.start, error.end, "not UTF-8")
    if decoded.isascii() and decoded.isprintable():
        return None
    offset = 0
    for character in decoded:
        size = len(character.encode())
        reason = _refused(character)
        if reason is not None:
            return Finding(offset, offset + size, f"{reason} (U+{ord(character):04X})")
        offset += size
    return None


def _refused(character: str) -> str | None:
    category = unicodedata.category(character)
    if category == "Cc":
        return None if character in _CONTROLS_ALLOWED else "a control character"
    if category in _HIDDEN_CATEGORIES:
        return "an invisible or unassigned character"
    if category in _BLANK_LOOKALIKES and character != " ":
        return "a blank that the shell does not take for one"
    if drawn_as_nothing(character):
        return "an invisible or unassigned character"
    return None
