"""What a command does, from its words and its program's profile."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from bastion.analysis.profile import paths
from bastion.analysis.profile.acts import Acts, Nested, Sql, Tally, Word
from bastion.analysis.profile.loader import Library
from bastion.analysis.profile.model import JOINED, PATHS, REST, RUNS, SHOWS, Effects, Operands, Use, When
from bastion.analysis.profile.options import Reading, Taken, Value, read
from bastion.analysis.profile.roles import apply
from bastion.analysis.profile.runs import shows

_STRIPPED = b"/"
_HERE = frozenset({"searches", "skims"})


def acts(
    library: Library,
    argv: Sequence[Word],
    stdin: bytes | None = None,
    terminal: bool = False,
    more: bool = False,
    single: frozenset[int] = frozenset(),
    plain: frozenset[int] = frozenset(),
    folder: bytes | None = b"",
    globs: frozenset[int] = frozenset(),
    outlines: Mapping[int, bytes] = MappingProxyType({}),
    piped: bool = False,
    visited: Sequence[bytes] = (),
    home: bool = False,
) -> Acts:
    """What `argv` does, by the profiles of `library`. Never raises; a program that has no profile is not `known`.

    `stdin` is literal standard input, when it is known; `terminal` whether there is one; `more` whether any number of
    unknown words follow; `single` the indices of unknown words that are exactly one word (they were quoted), `plain`
    of those that are no option either, `globs` of those that become any number of words, each of which fits its
    outline; `folder` the directory in which it runs, empty for the one the text began in, None for one that is not
    known; `outlines` what is known of unknown words, by index (outlines.py); `piped` whether another program writes its
    standard input; `visited` the folders to which relative paths may be relative besides (paths.of_place), `home`
    whether it may run in the home directory in which the text begins.
    """
    name = base_name(argv[0] if argv else None)
    profile = None if name is None else library.find(name)
    if name is None or profile is None:
        return _without_profile(name, argv)
    if more:
        plain = plain | {len(argv)} if len(argv) - 1 in plain else plain
        argv = (*argv, None)
    fits = {index: outlines[index] for index in outlines if index in single or index in globs}
    reading = read(profile.use, argv, single, plain, fits)
    if reading.only_asks and "stops-service" not in reading.levels[-1].effects.categories:
        return Acts()
    dialect = reading.levels[-1].dialect
    tally = Tally(program=name, dialect=dialect, folder=folder, outlines=outlines, terminal=terminal)
    tally.runs.extend(word for word in argv[:1] if word is not None and b"/" in word)
    tally.known = not reading.unlisted
    tally.unknown.extend(f"{name}: {reason}" for reason in reading.unknown)
    held = _held(reading)
    _words(reading, held, argv, tally, piped)
    for effects in (reading.levels[-1].effects, *(when.effects for when in held)):
        _effects(effects, tally, terminal)
    _standard_input(reading, held, stdin, tally, piped)
    if reading.doubtful:
        _doubts(reading.levels[-1], tally, argv, globs)
    paths.add_categories(tally, visited, home)
    return tally.done()


def _without_profile(name: str | None, argv: Sequence[Word]) -> Acts:
    categories, techniques = paths.of_path("runs", argv[0] if argv else None)
    reasons = ("the program is not known",) if name is None else ()
    return Acts(known=False, unknown=reasons, categories=categories, techniques=techniques)


def base_name(word: Word) -> str | None:
    """The program's name without its directory; None for a word that names none."""
    if word is None:
        return None
    return posixpath.basename(word.rstrip(_STRIPPED)).decode("utf-8", "replace") or None


def _held(reading: Reading) -> list[When]:
    """The conditions that hold: the last level's, and those of outer levels that ask for an option."""
    given, count = reading.given, len(reading.operands)
    return [
        when
        for use in reading.levels
        for when in use.whens
        if (use is reading.levels[-1] or when.given)
        and (not when.given or not when.given.isdisjoint(given))
        and (not when.also or not when.also.isdisjoint(given))
        and when.missing.isdisjoint(given)
        and (reading.many is not None or when.at_least <= count <= when.at_most)
    ]


def _words(reading: Reading, held: list[When], argv: Sequence[Word], tally: Tally, piped: bool) -> None:
    # A file between them may end one of them where the others do not.
    files = any("script" in taken.option.roles for taken in reading.taken)
    for role in JOINED:
        parts = [taken for taken in reading.taken if role in taken.option.roles]
        if parts:
            apply(role, tuple(value for taken in parts for value in taken.values), tally, parts[0].option.name)
    for taken in reading.taken:
        name, roles = taken.option.name, taken.option.roles
        if roles[0] in JOINED and not files:
            continue
        if roles[0] == "command-to-semicolon":
            apply(roles[0], taken.values, tally, name)
        elif taken.values:
            for role, value in zip(roles, taken.values, strict=False):
                apply(role, (value,), tally, name)
        elif _of_flag(roles[0]):
            apply(roles[0], (), tally, name)
    _archives({when.archives for when in held}, tally)
    operands = next((when.operands for when in reversed(held) if when.operands), reading.levels[-1].operands)
    for position, role in enumerate(_roles(operands, len(reading.operands), tally)):
        index = reading.operands[position]
        last = len(argv) if reading.rest and position == len(reading.operands) - 1 else index + 1
        apply(role, tuple(Value(argv[i], i) for i in range(index, last)), tally)
    if operands.repeated in _HERE and len(reading.operands) <= len(operands.first):
        # The folder that it is in; only what skims reads a pipe instead.
        hidden = operands.repeated == "searches"
        tally.walks.extend([(b".", hidden)] if hidden or not piped else [])
    if reading.many is not None:
        fixed = sum(index < reading.many for index in reading.operands)
        told = [operands, *(when.operands for when in held if when.operands is not None)]
        _shifted([role for each in told for role in (*each.first[fixed:], each.repeated, *each.last) if role], tally)


def _shifted(roles: Iterable[str], tally: Tally) -> None:
    """One of the words may be several, or none: it and those that follow may stand in any of these places."""
    for role in dict.fromkeys(roles):
        if role in PATHS:
            (tally.deletes if role == "deletes" else tally.writes).append(None)
        elif role in SHOWS:
            tally.reads.append(None)
        elif role in RUNS and role not in REST:
            tally.unknown.append(f"{tally.program}: which of its words is run depends on the target")
        elif role == "changes":
            apply(role, (Value(None, 0),), tally)


def _archives(uses: set[str], tally: Tally) -> None:
    (tally.writes if "writes" in uses else tally.reads).extend(tally.archives)
    if "unpacks" in uses:
        tally.writes.append(tally.folder or (None if tally.folder is None else b"."))


def _of_flag(role: str) -> bool:
    return role in ("code", "changes", "writes", "interactive", "replaces", "privileged", "forgets", "reads-listed")


def _roles(operands: Operands, count: int, tally: Tally) -> list[str]:
    """A role for each of `count` operands."""
    roles = list(operands.first[:count])
    last = operands.last[-(count - len(roles)) :] if count > len(roles) else ()
    between = count - len(roles) - len(last)
    if between and operands.repeated is None:
        tally.unknown.append(f"{tally.program}: more words than its profile knows")
    return [*roles, *[operands.repeated or "harmless"] * between, *last]


def _effects(effects: Effects, tally: Tally, terminal: bool) -> None:
    if effects.code:
        tally.code.append(f"{tally.program}: {effects.code}")
    if effects.changes:
        tally.changes.append(effects.changes)
    if effects.network:
        # Which machine that is stands in settings that are not known here.
        tally.network.append(None)
    if effects.interactive == "always" or (effects.interactive == "terminal" and terminal):
        tally.interactive = True
    if effects.interactive != "terminal" or terminal:
        tally.categories |= effects.categories
        tally.techniques |= effects.techniques


def _standard_input(reading: Reading, held: list[When], stdin: bytes | None, tally: Tally, piped: bool) -> None:
    """A program that was told nothing to run reads it from its standard input. What a program wrote there only just
    now is code that nobody saw."""
    use = reading.levels[-1]
    told = next((when.stdin for when in reversed(held) if when.stdin is not None), use.stdin)
    if not told and any("script" in taken.option.roles and _names_input(taken) for taken in reading.taken):
        # `-f -`, whatever else is given.
        told = "code"
    elif not told or tally.acted:
        return
    if told == "shell" and stdin is not None:
        tally.nested.append(Nested(shell=stdin, stdin=True))
    elif told == "sql" and stdin is not None:
        tally.sql.append(Sql(use.dialect, stdin))
    else:
        tally.interactive = True
        tally.asks = told
        tally.code.append(f"{tally.program}: it takes commands from its standard input")
        if told == "shell":
            tally.categories.add("shell-escape")
        if stdin is not None:
            shows(stdin, tally)
        elif piped and told in ("shell", "code"):
            tally.categories |= {"shell-escape", "remote-code"}
            tally.techniques.add("T1059.004")


def _names_input(taken: Taken) -> bool:
    return any(value.word == b"-" for value in taken.values)


def _doubts(use: Use, tally: Tally, argv: Sequence[Word], globs: frozenset[int]) -> None:
    """A word that only the target knows may be any of the options."""
    _may_show(use, tally, argv, globs)
    for option in use.known_options:
        for role in option.roles:
            if role in RUNS:
                name = option.name.decode("utf-8", "replace")
                tally.unknown.append(f"{tally.program}: a word that only the target knows may be {name}")
                return
    for option in use.known_options:
        for role in PATHS.intersection(option.roles):
            (tally.deletes if role == "deletes" else tally.writes).append(None)


def _may_show(use: Use, tally: Tally, argv: Sequence[Word], globs: frozenset[int]) -> None:
    """Such an option may show what is in a file, or reach out. What a glob finds is the name of a file that exists, and
    is no such option unless somebody made it so."""
    unknown = [at for at, word in enumerate(argv) if word is None]
    if all(at in globs and not tally.outlines.get(at, b"").startswith(b"-") for at in unknown):
        return
    told = [option.roles for option in use.known_options]
    told += [when.operands.all for when in use.whens if when.operands is not None and when.given]
    roles = {role for each in told for role in each}
    if roles & SHOWS:
        tally.reads.append(None)
    if "peer" in roles:
        tally.network.append(None)
