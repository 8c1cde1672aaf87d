"""Values that bash reads as an array, and expands, however they are quoted: `declare -a x='($(rm))'` runs rm.

It does so where a declaration says `-a` or `-A`, and in `declare`, `typeset` and `local` of a variable that is an array
already, when the value begins with `(`. One that does, or of which only the target knows how it begins, is refused.

In a shell that reads one text after another, any name may be that of an array that an earlier text made.
"""

from __future__ import annotations

from bastion.analysis.tree import Assignment, Declaration, Literal, Simple, Word

_ALSO_BY_VARIABLE = frozenset({b"declare", b"typeset", b"local"})
_MAKES = frozenset(b"aA")


class Arrays:
    """The arrays of one text. Told of each command in order, it says what is wrong with it, or None; an array may be
    made after the declaration that it spoils, in a loop or a function, so either of the two may be the one at fault."""

    def __init__(self, any_name: bool = False) -> None:
        """`any_name`: any variable may be an array already."""
        self._any = any_name
        self._made: set[bytes] = {b"COPROC"}
        self._given: set[bytes] = set()

    def simple(self, command: Simple) -> str | None:
        made = {assignment.name for assignment in command.assignments if assignment.elements is not None}
        if command.words and command.words[0].literal == b"read":
            words = [word.literal for word in command.words]
            made.update(word for word in words if word is not None and b"-a" in words)
        return self._fault(made, set())

    def declaration(self, command: Declaration) -> str | None:
        marked = any(not _MAKES.isdisjoint(option) for option in command.options)
        made, given = set[bytes](), set[bytes]()
        for argument in command.arguments:
            name = argument if isinstance(argument, bytes) else argument.name
            if marked or (isinstance(argument, Assignment) and argument.elements is not None):
                made.add(name)
            if isinstance(argument, bytes) or argument.value is None:
                continue
            if (marked or command.name in _ALSO_BY_VARIABLE) and _begins(argument.value)[:1] == b"(":
                return "a quoted value that bash would expand as an array"
            if not _begins(argument.value) and argument.value.literal is None:
                if marked or (self._any and command.name in _ALSO_BY_VARIABLE):
                    return "a value that bash may expand as an array"
                if command.name in _ALSO_BY_VARIABLE:
                    given.add(name)
        return self._fault(made, given)

    def _fault(self, made: set[bytes], given: set[bytes]) -> str | None:
        self._made |= made
        self._given |= given
        return None if self._made.isdisjoint(self._given) else "a value that bash may expand as an array"


def _begins(word: Word) -> bytes:
    """The literal bytes at its beginning."""
    first = word.parts[0]
    return first.value if isinstance(first, Literal) else b""
