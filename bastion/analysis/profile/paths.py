"""Categories that follow from a path, whoever reads, writes or deletes it: data in programs/paths.yaml's folder.

A pattern is a path in which `*` stands for anything but `/`, and `**` for anything; `~` at its beginning is any home
directory. A path is first made plain (`//`, `/./`, `/x/../`), and one that is relative could lie anywhere: a pattern
that begins with `**/` matches it too.

Limits: symbolic links, and folders that a command went into before, are not known here.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from bastion import document
from bastion.analysis.profile.acts import Tally, Word
from bastion.analysis.profile.categories import CATEGORIES
from bastion.document import Node
from bastion.errors import Problem

KINDS = ("reads", "writes", "deletes")
_NOTHING: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
_HOME = r"(?:~[^/]*|/root|/var/root|/home/[^/]+|/Users/[^/]+|\$HOME|\$\{HOME\})"


@dataclass(frozen=True, slots=True)
class Rule:
    """What reading, writing or deleting some paths means."""

    kinds: frozenset[str]
    category: str
    technique: str
    pattern: re.Pattern[str]


def add_categories(tally: Tally) -> None:
    """Add what the paths of `tally` mean to its categories and techniques."""
    for kind, words in (("reads", tally.reads), ("writes", tally.writes), ("deletes", tally.deletes)):
        for word in words:
            categories, techniques = of_path(kind, word)
            tally.categories |= categories
            tally.techniques |= techniques


def of_path(kind: str, path: Word) -> tuple[frozenset[str], frozenset[str]]:
    """Categories and techniques of one path, which is read, written or deleted (`kind`). Also for redirections."""
    if path is None or not _exists(path):
        return _NOTHING
    plain = _plain(path)
    about, any_of_them = _about(kind)
    if any_of_them.match(plain) is None:
        return _NOTHING
    found = [rule for rule in about if rule.pattern.match(plain)]
    return frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found)


def _exists(path: bytes) -> bool:
    """Whether a path of this length can: PATH_MAX and NAME_MAX of limits.h, which no common system has longer. It
    bounds the work on patterns too."""
    return len(path) < 256 or (len(path) <= 4096 and max(map(len, path.split(b"/"))) <= 255)


@cache
def _about(kind: str) -> tuple[tuple[Rule, ...], re.Pattern[str]]:
    """The rules of a kind, and one expression that matches whatever any of them does: few paths have any meaning."""
    about = tuple([rule for rule in rules() if kind in rule.kinds])
    return about, re.compile("|".join(f"(?:{rule.pattern.pattern})" for rule in about) or r"(?!)", re.DOTALL)


def _plain(path: bytes) -> str:
    text = posixpath.normpath(path.decode("utf-8", "replace"))
    return re.sub(r"\A//+", "/", text)


@cache
def rules() -> tuple[Rule, ...]:
    """The shipped rules. A mistake in them is a defect: BadFile."""
    problems: list[Problem] = []
    file = resources.files("bastion.analysis") / "profile" / "paths.yaml"
    root = document.parse(file.read_bytes(), "paths.yaml", problems)
    node = root.need("paths")
    found = [rule for item in (node.items() if node is not None else ()) for rule in _rules(item)]
    root.close()
    document.finish(problems)
    return tuple(found)


def _rules(node: Node) -> list[Rule]:
    section = node.section()
    category = section.require("category", lambda item: item.choice(*CATEGORIES), CATEGORIES[0])
    technique = section.require("technique", Node.text, "")
    empty: list[str] = []
    kinds = section.require("when", Node.texts, empty)
    for kind in set(kinds) - set(KINDS):
        section.problem(f"{kind!r} is not one of {', '.join(KINDS)}")
    patterns = section.require("patterns", Node.texts, empty)
    section.close()
    return [Rule(frozenset(kinds), category, technique, re.compile(_expression(text), re.DOTALL)) for text in patterns]


def _expression(pattern: str) -> str:
    """A regular expression of bounded work. What stands before a wildcard is taken at the first place where it fits,
    and nowhere else (an atomic group), where that wildcard matches all that a later place would have left to it."""
    text, start, first = pattern, "", ""
    if text.startswith("~"):
        start, text = _HOME, text[1:]
    elif text.startswith("**/"):
        first, text = "**/", text[3:]
    wild, *rest = first, *re.split(r"(\*\*|\*)", text)
    body = start
    for at in range(0, len(rest), 2):
        literal, following = rest[at], rest[at + 1] if at + 1 < len(rest) else ""
        once = bool(wild) and (following == "**" or (wild == following == "*" and "/" not in literal))
        part = _WILD[wild, once] + re.escape(literal)
        body += f"(?>{part})" if once else part
        wild = following
    return body + r"\Z"


_WILD = {
    ("", False): "",
    ("*", False): "[^/]*",
    ("*", True): "[^/]*?",
    ("**", False): ".*",
    ("**", True): ".*?",
    ("**/", False): "(?:.*/)?",
    ("**/", True): "(?:.*?/)??",
}
