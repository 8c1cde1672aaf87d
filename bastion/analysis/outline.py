"""The tree of a text as lines that a person reads: what the reader understood, before anything is judged.

A line is one node: a depth, a kind and a text. Words are shown as they would be typed, with quotes where they need
some; what stands inside a word and is a script of its own (a substitution, text for a shell) is a node below.

Limits: this is for reading, and is never run; the printer (printer.py) writes what runs.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bastion.analysis.guards import guard
from bastion.analysis.profiles import acts
from bastion.analysis.read import read
from bastion.analysis.read_words import Unreadable
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
from bastion.analysis.walk_commands import CommandWalk
from bastion.characters import shown

_PLAIN = re.compile(r"(?:[A-Za-z0-9_@%+=:,./^-]+|\[|\]|\{\})\Z")
_SPECIAL = re.compile(r"[\"$`\\!]")
"""What is not only itself between double quotes."""
_HIDDEN_ONLY = 1 << 20
"""Characters of one text; the reader's own bounds are far below."""


@dataclass(frozen=True, slots=True)
class Line:
    """One node. `text` is safe to print: nothing hidden, one line."""

    depth: int
    kind: str
    text: str = ""


def outline(text: bytes, shell: str = "bash", terminal: bool = False) -> tuple[Line, ...]:
    """The tree of `text`, or nothing where it can not be read. Never raises for any bytes."""
    if guard(text) is not None:
        return ()
    try:
        script = read(text, shell)
    except Unreadable:
        return ()
    with contextlib.suppress(Unreadable):  # then texts for shells stay words: the analysis has said why
        script = CommandWalk(shell, terminal, acts).script(script)
    return tuple(_script(script, 0))


def typed(word: bytes) -> str:
    """A literal word as one would type it: in quotes where it needs them, nothing hidden."""
    text = shown(word.decode("utf-8", "backslashreplace"), _HIDDEN_ONLY)
    if _PLAIN.match(text):
        return text
    if "'" in text and not _SPECIAL.search(text):
        return f'"{text}"'
    return "'" + text.replace("'", "'\\''") + "'"


# -- structure


def _script(script: Script, depth: int) -> Iterator[Line]:
    if len(script.items) == 1:
        yield from _and_or(script.items[0], depth)
        return
    yield Line(depth, "list" if script.items else "nothing")
    for item in script.items:
        yield from _and_or(item, depth + 1)


def _and_or(item: AndOr, depth: int) -> Iterator[Line]:
    if item.background:
        yield Line(depth, "background")
        depth += 1
    if not item.rest:
        yield from _pipeline(item.first, depth)
        return
    yield Line(depth, "and-or")
    yield from _pipeline(item.first, depth + 1)
    for operator, pipeline in item.rest:
        yield Line(depth + 1, "and" if operator == b"&&" else "or", operator.decode())
        yield from _pipeline(pipeline, depth + 2)


def _pipeline(pipeline: Pipeline, depth: int) -> Iterator[Line]:
    for name in (*pipeline.timed[:1], *((b"!",) if pipeline.negated else ())):
        yield Line(depth, "time" if name == b"time" else "not")
        depth += 1
    if len(pipeline.commands) > 1:
        yield Line(depth, "pipeline")
        depth += 1
    for command in pipeline.commands:
        yield from _command(command, depth)


def _command(command: Command, depth: int) -> Iterator[Line]:
    match command:
        case Simple():
            yield from _simple(command, depth)
        case Declaration():
            words = [command.name, *command.options]
            texts = [
                argument.decode() if isinstance(argument, bytes) else _set(argument) for argument in command.arguments
            ]
            yield Line(depth, "declare", " ".join([*(typed(word) for word in words), *texts]))
            assigned = [argument for argument in command.arguments if isinstance(argument, Assignment)]
            yield from _inside([word for argument in assigned for word in _words_of(argument)], depth + 1)
            yield from _redirections(command.redirections, depth + 1)
        case Test():
            tokens = [token.decode() if isinstance(token, bytes) else _word(token) for token in command.tokens]
            yield Line(depth, "test", f"[[ {' '.join(tokens)} ]]")
            yield from _inside([token for token in command.tokens if isinstance(token, Word)], depth + 1)
            yield from _redirections(command.redirections, depth + 1)
        case Coproc(inner):
            yield Line(depth, "coproc")
            yield from _simple(inner, depth + 1)
        case Function(name, body):
            yield Line(depth, "function", typed(name))
            yield from _command(body, depth + 1)
        case _:
            yield from _compound(command, depth)
            yield from _redirections(command.redirections, depth + 1)


def _simple(command: Simple, depth: int) -> Iterator[Line]:
    yield Line(depth, "command", " ".join(_word(word) for word in command.words))
    for assignment in command.assignments:
        yield Line(depth + 1, "set", _set(assignment))
        yield from _inside(_words_of(assignment), depth + 2)
    yield from _inside(command.words, depth + 1)
    yield from _redirections(command.redirections, depth + 1)


def _compound(command: Group | Subshell | If | For | While | Case, depth: int) -> Iterator[Line]:
    match command:
        case Group(body) | Subshell(body):
            yield Line(depth, "group" if isinstance(command, Group) else "subshell")
            yield from _script(body, depth + 1)
        case If(branches, otherwise):
            yield Line(depth, "if")
            for condition, body in branches:
                yield from _labelled("condition", condition, depth + 1)
                yield from _labelled("then", body, depth + 1)
            if otherwise is not None:
                yield from _labelled("else", otherwise, depth + 1)
        case For(name, words, body, select):
            over = " ".join(_word(word) for word in words)
            yield Line(depth, "select" if select else "for", f"{name.decode()} in {over}".rstrip())
            yield from _inside(words, depth + 1)
            yield from _labelled("do", body, depth + 1)
        case While(condition, body, until):
            yield Line(depth, "until" if until else "while")
            yield from _labelled("condition", condition, depth + 1)
            yield from _labelled("do", body, depth + 1)
        case Case(subject, items):
            yield Line(depth, "case", _word(subject))
            yield from _inside((subject,), depth + 1)
            for patterns, body, _ in items:
                yield Line(depth + 1, "when", " | ".join(_word(pattern) for pattern in patterns))
                yield from _inside(patterns, depth + 2)
                yield from _script(body, depth + 2)


def _labelled(kind: str, script: Script, depth: int) -> Iterator[Line]:
    yield Line(depth, kind)
    yield from _script(script, depth + 1)


def _redirections(redirections: tuple[Redirection, ...], depth: int) -> Iterator[Line]:
    for given in redirections:
        yield Line(depth, "redirect", f"{given.descriptor.decode()}{given.operator.decode()} {_word(given.target)}")
        yield from _inside((given.target,), depth + 1)


# -- words


def _words_of(assignment: Assignment) -> tuple[Word, ...]:
    if assignment.elements is not None:
        return assignment.elements
    return () if assignment.value is None else (assignment.value,)


def _set(assignment: Assignment) -> str:
    begins = assignment.name.decode("utf-8", "backslashreplace") + ("+=" if assignment.append else "=")
    if assignment.elements is not None:
        return f"{begins}({' '.join(_word(word) for word in assignment.elements)})"
    return begins + ("" if assignment.value is None else _word(assignment.value))


def _word(word: Word) -> str:
    return "".join(_part(part) for part in word.parts)


def _part(part: Part) -> str:
    match part:
        case Literal(value):
            return typed(value)
        case Parameter(inner, quoted):
            return _quoted(f"${{{inner.decode('utf-8', 'backslashreplace')}}}", quoted)
        case Substitution(_, quoted):
            return _quoted("$(…)", quoted)
        case Arithmetic(text, quoted):
            return _quoted(f"$(({text.decode()}))", quoted)
        case Process(direction):
            return f"{direction.decode()}(…)"
        case Glob(text):
            return shown(text.decode("utf-8", "backslashreplace"), _HIDDEN_ONLY)
        case Tilde(user):
            return f"~{user.decode()}"
        case ShellText():
            return "'…'"


def _quoted(text: str, quoted: bool) -> str:
    return f'"{text}"' if quoted else text


def _inside(words: tuple[Word, ...] | list[Word], depth: int) -> Iterator[Line]:
    """The scripts that stand inside these words."""
    for word in words:
        for part in word.parts:
            match part:
                case Substitution(script):
                    yield from _labelled("substitution", script, depth)
                case Process(_, script):
                    yield from _labelled("process", script, depth)
                case ShellText(script):
                    yield from _labelled("shell text", script, depth)
