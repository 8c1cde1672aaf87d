"""What one use of a program does: values, and the tally in which the roles of its words are added up.

Every word is bytes, or None where only the target could know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Word = bytes | None


@dataclass(frozen=True, slots=True)
class Nested:
    """A command inside a command: words, or text for a shell.

    With `argv` it is a command given as words, which a program runs as they are; `more` says that any number of
    words, which only the target knows, follow. With `shell` it is text that a shell reads: it stands in
    argv[words[0]:words[1]] of the outer command (joined by blanks where that is several words), after the first
    `prefix` bytes of the first of them (such as `--command=`); or it is all of standard input, when `stdin` is true.
    `single` and `plain` are the indices of unknown words of `argv` that are exactly one word, and that are no option
    either (what find puts for {}); with `more`, the words that follow are of the last one's kind.
    `folder` is the directory in which it runs: empty for that of the outer command, None for one that is not known.
    `remote` says that it runs on another machine or in a container. `environment` is what is set for it. `replaced`:
    text may be put into any of its words, so that what was known of an unknown one holds no more.
    """

    argv: tuple[Word, ...] = ()
    more: bool = False
    shell: bytes | None = None
    words: tuple[int, int] = (0, 0)
    prefix: int = 0
    stdin: bool = False
    remote: bool = False
    single: frozenset[int] = frozenset()
    plain: frozenset[int] = frozenset()
    folder: bytes | None = b""
    environment: tuple[tuple[bytes, Word], ...] = ()
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Sql:
    """Literal SQL, and the dialect (sqlglot's name) of the client program that is given it."""

    dialect: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Acts:
    """What a command does, as far as its program's profile says.

    `known` is false when no profile covers this use: then nothing is claimed, which is not undecidable by itself.
    `code` are reasons why it runs code that is not judged here, `unknown` reasons why it can not be decided,
    `changes` what it changes besides the paths in `writes` and `deletes`. `walks` are
    folders that are read with all below them. `interactive`: it takes commands from its
    terminal or standard input; `asks` says of what kind (`shell`, `sql` or `code`) it reads from a standard input that
    is not known. `discloses`: what is in a file that only the target knows may be shown, and not only measured.
    """

    known: bool = True
    nested: tuple[Nested, ...] = ()
    sql: tuple[Sql, ...] = ()
    code: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    writes: tuple[Word, ...] = ()
    deletes: tuple[Word, ...] = ()
    reads: tuple[Word, ...] = ()
    walks: tuple[Word, ...] = ()
    network: tuple[Word, ...] = ()
    categories: frozenset[str] = frozenset()
    techniques: frozenset[str] = frozenset()
    interactive: bool = False
    asks: str = ""
    discloses: bool = False

    @property
    def vouched(self) -> bool:
        """Whether the profile knows all that this use does by itself. SQL and nested commands, and what is sent to a
        peer, are for the caller to judge."""
        return self.known and not (self.code or self.unknown or self.interactive)


@dataclass(slots=True)
class Tally:
    """What was found so far; `done` gives the Acts. `acted` is set once a word says what to run, so that standard
    input is no longer the program's source of commands; `folder` is what relative paths are relative to, `replaced` the
    text that stands for unknown words (xargs -I). `outlines` are of words that only the target knows, by their index:
    what is known of them, with b"\\0" for each part that is not; `outlined` those of paths, each with what is done.
    `walks` are folders that are read with all below them, each with whether what is hidden there is read too.
    `measured` counts the unknown paths among `reads` whose contents are not shown."""

    program: str
    dialect: str = ""
    known: bool = True
    acted: bool = False
    terminal: bool = False
    nested: list[Nested] = field(default_factory=list)
    sql: list[Sql] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    writes: list[Word] = field(default_factory=list)
    deletes: list[Word] = field(default_factory=list)
    reads: list[Word] = field(default_factory=list)
    network: list[Word] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)
    techniques: set[str] = field(default_factory=set)
    interactive: bool = False
    asks: str = ""
    archives: list[Word] = field(default_factory=list)
    folder: bytes | None = b""
    replaced: Word = b""
    walks: list[tuple[Word, bool]] = field(default_factory=list)
    runs: list[bytes] = field(default_factory=list)
    outlines: Mapping[int, bytes] = field(default_factory=dict)
    outlined: list[tuple[str, bytes]] = field(default_factory=list)
    measured: int = 0

    def path_of(self, kind: str, word: Word, index: int) -> None:
        """Note a path that is read, written or deleted (`kind`), the word at `index`."""
        {"reads": self.reads, "writes": self.writes, "deletes": self.deletes}[kind].append(self.path(word))
        if word is None:
            self.outlined.append((kind, self.outlines.get(index, b"\0")))

    def path(self, word: Word) -> Word:
        """A path of the command, in the folder that an option such as -C named; None when either is unknown."""
        if word is None or self.folder is None:
            return None
        if not self.folder or word.startswith((b"/", b"~")):
            return word
        return self.folder.rstrip(b"/") + b"/" + word

    def done(self) -> Acts:
        return Acts(
            known=self.known,
            nested=tuple(self.nested),
            sql=tuple(self.sql),
            code=tuple(dict.fromkeys(self.code)),
            unknown=tuple(dict.fromkeys(self.unknown)),
            changes=tuple(dict.fromkeys(self.changes)),
            writes=tuple(dict.fromkeys(self.writes)),
            deletes=tuple(dict.fromkeys(self.deletes)),
            reads=tuple(dict.fromkeys(self.reads)),
            walks=tuple(dict.fromkeys(self.path(word) for word, _ in self.walks)),
            network=tuple(dict.fromkeys(self.network)),
            categories=frozenset(self.categories),
            techniques=frozenset(self.techniques),
            interactive=self.interactive,
            asks=self.asks,
            discloses=self.reads.count(None) > self.measured,
        )
