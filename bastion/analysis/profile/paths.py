"""Categories that follow from a path, whoever reads, writes, deletes or runs it: data in paths.yaml beside this.

A pattern is a path in which `*` stands for anything but `/`, and `**` for anything; `~` at its beginning is any home
directory. A path is first made plain (`//`, `/./`, `/x/../`), and one that is relative could lie anywhere: a pattern
that begins with `**/` matches it too.

Of a path that only the target knows an outline may be known (`/etc/sh*`, `/proc/$pid/mem`): outlines.py says whether it
could be one of these.

Limits: symbolic links, and folders that a command went into before, are not known here.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from bastion import document
from bastion.analysis.profile.acts import Tally, Word
from bastion.analysis.profile.categories import CATEGORIES
from bastion.analysis.profile.outlines import could_be
from bastion.document import Node
from bastion.errors import Problem

KINDS = ("reads", "writes", "deletes", "runs")
_HOME = r"(?:~[^/]*|/root|/var/root|/home/[^/]+|/Users/[^/]+|\$HOME|\$\{HOME\})"
_IS_HOME = re.compile(_HOME + r"\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """What reading, writing, deleting or running some paths means."""

    kinds: frozenset[str]
    category: str
    technique: str
    text: str
    pattern: re.Pattern[str]

    def below(self, folder: str, above: bool) -> bool:
        """Whether what the pattern names may lie below this folder (made plain): in it, or anywhere under it."""
        fixed = self.text.partition("*")[0]
        if fixed.startswith("/"):
            return above and fixed.startswith(folder.rstrip("/") + "/")
        if folder in ("/", "/home", "/Users") or _IS_HOME.match(folder):
            return above
        inner = self.text.removeprefix("**/").rpartition("/")[0]
        return bool(inner) and "*" not in inner and f"/{folder}".endswith(f"/{inner}")


def add_categories(tally: Tally) -> None:
    """Add what the paths of `tally` mean to its categories and techniques."""
    kinds = (("reads", tally.reads), ("writes", tally.writes), ("deletes", tally.deletes), ("runs", tally.runs))
    for kind, words in kinds:
        for word in words:
            categories, techniques = of_path(kind, word)
            tally.categories |= categories
            tally.techniques |= techniques
    for kind, outline in tally.outlined:
        categories, techniques = of_outline(kind, outline)
        tally.categories |= categories
        tally.techniques |= techniques


def of_path(kind: str, path: Word) -> tuple[frozenset[str], frozenset[str]]:
    """Categories and techniques of one path, which is read, written or deleted (`kind`). Also for redirections."""
    if path is None:
        return frozenset(), frozenset()
    plain = _plain(path)
    found = [rule for rule in rules() if kind in rule.kinds and rule.pattern.match(plain)]
    return frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found)


def of_folder(path: bytes, above: bool = True) -> tuple[frozenset[str], frozenset[str]]:
    """Categories and techniques of reading a path with all that lies below it; without `above`, only those of a folder
    that is known for what lies in it."""
    plain = _plain(path)
    found = [rule for rule in rules() if "reads" in rule.kinds and rule.below(plain, above)]
    return frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found)


@lru_cache(maxsize=1024)
def of_outline(kind: str, outline: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """The same of a path of which b"\0" marks what only the target knows."""
    plain = _plain(outline)
    found = [rule for rule in rules() if kind in rule.kinds and could_be(plain, rule.text)]
    return frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found)


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
    made = frozenset(kinds)
    return [Rule(made, category, technique, text, re.compile(_expression(text))) for text in patterns]


def _expression(pattern: str) -> str:
    """A regular expression of bounded work: no part of it can match the same text in two ways, but for `**`."""
    text = pattern
    start = ""
    if text.startswith("~"):
        start, text = _HOME, text[1:]
    elif text.startswith("**/"):
        start, text = r"(?:.*/)?", text[3:]
    parts = re.split(r"(\*\*|\*)", text)
    body = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    return start + body + r"\Z"
