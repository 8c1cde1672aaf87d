"""Roles of words that are looked at, or looked for: what is sought tells what for.

Limits: a search for a name that no pattern knows tells nothing, and neither does a folder whose contents are unknown.
"""

from __future__ import annotations

import re

from bastion.analysis.profile.acts import Tally
from bastion.analysis.profile.options import At
from bastion.analysis.profile.paths import of_folder, of_path

_SET_ID = re.compile(rb"[-/+]?(?:0*[2-7]\d{3}|(?:[ugoa]*[+=][rwxXtugo]*s[rwxXtugo]*,?)+)\Z")
_METADATA = frozenset(
    [
        b"169.254.169.254",
        b"169.254.170.2",
        b"[fd00:ec2::254]",
        b"metadata.google.internal",
        b"metadata",
        b"100.100.100.200",
    ]
)
_HOST = re.compile(rb"(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)")
_FLAGS = re.compile(rb"[CHLMSTVXZacefghjlmnrsuvwx0-9]*\Z")
_LETTERS = re.compile(rb"[A-Za-np-z]*")
_COLUMN = re.compile(
    rb"(?:[efrs]?user|[efrs]?[ug]id|[efrs]?group|supgrp|t?p?pid|[tp]?gid|tpgid|[b]?s?time|etimes?|cputimes?|start_time|lstart"
    rb"|state|size|vsize|rsize|sess|session|exe|cmd|comm|command|args|net|netns|userns|timens|nice|unit|slice|tname"
    rb"|pending|label|machine)(?=[,=:])"
)
_NUMBERS = re.compile(rb"(?:0x[0-9a-fA-F]{8}|\d{8,10})\Z")


def sought(at: At) -> None:
    """A name that is looked for, in which `*` stands for anything, or the folder that is searched."""
    for value in at.values:
        word = value.word
        if word is None:
            continue
        spellings = {word, word.rstrip(b"/") + b"/x", *((b"*/" + word.lstrip(b"*/"),) if word.startswith(b"*") else ())}
        for spelling in sorted(spellings):
            _told(at.tally, of_path("reads", spelling))
        _told(at.tally, of_folder(word, above=False))


def sought_mode(at: At) -> None:
    """find -perm: who looks for setuid programs looks for a way to become another."""
    word = at.values[0].word
    if word is not None and _SET_ID.match(word):
        at.tally.categories.add("privilege")
        at.tally.techniques.add("T1548.001")


def ps_letters(at: At) -> None:
    """`ps auxe`: the letter e asks for what /proc/PID/environ holds."""
    told = _again if at.name.startswith("-") else _environment
    if any(told(value.word) for value in at.values):
        at.tally.categories.add("credential-access")
        at.tally.techniques.add("T1003.007")
    at.tally.reads.extend(None for value in at.values if value.word is None)


def _again(word: bytes | None) -> bool:
    """The value of a letter with a dash: one that is none is read as letters."""
    return word is not None and b"e" in word and _FLAGS.match(word) is not None


def _environment(word: bytes | None) -> bool:
    """Letters with an e, which processes or columns may follow; or columns, with `environ` among them."""
    if word is None or b"environ" in word.lower():
        return word is not None
    letters, column = _LETTERS.match(word), _COLUMN.match(word)
    return (word.isalnum() and b"e" in word) or (column is None and letters is not None and b"e" in letters[0])


def walked(at: At) -> None:
    """Paths that are read with all that lies below them."""
    for value in at.values:
        if value.word != b"-":
            at.tally.path_of("reads", value.word, value.index)
        at.tally.walks.append((value.word, True))


def skimmed(at: At) -> None:
    """The same, by a program that leaves hidden names out where it comes upon them."""
    before = len(at.tally.walks)
    walked(at)
    at.tally.walks[before:] = [(word, False) for word, _ in at.tally.walks[before:]]


def asked(host: bytes | None, tally: Tally) -> None:
    """A host of a URL. The metadata service of a cloud hands out the machine's own credentials."""
    found = None if host is None else _HOST.match(host)
    name = b"" if found is None else found[1].lower().rstrip(b".")
    if name in _METADATA or (_NUMBERS.match(name) and int(name, 0) == 0xA9FEA9FE):
        tally.categories.add("credential-access")
        tally.techniques.add("T1552.005")


def _told(tally: Tally, found: tuple[frozenset[str], frozenset[str]]) -> None:
    categories, techniques = found
    tally.categories |= categories
    tally.techniques |= techniques
