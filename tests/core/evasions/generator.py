"""Evasions: the canary spelled in some way, inside up to four wrappings, now and then with something out of place.

The same seed gives the same text on every machine. Drawn by hypothesis the choices are hypothesis' own, so that what
fails shrinks.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.core.evasions.spellings import SPELLINGS
from tests.core.evasions.wrappings import HIDES, RUNS, wrapped

CANARY = "canary"
MOST = 4000
"""Bytes of one text, below what is not even parsed: there the answer is known."""

_OUT_OF_PLACE = (
    " ", "  ", "\t", "\n", "\\\n", "\\", "'", '"', "`", "$", "$(", ")", "(", "{", "}", "#", ";", "&", "|", "<", ">",
    "!",
    " 2>/dev/null ", " # ", "\r", "\v", "\f", "$'", "${", "[", "]", "*", "?", "~", "=", " <<E\n", "\nE\n", " 2>&1 ",
    "\\ ", "a=", "<<<", "&&", "||", ">&", "-", " -200>f ", "{x}>f ", "time ", "coproc ", "! ", "\n\\", "`:`", "\u00a0",
    "\u200b", ":", "$x", "$@", "[[ ", " ]]", "((", "))", "then", "do", "in", "%", "@", ",",
)  # fmt: skip
_ARGUMENTS = ("", "", " a", " -x 'b c'", " $z", " > /dev/null", " 2>&1", " <<< x")


def evasion(chance: Random) -> str:
    """One text."""
    text = chance.choice(SPELLINGS)(chance, CANARY) + chance.choice(_ARGUMENTS)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3, 4])):
        text = _grown(text, chance, RUNS)
    if chance.random() < 0.3:
        text = _grown(text, chance, HIDES)
        if chance.random() < 0.3:
            text = _grown(text, chance, RUNS)
    if chance.random() < 0.25:
        for _ in range(chance.randint(1, 3)):
            text = _disturbed(text, chance)
    return text


def _grown(text: str, chance: Random, forms: tuple[str, ...]) -> str:
    grown = wrapped(chance, chance.choice(forms), text)
    return text if len(grown.encode()) > MOST else grown


def _disturbed(text: str, chance: Random) -> str:
    """Something put in, taken out, or done twice, somewhere."""
    at = chance.randint(0, len(text))
    until = min(len(text), at + chance.randint(1, 3))
    return chance.choice(
        [
            text[:at] + chance.choice(_OUT_OF_PLACE) + text[at:],
            text[:at] + chance.choice(_OUT_OF_PLACE) + text[at:],
            text[:at] + text[until:],
            text[:until] + text[at:],
        ]
    )


def evasions(seed: int, count: int) -> list[str]:
    """`count` texts, no two alike."""
    chance = Random(seed)  # noqa: S311  nothing secret is drawn here
    found: dict[str, None] = {}
    while len(found) < count:
        found[evasion(chance)] = None
    return list(found)


drawn = st.randoms(use_true_random=False).map(evasion)
"""The same texts, as hypothesis draws them."""
