"""What would this SQL do? Judged by the client program that would send it, statement by statement.

Three readings, each of which can only add to what the others found:
1. The tokens (sql_tokens): statements are cut at semicolons and named for their first word; a first word that is not
   known here is undecidable. Every name before a parenthesis is looked up among the server's functions.
2. The parser (sqlglot) reads what SELECT, INSERT, UPDATE, DELETE and MERGE hold inside. What it can not parse, or
   parses as something else than its first word says, is undecidable.
3. Every word that does something (DELETE, INTO, EXECUTE …) must be accounted for by what was found. One that is not,
   such as a second statement without a semicolon in T-SQL, is undecidable.

Limits: rules, triggers and views of the database are not known here: an INSERT may delete, by a trigger. What
a function of a user's own does is not known; its call is told as `call`. A WHERE is judged by its form (see
sql_where). A server that only speaks the protocol of another (Redshift through psql) may read text in ways of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bastion.analysis.guards import MAX_TEXT, guard_characters
from bastion.analysis.sql_clients import CLIENTS, client_of
from bastion.analysis.sql_statements import Finds, judge_statement
from bastion.analysis.sql_tokens import NotRead, Token, statements_of, tokens_of

MAX_SQL = MAX_TEXT
"""Bytes of one text."""
MAX_TOKENS = 600
"""Words, symbols and literals in one text. The parser takes 20 to 80 µs for each."""
MAX_BRACKETS = 40
"""`[` in one text: the parser's time grows with the cube of a row of subscripts."""
MAX_DEPTH = 24
"""Parentheses, brackets and CASE inside each other. The parser's recursion fails at about 50."""
MAX_STATEMENTS = 64

KINDS = frozenset(
    {
        *("select", "insert", "update", "update-all", "delete", "delete-all", "lock"),
        *("drop", "truncate", "alter", "create", "grant"),
        *("copy-file", "copy-program", "function", "call", "set"),
        *("transaction", "explain", "show", "several"),
    }
)
"""What a statement can be found to do. `select` alone reads, through functions that are known to do no more. `call`
runs code that is not known here, `function` one that is known to reach outside the tables. The `-all` kinds come
instead of their plain form, where no WHERE chooses rows."""


@dataclass(frozen=True, slots=True)
class SqlVerdict:
    """What the text would do, and why that is not all that is known of it, if it is not.

    `kinds` holds members of KINDS, and may hold some beside reasons for being undecidable: rules that deny by kind
    apply all the same. A text without a statement has neither. `statements` counts those that were seen.
    """

    kinds: frozenset[str] = field(default_factory=frozenset)
    undecidable: tuple[str, ...] = ()
    statements: int = 0


def judge_sql(text: bytes, dialect: str) -> SqlVerdict:
    """Judge literal SQL. `dialect` is the client program: psql, mysql, mariadb, sqlite3, sqlcmd, clickhouse-client.

    Pure but for one packaged data file a client, read at first use. Never raises for any text. Reasons hold no literal
    of the text.
    """
    client = client_of(dialect)
    if client is None:
        return SqlVerdict(undecidable=(f"SQL of {dialect!a} is not known here, only of {', '.join(CLIENTS)}",))
    refused = _refused(text)
    if refused is not None:
        return SqlVerdict(undecidable=(refused,))
    decoded = text.decode("utf-8")
    if client.readers is not None and client.readers.fullmatch(decoded):
        return SqlVerdict(frozenset({"show"}), statements=1)
    try:
        tokens = tokens_of(decoded, client.lexis)
    except NotRead as error:
        return SqlVerdict(undecidable=(str(error),))
    statements = statements_of(tokens)
    too_much = _too_much(tokens, len(statements))
    if too_much is not None:
        return SqlVerdict(undecidable=(too_much,), statements=len(statements))
    finds = Finds()
    for statement in statements:
        judge_statement(statement, client, finds)
    if len(statements) > 1:
        finds.kinds.add("several")
    return SqlVerdict(frozenset(finds.kinds), tuple(dict.fromkeys(finds.undecidable)), len(statements))


def _refused(text: bytes) -> str | None:
    if len(text) > MAX_SQL:
        return f"the SQL is longer than {MAX_SQL} bytes"
    found = guard_characters(text)
    return None if found is None else f"{found.reason} at byte {found.start} of the SQL"


_OPENS = re.compile(r"[(\[]\Z")
_CLOSES = re.compile(r"[)\]]\Z")


def _too_much(tokens: Sequence[Token], statements: int) -> str | None:
    if len(tokens) > MAX_TOKENS:
        return f"more than {MAX_TOKENS} words and symbols of SQL"
    if statements > MAX_STATEMENTS:
        return f"more than {MAX_STATEMENTS} statements"
    if sum(token.kind == "symbol" and token.text == "[" for token in tokens) > MAX_BRACKETS:
        return f"more than {MAX_BRACKETS} brackets"
    depth = 0
    for token in tokens:
        if token.kind in ("open", "close", "symbol", "word"):
            if _OPENS.match(token.text) or token.is_word("CASE"):
                depth += 1
            elif _CLOSES.match(token.text) or token.is_word("END"):
                depth = max(0, depth - 1)
        if depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH}"
    return None
