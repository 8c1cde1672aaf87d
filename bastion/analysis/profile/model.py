"""A profile, once read. A Use is one level of a program: itself, or one of its subcommands.

Limits: profiles follow the GNU and Linux manuals; a program of that name from elsewhere (BSD, busybox) may know
other options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ROLES = {
    "harmless": "a word from which nothing follows",
    "reads": "a path that is read",
    "measures": "a path that is read, and of whose contents only a number or a kind is told",
    "reads-listed": "a file that lists paths which are read: only the target knows them",
    "writes": "a path that is written, or whose owner or mode is changed",
    "writes-or-runs": "a path that is written, or a program after | or !",
    "deletes": "a path that is deleted",
    "folder": "the directory to which later operands are relative",
    "peer": "a host, or an address of one",
    "url": "a URL; file: ones are read",
    "remote-reads": "HOST:PATH or a path, read",
    "remote-writes": "HOST:PATH or a path, written",
    "shell": "text for a shell",
    "login-shell": "text for the shell of some account, whichever that is",
    "shell-words": "this word and all that follow, joined by blanks, are text for a shell",
    "remote-shell": "the same, on another machine",
    "command": "this word and all that follow are a command",
    "command-to-semicolon": "words up to `;` or `{} +` are a command, in which {} is a word only the target knows",
    "command-more": "this word and all that follow are a command, to which unknown words are added",
    "replaces": "the text that is replaced in the words of a command, by what only the target knows",
    "command-with-assignments": "NAME=value words, then a command",
    "command-or-shell": "a command, or -c and text for a shell",
    "command-by-login-shell": "a command whose words a login shell reads again",
    "container-command": "a command that runs in a container, or on another machine",
    "program": "the name of a program that is run, possibly with arguments after blanks",
    "remote-program": "how another machine is reached, or the program that is run there",
    "shell-program": "the shell that is given the text of another option",
    "forgets": "a variable that is taken away, or all of them: on a terminal also those that keep pagers shut",
    "shell-mode": "an option of a shell by its long name",
    "code": "what it is given runs code that is not judged",
    "script": "a file that is run",
    "options-file": "a file that holds further options",
    "split-string": "text that is split into further words",
    "sql": "SQL",
    "sql-script": "a file of SQL",
    "sqlite-text": "SQL or a dot command of sqlite3",
    "sed-script": "a sed script",
    "awk-program": "an awk program",
    "ssh-option": "KEYWORD=VALUE as in ssh_config(5)",
    "git-config": "NAME=VALUE as in git-config(1)",
    "git-url": "a repository: some of git's transports run a command",
    "expression": "an expression of yq, which can read files",
    "setting": "a name, or NAME=VALUE which sets it",
    "sought": "names that are looked for, or a folder that is searched: those of credentials are told",
    "ps-letters": "options of ps without a dash: those that show environments are told",
    "sought-mode": "a file mode that is looked for: setuid and setgid are told",
    "walks": "a path that is read with all that lies below it",
    "moves": "a path that is moved with all that lies below it",
    "remote-walks": "HOST:PATH or a path, read with all that lies below it",
    "searches": "the same as walks; where no word has this role, the folder in which it runs is read so",
    "skims": "the same as searches, without what is hidden in a home directory",
    "mode": "a file mode: setuid and setgid are privileges",
    "mount": "SOURCE:PLACE of a container's volume",
    "uploads": "a path that is read and sent",
    "archive": "an archive: read, or written where a `when` says so",
    "privileged": "it gives what runs in a container the machine's privileges",
    "connects": "a program that is connected to the network",
    "data": "@FILE, which is read and sent, or literal data",
    "uri": "a path, or file: and one; other schemes are not known",
    "document": "a path or a URL; other prefixes are not known",
    "settings-file": "a path, or one below each folder that keeps settings",
    "resource": "kinds of things in a cluster, of which secrets are told",
    "ps-columns": "columns of ps, of which those that show environments are told",
    "database": "a database, or the settings of a connection to one",
    "user-at": "a user, or USER@HOST, which is asked",
    "plugin": "a library that is loaded",
    "git-format": "how git prints commits, which may have a program check their signatures",
    "changes": "it changes something besides files",
    "write-out": "what curl prints at its end, which may name a file that it writes, or be one",
    "page": "a page of a manual; the text of a file that is one names other files",
    "plain-word": "a word of letters, digits and `.:/_-`; anything else may be more of the program's own language",
    "apart": "the same as harmless where it is a word of its own; joined to its letter it may be further letters",
    "jq-filter": "a filter of jq, which can name files of its own",
    "count": "a number; the program would take anything else for its next word",
    "kube-output": "how kubectl prints, which may be told by a file",
    "manifest": "a path or a URL of what is in a cluster",
    "project-file": "the same of containers; standard input may name any file",
    "netdev": "files of networkd, of which those with keys are told",
    "own-settings": "a file of settings: one of the system's own is read, another may name code",
    "interactive": "it takes commands from its terminal",
    "tracing": "what strace prints; some of it changes what the traced program reads and writes",
}
"""What a word can be, by the name that profiles use."""

RUNS = frozenset(
    [
        "shell",
        "login-shell",
        "shell-words",
        "remote-shell",
        "command",
        "command-to-semicolon",
        "command-more",
        "command-with-assignments",
        "command-by-login-shell",
        "command-or-shell",
        "container-command",
        "program",
        "writes-or-runs",
        "code",
        "script",
        "options-file",
        "split-string",
        "sql",
        "sql-script",
        "sqlite-text",
        "sed-script",
        "awk-program",
        "ssh-option",
        "expression",
        "git-config",
        "git-url",
        "interactive",
        "mount",
        "connects",
        "privileged",
        "plugin",
        "remote-program",
        "shell-program",
        "shell-mode",
        "tracing",
        "own-settings",
        "jq-filter",
        "project-file",
        "write-out",
        "page",
        "plain-word",
    ]
)
"""Roles by which something runs, or may."""
REST = frozenset(
    [
        "command",
        "command-more",
        "command-with-assignments",
        "command-by-login-shell",
        "command-or-shell",
        "container-command",
        "shell-words",
        "remote-shell",
    ]
)
"""Roles that take all words from theirs on."""
JOINED = ("sed-script", "awk-program")
"""Roles of options whose values are parts of one text."""
PATHS = frozenset({"writes", "deletes", "moves", "remote-writes"})
SHOWS = frozenset(
    [
        "reads",
        "reads-listed",
        "walks",
        "remote-reads",
        "uploads",
        "data",
        "url",
        "options-file",
        "ps-letters",
        "ps-columns",
        "archive",
        "moves",
        "searches",
        "skims",
        "remote-walks",
        "uri",
        "document",
        "settings-file",
        "own-settings",
        "kube-output",
        "manifest",
        "project-file",
    ]
)
"""Roles by which what is in a file may be shown."""


class Unknown(StrEnum):
    """What an option means that the profile does not list."""

    UNDECIDABLE = "undecidable"
    UNLISTED = "unlisted"
    HARMLESS = "harmless"


class Style(StrEnum):
    """How options are told from operands."""

    GNU = "gnu"
    POSIX = "posix"
    GO = "go"
    EXACT = "exact"


class Arity(StrEnum):
    NONE = "none"
    REQUIRED = "required"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Option:
    """One spelling of an option. `roles` has one role a value that it takes; of a flag, the role of being there."""

    name: bytes
    roles: tuple[str, ...]
    arity: Arity

    @property
    def matters(self) -> bool:
        return any(role in RUNS for role in self.roles)


@dataclass(frozen=True, slots=True)
class Operands:
    """Roles of operands by position: `first`, then any number of `repeated`, then `last`."""

    first: tuple[str, ...] = ()
    repeated: str | None = None
    last: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.first, *((self.repeated,) if self.repeated else ()), *self.last)

    @property
    def rest(self) -> int | None:
        """The position of the operand from which on words are no longer this program's own; None when none is."""
        for position, role in enumerate(self.first):
            if role in REST:
                return position
        return None


@dataclass(frozen=True, slots=True)
class Effects:
    """What holds of a use as a whole."""

    code: str = ""
    changes: str = ""
    network: str = ""
    interactive: str = ""
    categories: frozenset[str] = frozenset()
    techniques: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class When:
    """More effects, or other operands, where an option is given or missing or the operands are so many."""

    given: frozenset[bytes]
    also: frozenset[bytes]
    missing: frozenset[bytes]
    at_least: int
    at_most: int
    effects: Effects
    operands: Operands | None
    stdin: str | None
    archives: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """One level of a program."""

    style: Style = Style.GNU
    unknown: Unknown = Unknown.UNDECIDABLE
    options: Mapping[bytes, Option] = field(default_factory=dict)
    prefixes: tuple[Option, ...] = ()
    numbers: bool = False
    bundled: bool = False
    everywhere: bool = False
    operands: Operands = Operands()
    commands: Mapping[bytes, Use] = field(default_factory=dict)
    otherwise: Unknown = Unknown.UNDECIDABLE
    whens: tuple[When, ...] = ()
    effects: Effects = Effects()
    stdin: str = ""
    dialect: str = ""

    @property
    def known_options(self) -> tuple[Option, ...]:
        return (*self.options.values(), *self.prefixes)


@dataclass(frozen=True, slots=True)
class Profile:
    """A program: its names (`python3.*` is a prefix), one line about it, the file that says so, and its Use."""

    names: tuple[str, ...]
    about: str
    file: str
    use: Use
