"""Program profiles: what a program can do with its arguments, as data, read once.

`acts` is the full answer, from the profiles in the folders of programs/ (the package `profile` has their language).
`profile` is the first, coarser one, from programs/*.yaml; `acts` falls back to it for a program without a profile.

A coarse profile marks a program that runs others or takes commands itself, always or with certain arguments, and puts
programs into categories. Both err on the strict side: an argument that only looks like the marked option counts.

    find:
      runs: find can run programs and write files      # the reason that a refused person reads
      words: [-exec, -delete]                          # only with one of these arguments; or
      long: [checkpoint-action]                        # --checkpoint-action, any abbreviation of it, with or without =
      short: "IF"                                      # one of these letters in a cluster such as -xI or -Ifoo
      bundled: true                                    # the first argument is such a cluster even without a dash
    shred:
      categories: [destroys-data]

Without `words`, `long` and `short` an entry holds always. A name may have a list of entries, and be in several files:
they add up.
A name that ends in `*` is a prefix (`python*`).

Limits: a program that no profile names is taken to do what its name says. A profile is about the program of that
name; a copy of it under another name is for the allow rules' strict reading of names to stop.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from bastion import document
from bastion.analysis.profile import judge, loader
from bastion.analysis.profile.acts import Acts, Nested, Sql, Word
from bastion.analysis.profile.categories import CATEGORIES, TECHNIQUE_OF
from bastion.document import Node
from bastion.errors import Problem

__all__ = ["CATEGORIES", "Acts", "Nested", "Profile", "Sql", "Word", "acts", "profile"]

_NO_TEXTS: list[str] = []


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a profile file. `runs` is the reason why the program acts on its own, or empty."""

    runs: str
    categories: frozenset[str]
    words: frozenset[bytes]
    long: tuple[bytes, ...]
    short: re.Pattern[bytes] | None
    bundled: bool

    def holds(self, arguments: Sequence[bytes]) -> bool:
        """Whether the entry is about this use of the program."""
        if not self.words and not self.long and self.short is None:
            return True
        if self.bundled and arguments and self._marks(b"-" + arguments[0]):
            return True
        return any(self._marks(argument) for argument in arguments)

    def _marks(self, argument: bytes) -> bool:
        if argument in self.words:
            return True
        if argument.startswith(b"--"):
            name = argument[2:].partition(b"=")[0]
            return bool(name) and any(option.startswith(name) for option in self.long)
        return self.short is not None and self.short.match(argument) is not None


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one use of a program: `acts` is why it takes commands, or None."""

    acts: str | None
    categories: frozenset[str]


def profile(argv: Sequence[bytes]) -> Profile:
    """What the profiles say about this command. A program is known by the last part of its name."""
    name = posixpath.basename(argv[0].rstrip(b"/")).decode("utf-8", "replace")
    entries = [*_EXACT.get(name, ())]
    entries += [entry for prefix, entry in _PREFIXES if name.startswith(prefix)]
    held = [entry for entry in entries if entry.holds(argv[1:])]
    acts = next((entry.runs for entry in held if entry.runs), None)
    return Profile(acts, frozenset(category for entry in held for category in entry.categories))


def acts(
    argv: Sequence[Word],
    stdin: bytes | None = None,
    terminal: bool = False,
    *,
    more: bool = False,
    single: frozenset[int] = frozenset(),
    plain: frozenset[int] = frozenset(),
    globs: frozenset[int] = frozenset(),
    folder: bytes | None = b"",
    outlines: Mapping[int, bytes] = MappingProxyType({}),
    piped: bool = False,
) -> Acts:
    """What this command does, by the shipped profiles (the package `profile`). Never raises, for any argv.

    `stdin` is literal standard input where it is known, `terminal` whether there is one, `more` whether any number of
    unknown words follow, `single` the indices of unknown words that are exactly one word, because they were quoted,
    `plain` of those that are no option either (Nested.single and Nested.plain say so of its words).
    `folder` is the directory in which it runs (Nested.folder), None for one that is not known. `outlines` are of
    unknown words, by index (profile/outlines.py), `globs` those that may become several words which all fit; `piped`
    whether another program writes its standard input.
    A program without a profile is not `known`; what the older entries of programs/*.yaml say of it is told.
    """
    found = judge.acts(loader.shipped(), argv, stdin, terminal, more, single, plain, folder, globs, outlines, piped)
    if found.known or not argv or argv[0] is None:
        return found
    name = judge.base_name(argv[0])
    if name is None or loader.shipped().find(name) is not None:
        return found
    old = profile([argv[0], *(word if word is not None else b"-" for word in argv[1:])])
    reasons = (f"{name}: {old.acts}",) if old.acts else ()
    categories = found.categories | old.categories
    techniques = found.techniques | {TECHNIQUE_OF[name] for name in old.categories if name in TECHNIQUE_OF}
    return dataclasses.replace(
        found, code=reasons, categories=categories, techniques=techniques, interactive=bool(old.acts)
    )


def _read() -> tuple[dict[str, tuple[Entry, ...]], tuple[tuple[str, Entry], ...]]:
    """All shipped profiles: by exact name, and by prefix. A broken one is a defect: BadFile, at import."""
    problems: list[Problem] = []
    exact: dict[str, tuple[Entry, ...]] = {}
    prefixes: list[tuple[str, Entry]] = []
    folder = resources.files("bastion.analysis") / "programs"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".yaml"):
            continue
        for name, _, value in document.parse(file.read_bytes(), file.name, problems).entries():
            entries = [_entry(item) for item in (value.items() if value.kind == "list" else [value])]
            if name.endswith("*"):
                prefixes.extend((name[:-1], entry) for entry in entries)
            else:
                exact[name] = (*exact.get(name, ()), *entries)
    document.finish(problems)
    return exact, tuple(prefixes)


def _entry(node: Node) -> Entry:
    section = node.section()
    runs = section.read("runs", Node.text, "")
    categories = section.read("categories", Node.texts, _NO_TEXTS)
    if unknown := set(categories) - set(CATEGORIES):
        section.problem(f"unknown categories: {', '.join(sorted(unknown))}")
    words = section.read("words", Node.texts, _NO_TEXTS)
    long = section.read("long", Node.texts, _NO_TEXTS)
    short = section.read("short", Node.text, "")
    bundled = section.read("bundled", Node.boolean, False)
    section.close()
    return Entry(
        runs,
        frozenset(categories),
        frozenset(word.encode() for word in words),
        tuple(option.encode() for option in long),
        re.compile(rb"-[^-]*[" + re.escape(short.encode()) + rb"]") if short else None,
        bundled,
    )


_EXACT, _PREFIXES = _read()
