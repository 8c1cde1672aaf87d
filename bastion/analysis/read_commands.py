"""Simple commands from their own bytes: assignments, words, redirections, declarations, here-documents.

The words of a command are split here, not by the parser, so a word that it hides in a redirection or drops is seen.
"""

from __future__ import annotations

import dataclasses
import re

from bastion.analysis import names
from bastion.analysis.read_tests import TestReader
from bastion.analysis.read_words import VALUE, Builder, WordReader, parts_of
from bastion.analysis.tree import (
    Assignment,
    Command,
    Coproc,
    Declaration,
    Function,
    Glob,
    Literal,
    Redirection,
    Simple,
    Word,
)

RESERVED = frozenset(
    b"! [[ ]] case coproc do done elif else esac fi for function if in select then time until while { }".split()
)
DECLARERS = frozenset({b"export", b"readonly", b"local", b"declare", b"typeset"})
_OPTION = re.compile(rb"-[aAgprxfFlu]+\Z|--\Z")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\Z")
_ASSIGNMENT = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]\n]*\])?(\+?)=")
_REDIRECTION = re.compile(rb"([0-9]*)(<<<|<<-|<<|<>|<&|<(?!\()|>>|>\||>&|>(?!\())|(&>>|&>)")
_READS_LINE = re.compile(rb"IFS=[ \t]+(?:read|'read')(?=[ \t\n;]|\Z)")
_DUPLICATED = re.compile(rb"(?:[0-9]{1,3}|-)(?=[ \t\n|&;()<>]|\Z)")
_TOUCHES = re.compile(rb"(?:[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\})\Z")
_HERE_DELIMITER = re.compile(
    rb"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n$`\\]+)\"|\\?([A-Za-z0-9_.,!@%+=:/-]+))(?=[ \t\n|&;()<>]|\Z)"
)
_ONE = Word((Literal(b"1"),))


class CommandReader(TestReader):
    """Adds simple commands to words. `start` and `end` are the span that must be read to its last byte."""

    def simple(self, start: int, end: int) -> Command:
        """One simple command, or a declaration."""
        self.step(start)
        raw = self.raw(start, end)
        if raw == b"coproc":
            return self._coproc(start, end)
        if raw in DECLARERS:
            return self._declaration(start, end)
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        at = self.skip(start, end)
        while at < end:
            if found := _REDIRECTION.match(self.text, at, end):
                at = self._redirection(found, end, redirections)
            elif not words and _ASSIGNMENT.match(self.text, at, end):
                assignment, at = self._assignment(at, end)
                assignments.append(assignment)
            else:
                made, after = self._checked_words(at, end, first=not words)
                words += made
                at = after
            at = self.skip(at, end)
        if not words and not assignments and not redirections:
            raise self.refuse(start, "a command is missing here", end)
        if words and words[0].literal in DECLARERS:
            return self._declared_by_words(words, assignments, redirections, start, end)
        return Simple(tuple(words), tuple(assignments), tuple(redirections), start, end)

    def _checked_words(self, at: int, end: int, first: bool) -> tuple[tuple[Word, ...], int]:
        words, after = self.words(at, end)
        raw = self.text[at:after]
        if first and raw in RESERVED:
            raise self.refuse(at, f"the reserved word {raw.decode()}", after)
        following = self.text[after : after + 1] if after < end else b""
        if following in (b"<", b">") and _TOUCHES.match(raw):
            raise self.refuse(at, "a descriptor that shells read differently", after)
        if following in (b"(", b")", b"|", b";", b"\n") or (
            following == b"&" and self.text[after + 1 : after + 2] != b">"
        ):
            shown = "newline" if following == b"\n" else following.decode()
            raise self.refuse(after, f"a {shown} inside a command")
        return words, after

    def _coproc(self, start: int, end: int) -> Command:
        if self.posix:
            raise self.refuse(start, "coproc, which this login shell does not have")
        at = self.skip(start + len(b"coproc"), end)
        command = self.simple(at, end)
        if not isinstance(command, Simple) or not command.words or command.assignments:
            raise self.refuse(start, "a coproc of a kind that can not be read", end)
        return Coproc(command)

    # -- assignments and declarations

    def variable(self, name: bytes, at: int) -> bytes:
        """A name that may be given a value here; not one that decides what runs."""
        if not _NAME.match(name):
            raise self.refuse(at, "a variable of a kind that can not be read")
        if names.decides(name, not self.posix):
            raise self.refuse(at, f"a value for {name.decode()}, which decides what other commands do")
        return name

    def function_name(self, name: bytes, at: int) -> bytes:
        if name in RESERVED or name in names.NOT_FUNCTIONS:
            raise self.refuse(at, f"a function called {name.decode()}")
        return name

    def _assignment(self, at: int, end: int) -> tuple[Assignment, int]:
        found = _ASSIGNMENT.match(self.text, at, end)
        if found is None or found[2] is not None:
            raise self.refuse(at, "an assignment to a member of an array")
        # `IFS= read x` is how one line is read whole; the value holds for `read` only.
        reads = _READS_LINE.match(self.text, at, end)
        name = found[1] if reads is not None else self.variable(found[1], at)
        append = found[3] == b"+"
        at = found.end()
        if append and self.posix:
            raise self.refuse(at, "+=, which this login shell does not have")
        if self.text[at : at + 1] == b"(" and at < end:
            if self.posix:
                raise self.refuse(at, "an array, which this login shell does not have")
            elements, at = self._elements(at + 1, end)
            return Assignment(name, append, None, elements), at
        if at == end or self.text[at] in b" \t\n":
            return Assignment(name, append, None), at
        value, at = self.word(at, end, VALUE)
        if at < end and self.text[at] in b"()|;&\n":
            raise self.refuse(at, "an operator inside a command")
        return Assignment(name, append, value), at

    def _elements(self, at: int, end: int) -> tuple[tuple[Word, ...], int]:
        words, at = self.word_list(at, end)
        if self.text[at : at + 1] != b")" or at >= end:
            raise self.refuse(at, "an array of a kind that can not be read")
        if at + 1 < end and self.text[at + 1] not in b" \t":
            raise self.refuse(at, "an array that touches a word")
        for word in words:
            first = word.parts[0]
            value = first.value if isinstance(first, Literal) else first.text if isinstance(first, Glob) else b""
            if value.startswith(b"["):
                raise self.refuse(at, "an array with subscripts")
        return words, at + 1

    def word_list(self, at: int, end: int) -> tuple[tuple[Word, ...], int]:
        """Words up to something that is none: of a loop, or of an array."""
        words: list[Word] = []
        at = self.skip(at, end)
        while at < end and self.text[at] not in b";\n()&|<>":
            made, at = self.words(at, end)
            words += made
            at = self.skip(at, end)
        return tuple(words), at

    def _declaration(self, start: int, end: int) -> Command:
        name = self.raw(start, end)
        options: list[bytes] = []
        arguments: list[Assignment | bytes] = []
        redirections: list[Redirection] = []
        at = self.skip(start + len(name), end)
        while at < end:
            if found := _REDIRECTION.match(self.text, at, end):
                at = self._redirection(found, end, redirections)
            elif _ASSIGNMENT.match(self.text, at, end):
                assignment, at = self._assignment(at, end)
                arguments.append(assignment)
            else:
                word, after = self.word(at, end)
                self._declared(name, word.literal, at, options, arguments)
                at = after
            at = self.skip(at, end)
        return Declaration(name, tuple(options), tuple(arguments), tuple(redirections), start, end)

    def _declared(
        self, name: bytes, word: bytes | None, at: int, options: list[bytes], arguments: list[Assignment | bytes]
    ) -> None:
        if word is None:
            raise self.refuse(at, f"a name for {name.decode()} that only the target would know")
        if not arguments and _OPTION.match(word):
            if b"A" in word and self.posix:
                raise self.refuse(at, "an array, which this login shell does not have")
            options.append(word)
            return
        variable, equals, value = word.partition(b"=")
        self.variable(variable, at)
        arguments.append(
            Assignment(variable, False, Word((Literal(value),)) if value else None) if equals else variable
        )

    def _declared_by_words(
        self, words: list[Word], assignments: list[Assignment], redirections: list[Redirection], start: int, end: int
    ) -> Command:
        """`\\export A=b`: not the shell's own reading of assignments, so every word must be literal."""
        name = words[0].literal
        if assignments or name is None:
            raise self.refuse(start, "a declaration with assignments before it", end)
        options: list[bytes] = []
        arguments: list[Assignment | bytes] = []
        for word in words[1:]:
            self._declared(name, word.literal, start, options, arguments)
        return Declaration(name, tuple(options), tuple(arguments), tuple(redirections), start, end)

    # -- redirections

    def _redirection(self, found: re.Match[bytes], end: int, redirections: list[Redirection]) -> int:
        descriptor, operator = found[1] or b"", found[2] or found[3]
        at = found.start()
        if len(descriptor) > 3:
            raise self.refuse(at, "a descriptor of more than three digits", found.end())
        if operator in (b"<<", b"<<-"):
            raise self.refuse(at, "a here-document of a kind that can not be read", found.end())
        if operator == b"<<<" and self.posix:
            raise self.refuse(at, "a here-string, which this login shell does not have", found.end())
        begin = self.skip(found.end(), end)
        if operator in (b">&", b"<&"):
            target = _DUPLICATED.match(self.text, begin, end)
            if target is None:
                raise self.refuse(at, f"{operator.decode()} with anything but a descriptor", found.end())
            redirections.append(Redirection(descriptor, operator, Word((Literal(target[0]),))))
            return target.end()
        word, after = self.word(begin, end)
        if after < end and self.text[after] in b"()|;\n":
            raise self.refuse(after, "an operator inside a command")
        if operator in (b"&>", b"&>>"):
            redirections.append(Redirection(b"", operator[1:], word))
            redirections.append(Redirection(b"2", b">&", _ONE))
        else:
            redirections.append(Redirection(descriptor, operator, word))
        return after

    def redirections(self, at: int, end: int) -> tuple[Redirection, ...]:
        """Nothing but redirections, as they stand after a compound command."""
        redirections: list[Redirection] = []
        at = self.skip(at, end)
        while at < end:
            found = _REDIRECTION.match(self.text, at, end)
            if found is None:
                raise self.refuse(at, "bytes that no part of a command accounts for", end)
            at = self.skip(self._redirection(found, end, redirections), end)
        return tuple(redirections)

    def redirected(self, command: Command, more: tuple[Redirection, ...]) -> Command:
        """The command with further redirections, after those that it has."""
        if not more:
            return command
        if isinstance(command, Function):
            return dataclasses.replace(command, body=self.redirected(command.body, more))
        if isinstance(command, Coproc):
            return Coproc(dataclasses.replace(command.command, redirections=command.command.redirections + more))
        return dataclasses.replace(command, redirections=command.redirections + more)

    def errors_too(self, command: Command) -> Command:
        """`|&` is `2>&1 |`, after the command's own redirections."""
        return self.redirected(command, (Redirection(b"2", b">&", _ONE),))

    def simple_with_heredoc(self, start: int, end: int, body: int) -> tuple[Command, int]:
        """A simple command whose line holds one `<<`, and whose body begins at `body`; and where the body ends."""
        if self.posix:
            raise self.refuse(start, "a here-document, which is not printed for this login shell yet", end)
        at = self.text.find(b"<<", start, end)
        found = _HERE_DELIMITER.match(self.text, at, end) if at >= 0 else None
        if found is None or self.text.find(b"<<", found.end(), end) >= 0 or self.text[at - 1 : at] not in (b" ", b"\t"):
            raise self.refuse(start, "a here-document of a kind that can not be read", end)
        delimiter = found[2] or found[3] or found[4]
        literal = found[4] is None or b"\\" in found[0]
        last, lines = body, []
        while True:
            line_end = self.text.find(b"\n", last)
            line = self.text[last : len(self.text) if line_end < 0 else line_end]
            stripped = line.lstrip(b"\t") if found[1] else line
            last = len(self.text) if line_end < 0 else line_end + 1
            if stripped == delimiter:
                break
            if line_end < 0:
                raise self.refuse(at, "a here-document that is not closed", end)
            lines.append(stripped)
        target = self._here_word(b"".join(line + b"\n" for line in lines), literal, at, found.end())
        before, after = self.simple(start, at), self.text[found.end() : end].strip(b" \t")
        if not isinstance(before, Simple) or not before.words:
            raise self.refuse(start, "a here-document of a kind that can not be read", end)
        here = Redirection(b"", b"<<<", target) if lines else Redirection(b"", b"<", Word((Literal(b"/dev/null"),)))
        rest = self.simple(self.skip(found.end(), end), end) if after else None
        if rest is not None and (not isinstance(rest, Simple) or rest.assignments):
            raise self.refuse(start, "a here-document of a kind that can not be read", end)
        words = before.words + (rest.words if rest is not None else ())
        if any(given.operator in (b">&", b"<&", b"<", b"<<<") for given in before.redirections):
            raise self.refuse(start, "a here-document after a redirection that it may change", end)
        # First of all: opened files do not depend on it, and the parser does not read `> a <<< x`.
        more = rest.redirections if rest is not None else ()
        command = dataclasses.replace(before, words=words, redirections=(here, *before.redirections, *more), end=end)
        return command, last - (1 if self.text[last - 1 : last] == b"\n" else 0)

    def _here_word(self, body: bytes, literal: bool, start: int, end: int) -> Word:
        """The body as the word of a here-string, which adds the last newline by itself."""
        if literal or not re.search(rb"[$`\\]", body):
            return Word((Literal(body[:-1]),))
        if b"$(" in body or b"\\\n" in body:
            raise self.refuse(start, "a substitution inside a here-document", end)
        builder = Builder()
        # A reader of its own for the body: inside it, no offset means a place of the whole text.
        inner = WordReader(body, self.posix)
        inner.script_of = lambda text, _start, _end: self.script_of(text, start, end)
        at, stop = 0, len(body) - 1
        while at < stop:
            at = inner.quoted(at, stop, builder)
        builder.flush()
        return Word(parts_of(builder.pieces)) if builder.pieces else Word((Literal(b""),))
