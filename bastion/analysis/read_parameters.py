"""`$`-forms that are read by allow-list: their bytes pass to the target unquoted, so nothing else may stand in them.

Refused, because the value of a variable would be run or evaluated: `${!x}`, `${x@P}`, a subscript or an offset with a
name in it, arithmetic with any name (`$((x))` evaluates what x holds, and that may hold `a[$(rm)]`).
"""

from __future__ import annotations

import re

_NAME = rb"[A-Za-z_][A-Za-z0-9_]*"
_SPECIAL = rb"[@*#?$!0-9-]"
_SUBSCRIPT = rb"(?:\[(?:[@*]|[0-9]{1,6})\])"
# What may stand after an operator: nothing that ends, quotes, substitutes or expands.
_TEXT = rb"(?:[A-Za-z0-9_./:@%+=,-]| (?![\s}]))*"
_PATTERN = rb"(?:[A-Za-z0-9_.:@%+=,*?#/-]| |\\[ ./*?:,+=@%#&|()-]|\[[!^]?[A-Za-z0-9_.,:@%+=/-]+\])*"
_NUMBER = rb"(?:[0-9]{1,9}| -[0-9]{1,9})"

BARE = re.compile(rb"\$(" + _NAME + rb"|[0-9](?![0-9])|[@*#?$!-])")
"""`$x`, `$1`, `$@`: never `$10`, which is `${1}0` to the shell and ten to many a reader."""
BRACED_POSIX = re.compile(
    rb"\$\{("
    rb"(?:" + _NAME + rb"|[1-9][0-9]{0,3}|" + _SPECIAL + rb")"
    rb"|#(?:" + _NAME + rb"|[0-9])"
    rb"|(?:" + _NAME + rb"|[0-9@*])(?::?[-+=?]" + _TEXT + rb"|(?:%%?|##?)" + _PATTERN + rb")"
    rb")\}"
)
BRACED_BASH = re.compile(
    rb"\$\{("
    rb"(?:" + _NAME + rb")" + _SUBSCRIPT + rb"(?:(?:%%?|##?)" + _PATTERN + rb")?"
    rb"|#" + _NAME + _SUBSCRIPT + rb""
    rb"|(?:" + _NAME + rb"|[0-9@*])" + _SUBSCRIPT + rb"?"
    rb"(?://?" + _PATTERN + rb"|\^\^?|,,?|:" + _NUMBER + rb"(?::" + _NUMBER + rb")?)"
    rb")\}"
)
ASSIGNS = re.compile(rb"(" + _NAME + rb"):?=")
"""An inner text that gives the variable a value."""
_ARITHMETIC = re.compile(rb"\$\(\((?:[0-9 +*/%()<>=!&|^~?:,-]|\$[#?$])*")
_CHANGES = re.compile(rb"\+\+|--")


def arithmetic(text: bytes, at: int, end: int) -> bytes | None:
    """What stands in the `$((…))` over numbers that begins at `at`; None when it is of any other kind."""
    found = _ARITHMETIC.match(text, at, end)
    close = -1 if found is None else text.find(b"))", at + 3, found.end())
    while found is not None and close >= 0:
        inner = text[at + 3 : close]
        if balanced(inner):
            return inner if inner.strip() else None
        close = text.find(b"))", close + 1, found.end())
    return None


def balanced(text: bytes) -> bool:
    """Whether the brackets of an arithmetic text pair up, and nothing in it would change a variable."""
    depth = 0
    for character in text:
        if character == 0x28:
            depth += 1
        elif character == 0x29:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0 and not _CHANGES.search(text)
