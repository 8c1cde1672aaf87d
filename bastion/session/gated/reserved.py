"""The words that open and close compound commands (POSIX XCU 2.4), as lexer.py comes to the end of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Is(Enum):
    """How the text inside something open is read."""

    LIST = 1  # commands
    DOUBLE = 2  # "…"
    BRACE = 3  # ${…}
    ARITHMETIC = 4  # ((…))
    TEST = 5  # [[ … ]]


@dataclass
class Open:
    """Something that is open. `name` is for the prompt, `state` for `for`, `case` and functions."""

    name: str
    reads: Is
    state: str = ""
    quoted: bool = False
    """An expansion inside double quotes."""


_CLOSES = {"fi": "if", "done": "do", "esac": "case", "}": "{"}
_GOES_ON = {"then": "if", "elif": "if", "else": "if"}
_PREFIXES = frozenset({"!", "time", "coproc"})
_LOOPS = frozenset({"while", "until"})


class Words:
    """What is known of the text so far, and what a word changes of it."""

    def __init__(self, text: str, *, bash: bool, one: bool = False) -> None:
        self.text = text
        self.bash = bash
        self.one = one
        self.at = 0
        self.stack: list[Open] = []
        self.word = ""
        self.in_word = self.quoted = False
        self.first = True  # a reserved word may stand here
        self.pending = ""  # an operator that another command must follow
        self.documents: list[tuple[str, bool]] = []
        self.open: str | None = None
        self.line_end: int | None = None
        self.empty = True
        self.broken = False

    def _end_word(self) -> None:
        if not self.in_word:
            return
        word, quoted, first = self.word, self.quoted, self.first
        self.word, self.in_word, self.quoted = "", False, False
        here = self.stack[-1] if self.stack else None
        if here is not None and self._in_head(here, "" if quoted else word):
            return
        pending, self.pending = self.pending, ""
        if quoted or not first or (here is not None and here.state.endswith(":array")):
            self.first = False
            return
        self._reserved(word, here, pending)

    def _in_head(self, here: Open, word: str) -> bool:
        """Words of a `for` or `case` before its commands."""
        match here.state:
            case "name":
                here.state = "after name"
            case "after name" if word == "in":
                here.state = "words"
            case "after name" if word == "do":
                here.state, self.first = "body", True
            case "words":
                pass
            case "subject":
                here.state = "in"
            case "in" if word == "in":
                here.state = "pattern"
            case "pattern" if word == "esac":
                self.stack.pop()
                self.first = False
            case "pattern":
                pass
            case _:
                return False
        return True

    def _reserved(self, word: str, here: Open | None, pending: str) -> None:
        name = here.name if here is not None else ""
        if word in ("if", "{"):
            self.stack.append(Open(word, Is.LIST))
        elif word in _LOOPS:
            self.stack.append(Open(word, Is.LIST, "do"))
        elif word == "for" or (word == "select" and self.bash):
            self.stack.append(Open(word, Is.LIST, "name"))
            self.first = False
        elif word == "case":
            self.stack.append(Open(word, Is.LIST, "subject"))
            self.first = False
        elif word == "[[" and self.bash:
            self.stack.append(Open(word, Is.TEST))
            self.first = False
        elif word == "function" and self.bash:
            self.pending, self.first = "function", False
            self._function_name()
        elif word == "do" and here is not None and here.state in ("do", "after name"):
            here.state = "body"
        elif word in _GOES_ON or word == "do":
            self.broken = name != _GOES_ON.get(word) or bool(pending)
        elif word in _CLOSES:
            wanted = _CLOSES[word]
            fits = name == wanted or (wanted == "do" and here is not None and here.state == "body" and name != "case")
            self.broken = not fits or bool(pending)
            if fits and here is not None:
                self.stack.pop()
            self.first = False
        elif word in _PREFIXES:
            self.pending = "" if word == "time" else pending
        else:
            self.first = False

    def _function_name(self) -> None:
        """`function NAME` or `function NAME ()`: a body follows."""
        named = re.compile(r"[ \t]+[^\s;&|()<>]+[ \t]*(?:\([ \t]*\))?").match(self.text, self.at)
        if named is not None:
            self.at = named.end()
            self.first, self.pending = True, "function"
