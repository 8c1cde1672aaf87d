"""Simple commands of a tree: their words, what their programs' profiles say of them, and the commands inside them.

A command that is given to another one (sudo, env, xargs, find -exec) is a command of its own here, with the programs
on the way to it in `via`. Text that a shell will read (bash -c, eval, su -c, ssh host …) is read to a tree, walked in
turn, and takes the place of the words that it stood in: the printer prints it from what was judged.

Limits: text for a shell that comes through a pipe is judged where it is known, but can not be printed again; it is a
finding of its own.
"""

from __future__ import annotations

import dataclasses

from bastion.analysis import builtins, names
from bastion.analysis.arrays import Arrays
from bastion.analysis.bounds import MAX_COMMANDS, MAX_JUDGED, MAX_LEVELS, MAX_PRINTED
from bastion.analysis.command import Command, Earlier, FindingKind, Unknown
from bastion.analysis.guards import guard
from bastion.analysis.pagers import pages_again
from bastion.analysis.printer import NotPrintable, print_script
from bastion.analysis.profile.acts import Acts, Nested
from bastion.analysis.profile.judge import base_name
from bastion.analysis.read import read
from bastion.analysis.read_words import Budget, Unreadable
from bastion.analysis.tree import Declaration, Literal, Redirection, Script, ShellText, Simple, Test, Word
from bastion.analysis.walk_findings import FindingWalk
from bastion.analysis.walk_input import ASKS, given_input, inside, passes, setting, value_of
from bastion.analysis.walk_words import (
    Judge,
    PathTally,
    Words,
    assigned,
    judged_words,
    name_of,
    opened_files,
    spelled,
    unknowns,
    unknowns_inside,
)
from bastion.characters import briefly

Argv = tuple[bytes | None, ...]

_IN_THIS_SHELL = frozenset({"eval", "trap"})
_BASHES = frozenset({"bash", "rbash"})


class CommandWalk(FindingWalk):
    """One text. `script` is called once; then the lists hold what was found, in the order of the text."""

    def __init__(
        self, shell: str, terminal: bool, judge: Judge, stdin: bytes | None = None, earlier: Earlier | None = None
    ) -> None:
        """`stdin` is the text's standard input, where it is known; `stdin_used` tells whether a program was given it,
        `asking` which commands asked for it in vain. `earlier` is what earlier texts of the same shell may have
        left."""
        super().__init__()
        self.terminal = terminal
        self.stdin_used = False
        self.asking: list[int] = []
        self.budget = Budget()
        self._unused = stdin
        self._shell = shell
        self._judge = judge
        self._via: tuple[bytes, ...] = ()
        self._levels = 0
        self._judged = 0
        self._place: tuple[int, int] | None = None
        self._folder: bytes | None = b""
        self._reader: Command | None = None
        self._channel = False
        self._paths = PathTally()
        self._arrays = Arrays(earlier is not None)
        self.of_lines = earlier is not None
        self._visited.extend(dict.fromkeys(folder for folder in (earlier.folders if earlier else ()) if folder))

    # -- the nodes that are commands

    def simple(self, command: Simple) -> Simple:
        written = command
        inherits = self.inherits and setting(command.redirections) is None
        if inherits and self._unused is not None:
            command = self._with_input(command, self._unused)
        environment = tuple([assigned(assignment) for assignment in command.assignments])
        stdin = given_input(command.redirections, self.stdin)
        found = self._add(
            command, [word.literal for word in command.words], environment, stdin, unknowns(command.words)
        )
        if found.argv and found.argv[0] in self.defined and not self.functions:
            found = self.commands[found.index] = dataclasses.replace(found, function=True)
        if fault := self._arrays.simple(command):
            self._doubt(found, fault, FindingKind.UNREADABLE)
        words, acts = command.words, None
        if found.argv:
            self._channel = inherits
            words, acts = self._program(found, words)
            if words is command.words:
                self.commands[found.index] = dataclasses.replace(found, acts=acts)
            else:
                printed = tuple([value_of(word) for word in words])
                self.commands[found.index] = dataclasses.replace(
                    found, argv=printed, acts=acts, unknown=unknowns(words)
                )
            self._goes(found.argv, command.words)
            if inherits and acts is not None and acts.asks in ASKS:
                self._asks(found, judged_words(tuple([spelled(word) for word in command.words]), found.unknown))
        redirections = command.redirections
        reader, self._reader = self._reader, None
        if acts is not None and any(nested.stdin for nested in acts.nested):
            reader = found
        if reader is not None:
            redirections = self._script_by_stdin(reader, redirections)
            given = given_input(redirections, self.stdin)
            for index in range(found.index, reader.index + 1):
                self.commands[index] = dataclasses.replace(self.commands[index], stdin=given)
        walked, assignments = self.words(words), self.assignments(command.assignments)
        redirections = self.redirections(redirections)
        same = walked is command.words and assignments is command.assignments and redirections is written.redirections
        if same:
            return written
        return dataclasses.replace(command, words=walked, assignments=assignments, redirections=redirections)

    def declaration(self, command: Declaration) -> Declaration:
        """What is declared is told as environment: `export` puts it there, and the others may find it there already."""
        argv: list[bytes | None] = [command.name, *command.options]
        environment: list[tuple[bytes, bytes | None]] = []
        for argument in command.arguments:
            if isinstance(argument, bytes):
                argv.append(argument)
                environment.append((argument, None))
                continue
            name, given = assigned(argument)
            argv.append(None if given is None else name + (b"+=" if argument.append else b"=") + given)
            environment.append((name, given))
        loose = tuple([Unknown(at, single=True) for at, word in enumerate(argv) if word is None])
        found = self._add(command, argv, tuple(environment), None, loose, Acts())
        if fault := self._arrays.declaration(command):
            self._doubt(found, fault, FindingKind.UNREADABLE)
        arguments = tuple(
            [argument if isinstance(argument, bytes) else self.assignment(argument) for argument in command.arguments]
        )
        redirections = self.redirections(command.redirections)
        return dataclasses.replace(command, arguments=arguments, redirections=redirections)

    def test(self, command: Test) -> Test:
        """An operand that only the target knows is one word: `[[` splits nothing."""
        argv: list[bytes | None] = [b"[["]
        argv += [token.literal if isinstance(token, Word) else token.removeprefix(b"~") for token in command.tokens]
        argv.append(b"]]")
        loose = tuple([Unknown(at, single=True) for at, word in enumerate(argv) if word is None])
        self._add(command, argv, (), None, loose, Acts())
        redirections = self.redirections(command.redirections)
        tokens = tuple([self.word(token) if isinstance(token, Word) else token for token in command.tokens])
        return dataclasses.replace(command, tokens=tokens, redirections=redirections)

    def _add(
        self,
        node: Simple | Declaration | Test,
        argv: list[bytes | None],
        environment: tuple[tuple[bytes, bytes | None], ...],
        stdin: bytes | None,
        unknown: tuple[Unknown, ...] = (),
        acts: Acts | None = None,
    ) -> Command:
        """A file that is opened around several commands is opened for each of them: what covers one covers no other."""
        start, end = self._place or (node.start, node.end)
        redirections = (*self.around, *node.redirections)
        files = opened_files(redirections)
        place = len(self.commands)
        found = Command(tuple(argv), environment, files, stdin, self._via, start, end, acts, unknown, place)
        self._keep(found)
        self._opens(found, redirections)
        return found

    def _keep(self, command: Command) -> Command:
        """`command`, which has the next place among the others; `commands` holds it from now on."""
        if len(self.commands) >= MAX_COMMANDS:
            raise Unreadable(command.start, command.end, f"more than {MAX_COMMANDS} commands")
        self._judged += len(command.argv) + len(command.redirections)
        if self._judged > MAX_JUDGED:
            raise Unreadable(command.start, command.end, f"more than {MAX_JUDGED} words")
        self.commands.append(command)
        return command

    # -- programs

    def _program(self, found: Command, words: tuple[Word, ...]) -> tuple[tuple[Word, ...], Acts | None]:
        """What the program does; its words, those for a shell replaced."""
        name = found.argv[0]
        if name is None:
            self._doubt(found, "a program's name that only the target would know", FindingKind.UNREADABLE)
            return words, None
        if not name:
            raise Unreadable(found.start, found.end, "a command without a name")
        if name in self.functions:
            self._doubt(found, f"{briefly(name)} calls itself", FindingKind.UNKNOWN)
        # A profile knows paths in a home directory, and reads them as the words that they are.
        known = tuple([spelled(word) for word in words]) if found.unknown else found.argv
        acts = self._acts(found, judged_words(known, found.unknown), self._folder)
        replaced: list[tuple[int, int, Word]] = []
        for nested in acts.nested:
            if not nested.stdin:
                self._nested(found, nested, found.argv, 0, replaced)
        for low, high, word in _backwards(replaced):
            words = (*words[:low], word, *words[high:])
        return words, acts

    def _acts(self, found: Command, words: Words, folder: bytes | None, more: bool = False) -> Acts:
        if too_many := self._paths.too_many(words, self._visited):
            raise Unreadable(found.start, found.end, too_many)
        acts = self._judge(
            words.argv,
            found.stdin,
            self.terminal,
            more=more,
            single=words.single,
            plain=words.plain,
            globs=words.globs,
            folder=folder,
            outlines=words.outlines,
            piped=self.piped,
            visited=tuple(self._visited),
            home=not self.arrived,
        )
        wrong = builtins.fault(words.argv, words.single, self._shell)
        if wrong is None and words.argv[0] in builtins.JUDGED:
            acts = Acts()
        for reason in (*((wrong,) if wrong else ()), *acts.code):
            self._doubt(found, reason, FindingKind.TAKES_COMMANDS)
        for reason in acts.unknown:
            self._doubt(found, reason, FindingKind.UNKNOWN)
        if acts.interactive and not acts.code and not wrong:
            self._doubt(found, f"{name_of(found)} takes commands from its input", FindingKind.TAKES_COMMANDS)
        self._effects(found, acts.categories, acts.techniques, name_of(found))
        if self.terminal and pages_again(found.via, words.argv):
            self._doubt(found, f"{name_of(found)} may open a pager on this terminal", FindingKind.TAKES_COMMANDS)
        for query in acts.sql:
            self._sql(found, query.dialect, query.text)
        return acts

    def _nested(
        self, outer: Command, nested: Nested, argv: Argv, offset: int, replaced: list[tuple[int, int, Word]]
    ) -> None:
        """A command in the words of another, or text for a shell. `argv` stands at `offset` in the printed words."""
        program = name_of(outer)
        self._levels += 1
        if self._levels > MAX_LEVELS:
            raise Unreadable(outer.start, outer.end, f"programs inside programs deeper than {MAX_LEVELS} levels")
        via, self._via = self._via, (*self._via, program.encode())
        low, high = nested.words
        hands_on = passes(program, argv[1:low]) and not nested.more
        channel, self._channel = self._channel, self._channel and hands_on
        arrived, self.arrived = self.arrived, self.arrived and not nested.remote
        if nested.shell is not None:
            replaced.append((offset + low, offset + high, self._nested_text(outer, nested, nested.shell, argv[low])))
        elif nested.argv:
            words = (*nested.argv, None) if nested.more else nested.argv
            inner = self._keep(
                Command(
                    words,
                    nested.environment,
                    stdin=outer.stdin if hands_on else None,
                    via=self._via,
                    start=outer.start,
                    end=outer.end,
                    unknown=unknowns_inside(outer, nested, words),
                    index=len(self.commands),
                )
            )
            if inner.argv[0] is None:
                self._doubt(inner, f"a program for {program} that only the target would know", FindingKind.UNREADABLE)
            else:
                self._sets(inner)
                known = judged_words(nested.argv, inner.unknown, nested.plain)
                acts = self._acts(inner, known, nested.folder, nested.more)
                if self._channel and acts.asks in ASKS:
                    self._asks(inner, known)
                before = len(replaced)
                self._deeper(inner, acts, nested, offset, replaced)
                printed: Argv = inner.argv
                for begins, stops, word in _backwards(replaced[before:]):
                    moved = offset + low
                    printed = (*printed[: begins - moved], value_of(word), *printed[stops - moved :])
                self.commands[inner.index] = dataclasses.replace(inner, argv=printed, acts=acts)
        self._via, self._channel, self.arrived = via, channel, arrived
        self._levels -= 1

    def _nested_text(self, outer: Command, nested: Nested, text: bytes, first: bytes | None) -> Word:
        """The word in the place of text for a shell; `first` is the word that the text begins in."""
        folder, self._folder = self._folder, nested.folder
        script = self._shell_text(outer, text, name_of(outer))
        self._folder = folder
        head = (Literal(first[: nested.prefix]),) if nested.prefix and first is not None else ()
        return Word((*head, script))

    def _sets(self, inner: Command) -> None:
        """`env PATH=… ls` is no better than `PATH=… ls`, which the reader refuses."""
        for name, _ in inner.environment:
            if names.decides(name):
                reason = f"a value for {briefly(name)}, which decides what other commands do"
                self._doubt(inner, reason, FindingKind.UNREADABLE)

    def _deeper(
        self, inner: Command, acts: Acts, nested: Nested, offset: int, replaced: list[tuple[int, int, Word]]
    ) -> None:
        """What is inside a command that is itself inside another's words."""
        low, high = nested.words
        for deeper in acts.nested:
            if deeper.stdin and inner.stdin is not None and self._reader is None:
                self._reader = inner
            elif deeper.stdin:
                self._doubt(inner, f"{name_of(inner)} reads commands from its input", FindingKind.TAKES_COMMANDS)
            elif high - low != len(nested.argv):
                self._doubt(inner, "a command whose words do not stand side by side", FindingKind.UNREADABLE)
            else:
                self._nested(inner, deeper, nested.argv, offset + low, replaced)

    def _shell_text(self, outer: Command, text: bytes, program: str, by_input: bool = False) -> ShellText:
        """The tree of text that a shell will read, walked. Raises Unreadable."""
        shell = self._shell if program in _IN_THIS_SHELL else "bash" if program in _BASHES else "sh"
        shell = program if program.endswith("ksh") else shell
        self._text(outer, text)
        refused = guard(text)
        if refused is not None:
            raise Unreadable(outer.start, outer.end, f"inside the text for {program}: {refused.reason}")
        try:
            script = read(text, shell, self.budget)
            whole = inside(script) if by_input else None
            if whole is not None:
                script = read(whole, shell, self.budget)
        except Unreadable as error:
            raise Unreadable(outer.start, outer.end, f"inside the text for {program}: {error.reason}") from None
        place, stdin, shell_before = self._place, self.stdin, self._shell
        reader, self._reader = self._reader, None
        self._place, self.stdin, self._shell = (outer.start, outer.end), None, shell
        walked = self.apart(lambda: self.anew(script))
        self._place, self.stdin, self._shell = place, stdin, shell_before
        self._reader = reader
        printed = printed_within_bounds(walked, outer.start, outer.end, shell != "bash")
        return ShellText(walked, by_input, shell != "bash", printed)

    def _asks(self, found: Command, known: Words) -> None:
        """Note a program to which its standard input would be all that is missing."""
        if not self._judge(known.argv, b"", self.terminal, single=known.single, plain=known.plain).interactive:
            self.asking.append(found.index)

    def _with_input(self, command: Simple, text: bytes) -> Simple:
        """The command with the whole text's standard input, when it reads commands from there."""
        known = judged_words(tuple([spelled(word) for word in command.words]), unknowns(command.words))
        if self._asked(known) not in ASKS:
            return command
        refused = guard(text)
        if refused is not None:
            raise Unreadable(command.start, command.end, f"standard input: {refused.reason}")
        self.stdin_used, self._unused = True, None
        here = Redirection(b"", b"<<<", Word((Literal(text.removesuffix(b"\n")),)))
        return dataclasses.replace(command, redirections=(*command.redirections, here))

    def _asked(self, words: Words) -> str:
        """What kind of commands it reads from its standard input, or the program does to which it hands that on."""
        acts = self._judge(words.argv, None, self.terminal, single=words.single, plain=words.plain)
        for nested in () if acts.asks else acts.nested:
            program = base_name(words.argv[0]) or ""
            if nested.argv and not nested.more and passes(program, words.argv[1 : nested.words[0]]):
                return self._asked(judged_words(nested.argv, (), nested.plain))
        return acts.asks

    def _script_by_stdin(self, found: Command, redirections: tuple[Redirection, ...]) -> tuple[Redirection, ...]:
        """A shell that reads its script from a here-document: the document is printed again."""
        program = name_of(found)
        at = setting(redirections)
        text = None if at is None or redirections[at].operator != b"<<<" else redirections[at].target.literal
        if at is None or text is None:
            self._doubt(found, f"{program} reads commands from its input", FindingKind.TAKES_COMMANDS)
            return redirections
        via, self._via = self._via, (*found.via, program.encode())
        script = self._shell_text(found, text, program, by_input=True)
        self._via = via
        changed = dataclasses.replace(redirections[at], target=Word((script,)))
        return (*redirections[:at], changed, *redirections[at + 1 :])


def printed_within_bounds(script: Script, start: int, end: int, posix: bool) -> bytes:
    """The printed text. Raises Unreadable where there is none, or too much."""
    try:
        printed = print_script(script, posix)
    except NotPrintable as error:
        raise Unreadable(start, end, str(error)) from None
    if len(printed) > MAX_PRINTED:
        raise Unreadable(start, end, f"more than {MAX_PRINTED} bytes when it is quoted")
    return printed


def _backwards(replaced: list[tuple[int, int, Word]]) -> list[tuple[int, int, Word]]:
    """From the last to the first, so that no change moves the place of another."""
    return sorted(replaced, key=lambda change: change[0], reverse=True)
