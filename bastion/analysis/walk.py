"""From the tree to all that it would run: a walk over every node, which gives back the tree to be printed.

Words are walked for the scripts inside them; simple commands are handed to walk_commands.py, which may put a word that
is printed anew in the place of one that a shell will read. Where nothing was replaced the very same objects come back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from bastion.analysis.tree import (
    AndOr,
    Assignment,
    Case,
    Command,
    Coproc,
    Declaration,
    For,
    Function,
    Group,
    If,
    Literal,
    Part,
    Pipeline,
    Process,
    Redirection,
    Script,
    Simple,
    Subshell,
    Substitution,
    Test,
    While,
    Word,
)
from bastion.analysis.walk_input import setting

T = TypeVar("T")
Compound = Group | Subshell | If | For | While | Case

_SAYS = frozenset({b"echo", b"printf"})


class Walk:
    """The structure. `simple`, `declaration` and `test` are for the class that judges commands.

    `stdin` is what a pipe brings to the next command, where that is known, and `piped` whether one does. `inherits`:
    its standard input is the whole text's, and no other command's besides as far as the structure tells. `defined` are
    the functions that are there by now, whatever ran before: those that stand alone, outside of everything. `arrived`:
    this runs in another folder than the text began in."""

    def __init__(self) -> None:
        self.stdin: bytes | None = None
        self.piped = False
        self.inherits = True
        self.functions: list[bytes] = []
        self.defined: set[bytes] = set()
        self._depth = 0
        self.arrived = False
        self.around: tuple[Redirection, ...] = ()

    def simple(self, command: Simple) -> Simple:
        raise NotImplementedError

    def declaration(self, command: Declaration) -> Declaration:
        raise NotImplementedError

    def test(self, command: Test) -> Test:
        raise NotImplementedError

    # -- structure

    def script(self, script: Script) -> Script:
        self._depth += 1
        items = each(script.items, self._and_or)
        self._depth -= 1
        return script if items is script.items else Script(items)

    def anew(self, script: Script) -> Script:
        """A script that a shell reads by itself: no function around it is surely there, nor one of its own outside."""
        depth, defined, self._depth, self.defined = self._depth, self.defined, 0, set()
        walked = self.script(script)
        self._depth, self.defined = depth, defined
        return walked

    def _and_or(self, item: AndOr) -> AndOr:
        if item.background:
            return self.apart(lambda: self._listed(item))
        walked = self._listed(item)
        only = item.first.commands[0]
        if self._depth == 1 and not item.rest and len(item.first.commands) == 1 and isinstance(only, Function):
            self.defined.add(only.name)
        return walked

    def apart(self, walked: Callable[[], T]) -> T:
        """Walk what has another standard input than the text, or has it more than once."""
        outer, self.inherits = self.inherits, False
        made = walked()
        self.inherits = outer
        return made

    def _listed(self, item: AndOr) -> AndOr:
        """After `cd x &&` the folder is surely another one; an `||` anywhere leaves open which command ran."""
        outer = self.arrived
        first = self._pipeline(item.first)
        surely = all(operator == b"&&" for operator, _ in item.rest)
        self.arrived = outer or (surely and self._leaves(item.first))
        rest = each(item.rest, lambda pair: self._rest(pair, surely))
        self.arrived = outer
        return item if first is item.first and rest is item.rest else AndOr(first, rest, item.background)

    def _leaves(self, pipeline: Pipeline) -> bool:
        """Whether it is `cd` to a folder that the text names, which leaves the one the text began in."""
        only = pipeline.commands[0]
        if pipeline.negated or len(pipeline.commands) > 1 or not isinstance(only, Simple) or len(only.words) != 2:
            return False
        folder = only.words[1].literal
        return only.words[0].literal == b"cd" and bool(folder) and (folder or b"-")[:1] != b"-"

    def _rest(self, pair: tuple[bytes, Pipeline], surely: bool) -> tuple[bytes, Pipeline]:
        pipeline = self._pipeline(pair[1])
        self.arrived = self.arrived or (surely and self._leaves(pair[1]))
        return pair if pipeline is pair[1] else (pair[0], pipeline)

    def _pipeline(self, pipeline: Pipeline) -> Pipeline:
        if len(pipeline.commands) == 1:
            commands = each(pipeline.commands, self._command)
        else:
            outer, piped, inherits = self.stdin, self.piped, self.inherits
            commands = each(pipeline.commands, self._stage)
            self.stdin, self.piped, self.inherits = outer, piped, inherits
        return pipeline if commands is pipeline.commands else dataclasses.replace(pipeline, commands=commands)

    def _stage(self, command: Command) -> Command:
        walked = self._command(command)
        self.stdin, self.piped, self.inherits = _said(command), True, False
        return walked

    def _command(self, command: Command) -> Command:
        if isinstance(command, Simple):
            return self.simple(command)
        if isinstance(command, Declaration):
            return self.declaration(command)
        if isinstance(command, Test):
            return self.test(command)
        if isinstance(command, Coproc):
            inner = self.apart(lambda: self.simple(command.command))
            return command if inner is command.command else Coproc(inner)
        if isinstance(command, Function):
            return self._function(command)
        redirections = self.redirections(command.redirections)
        around, self.around = self.around, (*self.around, *redirections)
        # What one command inside reads, another does not: the input as a whole is known to none of them.
        self.stdin = None
        loops = isinstance(command, For | While)
        other = loops or setting(command.redirections) is not None
        walked = self.apart(lambda: self._compound(command)) if other else self._compound(command)
        self.around = around
        return (
            walked if redirections is command.redirections else dataclasses.replace(walked, redirections=redirections)
        )

    def _function(self, command: Function) -> Function:
        """A body runs when it is called, with an input that is not this one."""
        outer, self.stdin = self.stdin, None
        piped, self.piped = self.piped, False
        arrived, self.arrived = self.arrived, False
        self.functions.append(command.name)
        body = self.apart(lambda: self._command(command.body))
        self.functions.pop()
        self.stdin, self.piped, self.arrived = outer, piped, arrived
        return command if body is command.body else dataclasses.replace(command, body=body)

    def _compound(self, command: Compound) -> Compound:
        if isinstance(command, Group | Subshell):
            body = self.script(command.body)
            return command if body is command.body else dataclasses.replace(command, body=body)
        if isinstance(command, While):
            condition, body = self.script(command.condition), self.script(command.body)
            same = condition is command.condition and body is command.body
            return command if same else dataclasses.replace(command, condition=condition, body=body)
        if isinstance(command, For):
            words, body = self.words(command.words), self.script(command.body)
            same = words is command.words and body is command.body
            return command if same else dataclasses.replace(command, words=words, body=body)
        if isinstance(command, If):
            branches = each(command.branches, self._branch)
            otherwise = None if command.otherwise is None else self.script(command.otherwise)
            same = branches is command.branches and otherwise is command.otherwise
            return command if same else dataclasses.replace(command, branches=branches, otherwise=otherwise)
        subject, items = self.word(command.subject), each(command.items, self._item)
        same = subject is command.subject and items is command.items
        return command if same else dataclasses.replace(command, subject=subject, items=items)

    def _branch(self, branch: tuple[Script, Script]) -> tuple[Script, Script]:
        condition, then = self.script(branch[0]), self.script(branch[1])
        return branch if condition is branch[0] and then is branch[1] else (condition, then)

    def _item(self, item: tuple[tuple[Word, ...], Script, bytes]) -> tuple[tuple[Word, ...], Script, bytes]:
        patterns, script = self.words(item[0]), self.script(item[1])
        return item if patterns is item[0] and script is item[1] else (patterns, script, item[2])

    # -- words

    def words(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        if None not in [word.literal for word in words]:
            return words
        return each(words, self.word)

    def word(self, word: Word) -> Word:
        if len(word.parts) == 1 and isinstance(word.parts[0], Literal):
            return word
        parts = each(word.parts, self._part)
        return word if parts is word.parts else Word(parts)

    def _part(self, part: Part) -> Part:
        if not isinstance(part, Substitution | Process):
            return part
        outer, self.stdin = self.stdin, None
        script = self.apart(lambda: self.script(part.script))
        self.stdin = outer
        return part if script is part.script else dataclasses.replace(part, script=script)

    def assignments(self, assignments: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
        return each(assignments, self.assignment)

    def assignment(self, assignment: Assignment) -> Assignment:
        value = None if assignment.value is None else self.word(assignment.value)
        elements = None if assignment.elements is None else self.words(assignment.elements)
        same = value is assignment.value and elements is assignment.elements
        return assignment if same else dataclasses.replace(assignment, value=value, elements=elements)

    def redirections(self, redirections: tuple[Redirection, ...]) -> tuple[Redirection, ...]:
        return each(redirections, self._redirection) if redirections else redirections

    def _redirection(self, redirection: Redirection) -> Redirection:
        target = self.word(redirection.target)
        return redirection if target is redirection.target else dataclasses.replace(redirection, target=target)


def each(values: tuple[T, ...], change: Callable[[T], T]) -> tuple[T, ...]:
    """All of `values` changed; the very same tuple when nothing was."""
    changed = tuple([change(value) for value in values])
    return values if all(new is old for new, old in zip(changed, values, strict=True)) else changed


def _said(command: Command) -> bytes | None:
    """What `echo` or `printf` of literal words writes, where every shell writes the same."""
    if not isinstance(command, Simple) or command.redirections or not command.words:
        return None
    words = [word.literal for word in command.words]
    name, *rest = words
    literal = [word for word in rest if word is not None and b"\\" not in word]
    if name not in _SAYS or len(literal) != len(rest):
        return None
    if name == b"printf":
        return rest[0] if len(literal) == 1 and b"%" not in literal[0] and literal[0][:1] != b"-" else None
    newline = b"\n"
    if literal[:1] == [b"-n"]:
        literal, newline = literal[1:], b""
    return None if literal and literal[0][:1] == b"-" else b" ".join(literal) + newline
