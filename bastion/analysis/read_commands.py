"""Simple commands from their own bytes: assignments, words, redirections, declarations, here-documents.

The words of a command are split here, not by the parser, so a word that it hides in a redirection or drops is seen.
"""

from __future__ import annotations

import dataclasses
import re

from bastion.analysis import names
from bastion.analysis.read_here import Here, NotClosed, substitution_end
from bastion.analysis.read_tests import TestReader
from bastion.analysis.read_words import VALUE, Builder, Unreadable, WordReader, parts_of
from bastion.analysis.tree import (
    Assignment,
    Command,
    Coproc,
    Declaration,
    Function,
    Glob,
    Literal,
    Redirection,
    Script,
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
_MAY_REDIRECT = frozenset(b"<>&0123456789")
_READS_LINE = re.compile(rb"IFS=[ \t]+(?:read|'read')(?=[ \t\n;]|\Z)")
_DUPLICATED = re.compile(rb"(?:[0-9]{1,3}|-)(?=[ \t\n|&;()<>]|\Z)")
_TOUCHES = re.compile(rb"(?:[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\})\Z")
_ONE = Word((Literal(b"1"),))
_NOTHING = Word((Literal(b"/dev/null"),))


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
            if self.text[at] in _MAY_REDIRECT and (found := _REDIRECTION.match(self.text, at, end)):
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
        return self._nameable(Simple(tuple(words), tuple(assignments), tuple(redirections), start, end))

    def _nameable(self, command: Simple) -> Simple:
        """Assignments alone with a redirection: the parser does not know the form, so what is printed of it could not
        be judged again."""
        if command.assignments and command.redirections and not command.words:
            raise self.refuse(command.start, "a redirection of assignments alone", command.end)
        return command

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
        if len(command.words) > 1 and command.words[1].literal in RESERVED:
            # Bash takes the first word for the name of what follows, whether that is quoted is not known here.
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
        if len(descriptor) > 1 and self.posix:  # to dash and mksh `1` of `12>x` is a word
            raise self.refuse(at, "a descriptor of more than one digit", found.end())
        if operator in (b"<<", b"<<-", b"<<<"):
            raise self.refuse(at, "a here-document of a kind that can not be read", found.end())
        here = self.here.get(found.start(2)) if operator == b"<" else None
        if here is not None:
            return self._here(here, found, end, redirections)
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

    def _here(self, here: Here, found: re.Match[bytes], end: int, redirections: list[Redirection]) -> int:
        """A here-document as the here-string that it stands for."""
        at = found.start(2)
        if here.end > end:
            raise self.refuse(at, "a here-document of a kind that can not be read", end)
        self.here_read.add(at)
        if here.body is None:
            if self.posix:
                raise self.refuse(at, "a here-string, which this login shell does not have", here.end)
            word, after = self.word(self.skip(here.end, end), end)
            redirections.append(Redirection(found[1], b"<<<", word))
            if after < end and self.text[after] in b"()|;\n":
                raise self.refuse(after, "an operator inside a command")
            return after
        if here.body:
            word = self._here_word(here.body, here.literal, at, here.end)
            redirections.append(Redirection(found[1], b"<<<", word))
        else:
            redirections.append(Redirection(found[1], b"<", _NOTHING))
        return here.end

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
        command = dataclasses.replace(command, redirections=command.redirections + more)
        return self._nameable(command) if isinstance(command, Simple) else command

    def errors_too(self, command: Command) -> Command:
        """`|&` is `2>&1 |`, after the command's own redirections."""
        return self.redirected(command, (Redirection(b"2", b">&", _ONE),))

    def _here_word(self, body: bytes, literal: bool, start: int, end: int) -> Word:
        """The body as the word of a here-string, which adds the last newline by itself."""
        if literal or not re.search(rb"[$`\\]", body):
            return Word((Literal(body[:-1]),))
        if b"\\\n" in body:
            raise self.refuse(start, "a line continuation inside a here-document", end)
        # A reader of its own for the body: inside it, no offset means a place of the whole text.
        inner, builder = WordReader(body, self.posix, self.budget), Builder()
        inner.script_of = lambda text, _start, _end: self.script_of(text, start, end)
        inner.script_at = lambda at, _opener: self._here_script(body, at, start, end)
        at, stop = 0, len(body) - 1
        try:
            while at < stop:
                at = inner.quoted(at, stop, builder)
        except Unreadable as error:
            raise Unreadable(start, end, error.reason) from None
        builder.flush()
        return Word(parts_of(builder.pieces)) if builder.pieces else Word((Literal(b""),))

    def _here_script(self, body: bytes, at: int, start: int, end: int) -> tuple[Script, int]:
        """The `$(…)` at this offset of a body, and where it ends there."""
        try:
            after = substitution_end(body, at)
        except NotClosed as error:
            raise self.refuse(start, str(error), end) from None
        return self.script_of(body[at + 2 : after - 1], start, end), after
