"""The tree back to shell text: what is sent to the target is printed here, from the same tree that was judged.

Every literal is single-quoted by the rule of POSIX XCU 2.2.2, inside which nothing is special but the quote itself, so
bash, dash, busybox ash, mksh and zsh read it as exactly what was judged. A quote stands in double quotes: no backslash
is printed outside of quotes, for bash 5.2 drops that of `$( x=(\') )` and reads all that follows with its quotes
exchanged. Quoting also stops aliases and reserved words: 'if' is a program's name. What must stay unquoted (parameters,
patterns, tildes, the names in declarations) has passed an allow-list when it was read, and is checked again here before
it is printed.

What stands in a substitution, or in a function that is exported, bash 5.2 prints anew from its own tree, and reads
again: a coprocess without a name gets one there, `1<>` loses its descriptor, and of a here-document in a list the body
can come too late or be lost, so that its text is read as commands. None of these is printed there, but for the
here-document of one command alone. (Where functions can be exported there are here-strings.)

Limits: quoting does not stop a function of that name in the account's own start-up files. fish and csh read quotes
differently, which is why the inventory refuses such login shells.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from itertools import count

from bastion.analysis.tree import (
    AndOr,
    Arithmetic,
    Assignment,
    Case,
    Command,
    Coproc,
    Declaration,
    For,
    Function,
    Glob,
    Group,
    If,
    Literal,
    Parameter,
    Part,
    Pipeline,
    Process,
    Redirection,
    Script,
    ShellText,
    Simple,
    Subshell,
    Substitution,
    Test,
    Tilde,
    While,
    Word,
)


class NotPrintable(ValueError):
    """A form that this printer has no text for; the caller must treat it as undecidable."""


_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\Z")
_PARAMETER = re.compile(rb"(?:\$|[^`'\"$<>;&{}\n]+)\Z")
_ARITHMETIC = re.compile(rb"(?:[0-9 +*/%()<>=!&|^~?:,-]|\$[#?$])*\Z")
_GLOB = re.compile(rb"(?:\*|\?|\[!?[A-Za-z0-9_.,:@%+=\[\]-]+\])\Z")
_USER = re.compile(rb"(?:[a-z_][a-z0-9_-]*|[+-])?\Z")
_OPTION = re.compile(rb"--?[A-Za-z]*\Z")
_OPERATOR = re.compile(rb"(?:<<<|<>|<&|<|>>|>\||>&|>)\Z")
_DESCRIPTOR = re.compile(rb"[0-9]{0,3}\Z")
_SPECIAL = re.compile(rb"[$`\\]")
_SWALLOWED = re.compile(rb"[\x80-\xff][$`\\]")
"""What is escaped behind a byte that could take the backslash for its second half, as in GBK, Big5 and Shift-JIS."""
_REGEX = re.compile(rb"[^`'\";&<>{}\n\t ]+\Z")


def quote(word: bytes) -> bytes:
    """One word, single-quoted. Raises NotPrintable for NUL, which no shell can hold."""
    if b"\0" in word:
        raise NotPrintable("a NUL in a word")
    return b"'" + word.replace(b"'", b"'\"'\"'") + b"'"


def print_script(script: Script, posix: bool = False) -> bytes:
    """The text of a whole script, on one line unless a literal holds a newline, or a here-document follows. `posix`:
    for a shell that has no here-strings. Raises NotPrintable."""
    return _Printer(posix).script(script, b"")


def print_whole(text: ShellText) -> bytes:
    """What a shell is given as its script, before it is quoted. Raises NotPrintable."""
    printed = text.printed or print_script(text.script, text.posix)
    return b"( 'eval' " + quote(printed) + b" ); 'exit'" if text.by_input else printed


def _passed(allowed: re.Pattern[bytes], text: bytes) -> bytes:
    if not allowed.match(text):
        raise NotPrintable(f"bytes that may not stand unquoted: {text[:20]!r}")
    return text


class _Printer:
    """One text. `bodies` are those of here-documents whose operator is on the line that is being printed: they follow
    where it ends, which is at the end of the command of a list that it is in."""

    def __init__(self, posix: bool) -> None:
        self.posix = posix
        self.inside = False
        """In a substitution."""
        self.alone = True
        """All of it, where it is in one, is one simple command."""
        self.bodies: list[bytes] = []
        self.lines = 0

    def word(self, word: Word) -> bytes:
        if not word.parts:
            raise NotPrintable("a word of no parts")
        printed = []
        for index, part in enumerate(word.parts):
            before = word.parts[index - 1] if index else None
            after = word.parts[index + 1] if index + 1 < len(word.parts) else None
            if isinstance(part, Literal) and isinstance(after, Tilde):
                # In a value, behind a colon: a quoted one would keep it from being a home.
                if part.value[-1:] != b":":
                    raise NotPrintable("a tilde inside a word")
                head = part.value[:-1]
                printed.append((self._part(Literal(head), before) if head else b"") + b":")
            else:
                printed.append(self._part(part, before))
        return b"".join(printed)

    # -- words

    def _part(self, part: Part, before: Part | None) -> bytes:
        if isinstance(part, Literal):
            if isinstance(before, Tilde):
                # A quoted slash would end the expansion: '~'/x is no home.
                if part.value[:1] not in (b"/", b":"):
                    raise NotPrintable("a tilde that runs into a word")
                return part.value[:1] + (quote(part.value[1:]) if part.value[1:] else b"")
            return quote(part.value)
        if isinstance(before, Tilde):
            raise NotPrintable("a tilde that runs into an expansion")
        match part:
            case Parameter(inner, quoted):
                return self._quoted(b"${" + _passed(_PARAMETER, inner) + b"}", quoted)
            case Substitution(script, quoted):
                return self._quoted(b"$(" + self._inside(script) + b")", quoted)
            case Process(direction, script):
                return _passed(re.compile(rb"[<>]\Z"), direction) + b"(" + self._inside(script) + b")"
            case Arithmetic(text, quoted):
                return self._quoted(b"$((" + _passed(_ARITHMETIC, text) + b"))", quoted)
            case Glob(text):
                return _passed(_GLOB, text)
            case Tilde(user):
                return b"~" + _passed(_USER, user)
            case ShellText():
                return quote(print_whole(part))

    def _quoted(self, text: bytes, quoted: bool) -> bytes:
        return b'"' + text + b'"' if quoted else text

    def _inside(self, script: Script) -> bytes:
        """Blanks keep `$( (` from being `$((`, and `<( <` apart."""
        outer, lines, around = self.bodies, self.lines, (self.inside, self.alone)
        self.bodies, self.inside, self.alone = [], True, _alone(script)
        printed = b" " + self.script(script, b"") + b" "
        if outer and self.lines != lines:
            raise NotPrintable("a here-document inside the line of another one")
        self.bodies, (self.inside, self.alone) = outer, around
        return printed

    # -- scripts

    def script(self, script: Script, end: bytes) -> bytes:
        """Items in order; `end` closes the last unless it runs in the background, whose `&` closes it."""
        printed = bytearray()
        for index, item in enumerate(script.items):
            last = index == len(script.items) - 1
            printed += self._and_or(item)
            if self.bodies:
                printed += (b" &\n" if item.background else b"\n") + b"".join(self.bodies)
                self.bodies = []
                self.lines += 1
            elif item.background:
                printed += b" &" if last else b" & "
            else:
                printed += end if last else b"; "
        return bytes(printed)

    def _block(self, script: Script) -> bytes:
        """A script that a keyword follows."""
        if not script.items:
            raise NotPrintable("a compound command without commands")
        return self.script(script, b";")

    def _and_or(self, item: AndOr) -> bytes:
        printed = self._pipeline(item.first)
        for operator, pipeline in item.rest:
            printed += b" " + _passed(re.compile(rb"(?:&&|\|\|)\Z"), operator) + b" " + self._pipeline(pipeline)
        return printed

    def _pipeline(self, pipeline: Pipeline) -> bytes:
        if not pipeline.commands:
            raise NotPrintable("a pipeline without commands")
        printed = b" | ".join(self._command(command) for command in pipeline.commands)
        if pipeline.timed:
            printed = (
                b" ".join(_passed(re.compile(rb"(?:time|-p)\Z"), word) for word in pipeline.timed) + b" " + printed
            )
        return b"! " + printed if pipeline.negated else printed

    # -- commands

    def _command(self, command: Command) -> bytes:
        printed = _PRINTERS[type(command)](self, command)
        redirections = () if isinstance(command, Function | Coproc) else command.redirections
        return b" ".join([*([printed] if printed else []), *(self._redirection(found) for found in redirections)])

    def _simple(self, command: Simple) -> bytes:
        if not (command.words or command.assignments or command.redirections):
            raise NotPrintable("a command without a name")
        if command.words and command.words[0].literal == b"":
            raise NotPrintable("a command without a name")
        return b" ".join([*map(self._assignment, command.assignments), *map(self.word, command.words)])

    def _assignment(self, assignment: Assignment) -> bytes:
        head = _passed(_NAME, assignment.name) + (b"+=" if assignment.append else b"=")
        if assignment.elements is not None:
            return head + b"(" + b" ".join(map(self.word, assignment.elements)) + b")"
        return head if assignment.value is None else head + self.word(assignment.value)

    def _declaration(self, command: Declaration) -> bytes:
        """The builtin's name and `name=` stay unquoted, or the shell would split the values like any words."""
        if self.posix and any(b"f" in option for option in command.options):
            raise NotPrintable("an option of a declaration that this login shell does not have")
        words = [_passed(_NAME, command.name), *(_passed(_OPTION, option) for option in command.options)]
        for argument in command.arguments:
            words.append(_passed(_NAME, argument) if isinstance(argument, bytes) else self._assignment(argument))
        return b" ".join(words)

    def _redirection(self, redirection: Redirection) -> bytes:
        """A blank after the operator: `<<(ls)` is no `< <(ls)`. None after a descriptor, which would be a word."""
        descriptor = _passed(_DESCRIPTOR, redirection.descriptor)
        operator = _passed(_OPERATOR, redirection.operator)
        if operator in (b">&", b"<&"):
            literal = redirection.target.literal
            return (
                descriptor + operator + _passed(re.compile(rb"(?:[0-9]{1,3}|-)\Z"), b"" if literal is None else literal)
            )
        if operator == b"<>" and descriptor.lstrip(b"0") == b"1" and self.inside:
            raise NotPrintable("`1<>` inside a substitution")
        if operator == b"<<<" and self.posix:
            if self.inside and (self.bodies or not self.alone):
                raise NotPrintable("a here-document inside a substitution that is more than one command")
            return descriptor + b"<< " + self._here(redirection.target)
        return descriptor + operator + b" " + self.word(redirection.target)

    def _here(self, target: Word) -> bytes:
        """A here-document for the word of a here-string, quoted where the word is a literal: its delimiter."""
        printed: list[bytes] = []
        outer, self.bodies = self.bodies, []
        quoted = all(isinstance(part, Literal | ShellText) for part in target.parts)
        for part in target.parts:
            if isinstance(part, Literal):
                if not quoted and _SWALLOWED.search(b"".join(printed)[-1:] + part.value):
                    raise NotPrintable("a character that is not ASCII right before one that a here-document escapes")
                printed.append(part.value if quoted else _SPECIAL.sub(rb"\\\g<0>", part.value))
            elif isinstance(part, ShellText):
                printed.append(print_whole(part))
            elif isinstance(part, Parameter | Substitution | Arithmetic):
                printed.append(self._part(dataclasses.replace(part, quoted=False), None))
            else:
                raise NotPrintable("a here-document of a kind that this login shell does not have")
        body = b"".join(printed) + b"\n"
        if b"\0" in body:
            raise NotPrintable("a NUL in a here-document")
        delimiter = next(name for number in count() if (name := b"EOF%d" % number if number else b"EOF") not in body)
        self.bodies = [*outer, body + delimiter + b"\n"]
        return quote(delimiter) if quoted else delimiter

    def _test(self, command: Test) -> bytes:
        words = [b"[["]
        for token in command.tokens:
            if isinstance(token, Word):
                words.append(self.word(token))
            else:
                # A regular expression is marked by `~`: it stays unquoted, as an operator does.
                words.append(_passed(_REGEX, token[1:]) if token[:1] == b"~" else token)
        return b" ".join([*words, b"]]"])

    def _if(self, command: If) -> bytes:
        if not command.branches:
            raise NotPrintable("an if without a condition")
        words = []
        for index, (condition, then) in enumerate(command.branches):
            words += [b"elif" if index else b"if", self._block(condition), b"then", self._block(then)]
        if command.otherwise is not None:
            words += [b"else", self._block(command.otherwise)]
        return b" ".join([*words, b"fi"])

    def _for(self, command: For) -> bytes:
        words = [b"select" if command.select else b"for", _passed(_NAME, command.name), b"in"]
        words += map(self.word, command.words)
        return b" ".join(words) + b"; do " + self._block(command.body) + b" done"

    def _while(self, command: While) -> bytes:
        keyword = b"until " if command.until else b"while "
        return keyword + self._block(command.condition) + b" do " + self._block(command.body) + b" done"

    def _case(self, command: Case) -> bytes:
        words = [b"case", self.word(command.subject), b"in"]
        for patterns, script, end in command.items:
            words.append(b"(" + b" | ".join(map(self.word, patterns)) + b")")
            if script.items:
                words.append(self.script(script, b""))
            words.append(_passed(re.compile(rb"(?:;;|;&|;;&)\Z"), end))
        return b" ".join([*words, b"esac"])

    def _coproc(self, command: Coproc) -> bytes:
        if self.inside:
            raise NotPrintable("a coprocess inside a substitution")
        return b"coproc " + self._command(command.command)

    def _function(self, command: Function) -> bytes:
        if not isinstance(command.body, Group | Subshell):
            raise NotPrintable("a function whose body is no group")
        around, self.inside = self.inside, self.inside or not self.posix
        printed = _passed(_NAME, command.name) + b"() " + self._command(command.body)
        self.inside = around
        return printed


def _alone(script: Script) -> bool:
    """Whether it is one simple command and nothing else."""
    if len(script.items) != 1 or script.items[0].rest or script.items[0].background:
        return False
    (item,) = script.items
    return len(item.first.commands) == 1 and isinstance(item.first.commands[0], Simple)


_PRINTERS: dict[type, Callable[..., bytes]] = {
    Simple: _Printer._simple,
    Declaration: _Printer._declaration,
    Test: _Printer._test,
    Group: lambda printer, command: b"{ " + printer._block(command.body) + b" }",
    Subshell: lambda printer, command: b"( " + printer._block(command.body) + b" )",
    If: _Printer._if,
    For: _Printer._for,
    While: _Printer._while,
    Case: _Printer._case,
    Function: _Printer._function,
    Coproc: _Printer._coproc,
}
