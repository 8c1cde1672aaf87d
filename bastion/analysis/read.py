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

from bastion.analysis.read_commands import CommandReader
from bastion.analysis.read_words import PATTERN, Unreadable
from bastion.analysis.tree import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Parameter,
    Pipeline,
    Script,
    Subshell,
    While,
    Word,
)

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
_ALL_PARAMETERS = (Word((Parameter(b"@", True),)),)
_NAMED = {
    "ERROR": "this is not shell syntax that can be read",
    "c_style_for_statement": "a loop over arithmetic",
}


def read(text: bytes, shell: str = "bash") -> Script:
    """The tree of `text` as the given login shell reads it: "bash", or "sh" for any other POSIX shell.

    Raises Unreadable. The caller has bounded the text (guards.py)."""
    return Reader(text, shell != "bash").script()


class Reader(CommandReader):
    """One text. Text between backticks is read by a Reader of its own, a level deeper."""

    def __init__(self, text: bytes, posix: bool, depth: int = 0) -> None:
        super().__init__(text, posix)
        self.depth = depth
        self.script_at = self._script_at
        self.script_of = self._script_of
        self._ends: dict[int, tree_sitter.Node] = {}

    def script(self) -> Script:
        """The whole text."""
        root = tree_sitter.Parser(_LANGUAGE).parse(self.text).root_node
        if root.type != "program" or root.has_error:
            raise self._fault(root)
        if b"(" in self.text:
            self._find_substitutions(root)
        return self._statements(root.children, 0, len(self.text))

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
            self.step(node.start_byte)
            if node.type in _SUBSTITUTIONS:
                self._ends[node.start_byte] = node
            waiting.extend(node.children)

    def _script_at(self, at: int, opener: bytes) -> tuple[Script, int]:
        node = self._ends.get(at)
        children = node.children if node is not None else []
        if node is None or len(children) < 2 or self._text(children[0]) != opener or self._text(children[-1]) != b")":
            raise self.refuse(at, "a substitution that can not be read")
        return self._statements(children[1:-1], children[0].end_byte, children[-1].start_byte), node.end_byte

    def _script_of(self, text: bytes, start: int, end: int) -> Script:
        inner = Reader(text, self.posix, self.depth + 1)
        inner.steps = self.steps
        inner.enter(0)
        try:
            script = inner.script()
        except Unreadable as error:
            raise Unreadable(start, end, error.reason) from None
        self.steps = inner.steps
        return script

    # -- lists

    def _statements(self, nodes: Sequence[tree_sitter.Node], start: int, end: int) -> Script:
        """Statements between `start` and `end`, each told from the next by `;`, `&` or a newline."""
        self.enter(start)
        items: list[AndOr] = []
        open_item = False
        at = start
        for node in nodes:
            self.step(node.start_byte)
            gap = self._gap(at, node.start_byte)
            if _NEWLINE.search(gap) or self.text[at - 1 : at] == b"\n":
                open_item = False
            kind = node.type
            at = node.end_byte
            if kind == "comment":
                self._comment(node)
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
        self._gap(at, end)
        self.depth -= 1
        return Script(tuple(items))

    def _gap(self, start: int, end: int) -> bytes:
        gap = self.text[start:end]
        if end < start or (gap and not _GAP.match(self.text, start, end)):
            raise self.refuse(start, "bytes that no part of a command accounts for", end)
        return gap

    def _blanks(self, start: int, end: int) -> None:
        if not _BLANKS.match(self.text, start, end) or end < start:
            raise self.refuse(start, "bytes between two parts of a command that are not blanks", end)

    def _comment(self, node: tree_sitter.Node) -> None:
        start, end = node.start_byte, node.end_byte
        line = self.text.find(b"\n", start)
        right = end == (len(self.text) if line < 0 else line)
        if self.text[start] != 0x23 or not right or (start and self.text[start - 1] not in _BEFORE_COMMENT):
            raise self.refuse(start, "a comment that shells read differently", end)

    def _and_or(self, node: tree_sitter.Node, end: int) -> AndOr:
        """A list, flat: the parser nests to the left, and hangs the last command's redirections on the whole."""
        if node.type == "redirected_statement" and node.children and node.children[0].type == "list":
            return self._and_or(node.children[0], end)
        if node.type != "list":
            return AndOr(self._pipeline(node, end))
        children = node.children
        if len(children) != 3 or children[1].type not in ("&&", "||"):
            raise self._unknown(node)
        left, operator, right = children
        self._blanks(left.end_byte, operator.start_byte)
        self._gap(operator.end_byte, right.start_byte)
        first = self._and_or(left, left.end_byte)
        last = self._and_or(right, end)
        return AndOr(first.first, (*first.rest, (operator.type.encode(), last.first), *last.rest))

    def _pipeline(self, node: tree_sitter.Node, end: int) -> Pipeline:
        if node.type == "redirected_statement" and node.children:
            body = node.children[0]
            if body.type in ("pipeline", "negated_command"):
                return self._pipeline(body, end)
            if self._heredoc(node) is not None:
                return self._with_heredoc(node, end)
        if node.type == "negated_command" and len(node.children) == 2:
            mark, body = node.children
            self._blanks(mark.end_byte, body.start_byte)
            if mark.end_byte == body.start_byte or self._text(mark) != b"!":
                raise self._unknown(node)
            inner = self._pipeline(body, end)
            if inner.negated or inner.timed:
                raise self.refuse(node.start_byte, "a pipeline that is negated or timed twice")
            return Pipeline(inner.commands, True)
        if node.type == "pipeline":
            return self._stages(node, end)
        found = _TIME.match(self.text, node.start_byte, end)
        if found is not None and self._is_simple(node):
            return Pipeline((self._simple(found.end(), end),), False, (b"time", b"-p") if found[1] else (b"time",))
        return Pipeline((self._command(node, end),))

    def _stages(self, node: tree_sitter.Node, end: int) -> Pipeline:
        stages: list[Command] = []
        negated, timed = False, ()
        children = node.children
        for index, child in enumerate(children):
            last = index == len(children) - 1
            if index:
                before = children[index - 1].end_byte
                if index % 2:
                    self._blanks(before, child.start_byte)
                else:
                    self._gap(before, child.start_byte)
            if index % 2:
                if child.type not in ("|", "|&") or last:
                    raise self._unknown(node)
                if child.type == "|&":
                    stages[-1] = self.errors_too(stages[-1])
                continue
            stage = self._pipeline(child, end if last else child.end_byte)
            if index and (stage.negated or stage.timed):
                raise self.refuse(child.start_byte, "a negation or `time` inside a pipeline")
            if not index:
                negated, timed = stage.negated, stage.timed
            stages.extend(stage.commands)
        return Pipeline(tuple(stages), negated, timed)

    # -- commands

    def _command(self, node: tree_sitter.Node, end: int) -> Command:
        self.step(node.start_byte)
        kind = node.type
        if kind == "redirected_statement" and node.children:
            body = node.children[0]
            if self._is_simple(node):
                return self._simple(node.start_byte, end)
            command = self._command(body, body.end_byte)
            return self.redirected(command, self.redirections(body.end_byte, end))
        if kind == "test_command" and self._is_double(node):
            return self.test(node.start_byte, node.end_byte)
        if kind in _SIMPLE_NODES:
            return self._simple(node.start_byte, end)
        reader = self._COMPOUND.get(kind)
        if reader is None:
            raise self._unknown(node)
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

    def _group(self, node: tree_sitter.Node) -> Command:
        return Group(self._between(node, "{", "}"))

    def _subshell(self, node: tree_sitter.Node) -> Command:
        return Subshell(self._between(node, "(", ")"))

    def _between(self, node: tree_sitter.Node, opener: str, closer: str) -> Script:
        children = node.children
        if len(children) < 3 or children[0].type != opener or children[-1].type != closer:
            raise self._unknown(node)
        return self._filled(children[1:-1], children[0].end_byte, children[-1].start_byte)

    def _filled(self, nodes: Sequence[tree_sitter.Node], start: int, end: int) -> Script:
        script = self._statements(nodes, start, end)
        if not script.items:
            raise self.refuse(start, "a command is missing here")
        return script

    def _split(self, node: tree_sitter.Node, *keywords: str) -> list[Script]:
        """The scripts between the keywords of a compound command, the last of which ends it."""
        scripts: list[Script] = []
        children, low = node.children, 0
        if children[0].type != keywords[0]:
            raise self._unknown(node)
        for keyword in keywords[1:]:
            high = next((index for index in range(low + 1, len(children)) if children[index].type == keyword), None)
            if high is None:
                raise self._unknown(node)
            scripts.append(
                self._filled(children[low + 1 : high], children[low].end_byte, children[high].start_byte)
            )
            low = high
        if low != len(children) - 1:
            raise self._unknown(node)
        return scripts

    def _if(self, node: tree_sitter.Node) -> Command:
        children = node.children
        clauses = [child for child in children if child.type in ("elif_clause", "else_clause")]
        plain = [child for child in children if child.type not in ("elif_clause", "else_clause")]
        then = next((index for index, child in enumerate(plain) if child.type == "then"), None)
        if then is None or plain[0].type != "if" or plain[-1].type != "fi":
            raise self._unknown(node)
        ends = [clause.start_byte for clause in clauses] + [plain[-1].start_byte]
        if clauses and plain[-2].end_byte > clauses[0].start_byte:
            raise self._unknown(node)
        condition = self._filled(plain[1:then], plain[0].end_byte, plain[then].start_byte)
        branches = [(condition, self._filled(plain[then + 1 : -1], plain[then].end_byte, ends[0]))]
        otherwise = None
        for clause, end in zip(clauses, ends[1:], strict=True):
            inner = clause.children
            if otherwise is not None:
                raise self._unknown(node)
            if clause.type == "else_clause":
                otherwise = self._filled(inner[1:], inner[0].end_byte, end)
                continue
            cut = next((index for index, child in enumerate(inner) if child.type == "then"), None)
            if cut is None:
                raise self._unknown(clause)
            test = self._filled(inner[1:cut], inner[0].end_byte, inner[cut].start_byte)
            branches.append((test, self._filled(inner[cut + 1 :], inner[cut].end_byte, end)))
        return If(tuple(branches), otherwise)

    def _while(self, node: tree_sitter.Node) -> Command:
        children = node.children
        if children[0].type not in ("while", "until") or children[-1].type != "do_group":
            raise self._unknown(node)
        body = children[-1]
        condition = self._filled(children[1:-1], children[0].end_byte, body.start_byte)
        return While(condition, self._split(body, "do", "done")[0], children[0].type == "until")

    def _for(self, node: tree_sitter.Node) -> Command:
        children = node.children
        if len(children) < 3 or children[0].type not in ("for", "select") or children[-1].type != "do_group":
            raise self._unknown(node)
        name, body = children[1], children[-1]
        self._blanks(children[0].end_byte, name.start_byte)
        select = children[0].type == "select"
        if select and self.posix:
            raise self.refuse(node.start_byte, "select, which this login shell does not have")
        words = _ALL_PARAMETERS
        at = name.end_byte
        if children[2].type == "in":
            self._blanks(at, children[2].start_byte)
            words, at = self.word_list(children[2].end_byte, body.start_byte)
        if not re.match(rb"[ \t]*(?:;|\n|\Z)(?:[ \t\n]|\\\n)*\Z", self.text[at : body.start_byte]):
            raise self.refuse(at, "bytes that no part of a loop accounts for", body.start_byte)
        loop = self.variable(self._text(name), name.start_byte)
        return For(loop, words, self._split(body, "do", "done")[0], select)

    def _case(self, node: tree_sitter.Node) -> Command:
        children = node.children
        inside = next((index for index, child in enumerate(children) if child.type == "in"), None)
        if inside is None or children[0].type != "case" or children[-1].type != "esac":
            raise self._unknown(node)
        subject, after = self.word(self.skip(children[0].end_byte, len(self.text)), children[inside].start_byte)
        self._blanks(after, children[inside].start_byte)
        items: list[tuple[tuple[Word, ...], Script, bytes]] = []
        at = children[inside].end_byte
        for child in children[inside + 1 : -1]:
            self._gap(at, child.start_byte)
            at = child.end_byte
            if child.type == "comment":
                self._comment(child)
            elif child.type == "case_item":
                items.append(self._case_item(child))
            elif child.type != "\n":
                raise self._unknown(child)
        self._gap(at, children[-1].start_byte)
        return Case(subject, tuple(items))

    def _case_item(self, node: tree_sitter.Node) -> tuple[tuple[Word, ...], Script, bytes]:
        children = node.children
        close = next((index for index, child in enumerate(children) if child.type == ")"), None)
        if close is None:
            raise self._unknown(node)
        limit = children[close].start_byte
        at = node.start_byte + self.text.startswith(b"(", node.start_byte)
        patterns = []
        while True:
            pattern, at = self.word(self.skip(at, limit), limit, PATTERN)
            patterns.append(pattern)
            at = self.skip(at, limit)
            if at == limit:
                break
            if self.text[at : at + 1] != b"|":
                raise self.refuse(at, "a pattern that can not be read")
            at += 1
        last = children[-1]
        ended = last.type in (";;", ";&", ";;&")
        if ended and last.type != ";;" and self.posix:
            raise self.refuse(last.start_byte, f"{last.type}, which this login shell does not have")
        inner = children[close + 1 : -1] if ended else children[close + 1 :]
        script = self._statements(inner, children[close].end_byte, last.start_byte if ended else node.end_byte)
        return tuple(patterns), script, last.type.encode() if ended else b";;"

    def _function(self, node: tree_sitter.Node) -> Command:
        children = node.children
        named = next((child for child in children if child.type == "word"), None)
        bodies = [index for index, child in enumerate(children) if child.type in ("compound_statement", "subshell")]
        if named is None or len(bodies) != 1:
            raise self._unknown(node)
        body = children[bodies[0]]
        head = rb"(?:function[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*(?:\([ \t]*\))?[ \t\n]*\Z"
        found = re.match(head, self.text[node.start_byte : body.start_byte])
        if found is None or found[1] != self._text(named):
            raise self.refuse(node.start_byte, "a function whose name shells read differently", body.start_byte)
        self.function_name(found[1], named.start_byte)
        command = self._command(body, body.end_byte)
        if node.end_byte > body.end_byte:
            command = self.redirected(command, self.redirections(body.end_byte, node.end_byte))
        return Function(found[1], command, node.start_byte, node.end_byte)

    _COMPOUND = {
        "compound_statement": _group,
        "subshell": _subshell,
        "if_statement": _if,
        "while_statement": _while,
        "for_statement": _for,
        "case_statement": _case,
        "function_definition": _function,
    }

    # -- here-documents

    def _heredoc(self, node: tree_sitter.Node) -> tree_sitter.Node | None:
        """The here-document of a redirected statement, if that is what its last child is."""
        last = node.children[-1]
        return last if last.type == "heredoc_redirect" else None

    def _with_heredoc(self, node: tree_sitter.Node, end: int) -> Pipeline:
        """A simple command with one here-document, and what may follow on its line: a pipeline.

        The body is taken from the source's lines; where the parser saw it end it must end."""
        here = self._heredoc(node)
        if here is None or node.children[0].type not in ("command", "heredoc_redirect"):
            raise self.refuse(node.start_byte, "a here-document of a kind that can not be read", end)
        pipes = [child for child in here.children if child.type == "pipeline"]
        line_end = self.text.find(b"\n", here.children[0].start_byte)
        if line_end < 0 or len(pipes) > 1 or self.text[line_end - 1] in b"\\|":
            raise self.refuse(node.start_byte, "a here-document of a kind that can not be read", end)
        first_end = pipes[0].start_byte if pipes else line_end
        command, body_end = self.simple_with_heredoc(node.start_byte, first_end, line_end + 1)
        if body_end != node.end_byte:
            raise self.refuse(node.start_byte, "a here-document that ends elsewhere than the parser saw", end)
        stages = [command]
        if pipes:
            children = pipes[0].children
            if self._text(children[0]) != b"|" or len(children) % 2:
                raise self._unknown(pipes[0])
            for index in range(0, len(children), 2):
                operator, child = children[index], children[index + 1]
                if operator.type != "|" or not re.match(rb"[ \t]*\Z", self.text[operator.end_byte : child.start_byte]):
                    raise self._unknown(operator)
                stages.append(self._command(child, child.end_byte))
            if not re.match(rb"[ \t]*\Z", self.text[pipes[0].end_byte : line_end]):
                raise self._unknown(pipes[0])
        return Pipeline(tuple(stages))

    def _text(self, node: tree_sitter.Node) -> bytes:
        return self.text[node.start_byte : node.end_byte]

    def _unknown(self, node: tree_sitter.Node) -> Unreadable:
        return Unreadable(node.start_byte, node.end_byte, _NAMED.get(node.type, _named(node.type)))


def _named(kind: str) -> str:
    return f"what the parser calls {kind!r}"
