"""What is to be masked in one session, compiled once: chosen detectors, patterns of one's own, words, and the style.

    plan = Plan.compile(families=["secrets"], detectors=["email"])
    masker = Masker(plan, terminal=False)            # as many as there are streams

Compiling takes a tenth of a second of the processor's time with every detector, seconds with as many words and patterns
as there may be, and some megabytes. So it is no work for the event loop, and a plan is kept by whoever has it and is
shared by all maskers of the same choice. It does not change, and holds no text of any stream.

Limits: at most MAX_PATTERNS patterns and lists, and MAX_WORDS words of one's own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bastion.masking import validators
from bastion.masking.detector import FAMILIES, Detector, detectors, families
from bastion.masking.engine import Search, compiled
from bastion.masking.finder import Finder
from bastion.masking.pattern import BadPattern, Pattern, literal, read
from bastion.masking.style import Style
from bastion.masking.tree import EMPTY, Choice, begun, loosened, sequence, written

MAX_PATTERNS = 64
MAX_WORDS = 500
"""In all lists together, and with at most MAX_WORD_BYTES bytes: thousands take seconds to compile."""
MAX_WORD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Custom:
    """A pattern of one's own: the text of pattern.py's syntax, and a validator's name where one is wanted."""

    id: str
    pattern: str
    check: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A deny list: literal words, in lower or upper case, wherever they stand, also inside of longer ones."""

    id: str
    words: tuple[str, ...]
    label: str = ""


NEVER = r"[^\x00-\xff]"
"""A pattern that matches nothing."""


class Compiled:
    """A detector, ready to run."""

    def __init__(self, detector: Detector, index: int) -> None:
        before, secret, after = detector.pattern.before, detector.pattern.secret, detector.pattern.after
        self.detector = detector
        self.kind = detector.kind or detector.id
        """What counts call it."""
        self.index = index
        self.longest = detector.longest
        self.check = validators.BY_NAME[detector.check] if detector.check else None
        self.match = compiled(_with_secret(detector.pattern), captures=True)
        alive = begun(loosened(sequence([before, secret, after])))
        held = begun(loosened(sequence([secret, after])))
        self.held_text = NEVER if held is None else written(sequence([loosened(before), held]))
        self.alive = compiled(NEVER if alive is None else f"(?:{written(alive)})\\z")
        """Where a match has begun that the end of the text cuts off, or that may go on after it."""
        self.runs_on = None if detector.runs_on is None else compiled(f"(?:{written(detector.runs_on)})*")
        until = detector.until
        self.until = None if until is None else compiled(_with_secret(until), captures=True)


class Plan:
    """Made by `compile`."""

    def __init__(self, chosen: Sequence[Detector], style: Style, key: bytes) -> None:
        self.style = style
        self.key = key
        self.detectors = tuple(Compiled(detector, index) for index, detector in enumerate(chosen))
        self.finder = Finder([detector.pattern for detector in chosen])
        triggers = {trigger for detector in chosen for trigger in detector.triggers}
        self._beginnings = sorted(trigger.lower() for trigger in triggers if len(trigger) > 2)
        held = "|".join(f"(?:{found.held_text})" for found in self.detectors) or NEVER
        self.longest = max((detector.longest for detector in chosen), default=0)
        self.held: Search = compiled(f"(?:{held})\\z")
        """Where the first secret of any detector has begun that the end of the text cuts off."""

    @classmethod
    def compile(
        cls,
        *,
        detectors: Collection[str] = (),
        families: Collection[str] = (),
        patterns: Sequence[Custom] = (),
        words: Sequence[Words] = (),
        style: Style = Style.LABEL,
        key: bytes = b"",
    ) -> Plan:
        """The plan for shipped detectors and families by name, and for one's own. `key` is the tenant's, for
        Style.HASH. BadPattern says what can not be used."""
        if style is Style.HASH and len(key) < 16:
            raise BadPattern("a keyed hash wants a key of at least 16 bytes")
        if len(patterns) + len(words) > MAX_PATTERNS:
            raise BadPattern(f"{len(patterns) + len(words)} patterns and lists; at most {MAX_PATTERNS} can be used")
        _bound([word for listed in words for word in listed.words])
        own = [*(_custom(custom) for custom in patterns), *(_listed(listed) for listed in words)]
        chosen = _shipped(detectors, families)
        seen: set[str] = {detector.id for detector in chosen}
        for detector in own:
            if detector.id in seen:
                raise BadPattern(f"two detectors named {detector.id!r}: give one another name")
            seen.add(detector.id)
        return cls([*own, *chosen], style, key)

    def begins(self, text: bytes) -> bool:
        """Whether a known beginning stands in this text."""
        lower = text.lower()
        return any(begin in lower for begin in self._beginnings)

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of all its detectors, in their order: one's own first."""
        return tuple(found.detector.id for found in self.detectors)


def _with_secret(pattern: Pattern) -> str:
    """Its text, with the secret as the one group."""
    return f"(?:{written(pattern.before)})({written(pattern.secret)})(?:{written(pattern.after)})"


def _shipped(names: Collection[str], chosen: Collection[str]) -> list[Detector]:
    catalogue = detectors()
    if unknown := sorted(set(names) - set(catalogue)):
        raise BadPattern(f"no detectors named {', '.join(unknown)}")
    if unknown := sorted(set(chosen) - set(FAMILIES)):
        raise BadPattern(f"no families named {', '.join(unknown)}: there are {', '.join(FAMILIES)}")
    wanted = set(names).union(*(families()[name] for name in chosen))
    return [detector for name, detector in catalogue.items() if name in wanted]


def _custom(custom: Custom) -> Detector:
    if custom.check is not None and custom.check not in validators.BY_NAME:
        raise BadPattern(f"no validator named {custom.check!r}: there are {', '.join(validators.NAMES)}")
    return Detector(
        id=custom.id,
        families=frozenset(),
        pattern=read(custom.pattern),
        check=custom.check,
        label=custom.label or f"[{custom.id}]",
    )


def _bound(words: Sequence[str]) -> None:
    size = sum(len(word.encode()) for word in words)
    if len(words) > MAX_WORDS or size > MAX_WORD_BYTES:
        raise BadPattern(
            f"{len(words)} words of {size} bytes in all; at most {MAX_WORDS} of {MAX_WORD_BYTES} bytes can be masked"
        )


def _listed(listed: Words) -> Detector:
    if not listed.words:
        raise BadPattern("a list without words: name one, or leave the list out")
    longer_first = sorted(set(listed.words), key=lambda word: (-len(word), word))
    choice = Choice(tuple(literal(word).secret for word in longer_first))
    return Detector(
        id=listed.id,
        families=frozenset(),
        pattern=Pattern(EMPTY, choice, EMPTY),
        label=listed.label or f"[{listed.id}]",
    )
