"""What is found while a text is walked: doubts, effects with their categories, and the SQL that clients are given.

Each is told once, with the command that it is about; all are bounded in number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bastion.analysis.bounds import MAX_FINDINGS, MAX_INSIDE, MAX_TEXTS
from bastion.analysis.command import Command, Finding, FindingKind, SqlFinding
from bastion.analysis.profile.categories import TECHNIQUE_OF
from bastion.analysis.profile.paths import of_outline, of_place
from bastion.analysis.read_words import Unreadable
from bastion.analysis.sql import judge_sql
from bastion.analysis.tree import Redirection, Word
from bastion.analysis.walk import Walk
from bastion.analysis.walk_words import outline, spelled
from bastion.characters import briefly

_PEERS = (b"/dev/tcp/", b"/dev/udp/")
_KINDS = {b"<": ("reads",), b">": ("writes",), b">>": ("writes",), b">|": ("writes",), b"<>": ("reads", "writes")}
_GO = frozenset({b"cd", b"pushd", b"popd", b"chdir"})
_PLAINLY = frozenset({b"command", b"builtin"})
_ANYWHERE = b"\0"
_MAX_FOLDERS = 4
_UNIT = re.compile(rb"-[A-Za-z]*u\Z")
_ATTACHED = re.compile(rb"-[A-Za-z]*u.+\Z")
_DESTROYS = frozenset({"drop", "truncate", "delete-all", "update-all", "alter"})
_REACHES_OUT = frozenset({"copy-file", "copy-program", "function"})


class FindingWalk(Walk):
    """The lists, in the order of the text, and what adds to them."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[Command] = []
        self.undecidable: list[Finding] = []
        self.findings: list[Finding] = []
        self.sql: list[SqlFinding] = []
        self._visited: list[bytes] = []
        self.of_lines = False
        """Whether the shell reads its commands, one text after another, from a channel of its own."""
        self._settled = False
        self._told: set[tuple[int, str]] = set()
        self._texts = 0
        self._inside = 0

    def _opens(self, command: Command, redirections: tuple[Redirection, ...]) -> None:
        """What opening these files means, whatever the program then does with them."""
        if self.of_lines and takes_channel(command.argv, redirections):
            raise Unreadable(command.start, command.end, "a descriptor from 10 on: one of them is the shell's own")
        for given in redirections:
            path = spelled(given.target)
            told = outline(given.target) if path is None else path
            if given.operator == b"<<<":
                continue
            if told.startswith(_PEERS):
                self._effect(command, "reverse-shell", "a redirection to a network peer")
            for kind in _KINDS.get(given.operator, ()):
                categories, techniques = of_outline(kind, told) if path is None else of_place(kind, path, self._visited)
                self._effects(command, categories, techniques, f"a redirection that {kind} {briefly(told)}")

    def _goes(self, argv: tuple[bytes | None, ...], words: tuple[Word, ...]) -> None:
        """Note the folder that `cd` or `pushd` goes to: what follows may be there, or where it was before."""
        while argv[0] in _PLAINLY and len(argv) > 1:
            argv, words = argv[1:], words[1:]
            while len(argv) > 1 and (argv[0] or b"").startswith(b"-"):
                argv, words = argv[1:], words[1:]
        if argv[0] not in _GO or self._settled:
            return
        operands = [word for word in words[1:] if (word.literal or b"")[:1] not in (b"-", b"+")]
        told = (spelled(operands[-1]) or outline(operands[-1]) or _ANYWHERE) if operands else b"~"
        absolute = told.startswith((b"/", b"~", b"$HOME", _ANYWHERE))
        before = () if absolute else tuple(self._visited)
        for folder in (told, *(base.rstrip(b"/") + b"/" + told for base in before)):
            if folder not in self._visited and _ANYWHERE not in self._visited:
                self._visited.append(folder if len(self._visited) < _MAX_FOLDERS else _ANYWHERE)

    def settle(self, before: FindingWalk) -> None:
        """Judge all in the folders that `before`, a walk of the same text, came to: a function or a loop runs later
        than it stands, in what a folder of the text's end makes of a relative one too."""
        self._settled, self._visited = True, before.settled()

    def settled(self) -> list[bytes]:
        """Where the text goes, in whatever order."""
        relative = [folder for folder in self._visited if not folder.startswith((b"/", b"~", b"$HOME", _ANYWHERE))]
        bases = [folder for folder in self._visited if folder not in relative]
        joined = [base.rstrip(b"/") + b"/" + folder for base in bases for folder in relative if base != _ANYWHERE]
        found = list(dict.fromkeys((*self._visited, *joined)))
        return found if len(found) <= _MAX_FOLDERS else [*self._visited[:_MAX_FOLDERS], _ANYWHERE]

    @property
    def moves(self) -> bool:
        """Whether the text goes anywhere."""
        return bool(self._visited)

    def _text(self, found: Command, text: bytes) -> None:
        """Count a text inside this one."""
        self._texts += 1
        self._inside += len(text)
        if self._inside > MAX_INSIDE:
            raise Unreadable(found.start, found.end, f"more than {MAX_INSIDE} bytes of texts inside one another")
        if self._texts > MAX_TEXTS:
            raise Unreadable(found.start, found.end, f"more than {MAX_TEXTS} texts for shells and databases")

    def _sql(self, found: Command, dialect: str, text: bytes) -> None:
        self._text(found, text)
        verdict = judge_sql(text, dialect)
        self.sql.append(
            SqlFinding(dialect, text, verdict.kinds, verdict.undecidable, found.start, found.end, found.index)
        )
        for reason in verdict.undecidable:
            self._doubt(found, reason, FindingKind.UNKNOWN)
        if verdict.kinds & _DESTROYS:
            kinds = ", ".join(sorted(verdict.kinds & _DESTROYS))
            self._effect(found, "sql-destructive", f"SQL that does {kinds}")
        if verdict.kinds & _REACHES_OUT:
            self._effect(found, "sql-destructive", "SQL that reaches out of the database")
        if "grant" in verdict.kinds:
            self._effect(found, "privilege", "SQL that grants")

    def _doubt(self, found: Command, reason: str, kind: FindingKind) -> None:
        """A doubt that was not kept would be a command without one: past the bound nothing is decided."""
        if len(self.undecidable) >= MAX_FINDINGS:
            raise Unreadable(found.start, found.end, f"more than {MAX_FINDINGS} doubts; the last: {reason}")
        self.undecidable.append(Finding(found.start, found.end, reason, kind, command=found.index))

    def _effects(self, found: Command, categories: frozenset[str], techniques: frozenset[str], reason: str) -> None:
        rest = iter(sorted(techniques))
        for category in sorted(categories):
            usual = TECHNIQUE_OF.get(category, "")
            self._effect(found, category, reason, usual if usual in techniques else next(rest, usual))

    def _effect(self, found: Command, category: str, reason: str, technique: str = "") -> None:
        """Each category once a command, so that there are never more of them than commands times categories."""
        technique = technique or TECHNIQUE_OF.get(category, "")
        if (found.index, category) not in self._told:
            self._told.add((found.index, category))
            finding = Finding(found.start, found.end, reason, FindingKind.EFFECT, category, technique, found.index)
            self.findings.append(finding)


def takes_channel(argv: Sequence[bytes | None], redirections: Sequence[Redirection]) -> bool:
    """Whether a command uses a descriptor by a number of two digits or more, or by one that only the target knows:
    shells keep what they read their commands from there."""
    if any(given.operator in (b"<&", b">&") and _far(given.target.literal) for given in redirections):
        return True
    if not argv or argv[0] != b"read":
        return False
    options = [word for word in argv[1:] if word is None or word.startswith(b"-")]
    numbers = [argv[at + 1] for at, word in enumerate(argv[:-1]) if word is not None and _UNIT.match(word)]
    attached = [word.rpartition(b"u")[2] for word in options if word is not None and _ATTACHED.match(word)]
    return any(_far(number) for number in (*numbers, *attached))


def _far(number: bytes | None) -> bool:
    return number is None or (number != b"-" and not re.match(rb"[0-9]-?\Z", number))
