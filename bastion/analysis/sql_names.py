"""The functions that a statement calls, by its tokens alone: any name that stands before a parenthesis."""

from __future__ import annotations

from collections.abc import Sequence

from bastion.analysis.sql_clients import Client, functions_of, words
from bastion.analysis.sql_tokens import Token

_KEYWORDS = words("no_functions")
_BEFORE_TABLES = words("before_tables")
_NO_CALLS = ("DROP", "GRANT", "REVOKE", "DENY", "TRUNCATE", "PRAGMA")
_SYSTEM_SCHEMAS = frozenset({"pg_catalog", "sys", "information_schema"})


def check_functions(statement: Sequence[Token], client: Client, kinds: set[str]) -> None:
    """Add `function` and `call` to `kinds` for what `statement` calls."""
    known = functions_of(client)
    calls_count = not statement[0].is_word(*_NO_CALLS)
    for index, token in enumerate(statement):
        if token.kind not in ("word", "name", "string"):
            continue
        name = token.text.lower()
        after = statement[index + 1] if index + 1 < len(statement) else None
        if name in known.dangerous and _may_call(statement, index, after):
            kinds.add("function")
        elif after is None or after.kind != "open" or token.kind == "string" or not calls_count:
            continue
        elif not _is_known(statement, index, name in known.harmless):
            kinds.add("call")


def _may_call(statement: Sequence[Token], index: int, after: Token | None) -> bool:
    """A dangerous name calls before a parenthesis, as a table (SQLite's table functions need no parentheses), and as
    what EXEC names. A column of that name behind a dot or in a list does not."""
    token = statement[index]
    if after is not None and after.kind == "open":
        return True
    if token.kind == "string":
        return False
    start = _start_of_name(statement, index)
    before = statement[start - 1] if start else None
    if before is None:
        return True
    if before.kind == "comma":
        return _among_tables(statement, start)
    if before.kind == "symbol" and before.text == "=":
        return any(other.is_word("ENGINE", "EXEC", "EXECUTE") for other in statement[:start])
    return before.is_word("FROM", "JOIN", "EXEC", "EXECUTE", "CALL", "ENGINE", "FUNCTION", "USING", "TABLE", "APPLY")


def _among_tables(statement: Sequence[Token], index: int) -> bool:
    """Does the list that this stands in begin with FROM or JOIN, or with a parenthesis?"""
    for token in reversed(statement[:index]):
        if token.is_word("FROM", "JOIN", "USING"):
            return True
        if token.is_word("SELECT", "BY", "WHERE", "SET", "VALUES", "ON"):
            return False
    return False


def _start_of_name(statement: Sequence[Token], index: int) -> int:
    """The first word of a dotted name; in T-SQL, two dots may stand between words."""
    while index and statement[index - 1].kind == "dot":
        index -= 1
        if index and statement[index - 1].kind in ("word", "name"):
            index -= 1
    return index


def _is_known(statement: Sequence[Token], index: int, harmless: bool) -> bool:
    token = statement[index]
    start = _start_of_name(statement, index)
    before = statement[start - 1] if start else None
    if token.kind == "word" and start == index and token.text in _KEYWORDS:
        return True
    if harmless and (start == index or statement[index - 2].text.lower() in _SYSTEM_SCHEMAS):
        return True
    if before is not None and (before.kind == "close" or before.is_word(*_BEFORE_TABLES)):
        return True
    if statement[0].is_word("CREATE", "ALTER") and before is not None and before.is_word("ON", "EXISTS"):
        return True
    return before is not None and before.kind == "comma" and _names_a_query(statement, index + 1)


def _names_a_query(statement: Sequence[Token], opening: int) -> bool:
    """`, name (columns) AS (SELECT …` of a WITH list. Behind AS and a parenthesis, SELECT and WITH can be no column."""
    depth = 0
    for at in range(opening, len(statement)):
        depth += (statement[at].kind == "open") - (statement[at].kind == "close")
        if not depth:
            rest = [token for token in statement[at + 1 : at + 6] if not token.is_word("NOT", "MATERIALIZED")]
            return (
                len(rest) > 2 and rest[0].is_word("AS") and rest[1].kind == "open" and rest[2].is_word("SELECT", "WITH")
            )
    return False
