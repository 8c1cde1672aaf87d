"""What would this shell text do? tree-sitter-bash gives a tree; a walk through an allow-list of node kinds reads it.

So far one kind of text is decidable: a single simple command of literal words. Everything else is undecidable, with
the place and the reason. A text is never "no commands found, so fine".

The tree is not trusted alone. The parser misreads some texts without an error node (an escaped newline becomes part of
a word, an escaped blank vanishes, a carriage return counts as a blank), so three readings must agree: the tree's
words, the bytes between them (blanks and nothing else), and the evaluation of each word's own bytes, which refuses
any operator or blank that the tree should have split at.

Limits: the text is judged, not what the program does with its arguments, beyond the profiles in programs/. Functions
and start-up files of the account on the target are not known here.
"""

from __future__ import annotations

import re
from itertools import pairwise

import tree_sitter
import tree_sitter_bash

from bastion.analysis.command import Analysis, Command, Finding, FindingKind
from bastion.analysis.guards import guard, guard_characters
from bastion.analysis.printer import NotPrintable, print_commands
from bastion.analysis.profiles import profile
from bastion.analysis.words import NotLiteral, literal

UNDECIDABLE = "undecidable"
MAX_FINDINGS = 8

_LANGUAGE = tree_sitter.Language(tree_sitter_bash.language())
_ROOT = "program"
_COMMAND = "command"
_NAME = "command_name"
_WORDS = frozenset({"word", "number", "raw_string", "string", "ansi_c_string", "concatenation"})
_REFUSED_NODES = {
    "ERROR": "this is not shell syntax that can be read",
    "arithmetic_expansion": "an arithmetic expansion",
    "c_style_for_statement": "a loop",
    "case_statement": "a case statement",
    "command_substitution": "a command substitution",
    "comment": "a comment",
    "compound_statement": "a group of commands",
    "declaration_command": "a declaration",
    "expansion": "a variable",
    "file_redirect": "a redirection",
    "for_statement": "a loop",
    "function_definition": "a function definition",
    "heredoc_redirect": "a here-document",
    "herestring_redirect": "a here-string",
    "if_statement": "an if statement",
    "list": "several commands (&& or ||)",
    "negated_command": "a negated command",
    "pipeline": "a pipeline",
    "process_substitution": "a process substitution",
    "redirected_statement": "a redirection",
    "simple_expansion": "a variable",
    "subshell": "a subshell",
    "test_command": "a test",
    "unset_command": "an unset",
    "variable_assignment": "an assignment",
    "variable_assignments": "an assignment",
    "while_statement": "a loop",
    "&": "a command in the background",
    ";": "several commands (;)",
    "\n": "several commands",
}
_RESERVED = frozenset(
    b"! [[ ]] case coproc do done elif else esac fi for function if in select then time until while { }".split()
)
_BETWEEN_WORDS = re.compile(rb"[ \t]+(?:\\\n[ \t]*)*\Z")
"""Blanks, then possibly a line continuation: after a blank it can not join or split words."""
_AROUND = re.compile(rb"[ \t\n]*\Z")
_ASSIGNMENT = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=")


class _Unreadable(Exception):
    def __init__(self, start: int, end: int, reason: str) -> None:
        super().__init__(reason)
        self.finding = Finding(start, end, reason)


def analyse(text: bytes) -> Analysis:
    """What `text`, given to a login shell, would run. Never raises for any bytes; pure, and bounded (guards.py)."""
    refused = guard(text)
    if refused is not None:
        return _unreadable(text, [refused])
    root = tree_sitter.Parser(_LANGUAGE).parse(text).root_node
    command = _only_command(root)
    if command is None:
        return _unreadable(text, _reasons(root, text))
    try:
        argv = _argv(command, text)
        commands = (Command(argv),)
        runs = print_commands(commands)
    except _Unreadable as error:
        return _unreadable(text, [error.finding])
    except NotPrintable as error:
        return _unreadable(text, [Finding(command.start_byte, command.end_byte, str(error))])
    hidden = guard_characters(runs)
    if hidden is not None:
        # Such as $'\x1b'. Who approves, or reads the audit trail, must be able to see what runs; and what is printed
        # must be decidable again, as the same commands.
        reason = f"an escape stands for {hidden.reason}"
        return _unreadable(text, [Finding(command.start_byte, command.end_byte, reason)])
    found = profile(argv)
    acts = (
        (Finding(command.start_byte, command.end_byte, found.acts, FindingKind.TAKES_COMMANDS),) if found.acts else ()
    )
    return Analysis(text, commands, acts, runs, found.categories)


def _unreadable(text: bytes, findings: list[Finding]) -> Analysis:
    return Analysis(text, (), tuple(findings[:MAX_FINDINGS]), None, frozenset({UNDECIDABLE}))


def _only_command(root: tree_sitter.Node) -> tree_sitter.Node | None:
    """The command of a text that is one simple command by the tree, or None."""
    if root.type != _ROOT or root.has_error or root.child_count != 1:
        return None
    command = root.children[0]
    return command if command.type == _COMMAND else None


def _argv(command: tree_sitter.Node, text: bytes) -> tuple[bytes, ...]:
    """The words, each read twice: where the tree says they are, and from their own bytes."""
    spans: list[tuple[int, int]] = []
    for child in command.children:
        kind = child.type
        if kind == _NAME and not spans and child.child_count == 1:
            kind = child.children[0].type
        elif not spans:
            raise _Unreadable(child.start_byte, child.end_byte, _REFUSED_NODES.get(kind, f"a {kind} before the name"))
        if kind not in _WORDS:
            raise _Unreadable(child.start_byte, child.end_byte, _REFUSED_NODES.get(kind, _named(kind)))
        spans.append((child.start_byte, child.end_byte))
    if not spans:
        raise _Unreadable(0, len(text), "no command here")
    first, last = spans[0][0], spans[-1][1]
    if not _AROUND.match(text[:first]) or not _AROUND.match(text[last:]):
        raise _Unreadable(0, len(text), "bytes that no part of the command accounts for")
    for (_, end), (start, _) in pairwise(spans):
        if not _BETWEEN_WORDS.match(text[end:start]):
            raise _Unreadable(end, start, "bytes between two words that are not blanks")
    name = text[slice(*spans[0])]
    if name in _RESERVED:
        raise _Unreadable(*spans[0], f"the reserved word {name.decode()}")
    if _ASSIGNMENT.match(name):
        raise _Unreadable(*spans[0], "an assignment")
    return tuple(_word(text, start, end) for start, end in spans)


def _word(text: bytes, start: int, end: int) -> bytes:
    try:
        return literal(text[start:end])
    except NotLiteral as error:
        raise _Unreadable(start + error.offset, end, error.reason) from None


def _reasons(root: tree_sitter.Node, text: bytes) -> list[Finding]:
    """Every outermost node that is not of the decidable kind, in order. Iterative: texts nest as deep as they like."""
    findings: list[Finding] = []
    waiting = [root]
    while waiting and len(findings) < MAX_FINDINGS:
        node = waiting.pop()
        kind = node.type
        if node.is_missing:
            findings.append(Finding(node.start_byte, node.end_byte, f"something is missing here: {_named(kind)}"))
        elif kind in _REFUSED_NODES and kind not in _WORDS:
            findings.append(Finding(node.start_byte, node.end_byte, _REFUSED_NODES[kind]))
        elif kind in (_ROOT, _COMMAND, _NAME, "concatenation", "string"):
            waiting.extend(reversed(node.children))
        elif node.child_count:
            findings.append(Finding(node.start_byte, node.end_byte, _named(kind)))
    if findings:
        return findings
    empty = not text.strip(b" \t\n")
    return [Finding(0, len(text), "there is no command here" if empty else "more than one command")]


def _named(kind: str) -> str:
    return f"what the parser calls {kind!r}"
