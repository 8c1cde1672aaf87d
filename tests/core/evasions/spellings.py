"""One word written in another way: what a filter over the text does not see, and the shell does.

Each function takes a source of chance and a plain word, and gives text that the shell makes that word of. Some hold
only where a command's name may stand.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random

from tests.core.evasions.cage import BIN

Spelling = Callable[[Random, str], str]


def single(text: str) -> str:
    """In single quotes, as one word."""
    return "'" + text.replace("'", "'\\''") + "'"


def double(text: str) -> str:
    """In double quotes, as one word."""
    return '"' + "".join("\\" + letter if letter in '$`"\\' else letter for letter in text) + '"'


def ansi(text: str) -> str:
    """In $'…', letter by letter."""
    return "$'" + "".join(f"\\{byte:03o}" for byte in text.encode()) + "'"


def hexadecimal(text: str) -> str:
    return "$'" + "".join(f"\\x{byte:02x}" for byte in text.encode()) + "'"


def quoted(chance: Random, text: str) -> str:
    """Any text as one word, quoted in one of the ways that there are."""
    ways = [single, double] if "\n" in text else [single, single, double, ansi, hexadecimal]
    return chance.choice(ways)(text)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _cut(chance: Random, word: str) -> tuple[str, str]:
    at = chance.randint(1, max(1, len(word) - 1))
    return word[:at], word[at:]


def _split(chance: Random, word: str) -> str:
    left, right = _cut(chance, word)
    return left + chance.choice(["''", '""', "\\", "$@", "$*", "${z}", "$''", '"$z"', "$1", "`:`", "$(:)"]) + right


def _half(chance: Random, word: str) -> str:
    left, right = _cut(chance, word)
    return chance.choice([f"'{left}'{right}", f'{left}"{right}"', f"{ansi(left)}{right}", f"\"{left}\"'{right}'"])


def _continued(chance: Random, word: str) -> str:
    left, right = _cut(chance, word)
    return f"{left}\\\n{right}"


def _unicode(chance: Random, word: str) -> str:
    form = chance.choice(["\\u{:04x}", "\\U{:08x}", "\\x{:x}"])
    return "$'" + "".join(form.format(ord(letter)) for letter in word) + "'"


def _tr(word: str) -> str:
    return word.translate(str.maketrans("abcdefghijklmnopqrstuvwxyz", "bcdefghijklmnopqrstuvwxyza"))


def _computed(chance: Random, word: str) -> str:
    octal = "".join(f"\\{byte:03o}" for byte in word.encode())
    script = chance.choice(
        [
            f"echo {word}",
            f"printf '{octal}'",
            f"printf %s {word}",
            f"rev <<< {word[::-1]}",
            f"base64 -d <<< {encoded(word)}",
            f"echo {encoded(word)} | base64 -d",
            f"xxd -r -p <<< {word.encode().hex()}",
            f"echo {_tr(word)} | tr b-za a-z",
            f"echo x{word} | cut -c2-",
            f"sed s/x// <<< x{word}",
        ]
    )
    backticked = script.replace("\\", "\\\\")
    return chance.choice([f"$({script})", f"`{backticked}`", f'"$({script})"'])


def _parameter(chance: Random, word: str) -> str:
    left, right = _cut(chance, word)
    return chance.choice(
        [
            f"${{z:-{word}}}",
            f"{left}${{z-{right}}}",
            f"${{z:={word}}}",
            f'"${{z:-{word}}}"',
            f"${{z:-{left}}}{right}",
        ]
    )


def _braces(chance: Random, word: str) -> str:
    left, right = _cut(chance, word)
    return chance.choice([f"{{{word},x}}", f"{left}{{{right},}}", f"{{{left},}}{right}", f"{{{word},{{a,b}}}}"])


def _globbed(chance: Random, word: str) -> str:
    at = chance.randrange(len(word))
    mark = chance.choice(["?", "*", f"[{word[at]}]", "[!x]"])
    return f"{BIN}/{word[:at]}{mark}{word[at + 1 :]}"


def _pathed(chance: Random, word: str) -> str:
    return chance.choice(["{0}/{1}", "{0}/./{1}", "{0}//{1}", "{0}/../bin/{1}", "'{0}'/{1}"]).format(BIN, word)


SPELLINGS: tuple[Spelling, ...] = (
    lambda _chance, word: word,
    _split,
    _half,
    _continued,
    _unicode,
    lambda _chance, word: hexadecimal(word),
    lambda _chance, word: "\\" + word,
    lambda _chance, word: "".join("\\" + letter for letter in word),
    quoted,
    _computed,
    _parameter,
    _braces,
    _globbed,
    _pathed,
)
