"""The section `mask` of a policy: what is masked in what comes back, for whom and where.

    mask:
      - id: personal
        who: {groups: [agents]}                # as in rules; what is left out matches all
        where: {labels: {env: prod}}
        detectors: [credit-card, email, secrets]     # by name, or a family: secrets, personal, payment
        patterns: [{id: employee, pattern: 'E[0-9]{6}', check: luhn, label: "[employee]"}]
        words: ["Project Aurora"]              # literal texts
        columns: [email, "*_ssn"]              # fields of tables, whatever they hold
        style: label                           # or stars, last-four, hash; a terminal gets stars

All masks that are about a session hold together, and no rule takes one away: only an allow rule's `unmasked: true`
lets what it covers show what it has. Where they say several styles, the one that shows less holds for all of them (but
each for its own columns).

Limits: what is masked is told by what it looks like. It stops accidents, not someone who wants a secret out.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, islice

from bastion.document import Node, Section
from bastion.errors import Place
from bastion.masking import validators
from bastion.masking.columns import ColumnMasker
from bastion.masking.detector import FAMILIES, detectors, kinds
from bastion.masking.masker import Masker
from bastion.masking.pattern import BadPattern
from bastion.masking.plan import Custom, Plan, Words
from bastion.masking.style import Style, hashed, stars
from bastion.policy.about import Where, Who, read_id, read_where, read_who
from bastion.policy.decision import Subject

STRICTEST = (Style.LABEL, Style.STARS, Style.HASH, Style.LAST_FOUR)
"""Of several styles the first of these holds: what shows less."""
MAX_COLUMNS = 256
MAX_CHOICES = 32
"""Plans of one tenant that are kept: each is some megabytes."""
MAX_FORESEEN = 16
"""Plans that are made before a policy is in force."""

_ABOUT = ("detectors", "patterns", "words", "columns")
_ANY_KEY = bytes(32)
"""In the place of a tenant's, to see whether masks can be in force."""
_NO_TEXTS: tuple[str, ...] = ()
_NO_PATTERNS: tuple[Custom, ...] = ()


@dataclass(frozen=True, slots=True)
class Mask:
    """One member of `mask`. `detectors` are names of kinds of detectors, and of families, as they were written."""

    id: str
    place: Place = field(compare=False)
    """Where it stands in the file; what it masks is the same wherever that is."""
    who: Who
    where: Where
    detectors: tuple[str, ...] = ()
    patterns: tuple[Custom, ...] = ()
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    style: Style = Style.LABEL

    def concerns(self, subject: Subject) -> bool:
        return self.who.matches(subject) and self.where.matches(subject)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is masked in one session: by one `plan`, for what one masker replaced another would not know for what it
    is; and before it in `columns`, each with its style."""

    masks: tuple[str, ...]
    plan: Plan
    columns: tuple[tuple[Style, frozenset[str]], ...]
    key: bytes


_CARRY = frozenset(
    b"""
    scp rsync rrsync sftp-server git-upload-pack git-receive-pack git-upload-archive git-shell svnserve borg
    rdiff-backup unison mosh-server
    """.split()
)
"""Programs that speak a protocol with the client's own program, in which a mask would break what it hides."""
_GIT = (b"upload-pack", b"receive-pack", b"upload-archive", b"http-backend", b"shell")


def carries_files(argv: Sequence[bytes | None]) -> bool:
    """Whether a command's output is a transfer of files and not text.

    Limits: by the program's name. What `cat` or `tar` print is text like any other: a mask changes what it finds in it.
    """
    program = argv[0].rpartition(b"/")[2] if argv and argv[0] is not None else b""
    return program in _CARRY or (program == b"git" and any(word in _GIT for word in argv[1:]))


def choose(masks: Sequence[Mask], key: bytes) -> Chosen:
    """What these masks are together; `key` is the tenant's, for hashes. Takes as long as Plan.compile: call it in a
    thread, and keep the answer. BadPattern, where `fault` has one."""
    names = {name for mask in masks for name in mask.detectors}
    patterns = [pattern for mask in masks for pattern in mask.patterns]
    words = [Words(mask.id, mask.words) for mask in masks if mask.words]
    style = min((mask.style for mask in masks), key=STRICTEST.index, default=Style.LABEL)
    plan = Plan.compile(detectors=_detectors(names), patterns=patterns, words=words, style=style, key=key)
    columns = [
        (one, frozenset(name for mask in masks if mask.style is one for name in mask.columns)) for one in STRICTEST
    ]
    return Chosen(tuple(mask.id for mask in masks), plan, tuple((one, found) for one, found in columns if found), key)


def foreseen(masks: Sequence[Mask]) -> list[tuple[Mask, ...]]:
    """The sets of masks that sessions will have, none of them empty, at most MAX_FORESEEN: those about everybody are in
    each, those about the same people and places go together, and all others may meet; the smaller sets first. Names
    are not looked into, so some of these sets may never be."""
    groups: dict[tuple[Who, Where], None] = dict.fromkeys((mask.who, mask.where) for mask in masks)
    everybody = (Who(), Where())
    apart = [group for group in groups if group != everybody]
    chosen = chain.from_iterable(combinations(apart, size) for size in range(len(apart) + 1))
    sets = (tuple(mask for mask in masks if (mask.who, mask.where) in (everybody, *some)) for some in chosen)
    return list(islice(filter(None, sets), MAX_FORESEEN))


class Choices:
    """What was chosen lately, by the masks: many sessions of one policy share it. For any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Mask, ...], Chosen] = OrderedDict()
        self._lock = threading.Lock()
        """Not held while anything is compiled: the event loop takes it too."""
        self._making: dict[tuple[Mask, ...], threading.Lock] = {}

    def has(self, masks: tuple[Mask, ...]) -> bool:
        """Whether `of` takes no time now."""
        return not masks or masks in self._kept

    def of(self, masks: tuple[Mask, ...], key: bytes) -> Chosen | None:
        """None where there are no masks; else the same object for the same masks while it is kept. Takes as long as
        `choose` where it is not."""
        if not masks:
            return None
        with self._lock:
            if masks in self._kept:
                self._kept.move_to_end(masks)
                return self._kept[masks]
            turn = self._making.setdefault(masks, threading.Lock())
        with turn:  # whoever comes second waits for the first, and not for other masks
            with self._lock:
                known = self._kept.get(masks)
            made = known or choose(masks, key)
            with self._lock:
                self._making.pop(masks, None)
                self._kept[masks] = made
                self._kept.move_to_end(masks)
                while len(self._kept) > MAX_CHOICES:
                    self._kept.popitem(last=False)
        return made

    def prepare(self, masks: Sequence[Mask], key: bytes) -> None:
        """Choose for a policy with these masks what sessions will have: what is foreseen, and what was chosen
        lately, of the masks of the same names. For a thread, before the policy is in force."""
        with self._lock:
            lately = list(self._kept)[-MAX_FORESEEN:]
        for names in {frozenset(mask.id for mask in known) for known in lately}:
            self.of(tuple(mask for mask in masks if mask.id in names), key)
        for some in foreseen(masks):
            self.of(some, key)


def without(chosen: Chosen | None, text: bytes) -> bytes:
    """A text that is whole, such as a command's, as it may be told: with the styles of no terminal."""
    if chosen is None:
        return text
    for style, names in chosen.columns:
        columns = ColumnMasker(names, replacing(style, chosen.key, terminal=False), terminal=False)
        text = columns.feed(text) + columns.flush()
    masker = Masker(chosen.plan, terminal=False)
    return masker.feed(text) + masker.flush()


def replacing(style: Style, key: bytes, terminal: bool) -> Callable[[bytes, str], bytes]:
    """What stands in the place of a field's value. Nothing else is known of it, so no style shows any of it."""

    def replaced(value: bytes, column: str) -> bytes:
        if terminal or style in (Style.STARS, Style.LAST_FOUR):
            return stars(value)
        return hashed(column, value, key) if style is Style.HASH else f"[{column}]".encode()

    return replaced


def _detectors(names: Iterable[str]) -> set[str]:
    """The ids of the detectors that these names of kinds and families mean."""
    wanted = set(names)
    return {found.id for found in detectors().values() if found.kind in wanted or found.families & wanted}


# -- reading


def read_mask(node: Node) -> Mask | None:
    """One member of `mask`. Problems are noted at their places; None when nothing of it can be used."""
    section = node.section()
    name = section.require("id", read_id, "")
    mask = Mask(
        id=name,
        place=section.place,
        who=section.read("who", read_who, Who()),
        where=section.read("where", read_where, Where()),
        detectors=section.read("detectors", lambda found: found.filled(_detector), _NO_TEXTS),
        patterns=section.read("patterns", lambda found: found.filled(_pattern), _NO_PATTERNS),
        words=section.read("words", lambda found: found.filled(Node.text), _NO_TEXTS),
        columns=section.read("columns", lambda found: found.filled(Node.text), _NO_TEXTS),
        style=section.read("style", _style, Style.LABEL),
    )
    if not any(key in section for key in _ABOUT):
        section.problem("a mask says what it masks: `detectors: [secrets]` is all that gives access")
    if mask.words:
        _checked(section, "words", lambda: Plan.compile(words=[Words(name or "words", mask.words)]))
    if len(mask.columns) > MAX_COLUMNS:
        section.problem(f"{len(mask.columns)} columns; at most {MAX_COLUMNS} can be named")
    section.close()
    return mask if name else None


def _detector(node: Node) -> str | None:
    return node.choice(*FAMILIES, *kinds())


def _style(node: Node) -> Style | None:
    name = node.choice(*Style)
    return Style(name) if name in tuple(Style) else None


def _pattern(node: Node) -> Custom | None:
    section = node.section()
    custom = Custom(
        id=section.require("id", read_id, ""),
        pattern=section.require("pattern", Node.text, ""),
        check=section.read("check", lambda found: found.choice(*validators.NAMES), "") or None,
        label=section.read("label", Node.text, ""),
    )
    if custom.id in kinds() or custom.id in detectors() or custom.id in FAMILIES:
        section.problem(f"{custom.id!r} is the name of a detector or family: choose another")
    elif custom.id and custom.pattern:
        _checked(section, "pattern", lambda: Plan.compile(patterns=[custom]))
    section.close()
    return custom if custom.id and custom.pattern else None


def fault(masks: Sequence[Mask]) -> tuple[Mask, BadPattern] | None:
    """Why these masks can not be in force together, though each can alone: a name that stands twice, or more than is
    possible. With the first mask that is too much for those before it."""
    names = {*detectors(), *kinds()}
    for mask in masks:
        if mask.words and mask.id in names:
            said = f"a mask with `words` can not be called {mask.id!r}: that is a detector's name"
            return mask, BadPattern(said)
    error = _refused(masks)
    if error is None:
        return None
    enough = bisect_left(range(1, len(masks)), 1, key=lambda size: _refused(masks[:size]) is not None)
    return masks[enough], error


def _refused(masks: Sequence[Mask]) -> BadPattern | None:
    try:
        choose(masks, _ANY_KEY)
    except BadPattern as error:
        return error
    return None


def _checked(section: Section, key: str, build: Callable[[], Plan]) -> None:
    try:
        build()
    except BadPattern as error:
        (section.key(key) or section).problem(str(error))
