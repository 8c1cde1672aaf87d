"""A tenant's policy from its folder: every `*.yaml` in it, added up; `*.cases.yaml` are its tests and are left out.

    version: 1
    mode: enforce            # or observe
    default: deny            # or approve: what becomes of a command that no rule covers
    undecidable: deny        # or approve: what becomes of text that can not be read
    approval: {by: [sre], count: 1, within: 10m}
    rules: […]               # see rules.py, and policies/README.md
    mask: […]                # see masks.py

Files are read in the order of their names, which decides nothing but which of several equal rules is named. What a
file leaves out of default and undecidable it does not vote on; the strictest of the files' votes holds, and where none
votes, it is deny. A file that leaves `mode` out is for enforce: a tenant is in observe only when every file says so.

All problems of all files are told at once, as BadFile, but whether masks can be in force together, which is looked at
once nothing else is wrong; the caller keeps the last good policy.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bastion import characters, document
from bastion.document import Node, Section
from bastion.errors import BadFile, Place, Problem
from bastion.policy.decision import Approval, Effect
from bastion.policy.masks import Mask, fault, read_mask
from bastion.policy.model import Index, Policy, Rule
from bastion.policy.rules import read_approval, read_rule

VERSION = 1
MAX_FILES = 1000
MAX_NAME = 255
"""Characters of a file's name that problems tell, when it comes from memory."""

CASES = ".cases.yaml"
"""How the name of a file of cases ends (cases.py reads them)."""

_NEARLY = (".yaml", ".yml")
_NO_RULES: tuple[Rule, ...] = ()
_NO_MASKS: tuple[Mask, ...] = ()
_APPROVE_OR_DENY = (Effect.DENY.value, Effect.APPROVE.value)


@dataclass(frozen=True, slots=True)
class _File:
    """What one file says; an empty text where it says nothing."""

    mode: str
    default: str
    undecidable: str
    approval: Approval | None
    rules: tuple[Rule, ...]
    masks: tuple[Mask, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One file's contents. `name` is its name in its folder, `shown` what problems call it."""

    name: str
    shown: str
    content: bytes


def load(directory: Path) -> Policy:
    """Read the policy of one tenant. Raises BadFile with every problem of every file."""
    problems: list[Problem] = []
    return _built(_read(directory, problems), problems)


def load_texts(texts: Mapping[str, bytes]) -> Policy:
    """The same from memory: contents by the names of files, which are those that a folder may hold. The version is
    that of a folder with the same files. Raises BadFile."""
    problems: list[Problem] = []
    sources: list[Source] = []
    for name, content in sorted(texts.items()):
        shown = characters.shown(name, MAX_NAME)
        if not name.endswith(".yaml") or name.startswith(".") or "/" in name or characters.hidden(name):
            problems.append(Problem(Place(shown, 1, 1), "not the name of a policy file: expected NAME.yaml, no folder"))
        elif not content:
            problems.append(Problem(Place(shown, 1, 1), "empty: expected a mapping"))
        elif not name.endswith(CASES):
            sources.append(Source(name, shown, content))
    if not sources and not problems:
        problems.append(Problem(Place("policy", 1, 1), "no policy here: expected at least one file NAME.yaml"))
    if len(sources) > MAX_FILES:
        raise BadFile([Problem(Place("policy", 1, 1), f"more than {MAX_FILES} policy files")])
    return _built(sources, problems)


def _built(sources: Iterable[Source], problems: list[Problem]) -> Policy:
    """The policy of these files, which are told apart by their names and stand in their order."""
    digest = hashlib.sha256()
    files: list[_File] = []
    names: list[str] = []
    rules: list[Rule] = []
    masks: list[Mask] = []
    for source in sources:
        for part in (os.fsencode(source.name), source.content):
            digest.update(len(part).to_bytes(8, "big") + part)
        names.append(document.shown(Path(source.name)))
        files.append(_file(document.parse(source.content, source.shown, problems), len(rules)))
        rules.extend(files[-1].rules)
        masks.extend(files[-1].masks)
    _unique([*rules, *masks], problems)
    _unique_patterns(masks, problems)
    together = fault(masks) if masks and not problems else None
    if together is not None:
        mask, why = together
        problems.append(Problem(mask.place, f"this mask can not be in force with those before it: {why}"))
    document.finish(problems)
    return Policy(
        version=f"sha256:{digest.hexdigest()}",
        files=tuple(names),
        observe=all(file.mode == "observe" for file in files),
        default=_strictest([file.default for file in files]),
        undecidable=_strictest([file.undecidable for file in files]),
        approvals=tuple(file.approval for file in files if file.approval is not None),
        rules=tuple(rules),
        masks=tuple(masks),
        index=Index.of(rules),
    )


def _read(directory: Path, problems: list[Problem]) -> Iterator[Source]:
    for path in _policy_files(directory, problems):
        content = document.read(path, problems)
        if content is not None:
            yield Source(path.name, document.shown(path), content)


def _policy_files(directory: Path, problems: list[Problem]) -> list[Path]:
    """The files to read, by name. A folder without any is a problem: nothing would be allowed, and nobody told why."""
    here = Place(document.shown(directory), 1, 1)
    try:
        entries = _entries(directory)
        folders = [entry.name for entry in entries if entry.is_dir()]
    except OSError as error:
        problems.append(Problem(here, f"the folder of policies can not be read: {error.strerror}"))
        return []
    for entry in entries:
        if entry.suffix != ".yaml" and entry.suffix.lower() in _NEARLY:
            place = Place(document.shown(entry), 1, 1)
            problems.append(Problem(place, "policy files end in .yaml: rename it, or move it away"))
    files = [entry for entry in entries if entry.suffix == ".yaml" and not entry.name.endswith(CASES)]
    if not files and not problems:
        hint = f"; name one tenant's folder, such as {document.shown(directory / folders[0])}" if folders else ""
        problems.append(Problem(here, f"no policy here: expected at least one file NAME.yaml{hint}"))
    if len(files) > MAX_FILES:
        problems.append(Problem(here, f"more than {MAX_FILES} policy files"))
        return []
    return files


def passed_over(directory: Path) -> list[Problem]:
    """Files that look like policy and are not read, for those who check a folder. Empty when it can not be listed:
    `load` tells that."""
    try:
        entries = _entries(directory)
    except OSError:
        return []
    return [
        Problem(Place(document.shown(entry), 1, 1), "not read: policy files end in .yaml; rename it, or move it away")
        for entry in entries
        if entry.suffix.lower() not in _NEARLY and any(sign in entry.name.lower() for sign in (*_NEARLY, ".json"))
    ]


def _entries(directory: Path) -> list[Path]:
    return [entry for entry in sorted(directory.iterdir()) if not entry.name.startswith(".")]


def _file(section: Section, first_order: int) -> _File:
    section.require("version", _version, VERSION)
    approval = read_approval(section)
    mode = section.read("mode", lambda node: node.choice("enforce", "observe"), "")
    default = section.read("default", lambda node: node.choice(*_APPROVE_OR_DENY), "")
    undecidable = section.read("undecidable", lambda node: node.choice(*_APPROVE_OR_DENY), "")
    for key, said in (("default", default), ("undecidable", undecidable)):
        node = section.key(key)
        if said == "approve" and approval is None and node is not None:
            node.problem(f"`{key}: approve` needs `approval: {{by: [GROUP]}}` at the top of this file")
    masks = section.read("mask", _masks, _NO_MASKS)
    rules = section.read("rules", lambda node: _rules(node, first_order, approval is not None), _NO_RULES)
    section.close()
    return _File(mode, default, undecidable, approval, rules, masks)


def _version(node: Node) -> int | None:
    if node.kind == "integer" and node.integer(0, 1 << 31) == VERSION:
        return VERSION
    node.problem(f"this bastion reads policies of version {VERSION}")
    return None


def _rules(node: Node, first_order: int, approvable: bool) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for item in node.items():
        rule = read_rule(item, first_order + len(rules), approvable)
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _masks(node: Node) -> tuple[Mask, ...]:
    return tuple(mask for item in node.items() if (mask := read_mask(item)) is not None)


def _unique(rules: Sequence[Rule | Mask], problems: list[Problem]) -> None:
    """Rules and masks share their names: an event that tells one of them tells no kind."""
    first: dict[str, Rule | Mask] = {}
    for rule in rules:
        known = first.setdefault(rule.id, rule)
        what, other = ("mask" if isinstance(one, Mask) else "rule" for one in (rule, known))
        if what != other:
            problems.append(Problem(rule.place, f"a mask named {rule.id!r}, as the rule at {known.place} is"))
        elif known is not rule:
            problems.append(Problem(rule.place, f"a second {what} {rule.id!r}; the first is at {known.place}"))


def _unique_patterns(masks: Sequence[Mask], problems: list[Problem]) -> None:
    """Two patterns of one name could not be told apart where a count of what was masked names them."""
    first: dict[str, Mask] = {mask.id: mask for mask in masks if mask.words}
    for mask in masks:
        for pattern in mask.patterns:
            known = first.setdefault(pattern.id, mask)
            if known is not mask or known.id == pattern.id or mask.patterns.count(pattern) > 1:
                problems.append(Problem(mask.place, f"a second pattern {pattern.id!r}; the first is at {known.place}"))


def _strictest(votes: Sequence[str]) -> Effect:
    """Approve, where a file votes for it and none for deny."""
    return Effect.APPROVE if set(votes) - {""} == {Effect.APPROVE.value} else Effect.DENY
