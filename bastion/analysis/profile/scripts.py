"""sed and awk programs, as far as they are clearly harmless: a strict reading of a small part of each language.

sed is read whole, command by command (POSIX, and GNU's additions), since a script is short: `w`, `W`, `r`, `R` name
files, `e` and the flag `e` of `s` run commands. awk is not read but searched: a program is harmless when, outside of
its strings and regular expressions, it has none of the few ways to run a program or write a file.

Limits: what can not be read is not harmless. A regular expression's own meaning is of no interest here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(slots=True)
class SedReading:
    """What a sed script does. `unknown` is why it could not be read, or empty."""

    unknown: str = ""
    runs: bool = False
    writes: list[bytes] = field(default_factory=list)
    reads: list[bytes] = field(default_factory=list)


class _Unread(Exception):
    pass


_ODD_BLANK = re.compile(rb"[\v\f\r]")
_SPECIAL = frozenset({b"/dev/stdout", b"/dev/stderr", b"/dev/stdin"})
_ADDRESS_NUMBER = re.compile(rb"\d+(?:~\d+)?|\$|\+\d+|~\d+")
_BRACKET = re.compile(rb"\[\^?+\]?+(?:(?:\[:[a-z]+:\]|[^][\n])*+|(?:[^][\n]|\[(?![:.=]))*+)\]")
"""One that ends in the same place for every sed: some know no classes in it."""
_LABEL = re.compile(rb"[A-Za-z0-9_.-]*+(?=[ \t]*+(?:[;\n]|\Z))")
_LABEL_OF_BRANCH = re.compile(rb"[A-Za-z0-9_.-]*+(?=[ \t}]*+(?:[;\n]|\Z))")
_BLANKS = b" \t"
_PLAIN_COMMANDS = b"=dDgGhHnNpPxFz"
_NUMBERED = b"qQlL"


def sed(script: bytes) -> SedReading:
    """Read a whole script. Never raises."""
    reading = SedReading()
    if _ODD_BLANK.search(script):
        reading.unknown = "a script with a carriage return or a form feed, at which some versions of sed end a line"
        return reading
    try:
        _Sed(script, reading).run()
    except _Unread as error:
        reading.unknown = str(error)
    return reading


class _Sed:
    def __init__(self, text: bytes, reading: SedReading) -> None:
        self.text = text
        self.at = 0
        self.reading = reading
        self.depth = 0
        self.newline = -1

    def run(self) -> None:
        while True:
            begin = self.at
            self._skip(_BLANKS + b"\n;")
            if 0 <= self.newline < begin:
                raise _Unread("a script with a label that may go on")
            self.newline = -1 if self.newline < self.at else self.newline
            if self.at >= len(self.text):
                break
            self._address()
            self._command()
        if self.depth:
            raise _Unread("a script with an open brace")

    def _peek(self) -> bytes:
        return self.text[self.at : self.at + 1]

    def _skip(self, what: bytes) -> None:
        while self.at < len(self.text) and self.text[self.at] in what:
            self.at += 1

    def _address(self) -> None:
        for _ in range(2):
            self._skip(_BLANKS)
            found = _ADDRESS_NUMBER.match(self.text, self.at)
            if found:
                self.at = found.end()
            elif self._peek() == b"/":
                self.at += 1
                self._until(b"/")
                self._skip(b"IM")
            elif self._peek() == b"\\":
                mark = self.text[self.at + 1 : self.at + 2]
                self.at += 2
                self._until(mark)
                self._skip(b"IM")
            self._skip(_BLANKS)
            if self._peek() != b",":
                break
            self.at += 1
        self._skip(_BLANKS + b"!")

    def _until(self, mark: bytes, *, brackets: bool = True) -> None:
        """Past the next unescaped `mark`. Versions of sed differ about one inside a bracket expression, and a newline
        that is not escaped ends the command for some."""
        if not mark or mark in b"\n\\":
            raise _Unread("a script with an odd delimiter")
        while self.at < len(self.text):
            here = self.text[self.at : self.at + 1]
            if here == b"\\":
                self.at += 2
                continue
            if here == b"\n":
                raise _Unread("a script with a newline in an expression")
            if here == b"[" and brackets:
                found = _BRACKET.match(self.text, self.at)
                if found is None or mark in found[0]:
                    raise _Unread("a bracket expression that is not read, or holds a delimiter")
                self.at = found.end()
                continue
            self.at += 1
            if here == mark:
                return
        raise _Unread("a script with an open expression")

    def _command(self) -> None:
        name = self._peek()
        self.at += 1
        if not name:
            raise _Unread("a script that ends after an address")
        if name == b"{":
            self.depth += 1
        elif name == b"}":
            self.depth -= 1
            if self.depth < 0:
                raise _Unread("a script with an odd brace")
            self._end()
        elif name == b"#":
            self._line()
        elif name in _PLAIN_COMMANDS:
            self._end()
        elif name in _NUMBERED:
            self._skip(_BLANKS)
            self._skip(b"0123456789")
            self._end()
        elif name in b"btT:":
            self._label(_LABEL if name == b":" else _LABEL_OF_BRANCH)
        elif name in b"aic":
            self._text()
        elif name in b"wWrR":
            self._file(self.reading.writes if name in b"wW" else self.reading.reads)
        elif name == b"s":
            self._substitute()
        elif name == b"y":
            mark = self._peek()
            self.at += 1
            self._until(mark, brackets=False)
            self._until(mark, brackets=False)
            self._end()
        elif name == b"e":
            self.reading.runs = True
            self._line()
        else:
            raise _Unread("a script with a command that is not known")

    def _line(self) -> bytes:
        end = self.text.find(b"\n", self.at)
        end = len(self.text) if end < 0 else end
        line = self.text[self.at : end]
        self.at = end
        return line

    def _label(self, pattern: re.Pattern[bytes]) -> None:
        """A plain label, and the end of the command. A semicolon ends it for some versions of sed, for others only a
        newline does: that one must end a command of the reading. What else a version takes for a part of a label, or
        for the next command, is not read."""
        self._skip(_BLANKS)
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Unread("a script with a label that is not read")
        self.at = found.end()
        if self.newline < 0:
            self.newline = self.text.find(b"\n", self.at)
        self._end()

    def _text(self) -> None:
        """a, i, c: text up to a newline that is not escaped."""
        while True:
            line = self._line()
            backslashes = len(line) - len(line.rstrip(b"\\"))
            if backslashes % 2 == 0 or self.at >= len(self.text):
                return
            self.at += 1

    def _file(self, where: list[bytes]) -> None:
        name = self._line().strip(_BLANKS)
        if not name:
            raise _Unread("a script with a file that has no name")
        if name not in _SPECIAL:
            where.append(name)

    def _substitute(self) -> None:
        mark = self._peek()
        self.at += 1
        self._until(mark)
        self._until(mark, brackets=False)
        while True:
            flag = self._peek()
            if flag and flag in b"gpiIMm0123456789":
                self.at += 1
            elif flag == b"e":
                self.reading.runs = True
                self.at += 1
            elif flag == b"w":
                self.at += 1
                self._file(self.reading.writes)
                return
            else:
                break
        self._end()

    def _end(self) -> None:
        self._skip(_BLANKS)
        if self._peek() == b"#":
            self._line()
        elif self._peek() not in (b"", b"\n", b";", b"}"):
            raise _Unread("a script that is not read to its end")


_AWK_TOKENS = re.compile(
    rb"""(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<comment>\#[^\n]*)|(?P<word>[A-Za-z_]\w*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<blank>[ \t\n]+)|(?P<joined>\\\n)
    |(?P<operator>\|\||&&|[<>=!]=|\+\+|--|[-+*/%^]=|[-+*%^?:;,(){}\[\]$~!<>=|&@/])""",
    re.VERBOSE,
)
_AWK_REGEX = re.compile(rb"/(?:[^/\\\n\[]|\\.|\[\^?\]?(?:\[:[a-z]+:\]|[^\]\n])*+\])++/")
_AWK_PLAIN_REGEX = re.compile(rb"/(?:[^/\\\n\[]|\\.|\[\^?+(?:\[:[a-z]+:\]|[^][\\/\n]|\\[^][/\n])++\])++/")
"""One that ends in the same place for every awk: they differ about slashes, backslashes and brackets in brackets."""
_AWK_RUNS = frozenset(b"system getline eval extension load include namespace ARGV ARGC SYMTAB FUNCTAB".split())
_AWK_ANYWHERE = re.compile(rb"system|getline|eval|extension|load|include|namespace|ARG[VC]|SYMTAB|FUNCTAB|[|>@&]")
_AWK_BEFORE_REGEX = frozenset(b"( , { ; [ ! ~ = == != < <= > >= ? : + - * % ^ && || += -= *= %= ^=".split())
_AWK_BEFORE_REGEX |= frozenset(b"print printf return exit do else".split()) | {b""}
_AWK_WORDS = frozenset(
    b"BEGIN END BEGINFILE ENDFILE function func if while for break continue next nextfile switch case default in "
    b"delete length substr index split sub gsub gensub match sprintf sin cos atan2 exp log sqrt int rand srand "
    b"tolower toupper close fflush systime mktime strftime and or xor lshift rshift compl strtonum asort asorti "
    b"patsplit isarray typeof mkbool bindtextdomain dcgettext dcngettext".split()
)
"""Words of the language, of one awk or another: what a slash after them is differs."""


def awk(program: bytes) -> str:
    """Why the program is not clearly harmless, or an empty text. Never raises."""
    if _ODD_BLANK.search(program):
        return "its program is not clearly harmless (a carriage return or a form feed, about which awks differ)"
    at = depth = 0
    before, line, printing = b"", False, False
    # Where nothing that matters stands anywhere, strings and code may be taken for each other.
    strict = _AWK_ANYWHERE.search(program) is not None
    while at < len(program):
        if program[at : at + 1] == b"/":
            if strict and not _sure(before, line, program[at + 1 : at + 2]):
                return "its program is not clearly harmless (a slash that can be read in two ways)"
            if not _divides(before, line):
                regex = (_AWK_PLAIN_REGEX if strict else _AWK_REGEX).match(program, at)
                if regex is None:
                    return "its program is not clearly harmless (a regular expression that is not read)"
                at, before, line = regex.end(), b'"', False
                continue
        found = _AWK_TOKENS.match(program, at)
        if found is None:
            return "its program is not clearly harmless (it is not read whole)"
        at = found.end()
        token = found[0]
        if found.lastgroup in ("blank", "comment", "joined"):
            line = line or (found.lastgroup == "blank" and b"\n" in token)
            continue
        if token in _AWK_RUNS or token in (b"|", b"@", b"&"):
            return f"its program may run commands or read files ({token.decode()})"
        depth += (token in (b"(", b"[")) - (token in (b")", b"]"))
        if token in (b"print", b"printf"):
            printing, depth = True, 0
        elif token in (b";", b"}", b"{"):
            printing = False
        elif token == b">" and printing and depth <= 0:
            return "its program may write files"
        before, line = b'"' if found.lastgroup == "string" else token, False
    return ""


def _sure(before: bytes, line: bool, after: bytes) -> bool:
    """Whether every awk takes a slash here for the same: division, or the beginning of a regular expression. `line`:
    a newline stands between it and the token before it."""
    if before in _AWK_BEFORE_REGEX or (before == b"}" and line):
        return True
    operand = (before[:1].isalnum() or before[:1] == b"_") and before not in _AWK_WORDS
    return operand and not line and after != b"="


def _divides(before: bytes, line: bool) -> bool:
    """Whether a slash after `before` divides; if not, it begins a regular expression."""
    if line or before in (b"print", b"printf", b"return", b"in", b"case", b"do", b"else", b"exit", b"delete"):
        return False
    return before[-1:] in (b")", b"]", b'"') or before[-1:].isalnum() or before[-1:] == b"_"
