"""Categories that follow from a path, whoever reads, writes, deletes or runs it: data in paths.yaml beside this.

A pattern is a path in which `*` stands for anything but `/`, and `**` for anything; `~` at its beginning is any home
directory. A path is first made plain (`//`, `/./`, `/x/../`), and one that is relative could lie anywhere: a pattern
that begins with `**/` matches it too.

Of a path that only the target knows an outline may be known (`/etc/sh*`, `/proc/$pid/mem`): outlines.py says whether it
could be one of these.

Limits: symbolic links are not known, nor the folder in which the text begins (a home directory, as a rule).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
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
    """What reading, writing, deleting or running some paths means. `fixed` is what all of them begin with, `inner` the
    folder that they lie in, wherever that is."""

    kinds: frozenset[str]
    category: str
    technique: str
    text: str
    pattern: re.Pattern[str]
    fixed: str
    inner: str


Found = tuple[frozenset[str], frozenset[str]]
_ROOTS = re.compile(r"\A(?:/proc/[^/]+/(?:task/[^/]+/)?root(?=/|\Z))+")


def add_categories(tally: Tally, visited: Sequence[bytes] = ()) -> None:
    """Add what the paths of `tally` mean to its categories and techniques. `visited`: see of_place."""
    kinds = (("reads", tally.reads), ("writes", tally.writes), ("deletes", tally.deletes), ("runs", tally.runs))
    for kind, words in kinds:
        for word in words:
            categories, techniques = of_place(kind, word, visited)
            tally.categories |= categories
            tally.techniques |= techniques
    for kind, outline in tally.outlined:
        absolute = outline.startswith((b"/", b"~", b"$HOME"))
        for folder in (b"", *(() if absolute else visited)):
            categories, techniques = of_outline(kind, folder.rstrip(b"/") + b"/" + outline if folder else outline)
            tally.categories |= categories
            tally.techniques |= techniques


def of_place(kind: str, path: Word, visited: Sequence[bytes] = ()) -> Found:
    """Categories and techniques of a path, which may be relative to any of the folders in `visited` (outlines), and
    which leads to the root where it climbs far enough."""
    categories, techniques = of_path(kind, path)
    if path is None or path.startswith((b"/", b"~", b"$HOME")):
        return categories, techniques
    plain = posixpath.normpath(path)
    climbs = len(plain.split(b"../")) - 1
    others = [folder.rstrip(b"/") + b"/" + plain for folder in visited]
    if climbs >= (1 if kind == "reads" else 2):
        others.append(b"/" + plain[3 * climbs :])
    for other in others:
        told, named = of_outline(kind, other) if b"\0" in other else of_path(kind, other)
        categories, techniques = categories | told, techniques | named
    return categories, techniques


def of_path(kind: str, path: Word) -> Found:
    """Categories and techniques of one path, which is read, written or deleted (`kind`). Also for redirections."""
    if path is None:
        return frozenset(), frozenset()
    plain = _plain(path)
    index, anyhow = _index(kind)
    found = [rule for part in set(plain.split("/")) for rule in index.get(part, ()) if rule.pattern.match(plain)]
    found += [rule for rule in anyhow if rule.pattern.match(plain)]
    return _found(found) if found else _NOTHING


_NOTHING: Found = (frozenset(), frozenset())


@cache
def _index(kind: str) -> tuple[dict[str, list[Rule]], list[Rule]]:
    """The rules of a kind by a name that every path of theirs holds; and those without one. Most paths match none."""
    index: dict[str, list[Rule]] = {}
    anyhow: list[Rule] = []
    for rule in rules():
        if kind in rule.kinds:
            names = [part for part in rule.text.split("/") if part and part != "~" and "*" not in part]
            index.setdefault(max(names, key=len), []).append(rule) if names else anyhow.append(rule)
    return index, anyhow


def of_folder(path: bytes, above: bool = True) -> Found:
    """Categories and techniques of reading a path with all that lies below it; without `above`, only those of a folder
    that is known for what lies in it."""
    plain = _plain(path)
    around, inside = _folders()
    if above and (plain in ("/", "/home", "/Users") or _IS_HOME.match(plain)):
        return _found(rule for rule in rules() if "reads" in rule.kinds)
    found = [*around.get(plain, ())] if above else []
    found += [rule for rule in inside.get(plain.rpartition("/")[2], ()) if f"/{plain}".endswith(rule.inner)]
    return _found(found)


def _found(rules: Iterable[Rule]) -> Found:
    found = list(rules)
    return frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found)


@cache
def _folders() -> tuple[dict[str, list[Rule]], dict[str, list[Rule]]]:
    """What is read below a folder: by each folder above what is known of it, and by the last name of its own folder."""
    around: dict[str, list[Rule]] = {}
    inside: dict[str, list[Rule]] = {}
    for rule in rules():
        if "reads" not in rule.kinds:
            continue
        names = rule.fixed.split("/")[1:-1] if rule.fixed.startswith("/") else []
        for end in range(1, len(names) + 1):
            around.setdefault("/" + "/".join(names[:end]), []).append(rule)
        if rule.inner:
            inside.setdefault(rule.inner.rpartition("/")[2], []).append(rule)
    return around, inside


@lru_cache(maxsize=1024)
def of_outline(kind: str, outline: bytes) -> Found:
    """The same of a path of which b"\0" marks what only the target knows."""
    plain = _plain(outline)
    return _found(rule for rule in rules() if kind in rule.kinds and could_be(plain, rule.text))


def _plain(path: bytes) -> str:
    text = posixpath.normpath(path.decode("utf-8", "replace"))
    return _ROOTS.sub("", re.sub(r"\A//+", "/", text)) or "/"


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
    return [_rule(made, category, technique, text) for text in patterns]


def _rule(kinds: frozenset[str], category: str, technique: str, text: str) -> Rule:
    inner = text.removeprefix("**/").rpartition("/")[0]
    within = f"/{inner}" if inner and "*" not in inner and not text.startswith("/") else ""
    pattern = re.compile(_expression(text))
    return Rule(kinds, category, technique, text, pattern, text.partition("*")[0], within)


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
