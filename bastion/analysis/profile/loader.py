"""Profiles from YAML, read strictly: every mistake is told with file, line and column (BadFile).

A file holds `programs`, and `sets` of options that several of them share:

    sets:
      common: {harmless: "-q --quiet"}
    programs:
      sort gsort:                                  # names; `python3.*` is a prefix
        about: sorts lines
        style: gnu                                 # how options are told apart, see below
        options:                                   # by role (model.ROLES), in the notation below
          use: common
          harmless: "-n --numeric-sort -k: --key= --sort="
          writes: "-o: --output="
        operands: "reads*"                         # roles by position; one may repeat: "reads* writes"
        unknown: undecidable                       # an option not listed: or unlisted (no claim), or harmless
        when: [{given: "-c --check", operands: "reads"}]   # also: a second such list, of which one must be given too
        same: true                               # the names are one program, or read the options listed here alike
        commands: {"start stop": {changes: a service}}   # subcommands, each with all of this again
        otherwise: undecidable                     # a subcommand not listed: or unlisted

Notation of options: `-a` takes nothing, `-o:` and `--output=` a value (`-o x`, `-ox`, `--output x`, `--output=x`),
`-i?` and `--color=?` only a joined one, `-fprintf:writes,harmless` two values with roles of their own, `-X*` is
anything that begins so. A name without a dash is a word (`of=` of dd).

Styles: `gnu` (options anywhere, `-abc` bundles, `--long` may be abbreviated), `posix` (the same, up to the first
operand), `go` (anywhere, no abbreviations, `--flag=true`), `exact` (one dash and long names: find, java, openssl).

Effects of a program, a subcommand or a `when`: `code` and `changes` (reasons), `network` (whom it asks), `interactive`
(`always`, or `terminal`: when there is one), `categories`, `techniques`; `stdin` says what a program does with its
standard input when no word says what to run: shell, code, sql, commands, or none.

Where a wrong list would hide a command the loader is strict: an option is listed once, with a value or without, and
programs that run the words after their options share a list only where it says `same`. Such programs also say by
`stdin` what they do where no words follow.

Limits: what a profile gets wrong about its program, the verdict gets wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from bastion import document
from bastion.analysis.profile.categories import CATEGORIES, TECHNIQUE_OF
from bastion.analysis.profile.model import (
    PATHS,
    REST,
    ROLES,
    RUNS,
    Arity,
    Effects,
    Operands,
    Option,
    Profile,
    Style,
    Unknown,
    Use,
    When,
)
from bastion.document import Node, Section
from bastion.errors import Problem

STDIN = ("shell", "code", "sql", "commands", "none")
INTERACTIVE = ("always", "terminal")
MANY = 1 << 30

_TOKEN = re.compile(r"(?P<name>[^\s:?*,]+(?=\*\Z)|[^\s:=?*,]+|[:,])(?P<kind>=\?|=|\?|\*|:(?P<roles>[a-z,-]*))?\Z")
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?\Z")
_NO_TEXTS: list[str] = []
_Sets = dict[str, dict[bytes, Option]]


class Library:
    """All profiles of some folders. `find` is by the program's name, without its directory."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.profiles = tuple(profiles)
        self._exact: dict[str, Profile] = {}
        prefixes: list[tuple[str, Profile]] = []
        for profile in self.profiles:
            for name in profile.names:
                if name.endswith("*"):
                    prefixes.append((name[:-1], profile))
                else:
                    self._exact[name] = profile
        self._prefixes = tuple(sorted(prefixes, key=lambda pair: -len(pair[0])))

    def find(self, name: str) -> Profile | None:
        """The profile of a program; an exact name wins over a prefix, and a longer prefix over a shorter one."""
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        return next((profile for prefix, profile in self._prefixes if name.startswith(prefix)), None)

    @property
    def names(self) -> list[str]:
        return sorted(name for profile in self.profiles for name in profile.names)


@cache
def shipped() -> Library:
    """The library of the package. A mistake in it is a defect: BadFile."""
    problems: list[Problem] = []
    folder = resources.files("bastion.analysis") / "programs"
    profiles = _read_folders([item for item in folder.iterdir() if item.is_dir()], problems)
    document.finish(problems)
    return Library(profiles)


def load(folder: Path) -> Library:
    """The shipped profiles and those of `folder` (*.yaml), which replace shipped ones of the same name. BadFile."""
    problems: list[Problem] = []
    own = _read_folders([folder], problems)
    document.finish(problems)
    return Library([*shipped().profiles, *own])


def _read_folders(folders: Iterable[Traversable], problems: list[Problem]) -> list[Profile]:
    profiles: list[Profile] = []
    seen: dict[str, str] = {}
    for folder in sorted(folders, key=lambda item: item.name):
        for file in sorted(folder.iterdir(), key=lambda item: item.name):
            if not file.name.endswith(".yaml"):
                continue
            name = f"{folder.name}/{file.name}"
            root = document.parse(file.read_bytes(), name, problems)
            for profile, node in read(root, name):
                profiles.append(profile)
                for called in profile.names:
                    if called in seen:
                        node.problem(f"{called!r} has a profile already, in {seen[called]}")
                    seen[called] = name
    return profiles


def read(root: Section, file: str) -> list[tuple[Profile, Node]]:
    """The profiles of one parsed file, each with the place of its name."""
    sets: _Sets = {}
    shared = root.take("sets")
    if shared is not None:
        for name, _, node in shared.section().entries():
            sets[name] = _options(node.section(), sets)
    profiles = []
    programs = root.need("programs")
    for names, key, node in programs.section().entries() if programs is not None else ():
        section = node.section()
        about = section.require("about", Node.text, "")
        same = section.read("same", Node.boolean, False)
        use = _use(section, sets, Use())
        section.close()
        if len(names.split()) > 1 and not same and _shifts(use):
            key.problem("several programs share options that stand before a command: list each, or say `same: true`")
        profiles.append((Profile(tuple(names.split()), about, file, use), key))
    root.close()
    return profiles


def _use(section: Section, sets: _Sets, outer: Use) -> Use:
    """One level. Style and the meaning of unknown options are the outer level's, where it does not say."""
    style = Style(section.read("style", lambda node: node.choice(*Style), outer.style.value))
    unknown = Unknown(section.read("unknown", lambda node: node.choice(*Unknown), outer.unknown.value))
    otherwise = Unknown(section.read("otherwise", lambda node: node.choice(*Unknown), Unknown.UNDECIDABLE.value))
    everywhere = section.read("everywhere", Node.boolean, outer.everywhere)
    numbers = section.read("numbers", Node.boolean, False)
    bundled = section.read("bundled", Node.boolean, False)
    dialect = section.read("dialect", Node.text, outer.dialect)
    told = section.take("options")
    options = {} if told is None else _options(told.section(), sets)
    if outer.everywhere:
        inherited = {option.name: option for option in outer.prefixes}
        options = {**outer.options, **inherited, **options}
    operands = section.read("operands", _operands, Operands(repeated="harmless"))
    stdin = section.read("stdin", lambda node: node.choice(*STDIN), None)
    whens = section.take("when")
    use = Use(
        style=style,
        unknown=unknown,
        options={name: option for name, option in options.items() if not name.endswith(b"*")},
        prefixes=tuple(option for name, option in options.items() if name.endswith(b"*")),
        numbers=numbers or outer.numbers,
        bundled=bundled,
        everywhere=everywhere,
        operands=operands,
        otherwise=otherwise,
        whens=tuple(_when(node.section(), options) for node in whens.items()) if whens is not None else (),
        effects=_effects(section),
        stdin="" if stdin in (None, "none") else stdin,
        dialect=dialect,
    )
    _refuse_contradiction(section, use)
    if stdin is None and _runs_its_words(use):
        section.problem("it runs the words that follow: say by `stdin` what it does where there are none")
    return _with_commands(section, sets, use)


def _with_commands(section: Section, sets: _Sets, use: Use) -> Use:
    told = section.take("commands")
    if told is None:
        return use
    commands: dict[bytes, Use] = {}
    for names, key, node in told.section().entries():
        inner = node.section()
        below = _use(inner, sets, use)
        inner.close()
        for name in names.split():
            if name.encode() in commands:
                key.problem(f"the subcommand {name!r} twice")
            commands[name.encode()] = below
    values = {name: getattr(use, name) for name in use.__slots__}
    return Use(**{**values, "commands": commands})


def _runs_its_words(use: Use) -> bool:
    told = [use.operands, *(when.operands for when in use.whens if when.operands is not None)]
    return any(not REST.isdisjoint(operands.all) for operands in told)


def _shifts(use: Use) -> bool:
    """Whether an option of this level or one below, read with a value or without, says which word begins a command."""
    own = any(option.name[:1] in b"-+" for option in use.known_options)
    return (own and _runs_its_words(use)) or any(_shifts(below) for below in use.commands.values())


def _refuse_contradiction(section: Section, use: Use) -> None:
    """`unknown: harmless` is a claim about every option there can be. A plugin is the one that is told apart: programs
    that look into object files have many options, of which only that one loads anything."""
    if use.unknown is not Unknown.HARMLESS:
        return
    roles = {role for option in use.known_options for role in option.roles} | set(use.operands.all)
    roles |= {role for when in use.whens if when.operands for role in when.operands.all}
    if worse := sorted(roles & (RUNS - {"plugin"} | PATHS)):
        section.problem(f"'unknown: harmless' beside {', '.join(worse)}: an option not listed might do the same")


def _options(section: Section, sets: _Sets) -> dict[bytes, Option]:
    options: dict[bytes, Option] = {}
    own: set[bytes] = set()
    for role, key, node in section.entries():
        words = (node.text() or "").split()
        if role == "use":
            for word in words:
                if word not in sets:
                    node.problem(f"no set of options {word!r} above")
                options.update(sets.get(word, {}))
            continue
        if role not in ROLES:
            key.problem(f"no role {role!r}")
            continue
        for word in words:
            option = _option(word, role, node)
            if option is None:
                continue
            before = options.get(option.name, option)
            if option.name in own:
                node.problem(f"{word!r} twice")
            elif (before.arity, len(before.roles)) != (option.arity, len(option.roles)):
                node.problem(f"{word!r} with a value and without: a set has it otherwise")
            own.add(option.name)
            options[option.name] = option
    return options


def _option(token: str, role: str, node: Node) -> Option | None:
    found = _TOKEN.match(token)
    if found is None:
        node.problem(f"{token!r} is not the notation of an option")
        return None
    name, kind = found["name"].encode(), found["kind"] or ""
    roles = tuple((found["roles"] or role).split(","))
    for told in roles:
        if told not in ROLES:
            node.problem(f"no role {told!r}")
    if kind == "*":
        return Option(name + b"*", roles, Arity.NONE)
    if kind in ("?", "=?"):
        return Option(name, roles, Arity.OPTIONAL)
    return Option(name, roles, Arity.REQUIRED if kind else Arity.NONE)


def _operands(node: Node) -> Operands:
    first: list[str] = []
    last: list[str] = []
    repeated: str | None = None
    for word in (node.text() or "").split():
        role = word.rstrip("*")
        if word == "none":
            continue
        if role not in ROLES:
            node.problem(f"no role {role!r}")
        elif word.endswith("*"):
            if repeated is not None:
                node.problem("two roles that repeat")
            repeated = role
        elif repeated is None:
            first.append(role)
        else:
            last.append(role)
    return Operands(tuple(first), repeated, tuple(last))


def _effects(section: Section) -> Effects:
    categories = section.read("categories", Node.texts, _NO_TEXTS)
    if unknown := sorted(set(categories) - set(CATEGORIES)):
        section.problem(f"unknown categories: {', '.join(unknown)}")
    techniques = section.read("techniques", Node.texts, _NO_TEXTS)
    for technique in techniques:
        if not _TECHNIQUE.match(technique):
            section.problem(f"{technique!r} is not the id of an ATT&CK technique")
    default = [TECHNIQUE_OF[category] for category in categories if category in TECHNIQUE_OF]
    return Effects(
        code=section.read("code", Node.text, ""),
        changes=section.read("changes", Node.text, ""),
        network=section.read("network", Node.text, ""),
        interactive=section.read("interactive", lambda node: node.choice(*INTERACTIVE), ""),
        categories=frozenset(categories),
        techniques=frozenset(techniques or default),
    )


def _when(section: Section, options: dict[bytes, Option]) -> When:
    given = _names(section, "given", options)
    also = _names(section, "also", options)
    missing = _names(section, "missing", options)
    at_least = section.read("at_least", lambda node: node.integer(0, 100), 0)
    at_most = section.read("at_most", lambda node: node.integer(0, 100), MANY)
    operands = section.read("operands", _operands, None)
    stdin = section.read("stdin", lambda node: node.choice(*STDIN), None)
    archives = section.read("archives", lambda node: node.choice("writes", "unpacks"), "")
    effects = _effects(section)
    section.close()
    told = "" if stdin == "none" else stdin
    return When(given, also, missing, at_least, at_most, effects, operands, told, archives)


def _names(section: Section, key: str, options: dict[bytes, Option]) -> frozenset[bytes]:
    names = [name.encode() for name in section.read(key, Node.text, "").split()]
    for name in names:
        if name not in options:
            section.problem(f"{key}: no option {name.decode()!r} here")
    return frozenset(names)
