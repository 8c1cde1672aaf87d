"""Shell text to tree: tree-sitter-bash says where statements begin and end, an allow-list of its nodes is read.

The parser is not trusted alone. It misreads some texts without an error node (a newline and a backslash join two
commands, words after a redirection vanish into it, two backtick substitutions merge), so what it says is held against
the bytes: between the parts of a statement stand blanks and nothing else, statements are separated by what separates
statements, a command has no newline inside, and the words of a command are read from its own bytes (read_words.py),
all of them, up to its end. A node that is not known here is refused.

Limits: a text that is misread in spite of all this runs as it was read, because what runs is printed from the tree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import tree_sitter
import tree_sitter_bash

from bastion.analysis import read_here
from bastion.analysis.guards import LONG, guard_bare
from bastion.analysis.read_compound import COMPOUND, CompoundReader
from bastion.analysis.read_words import Budget, Unreadable
from bastion.analysis.tree import AndOr, Command, Pipeline, Script

_LANGUAGE = tree_sitter.Language(tree_sitter_bash.language())
_GAP = re.compile(rb"(?:[ \t\n]|(?<=[ \t\n;&|(])\\\n)*\Z")
_BLANKS = re.compile(rb"(?:[ \t]|(?<=[ \t])\\\n)*\Z")
_NEWLINE = re.compile(rb"(?<!\\)\n")
_TIME = re.compile(rb"time[ \t]+(-p[ \t]+)?(?![ \t\n]|\Z)")
_BEFORE_COMMENT = frozenset(b" \t\n;&|()")
_ENDS_COMMAND = frozenset(b" \t\n;&|)")
_SUBSTITUTIONS = frozenset({"command_substitution", "process_substitution"})
_SIMPLE_NODES = frozenset(
    {
        "command",
        "declaration_command",
        "file_redirect",
        "herestring_redirect",
        "test_command",
        "unset_command",
        "variable_assignment",
        "variable_assignments",
    }
)
_BEFORE_COMPOUND = re.compile(
    rb"(?:\A|[\n;&|({]|\b(?:do|then|else))[ \t]*(time|coproc)[ \t]+(?:-p[ \t]+)?(?:[A-Z]+[ \t]+)?"
    rb"(?:[{(]|\[\[|(?:for|while|until|if|case|select)(?=[ \t\n]))"
)
_NAMED = {
    "ERROR": "this is not shell syntax that can be read",
    "c_style_for_statement": "a loop over arithmetic",
}


def read(text: bytes, shell: str = "bash", budget: Budget | None = None) -> Script:
    """The tree of `text` as the given login shell reads it: "bash", or "sh" for any other POSIX shell.

    Raises Unreadable. The caller has bounded the text (guards.py); texts inside one another share a `budget`."""
    return Reader(text, shell != "bash", budget or Budget()).script()


class Reader(CompoundReader):
    """One text. Text between backticks is read by a Reader of its own, a level deeper."""

    def __init__(self, text: bytes, posix: bool, budget: Budget, depth: int = 0) -> None:
        super().__init__(text, posix, budget)
        self.depth = depth
        self.script_at = self._script_at
        self.script_of = self._script_of
        self._ends: dict[int, tree_sitter.Node] = {}

    def script(self) -> Script:
        """The whole text."""
        try:
            return self._whole()
        except Unreadable as error:
            # To the parser these are names of programs, so that what is wrong comes out anywhere.
            found = _BEFORE_COMPOUND.search(self.text)
            if found is None:
                raise
            reason = f"{found[1].decode()} before a compound command"
            raise self.refuse(found.start(1), reason, found.end()) from error

    def _whole(self) -> Script:
        if b"<<" in self.text:
            self._find_here()
        if len(self.text) > LONG:
            self._bound()
        root = tree_sitter.Parser(_LANGUAGE).parse(self.text).root_node
        if root.type != "program" or root.has_error:
            raise self._fault(root)
        if b"(" in self.text:
            self._find_substitutions(root)
        script = self.statements(root.children, 0, len(self.text))
        for at in self.here.keys() - self.here_read:
            raise self.refuse(at, "a here-document of a kind that can not be read")
        return script

    def _find_here(self) -> None:
        try:
            self.text, self.here = read_here.blank(self.text)
        except read_here.NotClosed as error:
            raise self.refuse(error.at, str(error)) from None

    def _bound(self) -> None:
        """What of a long text is not quoted is bounded, since it is what the parser has to tell apart."""
        try:
            bare = read_here.unquoted(self.text)
        except read_here.NotClosed as error:
            raise self.refuse(error.at, str(error)) from None
        reason = guard_bare(bare)
        if reason is not None:
            raise self.refuse(0, reason, len(self.text))

    def _fault(self, root: tree_sitter.Node) -> Unreadable:
        """The first place where the parser itself gave up. Iterative: texts nest as deep as they like."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.is_missing:
                return Unreadable(node.start_byte, node.end_byte, f"something is missing here: {_named(node.type)}")
            if node.type == "ERROR":
                return Unreadable(node.start_byte, node.end_byte, _NAMED["ERROR"])
            waiting.extend(reversed([child for child in node.children if child.has_error or child.is_missing]))
        return Unreadable(0, len(self.text), _NAMED["ERROR"])

    def _find_substitutions(self, root: tree_sitter.Node) -> None:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.type in _SUBSTITUTIONS:
                self._ends[node.start_byte] = node
            for child in node.children:
                if self.text.find(b"(", child.start_byte, child.end_byte) >= 0:
                    waiting.append(child)

    def _script_at(self, at: int, opener: bytes) -> tuple[Script, int]:
        node = self._ends.get(at)
        children = node.children if node is not None else []
        if (
            node is None
            or len(children) < 2
            or self.bytes_of(children[0]) != opener
            or self.bytes_of(children[-1]) != b")"
        ):
            raise self.refuse(at, "a substitution that can not be read")
        return self.statements(children[1:-1], children[0].end_byte, children[-1].start_byte), node.end_byte

    def _script_of(self, text: bytes, start: int, end: int) -> Script:
        inner = Reader(text, self.posix, self.budget, self.depth + 1)
        inner.enter(0)
        try:
            return inner.script()
        except Unreadable as error:
            raise Unreadable(start, end, error.reason) from None

    # -- lists

    def statements(self, nodes: Sequence[tree_sitter.Node], start: int, end: int) -> Script:
        """Statements between `start` and `end`, each told from the next by `;`, `&` or a newline."""
        self.enter(start)
        items: list[AndOr] = []
        open_item = False
        at = start
        for node in nodes:
            self.step(node.start_byte)
            gap = self.gap(at, node.start_byte)
            if _NEWLINE.search(gap) or self.text[at - 1 : at] == b"\n":
                open_item = False
            kind = node.type
            at = node.end_byte
            if kind == "comment":
                self.comment(node)
            elif kind in (";", "&", "\n"):
                if kind != "\n" and not open_item:
                    raise self.refuse(node.start_byte, f"a {kind} after no command")
                if kind == "&":
                    last = items.pop()
                    items.append(AndOr(last.first, last.rest, True))
                open_item = False
            else:
                if open_item:
                    raise self.refuse(node.start_byte, "two commands that nothing separates")
                items.append(self._and_or(node, node.end_byte))
                open_item = True
        self.gap(at, end)
        self.depth -= 1
        return Script(tuple(items))

    def gap(self, start: int, end: int) -> bytes:
        gap = self.text[start:end]
        if end < start or (gap and not _GAP.match(self.text, start, end)):
            raise self.refuse(start, "bytes that no part of a command accounts for", end)
        return gap

    def blanks(self, start: int, end: int) -> None:
        if not _BLANKS.match(self.text, start, end) or end < start:
            raise self.refuse(start, "bytes between two parts of a command that are not blanks", end)

    def comment(self, node: tree_sitter.Node) -> None:
        start, end = node.start_byte, node.end_byte
        line = self.text.find(b"\n", start)
        right = end == (len(self.text) if line < 0 else line)
        if self.text[start] != 0x23 or not right or (start and self.text[start - 1] not in _BEFORE_COMMENT):
            raise self.refuse(start, "a comment that shells read differently", end)

    def _and_or(self, node: tree_sitter.Node, end: int) -> AndOr:
        """A list of pipelines from its commands in the order of the text: the parser's own nesting is wrong where `|`
        stands beside `&&`, and it hangs the redirections of the last command on the whole."""
        flat: list[tuple[str, tree_sitter.Node, int]] = []
        self._flatten(node, end, flat)
        pipelines: list[tuple[bytes, Pipeline]] = []
        joint, stages = b"", list[tuple[str, tree_sitter.Node, int]]()
        for found in flat:
            if found[0] in ("&&", "||"):
                pipelines.append((joint, self._pipeline(stages)))
                joint, stages = found[0].encode(), []
            else:
                stages.append(found)
        pipelines.append((joint, self._pipeline(stages)))
        return AndOr(pipelines[0][1], tuple(pipelines[1:]))

    def _flatten(self, node: tree_sitter.Node, end: int, flat: list[tuple[str, tree_sitter.Node, int]]) -> None:
        """Commands (kind "") and the operators between them, in order; the last command goes on to `end`."""
        self.step(node.start_byte)
        children = node.children
        body = children[0] if node.type == "redirected_statement" and children else node
        if body.type not in ("list", "pipeline", "negated_command"):
            flat.append(("", node, end))
            return
        at = body.start_byte
        inner = body.children
        for index, child in enumerate(inner):
            kind = child.type
            if kind in ("&&", "||", "|", "|&", "!"):
                self.blanks(at, child.start_byte)
                if kind == "!" and self.text[child.end_byte : child.end_byte + 1] not in (b" ", b"\t", b"\n"):
                    raise self.refuse(child.start_byte, "`!` that is not a word by itself")
                flat.append((kind, child, child.end_byte))
            else:
                (self.gap if index and inner[index - 1].type != "!" else self.blanks)(at, child.start_byte)
                self.enter(child.start_byte)
                self._flatten(child, end if index == len(inner) - 1 else child.end_byte, flat)
                self.depth -= 1
            at = child.end_byte

    def _pipeline(self, stages: list[tuple[str, tree_sitter.Node, int]]) -> Pipeline:
        """Commands joined by `|`, after at most one `!` or `time`."""
        negated = bool(stages) and stages[0][0] == "!"
        timed: tuple[bytes, ...] = ()
        commands: list[Command] = []
        for index, (kind, node, end) in enumerate(stages[negated:]):
            if (kind in ("|", "|&")) != (index % 2 == 1) or (kind and index == len(stages) - negated - 1):
                raise self.unknown(node)
            if kind == "|&":
                commands[-1] = self.errors_too(commands[-1])
            if kind:
                continue
            found = _TIME.match(self.text, node.start_byte, end)
            if found is not None and self._is_simple(node):
                if self.posix:  # where it is no keyword it is a program
                    raise self.refuse(node.start_byte, "`time`, which shells read differently")
                if index or negated:
                    raise self.refuse(node.start_byte, "`time` inside a pipeline")
                timed = (b"time", b"-p") if found[1] else (b"time",)
                commands.append(self._simple(found.end(), end))
            else:
                commands.append(self.command(node, end))
        if not commands:
            raise self.refuse(stages[0][1].start_byte if stages else 0, "a command is missing here")
        return Pipeline(tuple(commands), negated, timed)

    # -- commands

    def command(self, node: tree_sitter.Node, end: int) -> Command:
        self.step(node.start_byte)
        kind = node.type
        if kind == "redirected_statement" and node.children:
            body = node.children[0]
            if self._is_simple(node):
                return self._simple(node.start_byte, end)
            command = self.command(body, body.end_byte)
            return self.redirected(command, self.redirections(body.end_byte, end))
        if kind == "test_command" and self._is_double(node):
            return self.test(node.start_byte, node.end_byte)
        if kind in _SIMPLE_NODES:
            return self._simple(node.start_byte, end)
        reader = COMPOUND.get(kind)
        if reader is None:
            raise self.unknown(node)
        self.enter(node.start_byte)
        command = reader(self, node)
        self.depth -= 1
        if end > node.end_byte:
            command = self.redirected(command, self.redirections(node.end_byte, end))
        return command

    def _simple(self, start: int, end: int) -> Command:
        if end < len(self.text) and self.text[end] not in _ENDS_COMMAND and self.text[end - 1] != 0x0A:
            raise self.refuse(end, "a command that ends inside a word")
        return self.simple(start, end)

    def _is_simple(self, node: tree_sitter.Node) -> bool:
        """Whether all of it is words, assignments and redirections: `[ … ]` is, `[[ … ]]` is not."""
        body = node.children[0] if node.type == "redirected_statement" and node.children else node
        return body.type in _SIMPLE_NODES and not (body.type == "test_command" and self._is_double(body))

    def _is_double(self, node: tree_sitter.Node) -> bool:
        return self.text.startswith(b"[[", node.start_byte)

    def bytes_of(self, node: tree_sitter.Node) -> bytes:
        return self.text[node.start_byte : node.end_byte]

    def unknown(self, node: tree_sitter.Node) -> Unreadable:
        return Unreadable(node.start_byte, node.end_byte, _NAMED.get(node.type, _named(node.type)))


def _named(kind: str) -> str:
    return f"what the parser calls {kind!r}"
