"""Compound commands: groups, if, loops, case, functions. Their parts are told apart by the parser's keywords, and
what stands between two parts must be blanks, newlines and separators."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import tree_sitter

from bastion.analysis.read_commands import CommandReader
from bastion.analysis.read_words import PATTERN, Unreadable
from bastion.analysis.tree import Case, Command, For, Function, Group, If, Parameter, Script, Subshell, While, Word

_ALL_PARAMETERS: tuple[Word, ...] = (Word((Parameter(b"@", True),)),)


class CompoundReader(CommandReader):
    """The first group of methods is the statements' reader's (read.py)."""

    def statements(self, nodes: Sequence[tree_sitter.Node], start: int, end: int) -> Script:
        raise NotImplementedError

    def command(self, node: tree_sitter.Node, end: int) -> Command:
        raise NotImplementedError

    def gap(self, start: int, end: int) -> bytes:
        raise NotImplementedError

    def blanks(self, start: int, end: int) -> None:
        raise NotImplementedError

    def comment(self, node: tree_sitter.Node) -> None:
        raise NotImplementedError

    def bytes_of(self, node: tree_sitter.Node) -> bytes:
        raise NotImplementedError

    def unknown(self, node: tree_sitter.Node) -> Unreadable:
        raise NotImplementedError

    def group(self, node: tree_sitter.Node) -> Command:
        if self.text.startswith(b"((", node.start_byte):
            raise self.refuse(node.start_byte, "arithmetic as a command", node.end_byte)
        if self.text[node.start_byte + 1 : node.start_byte + 2] not in (b" ", b"\t", b"\n"):
            raise self.refuse(node.start_byte, "a brace that shells read as part of a word", node.end_byte)
        return Group(self._between(node, "{", "}"))

    def subshell(self, node: tree_sitter.Node) -> Command:
        return Subshell(self._between(node, "(", ")"))

    def _between(self, node: tree_sitter.Node, opener: str, closer: str) -> Script:
        children = node.children
        if len(children) < 3 or children[0].type != opener or children[-1].type != closer:
            raise self.unknown(node)
        return self._filled(children[1:-1], children[0].end_byte, children[-1].start_byte)

    def _filled(self, nodes: Sequence[tree_sitter.Node], start: int, end: int) -> Script:
        script = self.statements(nodes, start, end)
        if not script.items:
            raise self.refuse(start, "a command is missing here")
        return script

    def _split(self, node: tree_sitter.Node, *keywords: str) -> list[Script]:
        """The scripts between the keywords of a compound command, the last of which ends it."""
        scripts: list[Script] = []
        children, low = node.children, 0
        if children[0].type != keywords[0]:
            raise self.unknown(node)
        for keyword in keywords[1:]:
            high = next((index for index in range(low + 1, len(children)) if children[index].type == keyword), None)
            if high is None:
                raise self.unknown(node)
            scripts.append(self._filled(children[low + 1 : high], children[low].end_byte, children[high].start_byte))
            low = high
        if low != len(children) - 1:
            raise self.unknown(node)
        return scripts

    def if_(self, node: tree_sitter.Node) -> Command:
        children = node.children
        clauses = [child for child in children if child.type in ("elif_clause", "else_clause")]
        plain = [child for child in children if child.type not in ("elif_clause", "else_clause")]
        then = next((index for index, child in enumerate(plain) if child.type == "then"), None)
        if then is None or plain[0].type != "if" or plain[-1].type != "fi":
            raise self.unknown(node)
        ends = [clause.start_byte for clause in clauses] + [plain[-1].start_byte]
        if clauses and plain[-2].end_byte > clauses[0].start_byte:
            raise self.unknown(node)
        condition = self._filled(plain[1:then], plain[0].end_byte, plain[then].start_byte)
        branches = [(condition, self._filled(plain[then + 1 : -1], plain[then].end_byte, ends[0]))]
        otherwise = None
        for clause, end in zip(clauses, ends[1:], strict=True):
            inner = clause.children
            if otherwise is not None:
                raise self.unknown(node)
            if clause.type == "else_clause":
                otherwise = self._filled(inner[1:], inner[0].end_byte, end)
                continue
            cut = next((index for index, child in enumerate(inner) if child.type == "then"), None)
            if cut is None:
                raise self.unknown(clause)
            test = self._filled(inner[1:cut], inner[0].end_byte, inner[cut].start_byte)
            branches.append((test, self._filled(inner[cut + 1 :], inner[cut].end_byte, end)))
        return If(tuple(branches), otherwise)

    def while_(self, node: tree_sitter.Node) -> Command:
        children = node.children
        if children[0].type not in ("while", "until") or children[-1].type != "do_group":
            raise self.unknown(node)
        body = children[-1]
        condition = self._filled(children[1:-1], children[0].end_byte, body.start_byte)
        return While(condition, self._split(body, "do", "done")[0], children[0].type == "until")

    def for_(self, node: tree_sitter.Node) -> Command:
        children = node.children
        if len(children) < 3 or children[0].type not in ("for", "select") or children[-1].type != "do_group":
            raise self.unknown(node)
        name, body = children[1], children[-1]
        self.blanks(children[0].end_byte, name.start_byte)
        select = children[0].type == "select"
        if select and self.posix:
            raise self.refuse(node.start_byte, "select, which this login shell does not have")
        words = _ALL_PARAMETERS
        at = name.end_byte
        if children[2].type == "in":
            self.blanks(at, children[2].start_byte)
            words, at = self.word_list(children[2].end_byte, body.start_byte)
        if not re.match(rb"[ \t]*(?:;|\n|\Z)(?:[ \t\n]|\\\n)*\Z", self.text[at : body.start_byte]):
            raise self.refuse(at, "bytes that no part of a loop accounts for", body.start_byte)
        loop = self.variable(self.bytes_of(name), name.start_byte)
        return For(loop, words, self._split(body, "do", "done")[0], select)

    def case(self, node: tree_sitter.Node) -> Command:
        children = node.children
        inside = next((index for index, child in enumerate(children) if child.type == "in"), None)
        if inside is None or children[0].type != "case" or children[-1].type != "esac":
            raise self.unknown(node)
        subject, after = self.word(self.skip(children[0].end_byte, len(self.text)), children[inside].start_byte)
        self.blanks(after, children[inside].start_byte)
        items: list[tuple[tuple[Word, ...], Script, bytes]] = []
        at = children[inside].end_byte
        for child in children[inside + 1 : -1]:
            self.gap(at, child.start_byte)
            at = child.end_byte
            if child.type == "comment":
                self.comment(child)
            elif child.type == "case_item":
                items.append(self._case_item(child))
            elif child.type != "\n":
                raise self.unknown(child)
        self.gap(at, children[-1].start_byte)
        return Case(subject, tuple(items))

    def _case_item(self, node: tree_sitter.Node) -> tuple[tuple[Word, ...], Script, bytes]:
        children = node.children
        close = next((index for index, child in enumerate(children) if child.type == ")"), None)
        if close is None:
            raise self.unknown(node)
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
        script = self.statements(inner, children[close].end_byte, last.start_byte if ended else node.end_byte)
        return tuple(patterns), script, last.type.encode() if ended else b";;"

    def function(self, node: tree_sitter.Node) -> Command:
        children = node.children
        named = next((child for child in children if child.type == "word"), None)
        bodies = [index for index, child in enumerate(children) if child.type in ("compound_statement", "subshell")]
        if named is None or len(bodies) != 1:
            raise self.unknown(node)
        body = children[bodies[0]]
        head = rb"(?:function[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*(?:\([ \t]*\))?[ \t\n]*\Z"
        found = re.match(head, self.text[node.start_byte : body.start_byte])
        if found is None or found[1] != self.bytes_of(named):
            raise self.refuse(node.start_byte, "a function whose name shells read differently", body.start_byte)
        self.function_name(found[1], named.start_byte)
        command = self.command(body, body.end_byte)
        if node.end_byte > body.end_byte:
            command = self.redirected(command, self.redirections(body.end_byte, node.end_byte))
        return Function(found[1], command, node.start_byte, node.end_byte)


COMPOUND: dict[str, Callable[..., Command]] = {
    "compound_statement": CompoundReader.group,
    "subshell": CompoundReader.subshell,
    "if_statement": CompoundReader.if_,
    "while_statement": CompoundReader.while_,
    "for_statement": CompoundReader.for_,
    "case_statement": CompoundReader.case,
    "function_definition": CompoundReader.function,
}
