"""An explanation as lines for a terminal: 80 columns, and colour only where a terminal is and nobody said NO_COLOR.

who and where, by which policy
the text
TREE        one node a line
COMMANDS    each simple command, what its profile says, its verdict, and the rules that were tried on it:
            + covers it (allow, approve)     ! holds it back (deny, approve)     - does not
FINDINGS    categories with their ATT&CK techniques, and what could not be decided
VERDICT     with its rule, reason and remedy, and the text that would run
"""

from __future__ import annotations

import os
import posixpath
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bastion.analysis.command import Command, Finding, SqlFinding
from bastion.analysis.outline import outline, typed
from bastion.analysis.profile.acts import Acts
from bastion.characters import hidden, shown
from bastion.policy.asker import Asker
from bastion.policy.decision import Decision, Effect
from bastion.policy.engine import Judged, Tried
from bastion.policy.explain import Explained
from bastion.policy.model import Policy

WIDTH = 80
MAX_TEXT = 1 << 14
"""Characters of one text; what is longer is cut, and ends in `…`."""
MAX_OTHERS = 20
"""Rules named that were not tried."""
MAX_SILENT = 60
"""Rules told of one command that do not apply to it."""

_VERDICTS = {Effect.ALLOW: "ALLOWED", Effect.APPROVE: "NEEDS APPROVAL", Effect.DENY: "DENIED"}
_COLOURS = {Effect.ALLOW: "32", Effect.APPROVE: "33", Effect.DENY: "31"}
_DYNAMIC = "<?>"
"""Stands for a word that only the target knows."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Where the policy came from, and which options were left out."""

    folder: Path
    untold: tuple[str, ...] = ()


def write(lines: Iterable[str]) -> None:
    """To stdout, without the colours where there is no terminal."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in lines:
        print(line if coloured else plain(line))


def lines(explained: Explained, policy: Policy, heading: Heading, asker: Asker) -> Iterator[str]:
    """The whole report."""
    rules, files = len(policy.rules), len(policy.files)
    mode = ", mode observe" if policy.observe else ""
    yield from _wrapped(f"{_fit(str(asker))}", "")
    yield from _wrapped(
        f"{_fit(str(heading.folder))}: {_count(rules, 'rule')} in {_count(files, 'file')}, {policy.version[:19]}{mode}",
        "",
    )
    if heading.untold:
        told = ", ".join(heading.untold)
        yield from _wrapped(f"not told: {told}; a rule that names one is not tried, unless it says *", "")
    yield ""
    yield from _text(explained.analysis.text, "    ")
    yield from _pointed(explained)
    tree = outline(explained.analysis.text, asker.shell, asker.terminal)
    if tree:
        yield from _title("TREE")
        for node in tree:
            indent = "  " * (node.depth + 1)
            yield from _wrapped(f"{node.kind}  {node.text}".rstrip(), indent, indent + "    ")
    if explained.commands:
        yield from _title("COMMANDS")
        for number, one in enumerate(explained.commands, 1):
            if number > 1:
                yield ""
            yield from _command(number, one)
    yield from _findings(explained)
    yield from _others(policy, asker)
    yield ""
    yield from _verdict(explained)


# -- parts


def _command(number: int, one: Judged) -> Iterator[str]:
    command = one.command
    yield from map(_bold, _wrapped(f"{number}  {_words(command)}", "  ", "       "))
    if command.via:
        yield from _wrapped(f"through {' > '.join(typed(name) for name in command.via)}", "     ")
    for name, value in command.environment:
        yield from _wrapped(f"sets {typed(name)}={_word(value)}", "     ")
    for operator, path in command.redirections:
        yield from _wrapped(f"opens {operator} {_word(path)}", "     ")
    yield from _wrapped(_profile(command.acts), "     ", "       ")
    first, *rest = _wrapped(f"{_effect(one.decision)}: {_fit(one.decision.reason)}", "     ", "       ")
    yield _painted(first, one.decision)
    yield from rest
    yield from _tried(one.tried)


def _profile(acts: Acts | None) -> str:
    """What the profile says of this use, where there is one."""
    if acts is None:
        return "no program is called"
    if not acts.known:
        return "profile: none knows this program, or this use of it"
    facts = [*_paths(acts), *(f"changes: {what}" for what in acts.changes)]
    facts += [f"runs code: {code}" for code in acts.code]
    facts += [f"not known: {reason}" for reason in acts.unknown]
    facts += ["runs another command"] if acts.nested else []
    facts += ["speaks SQL"] if acts.sql else []
    facts += ["takes commands from its input"] if acts.interactive and not acts.code else []
    return _fit(f"profile: {'; '.join(facts) or 'changes nothing'}")


def _paths(acts: Acts) -> Iterator[str]:
    told = (("reads", acts.reads), ("writes", acts.writes), ("deletes", acts.deletes), ("connects to", acts.network))
    for verb, paths in told:
        if paths:
            yield f"{verb} {' '.join(_word(path) for path in paths)}"


def _tried(found: tuple[Tried, ...]) -> Iterator[str]:
    names = [(tried.rule.id, f"{posixpath.basename(tried.rule.place.file)}:{tried.rule.place.line}") for tried in found]
    ids, places = (max(map(len, column), default=0) for column in zip(*names, strict=True)) if names else (0, 0)
    silent = 0
    for tried, (name, place) in zip(found, names, strict=True):
        silent += not tried.applies
        if silent > MAX_SILENT and not tried.applies:
            continue
        effect = tried.rule.effect
        mark = "-" if not tried.applies else "+" if effect is Effect.ALLOW else "!"
        line = f"{mark} {effect.value:<7} {name:<{ids}} {place:<{places}}  {_fit(tried.why)}".rstrip()
        told = _wrapped(line, "     ", " " * 15)
        yield from told if tried.applies else map(_dim, told)
    if silent > MAX_SILENT:
        yield _dim(f"     - {silent - MAX_SILENT} more that do not apply; --json tells them")


def _findings(explained: Explained) -> Iterator[str]:
    analysis = explained.analysis
    told = [*map(_found, analysis.findings), *map(_doubt, analysis.undecidable), *map(_query, analysis.sql)]
    if not told:
        return
    yield from _title("FINDINGS")
    for line in dict.fromkeys(told):
        yield from _wrapped(line, "  ", "      ")
    yield from _tried(explained.tried)


def _found(found: Finding) -> str:
    technique = f" {found.technique}" if found.technique else ""
    return f"{found.category}{technique}: {_fit(found.reason)}{_whose(found)}"


def _doubt(found: Finding) -> str:
    return f"{found.kind.value}: {_fit(found.reason)}{_whose(found)}"


def _query(found: SqlFinding) -> str:
    kinds = ", ".join(sorted(found.kinds)) or "nothing"
    return f"SQL ({found.dialect}) does {kinds}: {_fit(found.text.decode('utf-8', 'backslashreplace'))}"


def _whose(found: Finding) -> str:
    where = f"bytes {found.start} to {found.end}"
    return f" (command {found.command + 1}, {where})" if found.command >= 0 else f" ({where})"


def _others(policy: Policy, asker: Asker) -> Iterator[str]:
    """Rules that were not tried: they are about other identities, targets, accounts or times."""
    others = [rule.id for rule in policy.rules if not rule.concerns(asker.subject)]
    if others:
        yield from _title("NOT TRIED")
        listed = f"{', '.join(others[:MAX_OTHERS])}{', …' if len(others) > MAX_OTHERS else ''}"
        yield from _wrapped(f"{_count(len(others), 'rule')} about another who, where or when: {listed}", "  ")


def _verdict(explained: Explained) -> Iterator[str]:
    decision = explained.decision
    yield _bold(_painted(_effect(decision), decision))
    if decision.place is not None:
        yield from _wrapped(f"place   {decision.place}", "  ", "          ")
    yield from _wrapped(f"reason  {_fit(decision.reason)}", "  ", "          ")
    if decision.remedy:
        yield from _wrapped(f"remedy  {_fit(decision.remedy)}", "  ", "          ")
    runs = explained.analysis.runs
    if runs is None:
        yield "  runs    nothing: there is no text that could be sent"
    else:
        first, *rest = _text(runs, "          ")
        yield f"  runs    {first.strip()}"
        yield from rest


def _pointed(explained: Explained) -> Iterator[str]:
    """Under a text of one plain line: what could not be read."""
    found = explained.analysis.unreadable
    text = explained.analysis.text
    if found is None:
        return
    plain = len(text) <= WIDTH - 4 and text.isascii() and not hidden(text.decode())
    if plain and found.start < len(text):
        yield "    " + " " * found.start + "^" * max(1, min(found.end, len(text)) - found.start)
    yield from _wrapped(_fit(found.reason), "    ")


# -- words


def _words(command: Command) -> str:
    if not command.argv:
        return "(no program)"
    return " ".join(_word(word) for word in command.argv)


def _word(word: bytes | None) -> str:
    return _DYNAMIC if word is None else typed(word)


def _effect(decision: Decision) -> str:
    would = "" if decision.would is None else f" (would be {_VERDICTS[decision.would]})"
    return f"{_VERDICTS[decision.effect]}{would} by {decision.rule}"


def _painted(line: str, decision: Decision) -> str:
    verdict = _VERDICTS[decision.effect]
    return line.replace(verdict, f"\x1b[{_COLOURS[decision.effect]}m{verdict}\x1b[39m", 1)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


# -- lines


def _title(title: str) -> Iterator[str]:
    yield ""
    yield _bold(title)


def _fit(text: str) -> str:
    return shown(text, MAX_TEXT)


def _text(raw: bytes, indent: str) -> Iterator[str]:
    """Bytes as they are, but for what is hidden, cut at the width, after a blank if there is one. At least one line."""
    text = _fit(raw.decode("utf-8", "backslashreplace")) or " "
    width = WIDTH - len(indent)
    while len(text) > width:
        cut = text.rfind(" ", width // 2, width) + 1 or width
        yield indent + text[:cut]
        text = text[cut:]
    yield indent + text


def _wrapped(text: str, indent: str, further: str | None = None) -> list[str]:
    later = indent if further is None else further
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=later, break_on_hyphens=False, drop_whitespace=True
    ) or [indent]


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[22m"


def _dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[22m"


def plain(line: str) -> str:
    """Without this file's own colours; whatever else was an escape has been made visible long before."""
    for code in ("1", "2", "22", "31", "32", "33", "39"):
        line = line.replace(f"\x1b[{code}m", "")
    return line
