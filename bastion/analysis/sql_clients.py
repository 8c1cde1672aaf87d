"""The programs that send SQL: how each of them and its server cut text into words, and what their functions do.

A client is named as it is called (`psql`, not PostgreSQL): what stands between the client and the server matters as
much as the server. The lists of functions are data, one file a family in sql_data/.

Limits: server settings that change how text is read are met where two readings of it can differ (a backslash before
a quote), and not otherwise. A function of a user's own that has the name of a built-in one, and comes before it in the
search path, is taken for the built-in one; so is an operator or a cast of a user's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bastion.document import finish, load
from bastion.errors import Problem

_DATA = Path(__file__).parent / "sql_data"


@dataclass(frozen=True, slots=True)
class Functions:
    """Names in lower case. A name in neither set is code that is not known here."""

    dangerous: frozenset[str]
    harmless: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lexis:
    """How text is cut into words.

    `strings` and `names` are the opening quotes of the two. `backslash` tells what one does in a string: `never`
    (a plain character), `always` (escapes the next one), `settable` (the server may do either). `symbols` are the
    characters that may stand outside quotes, besides words, numbers, blanks and punctuation. `lines` matches what
    the client itself takes for a command at the start of a line, wherever the line stands; `refused` what must stand
    nowhere. Both look into strings and comments too. `colon_variables`: the client puts values for `:name`.
    """

    strings: str
    names: str
    backslash: str
    symbols: str
    prefixes: frozenset[str]
    word_start: str = "A-Za-z_"
    hash_comments: bool = False
    blank_after_dashes: bool = False
    dollar_quotes: bool = False
    colon_variables: bool = False
    refused: re.Pattern[str] | None = None
    lines: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """`grammar` is sqlglot's name of the dialect; `functions` the stem of the data file; `readers` matches a whole
    text that is one of the client's own commands and only shows something; `replaces` says that REPLACE INTO is there.
    """

    name: str
    grammar: str
    functions: str
    lexis: Lexis
    readers: re.Pattern[str] | None = None
    replaces: bool = False


# What the client takes for itself at the start of a line, also amid a statement under --named-commands, and does more
# with than show something (mysql 8.4 and mariadb 11, `help`). At the start of a statement every such word is refused.
_MYSQL_LINES = re.compile(
    r"^[ \t]*(?:system|source|delimiter|tee|pager|edit|charset|connect|prompt|sandbox)(?![A-Za-z0-9_])",
    re.IGNORECASE | re.MULTILINE,
)
_MYSQL = Lexis(
    strings="'\"",
    names="`",
    backslash="settable",
    symbols="+-*/<>=%~^&|!@:",
    prefixes=frozenset({"N", "X", "B", "_UTF8", "_UTF8MB4", "_LATIN1", "_BINARY"}),
    hash_comments=True,
    blank_after_dashes=True,
    # The server runs what stands in /*! */ (MariaDB also /*M! */), and obeys SET_VAR in /*+ */.
    refused=re.compile(r"/\*[!+]|/\*[mM]!"),
    lines=_MYSQL_LINES,
)
_POSTGRES = Lexis(
    strings="'",
    names='"',
    backslash="settable",
    symbols="+-*/<>=%~^&|!@#?:[]",
    prefixes=frozenset({"E", "N", "B", "X"}),
    dollar_quotes=True,
    colon_variables=True,
)
# sqlite3 takes a line of its own that begins with a dot, and one that is only `go` or `/`; `#` begins a comment of it.
_SQLITE = Lexis(
    strings="'",
    names='"`[',
    backslash="never",
    symbols="+-*/<>=%~&|!",
    prefixes=frozenset({"X"}),
    lines=re.compile(r"^[ \t]*(?:\.|#|(?:go|/)[ \t;]*$)", re.IGNORECASE | re.MULTILINE),
)
_SQLCMD = Lexis(
    strings="'",
    names='"[',
    backslash="never",
    symbols="+-*/<>=%~^&|!",
    prefixes=frozenset({"N"}),
    word_start="A-Za-z_@#",
    refused=re.compile(r"\$\("),
    lines=re.compile(r"^[ \t]*(?::|!!|(?:go|ed|exit|quit|reset)(?![A-Za-z0-9_]))", re.IGNORECASE | re.MULTILINE),
)
_CLICKHOUSE = Lexis(strings="'", names='"`', backslash="always", symbols="+-*/<>=%!|?:[]", prefixes=frozenset())

_PSQL_READERS = re.compile(
    r"\s*\\(?:d[A-Za-z]{0,3}[S+]{0,2}|l\+?|z|sf\+?|sv\+?|conninfo|encoding|dconfig\+?)(?:[ ]+[A-Za-z0-9_.*]+)?\s*"
)
_SQLITE_READERS = re.compile(
    r"\s*\.(?:tables?|schema|fullschema|databases|indexes|indices|dbinfo|version)(?:[ ]+[A-Za-z0-9_%*]+)?\s*"
)

_CLIENTS = {
    client.name: client
    for client in (
        Client("psql", "postgres", "psql", _POSTGRES, readers=_PSQL_READERS),
        Client("mysql", "mysql", "mysql", _MYSQL, replaces=True),
        Client("mariadb", "mysql", "mysql", _MYSQL, replaces=True),
        Client("sqlite3", "sqlite", "sqlite3", _SQLITE, readers=_SQLITE_READERS, replaces=True),
        Client("sqlcmd", "tsql", "sqlcmd", _SQLCMD),
        Client("clickhouse-client", "clickhouse", "clickhouse-client", _CLICKHOUSE),
    )
}
CLIENTS = tuple(_CLIENTS)
"""The names that `client_of` knows."""


def client_of(name: str) -> Client | None:
    """The client of that name, or None: then nothing is known of how its text is read."""
    return _CLIENTS.get(name)


@cache
def functions_of(client: Client) -> Functions:
    """The functions of that client's server. Reads a packaged file, once; BadFile when the package is damaged."""
    lists = _lists(client.functions)
    return Functions(dangerous=lists["dangerous"], harmless=lists["harmless"])


def words(name: str) -> frozenset[str]:
    """A list of keywords, in upper case, of sql_data/words.yaml."""
    return _lists("words")[name]


@cache
def _lists(stem: str) -> dict[str, frozenset[str]]:
    problems: list[Problem] = []
    section = load(_DATA / f"{stem}.yaml", problems)
    lists = {name: frozenset(value.texts()) for name, _, value in section.entries()}
    section.close()
    finish(problems)
    return lists
