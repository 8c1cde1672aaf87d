"""Characters that a person does not see, or takes for others: one table for commands, names, audit and terminals.

`hidden`, `shown` and `briefly` are about what is not drawn, or would be obeyed by a terminal. `mixed` is about letters
of one alphabet that look like those of another (after Unicode Technical Standard 39, without its tables): a word of
more than one alphabet, and a word of a foreign one that is made of nothing but look-alikes of Latin letters.

Limits: within one alphabet look-alikes stay (`l` and `I`), and so do those that NFKC does not fold (`ı`, `ɑ`). Scripts
without Latin look-alikes may mix, as Japanese does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Default ignorable, or drawn as nothing, though the category says letter, mark or symbol: the combining grapheme
# joiner, Hangul, Khmer and Khitan fillers, Mongolian and other variation selectors, the Braille blank, the object
# replacement character, a null note head.
_DRAWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc\U00016fe4\U0001d159"
    "\U000e0000-\U000e0fff]"
)
NO_TEXT = re.compile("[\\0\ud800-\udfff]")
"""What no text may have: no database keeps it."""
_ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "GEORGIAN", "DESERET"})
"""Those whose letters look like each other's; by the first word of a letter's name in Unicode."""
_LIKE_LATIN = frozenset("асԁеһіјӏорԛѕԝхуүгпАВСЕНІЈКМОРЅТХУҮԌԚԜαινορυΑΒΕΖΗΙΚΜΝΟΡΤΥΧϲϳօսհոցզ")
"""Small and capital letters of Cyrillic, Greek and Armenian that are drawn as a Latin one."""
_BRIEF = 60


def hidden(text: str) -> bool:
    """Whether a character of `text` is a control, invisible, unassigned, private, a surrogate, or an odd blank."""
    return not text.isprintable() or (not text.isascii() and _DRAWN_AS_NOTHING.search(text) is not None)


def drawn_as_nothing(character: str) -> bool:
    """Whether this one has an innocent category, and is drawn as nothing all the same."""
    return _DRAWN_AS_NOTHING.match(character) is not None


def shown(text: object, bound: int = 300) -> str:
    """What others wrote, made fit for one line of a terminal: hidden characters as `\\xNN` or `\\u{NNNN}`, bytes that
    are not UTF-8 as `\\xNN`, cut at `bound` characters. What is not text is told by its type."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if not isinstance(text, str):
        return str(text) if type(text) in (int, float, bool) else f"({type(text).__name__})"
    cut = text if len(text) <= bound else text[:bound] + "…"
    return "".join(map(_escaped, cut)) if hidden(cut) else cut


def briefly(word: str | bytes) -> str:
    """A client's or an author's word as a reason names it: `shown`, in at most 60 characters, escapes counted."""
    text = shown(word, _BRIEF)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1]}…"


def _escaped(character: str) -> str:
    if not hidden(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{{{code:04x}}}"


def mixed(text: str) -> bool:
    """Whether a word of `text` is made of several alphabets, or only of another one's letters that look Latin."""
    return not text.isascii() and any(_misleads(word) for word in _words(text))


def _words(text: str) -> Iterator[str]:
    """Runs of letters and marks; anything else stands between words."""
    word = ""
    for character in text + " ":
        if unicodedata.category(character)[0] in "LM":
            word += character
        elif word:
            yield word
            word = ""


def _misleads(word: str) -> bool:
    letters = [character for character in word if character.isalpha()]
    alphabets = {unicodedata.name(letter, "").split(" ")[0] for letter in letters} & _ALPHABETS
    return len(alphabets) > 1 or (bool(letters) and all(letter in _LIKE_LATIN for letter in letters))
