"""Categories that follow from a path, whoever reads, writes, deletes or runs it: data in paths.yaml beside this.

A pattern is a path in which `*` stands for anything but `/`, and `**` for anything; `~` at its beginning is any home
directory. A path is first made plain (`//`, `/./`, `/x/../`), and one that is relative could lie anywhere: a pattern
that begins with `**/` matches it too.

Of a path that only the target knows an outline may be known (`/etc/sh*`, `/proc/$pid/mem`): outlines.py says whether it
could be one of these.

A path with `..` behind a name, or through a link of the kernel's own, may lead elsewhere: detours.py says when it could
be anything. Then it is one that only the target knows, and what it ends in is looked for in every folder.

Limits: other symbolic links are not known, nor the folder in which the text begins (a home directory, as a rule).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from bastion import document
from bastion.analysis.profile.acts import Tally, Word
from bastion.analysis.profile.categories import CATEGORIES
from bastion.analysis.profile.detours import astray, behind, climbs
from bastion.analysis.profile.outlines import MAX_PARTS, could_be
from bastion.document import Node
from bastion.errors import Problem

KINDS = ("reads", "writes", "deletes", "runs")
_NOTHING: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
_HOME = r"(?:~[^/]*|/root|/var/root|/home/[^/]+|/Users/[^/]+|\$HOME|\$\{HOME\})"
_IS_HOME = re.compile(_HOME + r"\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """What reading, writing, deleting or running some paths means. `fixed` is what all of them begin with, `inner` the
    folder that they lie in, wherever that is; `outlines` whether a path that could be one of them counts."""

    kinds: frozenset[str]
    category: str
    technique: str
    text: str
    pattern: re.Pattern[str]
    outlines: bool = True


Found = tuple[frozenset[str], frozenset[str]]
_ROOTS = re.compile(r"\A(?:/proc/[^/]+/(?:task/[^/]+/)?root(?=/|\Z))+")


def add_categories(tally: Tally, visited: Sequence[bytes] = (), home: bool = False) -> None:
    """Add what the paths of `tally` mean to its categories and techniques. `visited`: see of_place; `home`: it may run
    in the home directory in which the text begins."""
    kinds = (("reads", tally.reads), ("writes", tally.writes), ("deletes", tally.deletes), ("runs", tally.runs))
    for kind, words in kinds:
        for word in words:
            categories, techniques = of_place(kind, word, visited)
            tally.categories |= categories
            tally.techniques |= techniques
    for word, hidden in tally.walks:
        for place in () if word is None else _walked(tally.path(word), visited, home, hidden):
            categories, techniques = of_folder(place)
            tally.categories |= categories
            tally.techniques |= techniques
    for words in (tally.reads, tally.writes, tally.deletes):
        words[:] = [None if _may_be_any(word, visited) else word for word in words]
    tally.walks[:] = [
        (None if _may_be_any(tally.path(word), visited) else word, hidden) for word, hidden in tally.walks
    ]
    for kind, outline in tally.outlined:
        absolute = outline.startswith((b"/", b"~", b"$HOME"))
        for folder in (b"", *(() if absolute else visited)):
            categories, techniques = of_outline(kind, folder.rstrip(b"/") + b"/" + outline if folder else outline)
            tally.categories |= categories
            tally.techniques |= techniques


def _may_be_any(path: Word, visited: Sequence[bytes]) -> bool:
    """Whether a path that is spelled out may lead anywhere all the same, from one of the folders it is relative to."""
    return path is not None and any(astray(_text(place)) is not None for place in _rooted(path, visited))


def _rooted(path: bytes, visited: Sequence[bytes]) -> list[bytes]:
    """A path, and what else it may be as one from the root."""
    if path.startswith((b"/", b"~", b"$HOME")):
        return [path]
    folders = [b"/", *visited] if climbs(_text(path)) else visited
    return [path, *(_joined(folder, path) for folder in folders)]


def _joined(folder: bytes, path: bytes) -> bytes:
    return folder.rstrip(b"/") + b"/" + path


def _walked(path: Word, visited: Sequence[bytes], home: bool, hidden: bool) -> list[bytes]:
    """Where a folder that is read with all below it may be. One that is not known may be any."""
    if path is None or _may_be_any(path, visited):
        return [b"/"]
    aside = behind(_text(path))
    others = [b"/" + aside.encode("utf-8", "replace")] if aside else []
    if path.startswith((b"/", b"~", b"$HOME")):
        return [_landed(path), *others]
    here = _landed(path)
    # What lies open in a home directory is what a path below it names too; its secrets have hidden names.
    began = [here] if here not in (b"/", b"~") or (home and (hidden or here == b"/")) else []
    return [*began, *others, *(_landed(_joined(folder, path)) for folder in visited)]


def _landed(path: bytes) -> bytes:
    """A folder made plain: home for `.`, and the root for what leads out of home, or is not known."""
    plain = posixpath.normpath(path)
    if b"\0" in plain or plain.startswith(b"..") or (path[:1] in b"~$" and plain[:1] not in b"~$"):
        return b"/"
    return b"~" if plain == b"." else plain


def of_place(kind: str, path: Word, visited: Sequence[bytes] = ()) -> Found:
    """Categories and techniques of a path, which may be relative to any of the folders in `visited` (outlines), and
    which leads to the root where it climbs far enough."""
    categories, techniques = of_path(kind, path)
    if path is None or path.startswith((b"/", b"~", b"$HOME")):
        return categories, techniques
    others = [path, *(_joined(folder, path) for folder in visited)]
    climbed = [_climbed(posixpath.normpath(other), 1 if kind == "reads" else 2) for other in others]
    found = [of_outline(kind, other) if b"\0" in other else of_path(kind, other) for other in dict.fromkeys(climbed)]
    aside = [place for place in _rooted(path, visited) if b".." in place and behind(_text(place)) is not None]
    found += [of_outline(kind, place) for place in aside if b"\0" in place]
    found += [of_path(kind, place) for place in aside if b"\0" not in place and place not in others]
    # What the others are without their detours stands above.
    found += _asides(kind, [_text(place) for place in aside if b"\0" not in place])
    return _both([(categories, techniques), *found])


def _climbed(path: bytes, least: int) -> bytes:
    """A path from the root, where it climbs so often at its beginning that it may lead there."""
    climbs = 0
    while path.startswith(b"../", 3 * climbs):
        climbs += 1
    return b"/" + path[3 * climbs :] if climbs >= least else path


def of_path(kind: str, path: Word) -> Found:
    """Categories and techniques of one path, which is read, written or deleted (`kind`). Also for redirections."""
    if path is None or not _exists(path):
        return _NOTHING
    return _known(kind, path) if len(path) <= _SHORT else _of_path(kind, path)


def _of_path(kind: str, path: bytes) -> Found:
    plain = _plain(path)
    found = _met(_index(kind), plain)
    odd = b".." in path or path.startswith((b"/proc", b"/dev", b"//", b"/."))
    aside = _both(_asides(kind, [_text(path)])) if odd else _NOTHING
    if not found:
        return aside
    return _both([aside, (frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found))])


def _asides(kind: str, paths: Iterable[str]) -> list[Found]:
    """The same of where paths may lead besides: to what they end in, in some other folder."""
    paths = list(paths)
    ends, lost = dict.fromkeys(map(behind, paths)), dict.fromkeys(map(astray, paths))
    return [_anywhere(kind, end) for end in ends if end] + [_astray(kind, end) for end in lost if end]


def _astray(kind: str, end: str) -> Found:
    """The same of what follows a place from which on a path may be any."""
    told = _met(_endings(kind), "/" + end)
    return frozenset(rule.category for rule in told), frozenset(rule.technique for rule in told)


@lru_cache(maxsize=1024)
def _anywhere(kind: str, end: str) -> Found:
    """The same of a path of which the folder is not known, and the end is spelled out."""
    found = [of_path(kind, f"/{end}".encode()), _ends(kind).get(end, _NOTHING)]
    if end.count("/") >= MAX_PARTS - 1:
        found.append(of_outline(kind, f"\0/{end}".encode()))
    return _both(found)


@cache
def _ends(kind: str) -> dict[str, Found]:
    """What the paths of a kind that are spelled out end in, below the folder that they lie in. This is what
    `of_outline` tells of such an end in a folder that is not known, without a look at every rule."""
    found: dict[str, Found] = {}
    for rule in rules():
        parts = rule.text.split("/")
        for at in range(2, len(parts)) if kind in rule.kinds and rule.outlines and not parts[0] else ():
            end = "/".join(parts[at:])
            if "*" not in end:
                means = frozenset({rule.category}), frozenset({rule.technique})
                found[end] = _both([found.get(end, _NOTHING), means])
    return found


@cache
def _endings(kind: str) -> _Index:
    """The rules of a kind, by what the paths of each end in, in any folder."""
    found = []
    for rule in rules():
        parts = rule.text.removeprefix("**/").split("/")
        for at in range(len(parts)) if kind in rule.kinds else ():
            if parts[at] and (at == 0 or not parts[at].startswith("*")) and parts[at] != "~":
                end = "**/" + "/".join(parts[at:])
                found.append((end, re.compile(_expression(end), re.DOTALL), rule))
    return _indexed(found)


_SHORT = 64
"""Bytes of a path whose meaning is kept: the same ones come again and again."""
_known = lru_cache(maxsize=4096)(_of_path)


_Met = tuple[re.Pattern[str], Rule]
_Index = tuple[dict[str, list[_Met]], list[_Met]]
"""Patterns by a name that every path of theirs holds; and those without one. Most paths match none."""


@cache
def _index(kind: str) -> _Index:
    """The rules of a kind."""
    return _indexed((rule.text, rule.pattern, rule) for rule in rules() if kind in rule.kinds)


def _indexed(patterns: Iterable[tuple[str, re.Pattern[str], Rule]]) -> _Index:
    index: dict[str, list[_Met]] = {}
    anyhow: list[_Met] = []
    for text, pattern, rule in patterns:
        names = [part for part in text.split("/") if part and part != "~" and "*" not in part]
        (index.setdefault(max(names, key=len), []) if names else anyhow).append((pattern, rule))
    return index, anyhow


def _met(index: _Index, path: str) -> list[Rule]:
    """The rules whose pattern a path meets."""
    named, anyhow = index
    tried = [*anyhow, *(each for part in set(path.split("/")) for each in named.get(part, ()))]
    return [rule for pattern, rule in tried if pattern.match(path)]


def _exists(path: bytes) -> bool:
    """Whether a path of this length can: PATH_MAX and NAME_MAX of limits.h, which no common system has longer. It
    bounds the work on patterns too."""
    return len(path) < 256 or (len(path) <= 4096 and max(map(len, path.split(b"/"))) <= 255)


def of_folder(path: bytes, above: bool = True) -> Found:
    """Categories and techniques of reading a path with all that lies below it; without `above`, only those of a folder
    that is known for what lies in it."""
    if not _exists(path):
        return _NOTHING
    return _known_folder(path, above) if len(path) <= _SHORT else _of_folder(path, above)


def _of_folder(path: bytes, above: bool) -> Found:
    plain, below = _plain(path), _below()
    found = []
    if above:
        found.append(below.roots.get(plain.rstrip("/"), _NOTHING))
    if plain in ("/", "/home", "/Users") or _IS_HOME.match(plain):
        return _both([*found, below.anywhere]) if above else _NOTHING
    rooted = f"/{plain}"
    slash = rooted.find("/", max(0, len(rooted) - below.longest - 1))
    while slash >= 0:
        found.append(below.inner.get(rooted[slash + 1 :], _NOTHING))
        slash = rooted.find("/", slash + 1)
    return _both(found)


_known_folder = lru_cache(maxsize=4096)(_of_folder)


def _both(found: Sequence[Found]) -> Found:
    told = [each for each in found if each is not _NOTHING]
    return frozenset().union(*(each[0] for each in told)), frozenset().union(*(each[1] for each in told))


@dataclass(frozen=True, slots=True)
class _Below:
    """What reading a folder with all below it means: by each folder above a path that is absolute; in any home, for
    those that are not; and by the end of the folder's own path, no longer than `longest`."""

    roots: Mapping[str, Found]
    anywhere: Found
    inner: Mapping[str, Found]
    longest: int


@cache
def _below() -> _Below:
    roots: dict[str, Found] = {}
    inner: dict[str, Found] = {}
    anywhere = _NOTHING
    for rule in rules():
        if "reads" not in rule.kinds:
            continue
        means = frozenset({rule.category}), frozenset({rule.technique})
        fixed = rule.text.partition("*")[0]
        if fixed.startswith("/"):
            for at in [at for at, character in enumerate(fixed) if character == "/"]:
                roots[fixed[:at]] = _both([roots.get(fixed[:at], _NOTHING), means])
            continue
        anywhere = _both([anywhere, means])
        folder = rule.text.removeprefix("**/").rpartition("/")[0]
        if folder and "*" not in folder:
            inner[folder] = _both([inner.get(folder, _NOTHING), means])
    return _Below(roots, anywhere, inner, max(map(len, inner), default=0))


@lru_cache(maxsize=1024)
def of_outline(kind: str, outline: bytes) -> Found:
    """The same of a path of which b"\0" marks what only the target knows."""
    plain = _plain(outline)
    outlines = [plain, *(f"\0/{end}" for end in (behind(_text(outline)), astray(_text(outline))) if end)]
    of_kind = [rule for rule in rules() if kind in rule.kinds and rule.outlines]
    found = [rule for rule in of_kind if any(could_be(each, rule.text) for each in outlines)]
    return frozenset(rule.category for rule in found), frozenset(rule.technique for rule in found)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _plain(path: bytes) -> str:
    text = posixpath.normpath(_text(path))
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
    outlines = section.read("outlines", Node.boolean, True)
    section.close()
    made = frozenset(kinds)
    return [
        Rule(made, category, technique, text, re.compile(_expression(text), re.DOTALL), outlines) for text in patterns
    ]


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
