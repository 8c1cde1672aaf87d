"""YAML read strictly: every value knows its file, line and column, and every problem is told at once.

The shape of a file is told by the code that reads it: a `Section` is asked for each key it may hold, and `close()`
complains about those nobody asked for, so the reader and the list of known keys can not drift apart.

Stricter than YAML: a duplicate key, an anchor, an alias, a tag, a merge key and a second document are problems, and
a plain scalar is what it looks like in the JSON schema of YAML 1.2 (so `no` and `on` are text, not booleans).

Limits: a file of more than 4 MiB, or nested deeper than 32, is refused, and so is what is no regular file (a pipe
would make its reader wait for ever).
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from bastion.errors import BadFile, Place, Problem

MAX_BYTES = 4 << 20
MAX_DEPTH = 32
MAX_MESSAGE = 400
"""Characters of one problem: a file can hold a text of megabytes where a word was expected."""
_MAX_DIGITS = 20

T = TypeVar("T")

# libyaml where PyYAML was built with it: ten times as fast, and a policy of 10,000 rules is reloaded while people wait.
_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PLAIN_KINDS = (
    (re.compile(r"(?:true|false)\Z"), "boolean"),
    (re.compile(r"[-+]?[0-9]+\Z"), "integer"),
    (re.compile(r"(?:null|~|)\Z"), "null"),
)


class Node:
    """One value of a document: its kind (`text`, `integer`, `boolean`, `null`, `list`, `mapping`) and its place."""

    def __init__(self, node: yaml.Node, file: str, problems: list[Problem]) -> None:
        self._node = node
        self._problems = problems
        self.place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)

    @property
    def kind(self) -> str:
        if isinstance(self._node, yaml.MappingNode):
            return "mapping"
        if isinstance(self._node, yaml.SequenceNode):
            return "list"
        if isinstance(self._node, yaml.ScalarNode) and not self._node.style:
            for pattern, kind in _PLAIN_KINDS:
                if pattern.match(self._node.value):
                    return kind
        return "text"

    def problem(self, message: str) -> None:
        """Note what is wrong here. Reading goes on; `finish` raises in the end."""
        if len(message) > MAX_MESSAGE:
            message = f"{message[: MAX_MESSAGE // 2]} … {message[-MAX_MESSAGE // 2 :]}"
        self._problems.append(Problem(self.place, message))

    def _wrong(self, wanted: str) -> None:
        self.problem(f"expected {wanted}, found {self.kind}")

    def text(self) -> str | None:
        """The text, or None (and a problem) when this is another kind. A number is text only when quoted."""
        if self.kind != "text":
            self._wrong("text")
        elif not self._node.value:
            self.problem("expected text, found an empty one")
        else:
            return str(self._node.value)
        return None

    def integer(self, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`, both included."""
        if self.kind != "integer":
            self._wrong("a whole number")
            return None
        if len(self._node.value) > _MAX_DIGITS:  # Python itself refuses to read a number of some thousand digits
            self.problem(f"a number of {len(self._node.value)} digits is not between {low} and {high}")
            return None
        value = int(self._node.value)
        if not low <= value <= high:
            self.problem(f"{value} is not between {low} and {high}")
            return None
        return value

    def boolean(self) -> bool | None:
        """`true` or `false`; nothing else is a boolean here."""
        if self.kind == "boolean":
            return bool(self._node.value == "true")
        self._wrong("true or false")
        return None

    def choice(self, *choices: str) -> str | None:
        """One of the given words."""
        value = self.text()
        if value is None or value in choices:
            return value
        self.problem(f"{value!r} is not one of {', '.join(choices)}{_meant(value, choices)}")
        return None

    def duration(self, low: int, high: int) -> int | None:
        """A time such as `30s`, `15m`, `1h`, `7d`, in seconds, from `low` to `high`, both included."""
        value = self.text()
        if value is None:
            return None
        match = _DURATION.match(value)
        if match is None:
            self.problem(f"{value!r} is not a duration such as 30s, 15m or 1h")
            return None
        seconds = int(match[1]) * _UNITS[match[2]]
        if not low <= seconds <= high:
            self.problem(f"{value} is not between {low} and {high} seconds")
            return None
        return seconds

    def items(self) -> list[Node]:
        """The members of a list; empty (and a problem) when this is another kind."""
        if not isinstance(self._node, yaml.SequenceNode):
            self._wrong("a list")
            return []
        return [Node(child, self.place.file, self._problems) for child in self._node.value]

    def filled(self, how: Callable[[Node], T | None]) -> tuple[T, ...]:
        """The members of a list with at least one, each read with `how`. An empty one is a problem: does it match
        nothing, or all?"""
        items = self.items()
        if self.kind == "list" and not items:
            self.problem("an empty list: leave the key out, or name something")
        return tuple(value for item in items if (value := how(item)) is not None)

    def texts(self) -> list[str]:
        """The members of a list of texts."""
        return [value for item in self.items() if (value := item.text()) is not None]

    def section(self) -> Section:
        """The mapping here; an empty one (and a problem) when this is another kind."""
        if self.kind != "mapping":
            self._wrong("a mapping")
        return Section(self._node, self.place.file, self._problems)


class Section(Node):
    """A mapping under reading: `take` or `need` each known key, then `close`."""

    def __init__(self, node: yaml.Node, file: str, problems: list[Problem]) -> None:
        super().__init__(node, file, problems)
        self._members: dict[str, tuple[Node, Node]] = {}
        self._asked: list[str] = []
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        for key_node, value_node in pairs:
            key, value = Node(key_node, file, problems), Node(value_node, file, problems)
            if not isinstance(key_node, yaml.ScalarNode):
                key.problem("a key must be text")
                continue
            name = str(key_node.value)
            if name in self._members:
                key.problem(f"duplicate key {name!r}, first at line {self._members[name][0].place.line}")
                continue
            self._members[name] = (key, value)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def empty(self) -> bool:
        return not self._members

    def take(self, name: str) -> Node | None:
        """The value of an optional key, or None."""
        self._asked.append(name)
        pair = self._members.get(name)
        return None if pair is None else pair[1]

    def key(self, name: str) -> Node | None:
        """The key itself, for a problem that is about its being there; None when it is not. Does not count as asked."""
        pair = self._members.get(name)
        return None if pair is None else pair[0]

    def need(self, name: str) -> Node | None:
        """The value of a required key; None (and a problem) when it is missing."""
        node = self.take(name)
        # What stands for an unreadable file or a wrong kind has had its problem told.
        if node is None and self.kind == "mapping":
            self.problem(f"missing key {name!r}")
        return node

    def read(self, name: str, how: Callable[[Node], T | None], default: T) -> T:
        """An optional key read with `how`; `default` when it is missing or wrong (a problem was noted then)."""
        node = self.take(name)
        if node is None:
            return default
        value = how(node)
        return default if value is None else value

    def require(self, name: str, how: Callable[[Node], T | None], stand_in: T) -> T:
        """A required key read with `how`; `stand_in` when it is missing or wrong, which `finish` will raise for."""
        node = self.need(name)
        value = None if node is None else how(node)
        return stand_in if value is None else value

    def entries(self) -> Iterator[tuple[str, Node, Node]]:
        """All members as (name, key, value), for mappings whose keys are names that the author chose."""
        self._asked.extend(self._members)
        for name, (key, value) in self._members.items():
            yield name, key, value

    def close(self) -> None:
        """Every key that nobody asked for is a problem."""
        for name, (key, _) in self._members.items():
            if name not in self._asked:
                key.problem(f"unknown key {name!r}{_meant(name, self._asked)}")


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def parse(source: bytes, file: str, problems: list[Problem]) -> Section:
    """Read one document whose root is a mapping. Problems are appended; an empty section, which misses no key, stands
    for what is unreadable.

    `file` is only a name for messages. The caller reads the section, closes it, and then calls `finish(problems)`.
    """
    unreadable = yaml.ScalarNode("tag:yaml.org,2002:null", "", _mark(file), _mark(file))
    root: yaml.Node | None = None
    if len(source) > MAX_BYTES:
        problems.append(Problem(Place(file, 1, 1), f"larger than {MAX_BYTES} bytes"))
    else:
        root = _compose(source, file, problems)
    return Section(unreadable if root is None else root, file, problems)


def finish(problems: Sequence[Problem]) -> None:
    """Raise BadFile with all problems, if there is one."""
    if problems:
        raise BadFile(problems)


def load(path: Path, problems: list[Problem]) -> Section:
    """`parse` a file. One that can not be read is a problem at its first line."""
    return parse(read(path, problems) or b"{}", shown(path), problems)


def read(path: Path, problems: list[Problem]) -> bytes | None:
    """The contents, one byte more than is accepted at most; None and a problem when they can not be had."""
    try:
        found = contents(path, MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(Place(shown(path), 1, 1), f"can not be read: {error.strerror}"))
        return None
    if not found:
        problems.append(Problem(Place(shown(path), 1, 1), "empty: expected a mapping"))
        return None
    return found


def contents(path: Path, most: int) -> bytes:
    """Up to `most` bytes of a regular file. Never waits for a writer; OSError says what is wrong."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return file.read(most)


def shown(path: Path) -> str:
    """A path as people and logs can read it: what is not printable, or not UTF-8, is escaped."""
    letters = []
    for letter in str(path):
        if letter.isprintable():
            letters.append(letter)
        else:
            letters.extend(f"\\x{byte:02x}" for byte in os.fsencode(letter))
    return "".join(letters)


def _mark(file: str) -> yaml.Mark:
    return yaml.Mark(file, 0, 0, 0, None, 0)


def _compose(source: bytes, file: str, problems: list[Problem]) -> yaml.Node | None:
    """The node tree, or None with problems noted. Nothing is constructed, so no tag can run code."""
    try:
        text = source.decode("utf-8")
        _refuse_characters(text, file)
        _refuse_events(text, file)
        root = yaml.compose(text, Loader=_LOADER)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        problems.append(Problem(Place(file, line, 1), "not UTF-8"))
        return None
    except BadFile as error:
        problems.extend(error.problems)
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, 1, 1) if mark is None else Place(file, mark.line + 1, mark.column + 1)
        message = (error.problem or error.context or "unreadable").splitlines()[0]
        problems.append(Problem(place, f"not YAML: {message}"))
        return None
    if root is None:
        problems.append(Problem(Place(file, 1, 1), "empty: expected a mapping"))
    elif not isinstance(root, yaml.MappingNode):
        Node(root, file, problems).problem("expected a mapping at the top of the file")
        return None
    return root


def _refuse_characters(text: str, file: str) -> None:
    """Refuse what YAML does not print (its section 5.1), here, so that the place is told in characters."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is not None:
        before = text[: found.start()]
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise BadFile([Problem(place, f"a character that YAML forbids: U+{ord(found[0]):04X}")])


def _refuse_events(text: str, file: str) -> None:
    """Refuse what this dialect leaves out, before a tree of it is built (an alias bomb never gets to be one)."""
    problems: list[Problem] = []
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        mark = event.start_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        if isinstance(event, yaml.AliasEvent):
            problems.append(Problem(place, "aliases (*name) are not used here: write the value out"))
        elif isinstance(event, yaml.NodeEvent) and event.anchor:
            problems.append(Problem(place, "anchors (&name) are not used here: write the value out"))
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            problems.append(Problem(place, f"tags ({event.tag}) are not used here"))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadFile([Problem(place, f"nested deeper than {MAX_DEPTH}")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:
                problems.append(Problem(place, "a second document: one file holds one"))
    finish(problems)
