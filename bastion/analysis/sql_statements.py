"""One statement: what it does by its first word, and what it holds inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bastion.analysis.sql_clients import Client, words
from bastion.analysis.sql_names import check_functions
from bastion.analysis.sql_parsed import parsed_kinds
from bastion.analysis.sql_tokens import Token

MAX_INSIDE = 4
"""Statements inside statements (EXPLAIN, PREPARE, COPY of a query)."""


@dataclass(slots=True)
class Finds:
    """What has been found so far, over all statements."""

    kinds: set[str] = field(default_factory=set)
    undecidable: list[str] = field(default_factory=list)
    planned: set[str] = field(default_factory=set)
    """Kinds that EXPLAIN was given, and does not do."""


Statement = Sequence[Token]

# Words that do something wherever they stand, and the kinds that account for them. One that no kind found in the
# statement accounts for is undecidable; its own kind (the first) is told beside that.
_ACTS: dict[str, tuple[str, ...]] = {
    "INSERT": ("insert", "grant"),
    "REPLACE": ("insert", "create"),
    "UPDATE": ("update-all", "update", "lock", "insert", "grant"),
    "DELETE": ("delete-all", "delete", "grant"),
    "MERGE": ("update-all", "update", "insert", "delete-all"),
    "DROP": ("drop", "grant"),
    "TRUNCATE": ("truncate", "grant"),
    "ALTER": ("alter", "grant"),
    "CREATE": ("create", "show", "grant"),
    "GRANT": ("grant", "show"),
    "REVOKE": ("grant",),
    "COPY": ("copy-file", "copy-program", "select", "insert"),
    "INTO": ("insert", "create", "copy-file", "set"),
    "OUTFILE": ("copy-file",),
    "DUMPFILE": ("copy-file",),
    "INFILE": ("copy-file",),
    "CALL": ("call",),
    "EXEC": ("call",),
    "EXECUTE": ("call", "grant"),
}
_FUNCTIONS_TOO = ("INSERT", "REPLACE", "TRUNCATE")

_TSQL_BEGINS = words("begins_in_tsql")
_CREATED = words("created")
_BEFORE_CREATED = words("before_created")
_PRINCIPALS = words("principals")
_TRANSACTION_WORDS = words("transaction")
_PRAGMAS_THAT_READ = words("pragmas_that_read")
_PRAGMAS_THAT_READ_ALONE = words("pragmas_that_read_alone")
_EXPLAIN_OPTIONS = words("explain_options")


def judge_statement(statement: Statement, client: Client, finds: Finds, inside: int = 0) -> None:
    """Add what `statement` (not empty) does to `finds`."""
    if inside > MAX_INSIDE:
        finds.undecidable.append("statements inside statements, too deep")
        return
    one = Finds()
    first = statement[0]
    word = first.text if first.kind == "word" else "SELECT" if first.kind == "open" else ""
    how = _FIRST_WORDS.get(word)
    if how is None or (first.kind == "open" and client.name == "sqlcmd"):
        one.undecidable.append(f"a statement that begins with {word or 'no keyword'} is not known here")
        one.kinds |= _inner_acts(statement)
    else:
        how(statement, client, one, inside)
    check_functions(statement, client, one.kinds)
    _account(statement, client, one)
    finds.kinds |= one.kinds
    finds.undecidable += one.undecidable


def _inner_acts(statement: Statement) -> set[str]:
    return {_ACTS[token.text][0] for token in statement if token.kind == "word" and token.text in _ACTS}


def _account(statement: Statement, client: Client, one: Finds) -> None:
    for index, token in enumerate(statement):
        if token.kind != "word" or _is_part_of_a_name(statement, index):
            continue
        after = statement[index + 1] if index + 1 < len(statement) else None
        if token.text in _FUNCTIONS_TOO and after is not None and after.kind == "open" and client.name != "sqlcmd":
            continue
        if statement[0].is_word("CREATE", "ALTER") and statement[index - 1].is_word("ON"):
            continue  # ON DELETE CASCADE
        kinds = _ACTS.get(token.text)
        if token.text in ("OUTFILE", "DUMPFILE", "INFILE"):
            one.kinds.add("copy-file")
        elif kinds is not None and not (one.kinds | one.planned).intersection(kinds):
            one.kinds.add(kinds[0])
            one.undecidable.append(f"{token.text} stands where it is not understood")
        elif index and client.name == "sqlcmd" and _begins_another(statement, index, one):
            one.undecidable.append(f"{token.text} may begin another statement: end the one before with a semicolon")


def _begins_another(statement: Statement, index: int, one: Finds) -> bool:
    token = statement[index]
    if token.text == "SET":
        return not one.kinds & {"update", "update-all"} or sum(other.is_word("SET") for other in statement) > 1
    if token.text in ("EXEC", "EXECUTE"):
        return not one.kinds & {"grant"}
    if token.text in ("DROP", "CREATE", "TRUNCATE", "GRANT", "REVOKE", "MERGE"):
        return not statement[0].is_word("ALTER", "GRANT", "REVOKE", "DENY")
    if token.text in ("INSERT", "UPDATE", "DELETE", "ALTER"):
        # After WITH … these are the statement itself; behind ON, or in a MERGE or GRANT, they are clauses of it.
        return not statement[0].is_word("WITH", "MERGE", "GRANT", "REVOKE", "CREATE", "ALTER")
    return token.text in _TSQL_BEGINS and not statement[0].is_word("ALTER", "GRANT", "BEGIN", "COMMIT", "ROLLBACK")


def _is_part_of_a_name(statement: Statement, index: int) -> bool:
    before = statement[index - 1].kind if index else ""
    after = statement[index + 1].kind if index + 1 < len(statement) else ""
    return "dot" in (before, after)


def _parse(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del inside
    kinds, reason = parsed_kinds(statement, client)
    one.kinds |= kinds
    if reason is not None:
        one.undecidable.append(reason)
        one.kinds |= _inner_acts(statement)


def _as(*kinds: str) -> Callable[[Statement, Client, Finds, int], None]:
    def add(statement: Statement, client: Client, one: Finds, inside: int) -> None:
        del statement, client, inside
        one.kinds.update(kinds)

    return add


def _undecidable(reason: str, *kinds: str) -> Callable[[Statement, Client, Finds, int], None]:
    def add(statement: Statement, client: Client, one: Finds, inside: int) -> None:
        del statement, client, inside
        one.kinds.update(kinds)
        one.undecidable.append(reason)

    return add


def _replace(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    """REPLACE INTO deletes the rows in its way; the parser knows it as INSERT."""
    if not client.replaces:
        one.undecidable.append("REPLACE is not known here")
        return
    _parse((Token("word", "INSERT", False), *statement[1:]), client, one, inside)
    one.kinds.add("update")


def _create(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del client, inside
    one.kinds.add("create")
    if any(token.is_word(*_PRINCIPALS) for token in statement[1:3]):
        one.kinds.add("grant")
        return
    for token in statement[1:]:
        if token.is_word(*_CREATED):
            return
        if not token.is_word(*_BEFORE_CREATED):
            break
    one.undecidable.append("what this creates holds code, or is not known here")


def _alter(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del client, inside
    one.kinds.add("alter")
    if any(token.is_word(*_PRINCIPALS) for token in statement[1:2]) or any(
        token.is_word("OWNER") for token in statement
    ):
        one.kinds.add("grant")
    for index, token in enumerate(statement):
        if statement[index - 1].is_word("ON") or _is_part_of_a_name(statement, index):
            continue
        for word, kind in (
            ("DROP", "drop"),
            ("TRUNCATE", "truncate"),
            ("DELETE", "delete-all"),
            ("UPDATE", "update-all"),
        ):
            if token.is_word(word):
                one.kinds.add(kind)
    if any(token.is_word("SYSTEM") for token in statement[1:2]):
        one.undecidable.append("ALTER SYSTEM changes what the server runs")


def _set(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del client, inside
    one.kinds.add("set")
    if any(token.is_word("PASSWORD", "ROLE", "AUTHORIZATION") for token in statement):
        one.kinds.add("grant")
    if any(token.is_word("STATEMENT") for token in statement[1:2]):
        one.undecidable.append("SET STATEMENT holds another statement")


def _transaction(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del inside
    one.kinds.add("transaction")
    if statement[0].is_word("START") and not any(token.is_word("TRANSACTION") for token in statement[1:2]):
        one.undecidable.append("START of something else than a transaction")
    names = 0
    for token in statement[1:]:
        if token.kind == "comma" or token.is_word(*_TRANSACTION_WORDS):
            continue
        names += 1
        if token.kind not in ("word", "name") or names > 1 or statement[0].is_word("BEGIN", "START"):
            one.undecidable.append("a transaction statement with more to it")
            return
    if client.name == "sqlcmd" and not any(token.is_word("TRAN", "TRANSACTION", "WORK") for token in statement[1:2]):
        one.undecidable.append("BEGIN or END of a block of statements")


def _pragma(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del client, inside
    rest = list(statement[1:])
    if len(rest) > 2 and rest[1].kind == "dot":
        del rest[:2]
    name = rest[0].text.upper() if rest else ""
    alone = len(rest) == 1
    if (alone and name in _PRAGMAS_THAT_READ_ALONE) or (
        name in _PRAGMAS_THAT_READ and (alone or rest[1].kind == "open") and sum(t.kind == "open" for t in rest) < 2
    ):
        one.kinds.add("show")
    else:
        one.kinds.add("set")
        one.undecidable.append("what this PRAGMA sets or does is not known here")


def _explain(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    """EXPLAIN plans; with ANALYZE it runs. Planning may call functions, so those count either way."""
    one.kinds.add("explain")
    rest = list(statement[1:])
    runs = statement[0].is_word("ANALYZE", "ANALYSE")
    if rest and rest[0].kind == "open" and client.grammar == "postgres":
        end = next((index for index, token in enumerate(rest) if token.kind == "close"), len(rest) - 1)
        runs |= any(token.is_word("ANALYZE", "ANALYSE") for token in rest[:end])
        del rest[: end + 1]
    if client.grammar == "clickhouse" and rest and rest[0].is_word("TABLE"):
        del rest[0]
    while rest and (rest[0].is_word(*_EXPLAIN_OPTIONS) or rest[0].kind in ("symbol", "number", "comma")):
        runs |= rest[0].is_word("ANALYZE", "ANALYSE")
        del rest[0]
    if not rest or rest[0].kind in ("string", "name") or not _FIRST_WORDS.get(rest[0].text):
        # DESCRIBE of a table: names and nothing else.
        if any(token.kind not in ("word", "name", "dot", "string") for token in rest) or len(rest) > 5 or runs:
            one.undecidable.append("what is explained is not known here")
        return
    inner = Finds()
    judge_statement(rest, client, inner, inside + 1)
    one.undecidable += inner.undecidable
    one.kinds |= inner.kinds if runs or inner.undecidable else inner.kinds & {"function", "call"}
    one.planned |= inner.kinds


def _analyze(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    """MariaDB's ANALYZE runs the statement behind it; others' gathers statistics, which is not a thing to judge."""
    if client.grammar == "mysql" and not any(token.is_word("TABLE", "LOCAL") for token in statement[1:2]):
        _explain(statement, client, one, inside)
    else:
        one.undecidable.append("ANALYZE is not known here")


def _copy(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    if client.grammar != "postgres":
        one.undecidable.append("COPY is not known here")
        return
    rest = list(statement[1:])
    if rest and rest[0].kind == "open":
        end = _closing(rest)
        if end > 1:
            judge_statement(rest[1:end], client, one, inside + 1)
        del rest[: end + 1]
    if any(token.is_word("PROGRAM") for token in rest):
        one.kinds.add("copy-program")
    way = next((index for index, token in enumerate(rest) if token.is_word("TO", "FROM")), -1)
    over = rest[way + 1] if 0 <= way < len(rest) - 1 else None
    if over is not None and over.is_word("STDOUT", "STDIN"):
        one.kinds.add("select" if over.text == "STDOUT" and rest[way].text == "TO" else "insert")
    elif over is None or not over.is_word("PROGRAM"):
        one.kinds.add("copy-file")


def _closing(tokens: Sequence[Token]) -> int:
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.kind == "open") - (token.kind == "close")
        if not depth:
            return index
    return len(tokens)


def _prepare(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    one.kinds.add("call")
    one.undecidable.append("a prepared statement is run by another name later")
    at = next((index for index, token in enumerate(statement) if token.is_word("AS", "FROM")), len(statement))
    if at + 1 < len(statement):
        judge_statement(statement[at + 1 :], client, one, inside + 1)


def _execute(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    """T-SQL's EXEC of a procedure by name; of anything else, and in other dialects, text that is run as SQL."""
    del inside
    one.kinds.add("call")
    named = len(statement) > 1 and statement[1].kind in ("word", "name") and not statement[1].text.startswith("@")
    if client.name != "sqlcmd" or not named or statement[1].is_word("AS"):
        one.undecidable.append("EXECUTE runs a statement that is not in this text")


def _kill(statement: Statement, client: Client, one: Finds, inside: int) -> None:
    del statement, client, inside
    one.kinds.add("function")
    one.undecidable.append("KILL and SHUTDOWN end other sessions or the server")


_LOAD = _undecidable("LOAD reads a file or a library", "copy-file")
_FIRST_WORDS: dict[str, Callable[[Statement, Client, Finds, int], None]] = {
    **dict.fromkeys(("SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"), _parse),
    "REPLACE": _replace,
    "DROP": _as("drop"),
    "TRUNCATE": _as("truncate"),
    "ALTER": _alter,
    "RENAME": _as("alter"),
    "COMMENT": _as("alter"),
    "REASSIGN": _as("alter", "grant"),
    "CREATE": _create,
    **dict.fromkeys(("GRANT", "REVOKE", "DENY"), _as("grant")),
    "COPY": _copy,
    "LOAD": _LOAD,
    "BULK": _LOAD,
    **dict.fromkeys(("EXPLAIN", "DESCRIBE", "DESC"), _explain),
    **dict.fromkeys(("ANALYZE", "ANALYSE"), _analyze),
    "SHOW": _as("show"),
    **dict.fromkeys(("SET", "RESET"), _set),
    "USE": _as("set"),
    "PRAGMA": _pragma,
    "CALL": _as("call"),
    **dict.fromkeys(("EXEC", "EXECUTE"), _execute),
    "PREPARE": _prepare,
    **dict.fromkeys(("KILL", "SHUTDOWN"), _kill),
    **dict.fromkeys(("BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ABORT", "END"), _transaction),
    "DO": _undecidable("DO runs code that is not judged here", "call"),
}
