"""Detectors: what a kind of secret looks like, and how it is told from what only looks like it.

The catalogue is the data in detectors/, read strictly. A file may hold `parts`, which patterns of all files have in
common and name in braces, as in `(?i:{password})`; a part may name those before it. It holds `detectors`, each with:

    github-token:
      about: one line, for people
      kind: github-token                          # what policy and counts call it; its own name where it is left out
      families: secrets payment personal          # what turns it on besides its name; may be left out
      pattern: '\\bghp_[A-Za-z0-9]{36}\\b'          # the syntax of pattern.py; `secret` names the part to be masked
      check: github                               # a validator by name (validators), for what a pattern can not say
      triggers: ['ghp_']                          # literal texts, one of which is in every match; lower or upper case
      label: '[github-token]'                     # what stands in its place; `[id]` where it is left out
      runs_on: '[A-Za-z0-9]{1}'                   # after a match, these bytes are masked too, however many there are
      until: '-----END [A-Z ]{1,40}-----'         # after a match, everything is masked up to and with this

Words that must stand near a secret are part of its pattern, before `secret`: nothing is held for them.

Limits: a detector knows a form, not whether the secret is a real one, or still in force.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from types import MappingProxyType

from bastion import document
from bastion.document import Node, Section
from bastion.errors import Problem
from bastion.masking import validators
from bastion.masking.pattern import BadPattern, Pattern, read
from bastion.masking.tree import Chars

FAMILIES = ("secrets", "personal", "payment")

_NO_TEXTS: list[str] = []
_PART = re.compile(r"\{([a-z][a-z-]*)\}")
"""The name of a part; in a pattern no brace stands before a letter."""


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret."""

    id: str
    families: frozenset[str]
    pattern: Pattern
    triggers: tuple[bytes, ...] = ()
    """One of these is in every match, in lower or in upper case; none at all where no literal is certain. What is typed
    after one is held, be it letters only."""
    check: str | None = None
    label: str = ""
    runs_on: Chars | None = None
    until: Pattern | None = None
    about: str = ""
    kind: str = ""
    """What policy calls it, with others of one kind; never empty in the catalogue."""

    @property
    def longest(self) -> int:
        """Bytes of the longest match, without what it runs on into."""
        return self.pattern.longest


@cache
def detectors() -> Mapping[str, Detector]:
    """The shipped catalogue, by id, in its order. A mistake in it is a defect: BadFile."""
    problems: list[Problem] = []
    found: dict[str, Detector] = {}
    folder = resources.files("bastion.masking") / "detectors"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda item: item.name)
    roots = [document.parse(file.read_bytes(), file.name, problems) for file in files]
    parts: dict[str, str] = {}
    for root in roots:
        _parts(root, parts)
    for root in roots:
        _file(root, parts, found)
    document.finish(problems)
    return MappingProxyType(found)


@cache
def families() -> Mapping[str, frozenset[str]]:
    """The ids of each family."""
    return MappingProxyType(
        {name: frozenset(found.id for found in detectors().values() if name in found.families) for name in FAMILIES}
    )


@cache
def kinds() -> Mapping[str, frozenset[str]]:
    """The ids of the detectors of each kind, in the order of the catalogue."""
    found: dict[str, set[str]] = {}
    for detector in detectors().values():
        found.setdefault(detector.kind, set()).add(detector.id)
    return MappingProxyType({kind: frozenset(ids) for kind, ids in found.items()})


def _parts(root: Section, found: dict[str, str]) -> None:
    listed = root.take("parts")
    for name, key, node in listed.section().entries() if listed is not None else ():
        if name in found:
            key.problem(f"a second part {name!r}: name it otherwise, or use the first")
        found[name] = _whole(node.text() or "", found)


def _whole(text: str, parts: Mapping[str, str]) -> str:
    """The text with the parts that it names."""
    return _PART.sub(lambda named: parts.get(named[1], named[0]), text)


def _file(root: Section, parts: Mapping[str, str], found: dict[str, Detector]) -> None:
    listed = root.need("detectors")
    for name, key, node in listed.section().entries() if listed is not None else ():
        if name in found:
            key.problem(f"a second detector {name!r}")
        section = node.section()
        made = _detector(name, section, parts)
        section.close()
        if made is not None:
            found[name] = made
    root.close()


def _detector(name: str, section: Section, parts: Mapping[str, str]) -> Detector | None:
    read_pattern = partial(_pattern, parts)
    pattern = section.require("pattern", read_pattern, None)
    until = section.read("until", read_pattern, None)
    runs_on = section.read("runs_on", read_pattern, None)
    check = section.read("check", lambda node: node.choice(*validators.NAMES), "")
    chosen = section.read("families", Node.text, "").split()
    if unknown := sorted(set(chosen) - set(FAMILIES)):
        section.problem(f"unknown families: {', '.join(unknown)}")
    made = Detector(
        id=name,
        families=frozenset(chosen),
        pattern=pattern or read("x"),
        triggers=tuple(word.encode() for word in section.read("triggers", Node.texts, _NO_TEXTS)),
        check=check or None,
        label=section.read("label", Node.text, f"[{name}]"),
        until=until,
        about=section.require("about", Node.text, ""),
        kind=section.read("kind", Node.text, name),
    )
    if runs_on is None:
        return made
    if not isinstance(runs_on.secret, Chars):
        section.problem("runs_on is one set of characters")
        return made
    return replace(made, runs_on=runs_on.secret)


def _pattern(parts: Mapping[str, str], node: Node) -> Pattern | None:
    text = node.text()
    if text is None:
        return None
    try:
        return read(_whole(text, parts))
    except BadPattern as error:
        node.problem(str(error))
        return None
