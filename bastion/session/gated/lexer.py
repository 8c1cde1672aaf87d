"""What is open in a piece of shell text (POSIX XCU 2.3 and 2.10, and bash's additions), for completeness.py.

It follows quotes, expansions, here-documents and the words that open and close compound commands, and no more: whether
a text is right in any other way is not asked. What can not be right (a `done` without its `do`) ends with its line, as
an interactive shell ends it.
"""

from __future__ import annotations

import re

from bastion.session.gated.reserved import Is, Open, Words

MAX_LEVELS = 200
"""Things open inside one another; a text with more is taken for whole."""

_META = " \t\n;&|()<>"
_PLAIN = re.compile(r"[A-Za-z0-9_./,:=@%^+*?!~\[\]-]+")
_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=\Z")


class Lexer(Words):
    """Life: `read` once; then `open`, `line_end` and `empty`. With `one` it stops at the end of the first command."""

    def read(self) -> Lexer:
        while self.at < len(self.text) and self.open is None and not self.broken:
            if self.line_end is not None and self.one:
                return self
            top = self.stack[-1].reads if self.stack else Is.LIST
            (self._quoted if top in (Is.DOUBLE, Is.BRACE) else self._list if top is Is.LIST else self._inside)(top)
            self.broken = self.broken or len(self.stack) > MAX_LEVELS
        if self.broken:
            newline = self.text.find("\n", self.at)
            self.line_end, self.open = (newline + 1 if newline >= 0 else None), None
            return self
        if self.one and self.line_end is not None:
            return self
        if self.open is None:
            self._end_word()
            self.open = self._still_open()
        return self

    def _still_open(self) -> str | None:
        if self.broken:
            return None
        if self.stack:
            return self.stack[-1].name
        return self.pending or (self.documents[0][0] if self.documents else None)

    # -- characters

    def _list(self, _top: Is) -> None:
        """Commands."""
        character = self.text[self.at]
        if plain := _PLAIN.match(self.text, self.at):
            self._add(plain.group())
            self.at = plain.end()
        elif character == "#" and not self.in_word:
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        elif character in _META:
            self._meta(character)
        elif character in "{}":
            self._add(character)
            self.at += 1
        else:
            self._special(character)

    def _special(self, character: str) -> None:
        """Quotes and expansions, wherever they are read as such."""
        rest = self.text[self.at : self.at + 3]
        double = bool(self.stack) and (self.stack[-1].reads is Is.DOUBLE or self.stack[-1].quoted)
        if character == "\\":
            self._add("\\", quoted=True)
            self.at += 2
            if self.at > len(self.text) or (self.at == len(self.text) and rest == "\\\n"):
                self.open = "\\"
        elif character == "'" and not double:
            self._until("'", self.at + 1, "quote")
        elif character == '"':
            self._push(Open("dquote", Is.DOUBLE), 1)
        elif character == "`":
            self._until("`", self.at + 1, "`", escapes=True)
        elif rest.startswith("$'") and self.bash and not double:
            self._until("'", self.at + 2, "quote", escapes=True)
        elif rest == "$((":
            self._push(Open("$((", Is.ARITHMETIC, quoted=double), 3)
        elif rest.startswith("$("):
            self._push_list(Open("$(", Is.LIST), 2)
        elif rest.startswith("${"):
            self._push(Open("${", Is.BRACE, quoted=double), 2)
        else:
            self._add(character)
            self.at += 1

    def _quoted(self, top: Is) -> None:
        """Inside double quotes or `${…}`."""
        character = self.text[self.at]
        if character == ('"' if top is Is.DOUBLE else "}"):
            self.stack.pop()
            self.at += 1
        else:
            self._special(character)

    def _inside(self, top: Is) -> None:
        """Inside `((…))` (brackets are counted) or `[[ … ]]`."""
        here = self.stack[-1]
        character = self.text[self.at]
        if top is Is.TEST:
            if character in " \t\n" and self.text.startswith("]]", self.at + 1):
                after = self.text[self.at + 3 : self.at + 4]
                if after == "" or after in _META:
                    self.stack.pop()
                    self.at += 2
            if character in _META:
                self.at += 1
                return
        elif character == "(":
            here.state += "("
            self.at += 1
            return
        elif character == ")":
            self.at += 1
            if here.state:
                here.state = here.state[1:]
            elif self.text[self.at : self.at + 1] == ")":
                self.at += 1
                self.stack.pop()
            elif self.at < len(self.text):
                self.broken = True  # two subshells, written as no script should
            return
        self._special(character)

    def _until(self, end: str, start: int, name: str, escapes: bool = False) -> None:
        """Literal text up to `end`."""
        self._add("'", quoted=True)
        at = start
        while at < len(self.text) and self.text[at] != end:
            at += 2 if escapes and self.text[at] == "\\" else 1
        if at >= len(self.text):
            self.open = name
        self.at = at + 1

    def _add(self, text: str, quoted: bool = False) -> None:
        self.word += text
        self.in_word = True
        self.quoted |= quoted
        self.empty = False

    def _push(self, opened: Open, length: int) -> None:
        self._add(self.text[self.at], quoted=True)
        self.stack.append(opened)
        self.at += length

    def _push_list(self, opened: Open, length: int) -> None:
        """Commands inside a word: the word goes on after them, which only matters as far as it is no reserved one."""
        self._push(opened, length)
        opened.state = "word:" + ("first" if self.first else "")
        self.word, self.in_word, self.quoted, self.first = "", False, False, True

    # -- between words

    def _meta(self, character: str) -> None:
        rest = self.text[self.at : self.at + 3]
        if character in "<>" and rest[1:2] == "(" and self.bash:
            self._push_list(Open(rest[:2], Is.LIST), 2)
            return
        if character == "(" and self.in_word and self.bash and _ASSIGNED.match(self.word):
            self._push_list(Open("(", Is.LIST), 1)  # an array: words and newlines, which a list has too
            self.stack[-1].state += ":array"
            self.first = False
            return
        at = self.at
        self._end_word()
        if self.broken or self.at != at:
            return
        if character in " \t":
            self.at += 1
        elif character == "\n":
            self._newline()
        elif character in "<>":
            self._redirection(rest)
        elif character == "(":
            self._open_bracket(rest)
        elif character == ")":
            self._close_bracket()
        else:
            self._operator(rest)

    def _newline(self) -> None:
        self.at += 1
        while self.documents:
            mark, tabs = self.documents[0]
            end = re.compile(r"^" + (r"\t*" if tabs else "") + re.escape(mark) + r"(?:\n|\Z)", re.MULTILINE)
            found = end.search(self.text, self.at)
            if found is None or (found.end() == len(self.text) and self.one and not found.group().endswith("\n")):
                self.open = mark or "<<"
                return
            del self.documents[0]
            self.at = found.end()
        self._separate()
        if not self.stack and not self.pending and (not self.empty or self.one) and self.line_end is None:
            self.line_end = self.at

    def _separate(self) -> None:
        """A `;`, a newline or an `&`: a command may begin."""
        here = self.stack[-1] if self.stack else None
        if here is not None and here.state.endswith(":array"):
            return
        if here is not None and here.state == "words":
            here.state = "do"
        self.first = here is None or here.state not in ("subject", "in")

    def _redirection(self, rest: str) -> None:
        if rest.startswith("<<") and rest != "<<<":
            self.at += 3 if rest == "<<-" else 2
            mark = re.compile(r"[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|()<>'\"\\])+)").match(self.text, self.at)
            if mark is None:
                self.pending = "<<"
                rest = self.text[self.at :].lstrip(" \t")
                self.broken = rest[:1] not in ("", "'", '"', "\\")
                self.open = "quote" if rest and not self.broken else None
                return
            self.documents.append((re.sub(r"['\"]|\\(.)", r"\1", mark.group(1)), rest == "<<-"))
            self.at = mark.end()
            return
        self.at += 3 if rest in ("<<<", "&>>") else 2 if rest[1:2] in ("<", ">", "&", "|") else 1
        blank = re.compile(r"[ \t]*").match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        self.first = False

    def _open_bracket(self, rest: str) -> None:
        here = self.stack[-1] if self.stack else None
        if here is not None and here.state == "pattern":
            self.at += 1
        elif rest.startswith("((") and self.bash and (self.first or (here is not None and here.state == "name")):
            self.pending = ""
            if here is not None and here.state == "name":
                here.state = "do"
            self.stack.append(Open("((", Is.ARITHMETIC))
            self.at += 2
            self.first = here is not None and here.state == "do"
            self.empty = False
        elif self.first:
            self.pending, self.empty = "", False
            self.stack.append(Open("(", Is.LIST))
            self.at += 1
        elif match := re.compile(r"\([ \t]*(\)|\Z)").match(self.text, self.at):
            self.at = match.end()
            self.first, self.pending = True, "()"
        else:
            self.broken = True

    def _close_bracket(self) -> None:
        here = self.stack[-1] if self.stack else None
        self.at += 1
        if here is not None and here.state == "pattern":
            here.state, self.first = "body", True
        elif here is not None and here.name in ("(", "$(", "<(", ">(") and not self.pending:
            self.stack.pop()
            self.first = False
            if here.state.startswith("word:"):
                self.in_word = self.quoted = True
                self.word = "$"
                self.first = "first" in here.state
        else:
            self.broken = True

    def _operator(self, rest: str) -> None:
        here = self.stack[-1] if self.stack else None
        if here is not None and here.name == "case" and rest.startswith((";;", ";&")):
            self.at += 3 if rest == ";;&" else 2
            here.state, self.first = "pattern", False
            return
        if here is not None and here.state == "pattern" and rest.startswith("|"):
            self.at += 1
            return
        if rest.startswith(("&>", ">&")):
            self._redirection(rest)
            return
        length = 2 if rest[:2] in ("&&", "||", "|&", ";;") else 1
        operator = rest[:length]
        if operator == ";;" or self.pending or (self.first and not self.stack):
            self.broken = True
        self.at += length
        if operator in ("&&", "||", "|", "|&"):
            self.pending, self.first = operator, True
        else:
            self._separate()
